"""Intel's status codes (`sgx_error.h`, SGX SDK 2.29), as far as this project gives them."""

from __future__ import annotations

from enum import IntEnum


class SgxStatus(IntEnum):
    """`sgx_status_t`."""

    SUCCESS = 0x0000
    UNEXPECTED = 0x0001
    INVALID_PARAMETER = 0x0002
    OUT_OF_MEMORY = 0x0003
    ENCLAVE_LOST = 0x0004
    INVALID_STATE = 0x0005
    FEATURE_NOT_SUPPORTED = 0x0008
    INVALID_FUNCTION = 0x1001
    OUT_OF_TCS = 0x1003
    ENCLAVE_CRASHED = 0x1006
    INVALID_ENCLAVE = 0x2001
    INVALID_ENCLAVE_ID = 0x2002
    INVALID_SIGNATURE = 0x2003
    OUT_OF_EPC = 0x2005
    INVALID_METADATA = 0x2009
    MAC_MISMATCH = 0x3001
    INVALID_ATTRIBUTE = 0x3002
    INVALID_CPUSVN = 0x3003
    INVALID_ISVSVN = 0x3004
    INVALID_KEYNAME = 0x3005
    SERVICE_UNAVAILABLE = 0x4001
    BUSY = 0x400A

    @property
    def code(self) -> str:
        """The dotted code of errors with this status."""
        return f"sgx.error.{self.name.lower()}"
