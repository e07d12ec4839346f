"""What the instructions do: EINIT's checks, EREPORT, EGETKEY (Intel SDM Vol. 3D 38 to 40), with keys from random fuses.

A key is AES-128-CMAC over everything it depends on. A report's MAC is made with the report key of its target, so only
the target can verify it. A seal key depends on the enclave's measurement or signer by the request's policy, on
versions that may be the enclave's and the processor's own or lower, and always on the debug attribute.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import algorithms

from adyton.errors import AdytonError, EnclaveError
from adyton.formats.image import EnclaveImage
from adyton.formats.sgx import (
    AttributeFlags,
    Attributes,
    KeyName,
    KeyPolicy,
    KeyRequest,
    Report,
    ReportBody,
    TargetInfo,
)
from adyton.formats.sigstruct import SigStruct
from adyton.formats.status import SgxStatus

_XFRM: Final = 3
_ALWAYS_IN_KEYS: Final = AttributeFlags.INIT | AttributeFlags.DEBUG


def refused(status: SgxStatus, message: str, remedy: str) -> EnclaveError:
    """Return (not raise) an error with Intel's status."""
    return EnclaveError(status.code, message, remedy=remedy)


def initialise(
    image: EnclaveImage, sigstruct: SigStruct, *, debug: bool, cpu_svn: bytes, config_id: bytes, config_svn: int
) -> ReportBody:
    """Do what EINIT does: check the signature, the measurement and the attributes.

    Returns:
        What reports about this enclave say, with empty report data.

    Raises:
        EnclaveError: `sgx.error.invalid_signature`, `sgx.error.invalid_enclave`, `sgx.error.invalid_attribute`.
    """
    try:
        sigstruct.verify()
    except AdytonError as error:
        raise refused(SgxStatus.INVALID_SIGNATURE, error.message, error.remedy) from error
    measured = image.mr_enclave
    if not hmac.compare_digest(measured, sigstruct.enclave_hash):
        raise refused(
            SgxStatus.INVALID_ENCLAVE,
            f"expected the signed measurement {sigstruct.enclave_hash.hex()}, measured {measured.hex()}",
            "load the image that was signed, or sign this one",
        )
    flags = AttributeFlags.MODE64BIT | (AttributeFlags.DEBUG if debug else 0)
    _require_attributes(Attributes(flags, _XFRM), sigstruct)
    return ReportBody(
        cpu_svn=cpu_svn,
        misc_select=sigstruct.misc_select & sigstruct.misc_mask,
        isv_ext_prod_id=sigstruct.isv_ext_prod_id,
        attributes=Attributes(flags | AttributeFlags.INIT, _XFRM),
        mr_enclave=measured,
        mr_signer=sigstruct.mr_signer,
        config_id=config_id,
        isv_prod_id=sigstruct.isv_prod_id,
        isv_svn=sigstruct.isv_svn,
        config_svn=config_svn,
        isv_family_id=sigstruct.isv_family_id,
        report_data=bytes(64),
    )


def _require_attributes(attributes: Attributes, sigstruct: SigStruct) -> None:
    flags, xfrm = sigstruct.attribute_mask.flags, sigstruct.attribute_mask.xfrm
    signed = Attributes(sigstruct.attributes.flags & flags, sigstruct.attributes.xfrm & xfrm)
    if Attributes(attributes.flags & flags, attributes.xfrm & xfrm) != signed:
        asked = "a debug launch" if attributes.debug else f"attributes {attributes.to_bytes().hex()}"
        raise refused(
            SgxStatus.INVALID_ATTRIBUTE,
            f"expected attributes that the signature allows ({signed.to_bytes().hex()}), found {asked}",
            "launch it without the debug flag, or have its owner sign a version that allows debugging",
        )


@dataclass(frozen=True, slots=True)
class Fuses:
    """What every key of the processor is derived from.

    Attributes:
        report: 16 bytes.
        seal: 16 bytes.
    """

    report: bytes
    seal: bytes

    def create_report(self, body: ReportBody, target: TargetInfo, report_data: bytes) -> Report:
        """Do what EREPORT does: state for a target what this enclave is."""
        body, key_id = replace(body, report_data=report_data), bytes(32)
        return Report(body, key_id, _cmac(self._report_key(target, key_id), body.to_bytes()))

    def is_for(self, report: Report, target: TargetInfo) -> bool:
        """Return whether a report was made on this processor, for this target."""
        expected = _cmac(self._report_key(target, report.key_id), report.body.to_bytes())
        return hmac.compare_digest(expected, report.mac)

    def seal_key(self, body: ReportBody, request: KeyRequest) -> bytes:
        """Do what EGETKEY does for a seal key: 16 bytes.

        Raises:
            EnclaveError: `sgx.error.invalid_keyname`, `.invalid_parameter`, `.invalid_isvsvn`, `.invalid_cpusvn`.
        """
        _require_request(body, request)
        policy, flags = request.key_policy, request.attribute_mask.flags | _ALWAYS_IN_KEYS
        parts = (
            bytes([KeyName.SEAL]),
            policy.to_bytes(2, "little"),
            body.mr_enclave if policy & KeyPolicy.MRENCLAVE else bytes(32),
            body.mr_signer if policy & KeyPolicy.MRSIGNER else bytes(32),
            bytes(2) if policy & KeyPolicy.NOISVPRODID else body.isv_prod_id.to_bytes(2, "little"),
            body.config_id if policy & KeyPolicy.CONFIGID else bytes(64),
            body.isv_family_id if policy & KeyPolicy.ISVFAMILYID else bytes(16),
            body.isv_ext_prod_id if policy & KeyPolicy.ISVEXTPRODID else bytes(16),
            request.isv_svn.to_bytes(2, "little"),
            request.config_svn.to_bytes(2, "little"),
            request.cpu_svn,
            Attributes(body.attributes.flags & flags, body.attributes.xfrm & request.attribute_mask.xfrm).to_bytes(),
            Attributes(flags, request.attribute_mask.xfrm).to_bytes(),
            (body.misc_select & request.misc_mask).to_bytes(4, "little"),
            request.misc_mask.to_bytes(4, "little"),
            request.key_id,
        )
        return _cmac(self.seal, b"".join(parts))

    def _report_key(self, target: TargetInfo, key_id: bytes) -> bytes:
        return _cmac(self.report, bytes([KeyName.REPORT]) + target.to_bytes() + key_id)


def _require_request(body: ReportBody, request: KeyRequest) -> None:
    if request.key_name is not KeyName.SEAL:
        raise refused(
            SgxStatus.INVALID_KEYNAME,
            f"expected a seal key's name, found {request.key_name.name}",
            "ask for a seal key",
        )
    if not request.key_policy & (KeyPolicy.MRENCLAVE | KeyPolicy.MRSIGNER):
        raise refused(
            SgxStatus.INVALID_PARAMETER,
            "expected a key policy with MRENCLAVE or MRSIGNER, found neither",
            "bind the key to the enclave or to its signer",
        )
    if request.isv_svn > body.isv_svn or request.config_svn > body.config_svn:
        raise refused(
            SgxStatus.INVALID_ISVSVN,
            f"expected a version of at most {body.isv_svn}, found {request.isv_svn}",
            "update the enclave: an older one cannot open what a newer one sealed",
        )
    if any(asked > own for asked, own in zip(request.cpu_svn, body.cpu_svn, strict=True)):
        raise refused(
            SgxStatus.INVALID_CPUSVN,
            f"expected a processor version of at most {body.cpu_svn.hex()}, found {request.cpu_svn.hex()}",
            "update the processor's microcode",
        )


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = cmac.CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()
