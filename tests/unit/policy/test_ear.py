"""Attestation results: what they claim, and every way to pass one off for what it is not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from evidence import ENCLAVE, NOW, SIMULATED_ROOT, authentic, debug
from joserfc import jwt
from joserfc.jwk import ECKey

from adyton.errors import MalformedDocument, UntrustedEvidence, UsageError
from adyton.formats.policy import API_VERSION, AppraisalPolicy, EnclaveReference, SgxRules, TcbRules
from adyton.formats.tcb import TcbStatus
from adyton.policy import appraise
from adyton.policy.ear import (
    EAR_PROFILE,
    EarRequest,
    EarSigner,
    Expectation,
    ear_claims,
    thumbprint,
    trustworthiness_vector,
    verify_ear,
)

NONCE = base64.b64encode(bytes(32)).decode()
SIGNER = EarSigner(ec.derive_private_key(1234, ec.SECP256R1()))
EXPECTED = Expectation([SIGNER.jwk], NONCE, "relying party")
SIMULATED = (SIMULATED_ROOT.name,)
NAMED = SgxRules(enclaves=(EnclaveReference(mr_enclave=ENCLAVE.mr_enclave.hex()),))


def appraisal(evidence=None, *, sgx=NAMED, **sections):
    known = {"api_version": API_VERSION, "kind": "AppraisalPolicy", "name": "test", "sgx": sgx} | sections
    return appraise(evidence or authentic(), AppraisalPolicy(**known), expected_report_data=None, now=NOW)


def token(found=None, **request):
    asked = EarRequest(**({"issuer": "verifier", "nonce": NONCE, "audience": "relying party"} | request))
    return SIGNER.sign(ear_claims(found or appraisal(), asked))


def forged(header=None, claims=None, key=None):
    """Return a token with changed parts, signed by whoever has a key."""
    first, middle, last = token().split(".")
    head = json.loads(base64.urlsafe_b64decode(first + "==")) | (header or {})
    body = json.loads(base64.urlsafe_b64decode(middle + "==")) | (claims or {})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, body)]
    if key is None:
        return ".".join((*parts, last))
    signer = EarSigner(key)
    return signer.sign(msgspec.convert(body, type=type(ear_claims(appraisal(), EarRequest("x")))))


def refused(text, expected=EXPECTED, now=NOW):
    with pytest.raises((UntrustedEvidence, MalformedDocument)) as caught:
        verify_ear(text, expected, now=now)
    return caught.value.code


def test_a_result_is_what_another_jose_library_verifies():
    claims = jwt.decode(token(), ECKey.import_key(SIGNER.jwk), algorithms=["ES256"]).claims
    assert claims["eat_profile"] == EAR_PROFILE == "tag:ietf.org,2026:rats/ear#04"
    assert ECKey.import_key(SIGNER.jwk).thumbprint() == thumbprint(SIGNER.jwk)


def test_a_result_names_what_it_stands_on():
    found = appraisal()
    claims = verify_ear(token(), EXPECTED, now=NOW)
    module = claims.submods["cpu0"]
    assert (claims.ear_status, claims.eat_nonce, claims.aud) == ("affirming", NONCE, "relying party")
    assert set(module.ear_trustworthiness_vector.values()) == {2}
    said = module.ear_verifier_claims
    assert said["policy_sha256"] == found.policy_digest.hex()
    assert said["collateral_sha256"] == found.collateral_digest.hex()
    assert set(said["collateral"]) == {"root_crl", "tcb_info"}
    assert said["mode"] == "hardware"
    assert module.ear_attester_claims["measurement"] == ENCLAVE.mr_enclave.hex()


@pytest.mark.parametrize(
    ("found", "status", "part"),
    [
        (lambda: appraisal(authentic(root=SIMULATED_ROOT), roots=SIMULATED), "contraindicated", "hardware"),
        (lambda: appraisal(authentic(status=TcbStatus.OUT_OF_DATE)), "contraindicated", None),
        (
            lambda: appraisal(authentic(status=TcbStatus.OUT_OF_DATE), tcb=TcbRules(accepted_statuses=("OutOfDate",))),
            "warning",
            "hardware",
        ),
        (
            lambda: appraisal(
                authentic(status=TcbStatus.CONFIGURATION_NEEDED),
                tcb=TcbRules(accepted_statuses=("ConfigurationNeeded",)),
            ),
            "warning",
            "configuration",
        ),
        (
            lambda: appraisal(authentic(status=TcbStatus.REVOKED), tcb=TcbRules(accepted_statuses=("Revoked",))),
            "contraindicated",
            "hardware",
        ),
        (lambda: appraisal(sgx=SgxRules(dangerous_any_enclave=True)), "warning", "executables"),
        (
            lambda: appraisal(
                authentic(debug(ENCLAVE)), sgx=SgxRules(enclaves=NAMED.enclaves, dangerous_allow_debug=True)
            ),
            "contraindicated",
            "runtime-opaque",
        ),
    ],
    ids=["simulated", "denied", "out of date", "configuration", "revoked", "any code", "debug"],
)  # fmt: skip
def test_no_tier_is_higher_than_the_worst_of_what_was_found(found, status, part):
    claims = ear_claims(found(), EarRequest("verifier"))
    assert claims.ear_status == claims.submods["cpu0"].ear_status == status
    vector = trustworthiness_vector(found())
    if part is not None:
        assert vector[part] == max(vector.values()) > 31


def test_a_result_without_a_signature_alg_none_is_refused():
    assert refused(forged(header={"alg": "none"})) == "ear.format"
    first, middle, _ = token().split(".")
    assert refused(f"{first}.{middle}.") == "ear.format"


@pytest.mark.parametrize(
    "claims", [{"ear_status": "affirming", "iss": "x"}, {"eat_nonce": NONCE, "exp": 9999999999}, {"aud": "other"}]
)
def test_changed_claims_are_refused(claims):
    assert refused(forged(claims=claims)) == "ear.signature"


def test_a_result_of_another_verifier_is_refused_even_with_our_key_s_name():
    other = ec.derive_private_key(77, ec.SECP256R1())
    assert refused(forged(key=other)) == "ear.signature"
    named = [{**EarSigner(other).jwk, "kid": thumbprint(SIGNER.jwk)}]
    assert refused(token(), Expectation(named, NONCE, "relying party")) == "ear.signature"


def test_a_result_replayed_for_another_nonce_is_refused():
    assert (
        refused(token(), Expectation([SIGNER.jwk], base64.b64encode(b"1" * 32).decode(), "relying party"))
        == "ear.nonce"
    )


def test_a_result_without_a_nonce_answers_no_nonce():
    assert refused(token(nonce=None)) == "ear.nonce"
    assert refused(token(audience=None)) == "ear.audience"


def test_a_result_for_somebody_else_is_refused():
    assert refused(token(audience="another party")) == "ear.audience"


def test_whoever_compares_nothing_has_to_say_so():
    with pytest.raises(UsageError, match=r"ear\.expectation"):
        verify_ear(token(), Expectation([SIGNER.jwk], None, "relying party"), now=NOW)
    with pytest.raises(UsageError, match=r"ear\.expectation"):
        verify_ear(token(), Expectation([SIGNER.jwk], NONCE, None), now=NOW)
    anything = Expectation([SIGNER.jwk], None, None, dangerous_any_nonce=True, dangerous_any_audience=True)
    assert verify_ear(token(), anything, now=NOW).iss == "verifier"


def test_a_result_stands_until_its_last_second_and_not_before_its_first():
    assert verify_ear(token(), EXPECTED, now=NOW + timedelta(seconds=299))
    assert refused(token(), now=NOW + timedelta(minutes=5)) == "ear.time"
    assert refused(token(), now=NOW - timedelta(seconds=61)) == "ear.time"


def test_a_result_does_not_outlive_its_endorsements():
    claims = ear_claims(appraisal(), EarRequest("verifier", life=timedelta(days=365)))
    assert datetime.fromtimestamp(claims.exp, UTC) == appraisal().expires


@pytest.mark.parametrize("text", ["", "a.b.c", "a.b", "." * 3, "x" * 70_000, token() + "x", token().replace(".", "..")])
def test_what_is_no_result_is_refused(text):
    assert refused(text) in ("ear.format", "ear.signature")


def test_times_in_floating_point_and_other_profiles_are_refused():
    assert refused(forged(claims={"exp": 9999999999.5})) == "ear.format"
    assert refused(forged(claims={"eat_profile": "tag:github.com,2023:veraison/ear"})) == "ear.profile"


@pytest.mark.parametrize("nonce", ["", "AAAA", "not base64!!", base64.b64encode(bytes(65)).decode()])
def test_a_nonce_of_another_form_is_an_error(nonce):
    with pytest.raises(UsageError, match=r"ear\.nonce"):
        token(nonce=nonce)


def test_a_key_of_another_curve_is_an_error():
    with pytest.raises(UsageError, match=r"ear\.key"):
        EarSigner(ec.generate_private_key(ec.SECP384R1()))
