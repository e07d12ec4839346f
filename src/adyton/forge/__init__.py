"""The forge: PKIs, endorsements and evidence in the real formats, for the simulated processor and for tests.

Everything that is forged stands under a root of its own. No built-in policy accepts such a root, and its certificates
name a simulated vendor as their organisation. Nothing here reads a clock: times are arguments. With keys from a seed
(`VendorKeys.seeded`, `AmdKeys.seeded`) the same arguments give the same bytes.
"""

from adyton.forge.amd import AmdKeys, AmdVendor, ChipFacts, SnpKey
from adyton.forge.endorsements import Level, ModuleFacts, QeFacts, Validity
from adyton.forge.evidence import QuotingEnclave, named_platform
from adyton.forge.keys import seeded_p256, seeded_p384
from adyton.forge.vendor import PckCredential, PlatformFacts, Profile, Role, Vendor, VendorKeys

__all__ = [
    "AmdKeys",
    "AmdVendor",
    "ChipFacts",
    "Level",
    "ModuleFacts",
    "PckCredential",
    "PlatformFacts",
    "Profile",
    "QeFacts",
    "QuotingEnclave",
    "Role",
    "SnpKey",
    "Validity",
    "Vendor",
    "VendorKeys",
    "named_platform",
    "seeded_p256",
    "seeded_p384",
]
