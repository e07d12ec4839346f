"""dcap-qvl under the kit's protocol: `python peer_dcap_qvl.py`, where nothing but dcap-qvl has to be installed."""

import base64
import json
import sys

import dcap_qvl


def answer(asked):
    """Return what dcap-qvl says about one case."""
    if asked["tee"] == "snp":
        return {"unsupported": "dcap-qvl verifies no SNP reports"}
    quote, root = base64.b64decode(asked["quote"]), base64.b64decode(asked["root"])
    try:
        collateral = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(asked["collateral"]))
        if hasattr(dcap_qvl, "verify_with_root_ca"):
            found = dcap_qvl.verify_with_root_ca(quote, collateral, root, asked["time"])
        elif asked.get("genuine"):
            found = dcap_qvl.verify(quote, collateral, asked["time"])
        else:
            return {"unsupported": "this version of dcap-qvl takes no other root than Intel's"}
    except Exception as error:  # noqa: BLE001, whatever it raises is a refusal
        return {"error": str(error)}
    return {"status": found.status, "advisories": found.advisory_ids}


for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps({"id": case["id"], **answer(case)}), flush=True)
