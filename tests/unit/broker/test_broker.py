"""The broker's promises: to attested code alone, under the owner's policy, and on the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from brokers import PATH, REQUEST, VALUE, Attester, World, alive
from evidence import ENCLAVE, debug
from joserfc import jwt
from joserfc.jwk import ECKey

from adyton.broker import BrokerLimits, DirectoryCollateral, RootKey, verify_receipt
from adyton.broker.broker import ReleaseDenied
from adyton.errors import AccessDenied, Conflict, MalformedDocument, NotFound, StateError, UntrustedEvidence
from adyton.forge import Level
from adyton.formats.collateral import Collateral
from adyton.formats.kbs import Attestation, KeyBrokerRequest, RuntimeData, TeePublicKey, parse
from adyton.formats.ledger import extends


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def broker_key(world):
    return ECKey.import_key(world.broker.keys.signing_jwk).public_key


def denied(world, session, path=PATH):
    with pytest.raises(ReleaseDenied) as caught:
        world.broker.release(session, path)
    return caught.value


def test_the_attested_enclave_gets_the_secret_and_a_receipt_that_verifies(world):
    world.put()
    attester = Attester(world.forged)
    released = world.broker.release(world.attested(attester), PATH)
    with attester.open(msgspec.json.encode(released.resource)) as secret:
        assert bytes(secret) == VALUE
    entry = verify_receipt(world.broker.receipt(released.receipt), broker_key(world))
    assert (entry.kind, entry.secret, entry.mode) == ("release", PATH, "simulated")
    assert entry.key_thumbprint == attester.public_key.thumbprint()
    assert entry.measurement == ENCLAVE.mr_enclave.hex()


def test_a_release_opens_with_no_other_key(world):
    world.put()
    released = world.broker.release(world.attested(), PATH)
    with (
        pytest.raises(UntrustedEvidence, match=r"session\.released"),
        Attester(world.forged).open(msgspec.json.encode(released.resource)),
    ):
        pass


@pytest.mark.parametrize(
    ("body", "check"),
    [
        (replace(ENCLAVE, mr_enclave=b"\x66" * 32), "sgx.mr_enclave"),
        (debug(ENCLAVE), "sgx.attributes.debug"),
    ],
)
def test_other_code_is_denied_by_name_and_the_denial_is_on_the_record(world, body, check):
    world.put()
    error = denied(world, world.attested(Attester(world.forged, body)))
    assert error.code == check
    assert error.denial.attested
    (_, _, entry) = world.broker.receipts()[-1]
    assert (entry.kind, entry.check, entry.secret) == ("denial", check, PATH)


def test_a_quote_replayed_with_a_fresh_nonce_is_denied(world):
    world.put()
    attester = Attester(world.forged)
    _, challenge = world.begin()
    recorded = parse(attester.attestation(challenge.nonce), Attestation)
    session, fresh = world.begin()
    runtime_data = RuntimeData(nonce=fresh.nonce, tee_pubkey=recorded.runtime_data.tee_pubkey)
    replayed = msgspec.json.encode(msgspec.structs.replace(recorded, runtime_data=runtime_data))
    with pytest.raises(UntrustedEvidence, match="report_data"):
        world.broker.attest(session, replayed)
    assert denied(world, session).code == "session.attested"


def test_evidence_sent_twice_in_its_own_session_is_denied(world):
    session, challenge = world.begin()
    message = Attester(world.forged).attestation(challenge.nonce)
    world.broker.attest(session, message)
    with pytest.raises(AccessDenied, match=r"session\.nonce"):
        world.broker.attest(session, message)


def test_a_thief_s_key_beside_an_honest_quote_is_denied(world):
    session, challenge = world.begin()
    honest = parse(Attester(world.forged).attestation(challenge.nonce), Attestation)
    thief = Attester(world.forged).public_key
    swapped = RuntimeData(nonce=challenge.nonce, tee_pubkey=thief)
    message = msgspec.json.encode(msgspec.structs.replace(honest, runtime_data=swapped))
    with pytest.raises(UntrustedEvidence, match="report_data"):
        world.broker.attest(session, message)


def test_evidence_for_another_session_s_nonce_is_denied(world):
    session, _ = world.begin()
    _, other = world.begin()
    with pytest.raises(AccessDenied, match=r"session\.nonce"):
        world.broker.attest(session, Attester(world.forged).attestation(other.nonce))


def test_an_unknown_platform_is_refused_before_anything_is_asked(world):
    stranger = alive()
    session, challenge = world.begin()
    with pytest.raises(UntrustedEvidence, match=r"dcap\.chain\.untrusted_root"):
        world.broker.attest(session, Attester(stranger).attestation(challenge.nonce))


def test_a_tcb_recovery_after_attestation_denies_at_once(world):
    world.put()
    session = world.attested()
    world.broker.release(session, PATH)
    levels = (Level((9,) * 16, pce_svn=11), Level((0,) * 16, "OutOfDate", advisories=("SIM-SA-9",)))
    world.publish(replace(world.forged, levels=levels))
    error = denied(world, session)
    assert error.code == "tcb.status"
    assert "SIM-SA-9" in error.message


def test_a_revocation_after_attestation_denies_at_once(world):
    world.put()
    session = world.attested()
    world.broker.release(session, PATH)
    world.publish(replace(world.forged, revoked_by_pck_ca=(1000,)))
    assert denied(world, session).code == "dcap.pck.revoked"


def test_a_policy_that_does_not_name_the_simulated_platform_denies_it(world):
    world.put(policy=world.policy(roots=("intel",)))
    assert denied(world, world.attested()).code == "dcap.chain.untrusted_root"


def test_each_secret_is_judged_by_its_own_policy(world):
    world.put()
    world.put(path="models/key/other", policy=world.policy(sgx=None))
    session = world.attested()
    world.broker.release(session, PATH)
    assert denied(world, session, "models/key/other").code == "tee.accepted"


def test_a_session_that_was_not_attested_gets_nothing_and_leaves_no_entry(world):
    world.put()
    session, _ = world.begin()
    before = world.broker.head().size
    assert denied(world, session).code == "session.attested"
    assert denied(world, "no such session").code == "session.known"
    assert world.broker.head().size == before, "a stranger must not be able to fill the ledger"


def test_a_session_ends(tmp_path):
    world = World(tmp_path, limits=BrokerLimits(session_life=timedelta(0)))
    session, challenge = world.begin()
    with pytest.raises(AccessDenied, match=r"session\.live"):
        world.broker.attest(session, Attester(world.forged).attestation(challenge.nonce))


def test_an_unknown_secret_is_not_found(world):
    assert denied(world, world.attested()).code == "secret.known"


def test_a_new_version_replaces_the_old_one(world):
    world.put()
    assert world.put(b"newer").version == 2
    attester = Attester(world.forged)
    released = world.broker.release(world.attested(attester), PATH)
    with attester.open(msgspec.json.encode(released.resource)) as secret:
        assert bytes(secret) == b"newer"


def test_a_party_cannot_take_over_another_s_path(world):
    world.put()
    other = ECKey.generate_key("P-256", private=True)
    world.broker.enroll("other", msgspec.json.encode(other.as_dict(private=False)))
    with pytest.raises(AccessDenied, match=r"secret\.owner"):
        world.put(party="other")
    assert world.broker.secrets_of("other") == []


def test_a_party_s_name_does_not_change_its_key(world):
    other = ECKey.generate_key("P-256", private=True)
    with pytest.raises(Conflict, match=r"party\.exists"):
        world.broker.enroll("owner", msgspec.json.encode(other.as_dict(private=False)))


@pytest.mark.parametrize("path", ["a/b", "a/b/c/d", "../b/c", "a//c", "a/b/", "/a/b/c", "a/b/c\n", "a" * 101 + "/b/c"])
def test_a_path_of_another_form_is_refused(world, path):
    with pytest.raises(MalformedDocument, match=r"secret\.path"):
        world.put(path=path)


@pytest.mark.parametrize("envelope", ["", "a.b.c.d.e", "not an envelope"])
def test_an_envelope_that_does_not_open_is_refused(world, envelope):
    with pytest.raises(MalformedDocument, match=r"secret\.envelope"):
        world.broker.put_secret("owner", PATH, envelope, world.policy())


@pytest.mark.parametrize("value", [b"", b"x" * (32 * 1024 + 1)])
def test_an_empty_or_oversized_secret_is_refused(world, value):
    with pytest.raises(MalformedDocument, match=r"secret\.size"):
        world.put(value)


@pytest.mark.parametrize(("version", "tee", "code"), [("0.1.1", "sgx", "kbs.version"), ("0.4.0", "sample", "kbs.tee")])
def test_what_is_not_supported_is_refused_by_name(world, version, tee, code):
    with pytest.raises(AccessDenied) as caught:
        world.broker.challenge(KeyBrokerRequest(version=version, tee=tee))
    assert caught.value.code == code


def test_the_attestation_result_is_signed_and_says_simulated_and_contraindicated(world):
    session, challenge = world.begin()
    attester = Attester(world.forged)
    token = world.broker.attest(session, attester.attestation(challenge.nonce))
    key = ECKey.import_key(world.broker.keys.signing_jwk)
    claims = jwt.decode(token, key, algorithms=["ES256"]).claims
    cpu = claims["submods"]["cpu0"]
    assert (cpu["ear_status"], cpu["ear_verifier_claims"]["mode"]) == ("contraindicated", "simulated")
    assert claims["eat_nonce"] == challenge.nonce
    assert claims["cnf"]["jwk"]["x"] == attester.public_key.x
    assert claims["jti"] == session


def test_an_attestation_result_stands_for_its_session_until_it_expires(world, monkeypatch):
    world.put()
    attester = Attester(world.forged)
    session, challenge = world.begin()
    token = world.broker.attest(session, attester.attestation(challenge.nonce))
    released = world.broker.release(world.broker.session_of(token), PATH)
    with attester.open(msgspec.json.encode(released.resource)) as secret:
        assert bytes(secret) == VALUE
    for wrong in (token[:-4] + "AAAA", "", "a.b.c", token.rsplit(".", 1)[0] + "."):
        with pytest.raises(AccessDenied, match=r"session\.token"):
            world.broker.session_of(wrong)
    later = datetime.now(UTC) + timedelta(minutes=6)
    monkeypatch.setattr("adyton.broker.broker._now", lambda: later)
    with pytest.raises(AccessDenied, match=r"session\.token"):
        world.broker.session_of(token)


def test_a_copy_of_the_database_opens_no_session(world):
    cookie, _ = world.broker.challenge(REQUEST)
    assert all(cookie.encode() not in path.read_bytes() for path in (world.folder / "broker").iterdir())


def test_a_restart_loses_nothing(world):
    world.put()
    released = world.broker.release(world.attested(), PATH)
    session, head = world.attested(), world.broker.head()
    key = broker_key(world)
    world.broker = world.open()
    verify_receipt(world.broker.receipt(released.receipt), key)
    world.broker.release(session, PATH)
    now = world.broker.head()
    assert extends(head.size, now.size, head.root, now.root, world.broker.consistency(head.size, now.size))


def test_a_wrong_passphrase_fails_loudly_and_changes_nothing(tmp_path):
    world = World(tmp_path, passphrase=b"right")
    world.put()
    before = {path: path.read_bytes() for path in (tmp_path / "broker").iterdir()}
    for wrong in (b"wrong", None):
        with pytest.raises(StateError, match=r"broker\.root\.wrong"):
            RootKey.open(tmp_path / "broker", passphrase=wrong)
    assert {path: path.read_bytes() for path in (tmp_path / "broker").iterdir()} == before
    assert world.open().secrets_of("owner")


def test_the_database_holds_no_plaintext(tmp_path):
    world = World(tmp_path, passphrase=b"the passphrase")
    world.put()
    world.broker.release(world.attested(), PATH)
    for path in (tmp_path / "broker").iterdir():
        content = path.read_bytes()
        assert VALUE not in content
        assert b"the passphrase" not in content


def test_a_sealed_value_opens_only_in_its_own_place(tmp_path):
    key = RootKey.open(tmp_path)
    sealed = key.seal(b"value", b"here")
    assert key.unseal(sealed, b"here") == b"value"
    for attempt in ((sealed, b"there"), (sealed[:-1], b"here"), (b"", b"here"), (sealed + b"x", b"here")):
        with pytest.raises(StateError, match=r"broker\.seal\.wrong"):
            key.unseal(*attempt)


def test_a_half_written_collateral_file_keeps_the_last_good_one(world):
    world.put()
    session = world.attested()
    world.collateral.write_bytes(world.collateral.read_bytes()[:100])
    world.broker.release(session, PATH)


def test_without_collateral_nothing_is_accepted(world):
    world.collateral.unlink()
    world.broker = world.open()
    session, challenge = world.begin()
    with pytest.raises(NotFound, match=r"collateral\.unknown"):
        world.broker.attest(session, Attester(world.forged).attestation(challenge.nonce))


def test_secrets_do_not_show_in_representations(world):
    secret = world.put()
    assert secret.sealed.hex() not in repr(secret)
    assert repr(secret.sealed) not in repr(secret)


def test_ledger_times_are_utc(world):
    world.put()
    _, _, entry = world.broker.receipts()[-1]
    assert entry.at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - entry.at < timedelta(minutes=1)


def test_the_largest_secret_goes_in_and_comes_out(world):
    value = bytes(range(256)) * 128
    world.put(value)
    attester = Attester(world.forged)
    released = world.broker.release(world.attested(attester), PATH)
    with attester.open(msgspec.json.encode(released.resource)) as secret:
        assert bytes(secret) == value


def test_a_key_that_is_no_point_of_the_curve_is_refused_when_it_is_shown(world):
    class OffCurve(Attester):
        def __init__(self, forged):
            super().__init__(forged)
            self.public_key = TeePublicKey(x="A" * 43, y="B" * 43)

    session, challenge = world.begin()
    with pytest.raises(MalformedDocument, match=r"session\.key"):
        world.broker.attest(session, OffCurve(world.forged).attestation(challenge.nonce))


def test_bad_collateral_beside_good_does_not_stand_in_the_way(world):
    world.put()
    good = Collateral.parse(world.collateral.read_bytes())
    bad = world.folder / "bad.json"
    bad.write_bytes(replace(good, root_crl=b"not a list").to_bytes())
    source = DirectoryCollateral([bad, world.collateral])
    world.broker._collateral = source
    assert world.broker.release(world.attested(), PATH).receipt
