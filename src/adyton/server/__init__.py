"""The HTTP services over the broker, and the owner's and auditor's client for them."""
