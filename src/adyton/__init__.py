"""Adyton: confidential computing for Kubernetes. Secrets leave only for attested code."""

__version__ = "0.1.0"
