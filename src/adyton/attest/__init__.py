"""Authentication: is this evidence what it says it is? Facts are recorded here and judged by `adyton.policy`."""

from adyton.attest.authenticate import authenticate
from adyton.attest.cache import CacheLimits, VerificationCache
from adyton.attest.result import Authentic, AuthenticQuote, AuthenticReport, Tcb, TcbPart
from adyton.attest.roots import INTEL_ROOT, TrustRoot, TrustRoots
from adyton.attest.snp import authenticate_report
from adyton.formats.tcb import TcbStatus

__all__ = [
    "INTEL_ROOT",
    "Authentic",
    "AuthenticQuote",
    "AuthenticReport",
    "CacheLimits",
    "Tcb",
    "TcbPart",
    "TcbStatus",
    "TrustRoot",
    "TrustRoots",
    "VerificationCache",
    "authenticate",
    "authenticate_report",
]
