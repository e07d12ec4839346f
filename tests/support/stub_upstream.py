"""An upstream on loopback: a PCS, PCCS or KDS that serves forged or genuine endorsements, and fails as it is told.

What it answers is a table from `ItemRequest.key` to an answer. A fault comes before the table: a function that gets the
handler and answers in its own way, such as `hang` or `status(500)`.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from forged import PCK_SERIAL, QE, Forged
from forged_kds import CHIP_ID, PRODUCT, TCB

from adyton.attest import TrustRoots
from adyton.endorsements import Address, Origin, Upstream, Vendor
from adyton.endorsements import request as ask
from adyton.forge import QeFacts
from adyton.forge.endorsements import collateral, qe_identity, tcb_info
from adyton.formats.quote import Tee

HTML = b"<!DOCTYPE html><html><body>Sign in to the hotel's network</body></html>"


@dataclass(frozen=True)
class StubAnswer:
    """What the stub answers: a status, headers, a body."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


class StubUpstream:
    """An upstream; it ends with the `with` block.

    Attributes:
        answers: What it answers, by `ItemRequest.key`.
        fault: What it does instead; None for nothing.
        asked: The keys that it was asked for, in order.
    """

    def __init__(self, answers=()):
        self.answers = dict(answers)
        self.fault = None
        self.asked = []
        self.headers = []
        self._made = []
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.stub = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for upstream in self._made:
            upstream.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_port}"

    def upstream(self, config=None, **options):
        """Return a client; it is closed with the stub."""
        self._made.append(Upstream(Address(self.url), config, **options))
        return self._made[-1]

    def origin(self, *roots, config=None, clock=None, **options):
        """Return an origin of both vendors' endorsements."""
        upstream = self.upstream(config, clock=clock, **options)
        return Origin(dict.fromkeys(Vendor, upstream), TrustRoots.named(roots), clock=clock)

    def count(self, request):
        return self.asked.count(request.key)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        stub = self.server.stub
        stub.asked.append(self.path.removeprefix("/"))
        stub.headers.append(dict(self.headers))
        if stub.fault is not None:
            stub.fault(self)
        else:
            self.give(stub.answers.get(self.path.removeprefix("/"), StubAnswer(b"unknown", status=404)))

    def give(self, answer):
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        """Say nothing."""


def answer(*args, **fields):
    """Return the fault of answering this to everything."""
    return lambda handler: handler.give(StubAnswer(*args, **fields))


def status(number, **headers):
    return answer(b"", {name.replace("_", "-"): value for name, value in headers.items()}, status=number)


def hang(handler):
    """Accept the request, and say nothing until the test ends."""
    handler.server.stub.ended.wait(60)


def trickle(handler):
    """Send a byte now and then, for ever."""
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.stub.ended.wait(0.02):
        handler.wfile.write(b"{")


def huge(handler):
    """Announce ten gigabytes, and send until nobody reads."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**10))
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def truncated(handler):
    """Announce more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"tcbInfo":')
    handler.close_connection = True


def vanish(handler):
    """Close the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def intel(forged, *, number=1, crl_number=1, validity=None, machine=None, revoked_by_root=()):
    """Return what a PCS answers about a forged platform.

    Args:
        number: `tcbEvaluationDataNumber`.
        crl_number: Of both lists.
        validity: Of everything.
        revoked_by_root: Serials that the root has withdrawn.
        machine: The request of the platform's PCK certificate, if it is to be known.
    """
    validity = validity or forged.validity
    info = tcb_info(forged.platform.fmspc, forged.levels, validity, evaluation_number=number)
    identity = qe_identity(QeFacts.of(QE), forged.qe_levels, validity, evaluation_number=number)
    revoked = {"revoked_by_root": revoked_by_root}
    made = collateral(forged.vendor, info, identity, validity, crl_number=crl_number, **revoked)
    numbers = _evaluation_numbers(json.loads(info))
    answers = {}
    for version in (3, 4):
        name = "SGX-TCB-Info-Issuer-Chain" if version == 3 else "TCB-Info-Issuer-Chain"
        content = _in_version_2(info) if version == 3 else info
        chain = forged.vendor.tcb_chain
        signed = {
            ask.tcb_info(Tee.SGX, forged.platform.fmspc, version=version): ("tcbInfo", name, content),
            ask.qe_identity(Tee.SGX, version=version): ("enclaveIdentity", _IDENTITY, identity),
            ask.qve_identity(version=version): ("enclaveIdentity", _IDENTITY, identity.replace(b'"QE"', b'"QVE"')),
        }
        if version == 4:
            header = "TCB-Evaluation-Data-Numbers-Issuer-Chain"
            signed[ask.evaluation_numbers(Tee.SGX)] = ("tcbEvaluationDataNumbers", header, numbers)
        answers |= {
            request.key: signed_answer(forged, content, field_name=field_name, header=header, chain=chain)
            for request, (field_name, header, content) in signed.items()
        }
        crl_chain = {"SGX-PCK-CRL-Issuer-Chain": quote(made.pck_crl_chain, safe="")}
        answers[ask.pck_crl("platform", version=version).key] = StubAnswer(made.pck_crl, crl_chain)
        answers[ask.root_crl(version=version).key] = StubAnswer(made.root_crl.hex().encode())
    if machine is not None:
        answers[machine.key] = pck_answer(forged)
    return answers


_IDENTITY = "SGX-Enclave-Identity-Issuer-Chain"


def signed_answer(forged, content, *, field_name="tcbInfo", header="TCB-Info-Issuer-Chain", chain=None):
    """Return the answer that carries a document, signed by the vendor."""
    signature = forged.vendor.sign(content).hex().encode()
    body = b'{"%s":%s,"signature":"%s"}' % (field_name.encode(), content, signature)
    return StubAnswer(body, {header: quote(chain or forged.vendor.tcb_chain, safe="")})


def pck_answer(forged, chain=None):
    """Return the answer with a forged platform's PCK certificate: the leaf of this chain, or one with a new key."""
    leaf, *issuers = _blocks(chain or forged.vendor.issue_pck(forged.platform, serial=PCK_SERIAL).chain)
    tcbm = forged.platform.cpu_svn.hex() + forged.platform.pce_svn.to_bytes(2, "little").hex()
    chain = quote(b"".join(issuers), safe="")
    return StubAnswer(leaf, {"SGX-PCK-Certificate-Issuer-Chain": chain, "SGX-TCBm": tcbm.upper()})


