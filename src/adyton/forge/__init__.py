"""The forge: PKIs, endorsements and evidence in the real formats, for the simulated processor and for tests.

Everything that is forged stands under a root of its own. No built-in policy accepts such a root, and its certificates
name a simulated vendor as their organisation. Nothing here reads a clock: times are arguments.
"""

from adyton.forge.amd import AmdKeys, AmdVendor, LeafFacts, sign_report
from adyton.forge.endorsements import Level, ModuleFacts, QeFacts, Validity
from adyton.forge.evidence import QuotingEnclave
from adyton.forge.keys import derive_key
from adyton.forge.vendor import PckCredential, PlatformFacts, Vendor, VendorKeys

__all__ = [
    "AmdKeys",
    "AmdVendor",
    "LeafFacts",
    "Level",
    "ModuleFacts",
    "PckCredential",
    "PlatformFacts",
    "QeFacts",
    "QuotingEnclave",
    "Validity",
    "Vendor",
    "VendorKeys",
    "derive_key",
    "sign_report",
]
