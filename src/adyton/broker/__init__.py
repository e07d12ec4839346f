"""The broker: parties give it secrets under policies, and it releases each to attested code alone.

`decide` is pure: what was asked, what is known, and the time go in; a release or a denial comes out, with its reasons.
Effects come after it, in one transaction with the ledger's entry: nothing is released that is not recorded, and a
store that cannot record denies.
"""

from adyton.broker.broker import Broker, BrokerLimits, Released
from adyton.broker.collateral import CollateralSource, DirectoryCollateral
from adyton.broker.receipt import verify_receipt
from adyton.broker.rootkey import RootKey
from adyton.broker.store import Store

__all__ = [
    "Broker",
    "BrokerLimits",
    "CollateralSource",
    "DirectoryCollateral",
    "Released",
    "RootKey",
    "Store",
    "verify_receipt",
]
