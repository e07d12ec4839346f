"""Appraisal: is authentic evidence good enough for this purpose? Each rule is one named check."""

from adyton.formats.policy import AppraisalPolicy
from adyton.policy.appraisal import Appraisal, Claims
from adyton.policy.appraise import appraise
from adyton.policy.builtin import BUILTIN_NAMES, builtin_policy
from adyton.policy.document import AppraisalDocument
from adyton.policy.result import verify_result
from adyton.policy.verify import verify, verify_report

__all__ = [
    "BUILTIN_NAMES",
    "Appraisal",
    "AppraisalDocument",
    "AppraisalPolicy",
    "Claims",
    "appraise",
    "builtin_policy",
    "verify",
    "verify_report",
    "verify_result",
]
