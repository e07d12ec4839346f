"""Intel's own library (as `sgx-dcap-quote-verify-python` wraps it) under the conformance kit's protocol: SGX v3 only.

A process of its own: what a C++ library does with hostile input is then its own affair.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import sys
from datetime import UTC, datetime

import sgx_dcap_quote_verify

STATUSES = {
    "STATUS_OK": "UpToDate",
    "STATUS_TCB_SW_HARDENING_NEEDED": "SWHardeningNeeded",
    "STATUS_TCB_CONFIGURATION_NEEDED": "ConfigurationNeeded",
    "STATUS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED": "ConfigurationAndSWHardeningNeeded",
    "STATUS_TCB_OUT_OF_DATE": "OutOfDate",
    "STATUS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED": "OutOfDateConfigurationNeeded",
    "STATUS_TCB_REVOKED": "Revoked",
}
PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")


def answer(request):
    left_out = left_out_of(request)
    if left_out:
        return {"unsupported": left_out}
    try:
        steps, quote = verify(request)
    except Exception as error:  # noqa: BLE001, whatever it raises is a refusal
        return {"error": f"{type(error).__name__}: {error}"}
    failed = [status for status in steps if status != "STATUS_OK" and not status.endswith("EXPIRED")]
    if failed or quote not in STATUSES:
        return {"error": ", ".join(failed or [quote])}
    expired = {"expired": True} if any(status.endswith("EXPIRED") for status in steps) else {}
    return {"status": STATUSES[quote], **expired}


def left_out_of(request):
    quote = base64.b64decode(request["quote"])
    if request["tee"] != "sgx" or quote[:2] in (b"\x04\x00", b"\x05\x00"):
        return "SGX quotes of version 3 only"
    if {"minimum_evaluation_number", "report_data"} & request.keys():
        return "the caller's to compare"
    if "pck_certificate_chain" in request["collateral"]:
        return "a PCK chain beside the quote"
    return ""


def verify(request):
    collateral, quote = request["collateral"], base64.b64decode(request["quote"])
    chain = PEM.findall(quote.decode("latin-1"))
    leaf, *issuers = chain or [""]
    result = sgx_dcap_quote_verify.verify(
        ssl.DER_cert_to_PEM_cert(base64.b64decode(request["root"])),
        leaf,
        "".join(issuers),
        crl(collateral["root_ca_crl"]),
        crl(collateral["pck_crl"]),
        signed("tcbInfo", collateral["tcb_info"], collateral["tcb_info_signature"]),
        collateral["tcb_info_issuer_chain"],
        quote,
        signed("enclaveIdentity", collateral["qe_identity"], collateral["qe_identity_signature"]),
        datetime.fromtimestamp(request["time"], UTC).replace(tzinfo=None),
    )
    steps = (result.pck_certificate_status, result.tcb_info_status, result.qe_identity_status)
    return [status.name for status in steps], result.quote_status.name


def signed(name, document, signature):
    return f'{{"{name}":{document},"signature":"{signature}"}}'


def crl(der):
    text = base64.b64encode(bytes.fromhex(der)).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN X509 CRL-----\n{lines}\n-----END X509 CRL-----\n"


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps({"id": request["id"], **answer(request)}), flush=True)
