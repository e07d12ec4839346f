"""The tables of DCAP quotes: header, bodies, signature data, certification data (sources: `adyton.formats.quote`)."""

from __future__ import annotations

from typing import Final

from adyton.formats.quote import INTEL_QE_VENDOR_ID, BodyType, CertificationType
from adyton.formats.sgx import REPORT_BODY_SIZE
from adyton.formats.tdx import TD_REPORT_10_SIZE, TD_REPORT_15_EX_SIZE, TD_REPORT_15_SIZE, TdAttributes
from adyton.inspection.layout import Field, Layout, Shown, Values, plain
from adyton.inspection.limits import View
from adyton.inspection.pem import pem_nodes
from adyton.inspection.sgx import report_body
from adyton.inspection.show import bits, constant, note, number, set_bytes, unless, versions, words

_VERSIONS: Final = {3: "version 3: SGX", 4: "version 4", 5: "version 5"}
_TDX: Final = 0x81
_TEES: Final = {0: "SGX", _TDX: "TDX"}
_BODY_NAMES: Final[dict[int, str]] = {
    BodyType.SGX_ENCLAVE: "SGX enclave",
    BodyType.TD_10: "TDX 1.0",
    BodyType.TD_15: "TDX 1.5",
    BodyType.TD_15_EX: "TDX 1.5, extended",
}
_CERTIFICATION: Final[dict[int, str]] = {
    CertificationType.PPID_PLAIN: "PPID in plain",
    CertificationType.PPID_RSA2048_OAEP: "PPID encrypted to an RSA-2048 key",
    CertificationType.PPID_RSA3072_OAEP: "PPID encrypted to an RSA-3072 key",
    CertificationType.PCK_LEAF: "PCK certificate",
    CertificationType.PCK_CHAIN: "PCK certificate chain, PEM",
}
_PPID_SIZES: Final = {
    CertificationType.PPID_PLAIN: 16,
    CertificationType.PPID_RSA2048_OAEP: 256,
    CertificationType.PPID_RSA3072_OAEP: 384,
}

_TD_DANGERS: Final[dict[int, str]] = {
    TdAttributes.DEBUG: "a debug trust domain: its host can read and write its memory",
    TdAttributes.HGS_PLUS_PROF: "it can be profiled (HGS+)",
    TdAttributes.PERF_PROF: "it can be profiled (performance)",
    TdAttributes.PMT_PROF: "it can be profiled (platform monitoring)",
    TdAttributes.MIGRATABLE: "it can migrate to another platform",
}
_TD_MISSING: Final[dict[int, str]] = {
    TdAttributes.SEPT_VE_DISABLE: "SEPT_VE_DISABLE is not set: its host can take pages away unnoticed"
}
_SERVICE_TD: Final = set_bytes(
    "a service trust domain is bound", "none bound", danger="a service trust domain is bound"
)
_ZERO_OR: Final = "zero"

_TD_10: Final[Layout] = (
    Field("tee_tcb_svn", 16, versions),
    Field("mr_seam", 48, note("measurement of the TDX module")),
    Field("mr_signer_seam", 48, set_bytes("signer of the TDX module, not Intel", "the TDX module is Intel's")),
    Field("seam_attributes", 8, set_bytes("attributes of the TDX module", "none")),
    Field("td_attributes", 8, bits(TdAttributes, danger=_TD_DANGERS, missing=_TD_MISSING)),
    Field("xfam", 8, note("extended features that it may use")),
    Field("mr_td", 48, note("measurement of the initial contents")),
    Field("mr_config_id", 48, set_bytes("configuration that is not the owner's", _ZERO_OR)),
    Field("mr_owner", 48, set_bytes("the owner", _ZERO_OR)),
    Field("mr_owner_config", 48, set_bytes("the owner's configuration", _ZERO_OR)),
    Field("rtmr0", 48, set_bytes("virtual firmware configuration", "zero: not extended")),
    Field("rtmr1", 48, set_bytes("kernel and boot loader", "zero: not extended")),
    Field("rtmr2", 48, set_bytes("command line, initial file system", "zero: not extended")),
    Field("rtmr3", 48, set_bytes("the application's", "zero: not extended")),
    Field("report_data", 64, set_bytes("64 bytes that it chose", "it chose zeros: nothing is bound")),
)
_TD_15: Final[Layout] = (
    *_TD_10,
    Field("tee_tcb_svn2", 16, versions),
    Field("mr_service_td", 48, _SERVICE_TD),
)
_TD_15_EX: Final[Layout] = (
    *_TD_15,
    Field("vmid", 1, number()),
    Field("td_id", 32, note("the trust domain's identifier")),
    Field("dev_info", 48, set_bytes("devices that are bound", "no device bound")),
    Field("init_service_td_hash", 48, _SERVICE_TD),
    Field("init_service_td_attributes", 8),
    Field("init_cpu_svn", 16, versions),
    Field("init_tee_tcb_svn", 16, versions),
    Field("init_tee_fmspc", 12),
    Field("cur_service_td_hash", 48, _SERVICE_TD),
    Field("cur_service_td_attributes", 8),
)
_SGX_BODY: Final = report_body("body", "what the processor says about the enclave")
_BODIES: Final[dict[int, Field]] = {
    BodyType.SGX_ENCLAVE: _SGX_BODY,
    BodyType.TD_10: Field("body", TD_REPORT_10_SIZE, note("what the TDX module says, 1.0"), _TD_10),
    BodyType.TD_15: Field("body", TD_REPORT_15_SIZE, note("what the TDX module says, 1.5"), _TD_15),
    BodyType.TD_15_EX: Field("body", TD_REPORT_15_EX_SIZE, note("what the TDX module says, 1.5 extended"), _TD_15_EX),
}
_BODY_SIZES: Final[dict[int, int]] = {
    BodyType.SGX_ENCLAVE: REPORT_BODY_SIZE,
    BodyType.TD_10: TD_REPORT_10_SIZE,
    BodyType.TD_15: TD_REPORT_15_SIZE,
    BodyType.TD_15_EX: TD_REPORT_15_EX_SIZE,
}


