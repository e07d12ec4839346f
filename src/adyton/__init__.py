"""Adyton: confidential computing for Kubernetes. Secrets leave only for attested code."""