def amd(chip, *, issued, crl_number=1, revokes_ask=False):
    """Return what a KDS answers about a forged chip."""
    return {
        ask.vcek(PRODUCT, CHIP_ID, TCB).key: StubAnswer(chip.vcek),
        ask.snp_chain(PRODUCT).key: StubAnswer(chip.cert_chain),
        ask.snp_crl(PRODUCT).key: StubAnswer(chip.crl(issued, number=crl_number, revokes_ask=revokes_ask)),
    }


def genuine(collateral_file, fmspc, tee, ca):
    """Return what Intel's PCS answered once, from a genuine collateral file."""
    at = {name: value.encode() for name, value in json.loads(collateral_file.read_text()).items()}
    root_crl = at.get("root_ca_crl") or at["root_crl"]
    chains = {name: quote(at[f"{name}_issuer_chain"], safe="") for name in ("tcb_info", "qe_identity", "pck_crl")}

    def signed(field_name, name, header):
        body = b'{"%s":%s,"signature":"%s"}' % (field_name, at[name], at[f"{name}_signature"])
        return StubAnswer(body, {header: chains[name]})

    crl = {"SGX-PCK-CRL-Issuer-Chain": chains["pck_crl"]}
    answers = {
        ask.tcb_info(tee, fmspc).key: signed(b"tcbInfo", "tcb_info", "TCB-Info-Issuer-Chain"),
        ask.pck_crl(ca).key: StubAnswer(bytes.fromhex(at["pck_crl"].decode()), crl),
        ask.root_crl().key: StubAnswer(root_crl),
    }
    answers[ask.qe_identity(tee).key] = signed(b"enclaveIdentity", "qe_identity", _IDENTITY)
    return answers


class FakeClock:
    """A clock that goes when it is told to, and when somebody sleeps."""

    def __init__(self, now):
        self._now = self._start = now
        self.slept = []
        self._lock = threading.Lock()

    def now(self):
        return self._now

    def monotonic(self):
        return (self._now - self._start).total_seconds()

    def sleep(self, seconds):
        with self._lock:
            self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds):
        with self._lock:
            self._now += type(self._now - self._start)(seconds=seconds)


def _in_version_2(info):
    """Return TCB info in the form of API version 3: named SVNs."""
    document = json.loads(info)
    del document["id"]
    document["version"] = 2
    for level in document["tcbLevels"]:
        components = level["tcb"].pop("sgxtcbcomponents")
        level["tcb"] |= {f"sgxtcbcomp{at:02d}svn": found["svn"] for at, found in enumerate(components, 1)}
    return json.dumps(document).encode()


def _evaluation_numbers(info):
    numbers = [{"tcbEvaluationDataNumber": info["tcbEvaluationDataNumber"], "tcbDate": info["issueDate"]}]
    dates = {name: info[name] for name in ("issueDate", "nextUpdate")}
    return json.dumps({"id": "SGX", "version": 1, **dates, "tcbEvalNumbers": numbers}).encode()


def _blocks(pem):
    return re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", pem, re.DOTALL)


def other_family(forged):
    """Return the same vendor's other platform family."""
    return Forged(vendor=forged.vendor, platform=replace(forged.platform, fmspc=bytes.fromhex("00906ed50000")))