def _header(values: Values) -> Layout:
    """The version decides whether bytes 8 to 11 are the quoting enclave's versions."""
    return (
        Field("version", 2, words(_VERSIONS)),
        Field("attestation_key_type", 2, words({2: "ECDSA P-256"})),
        Field("tee_type", 4, unless(lambda found: (0,) if found["version"] == 3 else (0, _TDX), _TEES)),
        *(
            _VERSIONED
            if values.get("quote_version") == 3
            else (Field("reserved", 4, note("reserved since version 4")),)
        ),
        Field("qe_vendor_id", 16, constant(INTEL_QE_VENDOR_ID, "Intel's quoting enclave")),
        Field("user_data", 20, note("the platform's identifier in the first 16 bytes")),
    )


_VERSIONED: Final[Layout] = (Field("qe_svn", 2, number()), Field("pce_svn", 2, number()))


def _after_header(values: Values) -> Layout:
    if values["version"] != 5:
        return (_BODIES[BodyType.TD_10 if values["tee_type"] == _TDX else BodyType.SGX_ENCLAVE],)
    return (
        Field("body_type", 2, unless(_fitting_bodies, _BODY_NAMES)),
        Field("body_size", 4, unless(lambda found: (_BODY_SIZES.get(found["body_type"], -1),), {})),
        Field("body_of_type", None, plain, lambda found: (_BODIES[found["body_type"]],)),
    )


def _fitting_bodies(values: Values) -> tuple[int, ...]:
    return (2, 3, 4) if values["tee_type"] == _TDX else (1,)


def _certification_data(values: Values) -> Layout:
    kind, size = values["certification_type"], values["certification_size"]
    ppid = _PPID_SIZES.get(CertificationType(kind))
    if ppid is None or size != ppid + 20:
        return ()
    return (
        Field("ppid", ppid, note("platform provisioning id" + ("" if kind == 1 else ", encrypted"))),
        Field("cpu_svn", 16, versions),
        Field("pce_svn", 2, number()),
        Field("pce_id", 2),
    )


def _show_certification(raw: bytes, values: Values, view: View) -> Shown:
    kind = values["certification_type"]
    if kind in _PPID_SIZES:
        fits = len(raw) == _PPID_SIZES[CertificationType(kind)] + 20
        return Shown("names the platform; a PCCS knows its PCK chain", () if fits else ("not of the size of its type",))
    parts = pem_nodes(raw, view)
    return Shown("" if parts else "no PEM in it", () if parts else ("expected PEM certificates",), parts)


_QE: Final[Layout] = (
    report_body("qe_report", "the quoting enclave's report, signed by the platform's PCK"),
    Field("qe_report_signature", 64, note("ECDSA P-256, r and s; not verified here")),
    Field("auth_data_size", 2, number("bytes")),
    Field("auth_data", "auth_data_size", note("hashed with the attestation key into qe_report's report_data")),
    Field("certification_type", 2, words(_CERTIFICATION)),
    Field("certification_size", 4, number("bytes")),
    Field("certification_data", "certification_size", _show_certification, _certification_data),
)


def _signature_data(values: Values) -> Layout:
    own: Layout = (
        Field("signature", 64, note("over header and body, ECDSA P-256, r and s; not verified here")),
        Field("attestation_key", 64, note("the quoting enclave's public key, x and y")),
    )
    if values["version"] == 3:
        return (*own, *_QE)
    return (
        *own,
        Field("outer_certification_type", 2, words({6: "a quoting enclave's report"})),
        Field("outer_certification_size", 4, number("bytes")),
        Field("outer_certification", "outer_certification_size", plain, _QE),
    )


QUOTE: Final[Layout] = (
    Field("header", None, plain, _header),
    Field("signed_body", None, plain, _after_header),
    Field("signature_data_size", 4, number("bytes")),
    Field("signature_data", "signature_data_size", plain, _signature_data),
)


def known_of_quote(data: bytes) -> Values:
    """Return what the header's table has to know before it is read: the version."""
    return {"quote_version": int.from_bytes(data[:2], "little")}
