"""Inside a Python enclave: which functions can be called from outside, and what the enclave can ask of its processor.

from adyton.guest.enclave import current, ecall

@ecall
def add(one: int, other: int) -> int:
    return one + other
"""

from adyton.guest.enclave.runtime import EnclaveContext, current, ecall

__all__ = ["EnclaveContext", "current", "ecall"]
