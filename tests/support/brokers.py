"""A broker over a forged platform that is alive now, and attesters on that platform."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
from evidence import ENCLAVE
from forged import Forged
from joserfc import jwe
from joserfc.jwk import ECKey

from adyton.attest import TrustRoots
from adyton.broker import Broker, DirectoryCollateral, RootKey, Store
from adyton.broker.broker import session_id
from adyton.forge import Validity
from adyton.formats.kbs import KeyBrokerRequest
from adyton.formats.policy import API_VERSION, AppraisalPolicy, EnclaveReference, SgxRules
from adyton.guest.session import AttestedSession

PATH = "models/key/v1"
VALUE = b"a secret of 32 bytes, or nearly.."
REQUEST = KeyBrokerRequest(version="0.4.0", tee="sgx")


def alive():
    """Return a forged platform whose endorsements are valid now."""
    return Forged(validity=Validity(datetime.now(UTC).replace(microsecond=0)))


class Attester(AttestedSession):
    """Code on a forged platform: what `body` says of it is what its quotes say."""

    def __init__(self, forged, body=ENCLAVE):
        self._forged, self._body = forged, body
        super().__init__(self)

    def quote(self, report_data):
        return self._forged.quote(replace(self._body, report_data=report_data)).to_bytes()


class World:
    """A broker, a forged platform that it knows, and a party that may put secrets."""

    def __init__(self, folder, *, passphrase=None, **limits):
        self.folder, self.forged = folder, alive()
        self.collateral = folder / "collateral.json"
        self.publish(self.forged)
        self.party_key = ECKey.generate_key("P-256", private=True)
        self.passphrase = passphrase
        self.broker = self.open(**limits)
        self.broker.enroll("owner", msgspec.json.encode(self.party_key.as_dict(private=False)))

    def open(self, **limits):
        """Open the broker on its folder, as a restart does."""
        source = DirectoryCollateral([self.collateral])
        roots = TrustRoots.named(["intel", self.forged.root_name])
        key = RootKey.open(self.folder / "broker", passphrase=self.passphrase)
        return Broker(Store(self.folder / "broker" / "broker.db"), key, source, roots=roots, issuer="test", **limits)

    def publish(self, forged):
        """Publish a platform's endorsements, as a whole."""
        beside = self.collateral.with_suffix(".new")
        beside.write_bytes(forged.collateral().to_bytes())
        beside.replace(self.collateral)

    def policy(self, **fields):
        """Return a policy for the honest enclave on this platform."""
        rules = {"sgx": SgxRules(enclaves=(EnclaveReference(mr_enclave=ENCLAVE.mr_enclave.hex()),))}
        known = {"api_version": API_VERSION, "kind": "AppraisalPolicy", "name": "honest"}
        return AppraisalPolicy(**(known | {"roots": (self.forged.root_name,)} | rules | fields))

    def put(self, value=VALUE, *, path=PATH, policy=None, party="owner"):
        """Put a secret as its owner does."""
        return self.broker.put_secret(party, path, self.envelope(value), policy or self.policy())

    def envelope(self, value):
        """Encrypt a value to the broker."""
        key = ECKey.import_key(self.broker.keys.upload_jwk)
        algorithms = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}
        return jwe.encrypt_compact(algorithms, value, key, algorithms=list(algorithms.values()))

    def attested(self, attester=None):
        """Attest; return the session."""
        session, challenge = self.begin()
        self.broker.attest(session, (attester or Attester(self.forged)).attestation(challenge.nonce))
        return session

    def begin(self):
        """Begin a session; return its name and the challenge."""
        cookie, challenge = self.broker.challenge(REQUEST)
        return session_id(cookie), challenge
