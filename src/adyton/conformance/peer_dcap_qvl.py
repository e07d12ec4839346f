"""dcap-qvl under the kit's protocol: one file that needs the standard library and `dcap_qvl` (0.3 to 0.7), no more.

Run it with the Python that has dcap-qvl: `adyton conformance -- /path/to/python /path/to/peer_dcap_qvl.py`.

What dcap-qvl leaves out by design is answered with `unsupported` and not judged.
"""

from __future__ import annotations

import base64
import json
import struct
import sys

import dcap_qvl  # type: ignore[import-untyped,import-not-found,unused-ignore]


def answer(request: dict[str, object]) -> dict[str, object]:
    """Judge a case, and return the answer."""
    left_out = _left_out(request)
    if left_out:
        return {"unsupported": left_out}
    quote = base64.b64decode(str(request["quote"]))
    root = base64.b64decode(str(request["root"]))
    try:
        collateral = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(request["collateral"]))
        report = dcap_qvl.verify_with_root_ca(quote, collateral, root, request["time"])
    except Exception as error:  # noqa: BLE001, whatever it raises is a refusal
        return {"error": f"{type(error).__name__}: {error}"}
    return {"status": report.status, "advisories": list(report.advisory_ids)}


def _left_out(request: dict[str, object]) -> str:
    """Return what a case needs and dcap-qvl does not offer; empty if there is nothing."""
    collateral, quote = request.get("collateral"), base64.b64decode(str(request["quote"]))
    if request["tee"] == "snp" or not isinstance(collateral, dict):
        return "dcap-qvl does not verify SEV-SNP"
    for field in ("minimum_evaluation_number", "report_data"):
        if field in request:
            return f"{field} is the caller's to compare"
    if request["tee"] == "sgx" and struct.unpack("<H", quote[:2].ljust(2, b"\0"))[0] in (4, 5):
        return "SGX quotes of versions 4 and 5 are left out by design"
    if "pck_certificate_chain" in collateral:
        return "a PCK chain beside the quote is left out"
    return ""


def main() -> None:
    """Answer each line of standard input."""
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps({"id": request["id"], **answer(request)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
