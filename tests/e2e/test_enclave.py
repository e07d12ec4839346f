"""A real enclave process under the simulated processor, and what is tried against it and from inside it."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from running import BUILT, SAMPLE, processor, sample, sample_enclave, signing_key

from adyton.attest import TrustRoot, TrustRoots, authenticate
from adyton.errors import EnclaveError, TransportError
from adyton.formats import simcpu
from adyton.formats.collateral import Collateral
from adyton.formats.image import EnclaveImage
from adyton.formats.quote import Quote
from adyton.formats.sgx import KeyPolicy
from adyton.guest.processor import ProcessorClient
from adyton.sdk import Enclave, EnclaveProject, ProductIdentity, build, sign

FORBIDDEN = [
    "read /etc/passwd",
    "read /proc/1/environ",
    "list /root",
    "write /tmp",
    "open a socket",
    "run a program",
    "fork",
    "signal its parent",
]


@pytest.fixture(scope="module")
def cpu(tmp_path_factory):
    with processor(tmp_path_factory.mktemp("cpu")) as path:
        yield path


@pytest.fixture(scope="module")
def enclave(cpu):
    with sample_enclave(cpu) as running:
        yield running


def test_a_call_returns_what_the_enclave_computed(enclave):
    assert enclave.call("add", 2, 3, returns=int) == 5
    assert enclave.call("echo", b"x" * 3_000_000, returns=bytes) == b"x" * 3_000_000


def test_its_quote_is_authentic_and_names_its_measurement_and_signer(cpu, enclave):
    quote = Quote.parse(enclave.call("quote", b"\x07" * 64, returns=bytes))
    with ProcessorClient.connect(cpu) as client:
        root = TrustRoot.of(client.request(simcpu.DescribePlatform(), simcpu.PlatformDescribed).root_point)
        collateral = client.request(simcpu.GetCollateral(), simcpu.CollateralGiven).collateral
    roots = TrustRoots.named([root.name])
    evidence = authenticate(quote, Collateral.parse(collateral), roots=roots, now=datetime.now(UTC))
    _, image, _ = sample()
    assert evidence.quote.body.mr_enclave == image.mr_enclave == enclave.mr_enclave
    assert evidence.quote.body.mr_signer == signing_key().mr_signer
    assert (evidence.quote.body.isv_prod_id, evidence.quote.body.isv_svn) == (7, 3)
    assert evidence.quote.body.report_data == b"\x07" * 64
    assert not evidence.quote.body.attributes.debug


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.landlock
@pytest.mark.userns
def test_code_inside_cannot(enclave, what):
    assert enclave.call("attempt", what, returns=str) == "PermissionError"


def test_code_inside_cannot_open_itself_to_tracing_again(enclave):
    assert enclave.call("attempt", "become dumpable", returns=str) == "-1"


def test_code_inside_can_use_threads(enclave):
    assert enclave.call("count_in_threads", 8, returns=int) == 8


@pytest.mark.memfd_secret
def test_not_even_root_reads_a_secret_by_process_vm_readv(enclave):
    secret = b"a secret that nobody reads"
    hidden, ordinary = enclave.call("keep", secret, returns=list[int])
    assert read_memory(enclave.pid, hidden, len(secret)) is None
    if os.geteuid() == 0:
        assert read_memory(enclave.pid, ordinary, len(secret)) == secret, "root reads ordinary memory: so the docs say"


def read_memory(pid, address, size):
    """Read another process's memory; None if the kernel refuses."""
    buffer = ctypes.create_string_buffer(size)
    local = struct.pack("QQ", ctypes.addressof(buffer), size)
    remote = struct.pack("QQ", address, size)
    read = ctypes.CDLL(None).process_vm_readv(
        pid, local, ctypes.c_ulong(1), remote, ctypes.c_ulong(1), ctypes.c_ulong(0)
    )
    return buffer.raw if read == size else None


@pytest.mark.root
def test_a_process_of_the_same_user_cannot_read_or_trace_it(enclave):
    _, ordinary = enclave.call("keep", b"secret", returns=list[int])
    thief = [sys.executable, SAMPLE.parent / "thief.py", str(enclave.pid), str(ordinary)]
    found = subprocess.run(thief, capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == [
        "an unprotected process: read: got it, trace: got it, mem: got it",
        "the enclave: read: refused, trace: refused, mem: refused",
    ]


def test_one_changed_byte_is_refused_with_the_old_signature(cpu):
    project, image, sigstruct = sample()
    with pytest.raises(EnclaveError) as caught:
        Enclave.create(changed(project), sigstruct, processor=cpu)
    assert caught.value.code == "sgx.error.invalid_enclave"
    assert image.mr_enclave.hex() in caught.value.message


def changed(project):
    files = {path: content.replace(b"one + other", b"one - other") for path, content in project.files.items()}
    return build(replace(project, files=files))


def test_one_changed_byte_and_a_new_signature_is_another_enclave(cpu):
    project, image, _ = sample()
    other = changed(project)
    with Enclave.create(other, sign(other, project.identity, signing_key(), built=BUILT), processor=cpu) as enclave:
        assert enclave.mr_enclave != image.mr_enclave
        assert enclave.call("add", 2, 3, returns=int) == -1


def test_a_changed_signature_is_refused(cpu):
    _, image, sigstruct = sample()
    with pytest.raises(EnclaveError, match=r"sgx\.error\.invalid_signature"):
        Enclave.create(image, replace(sigstruct, isv_svn=9), processor=cpu)


def test_a_debug_launch_is_refused_unless_the_signer_allowed_it(cpu):
    _, image, sigstruct = sample()
    with pytest.raises(EnclaveError) as caught:
        Enclave.create(image, sigstruct, processor=cpu, debug=True)
    assert caught.value.code == "sgx.error.invalid_attribute"
    allowed = sign(image, ProductIdentity(allow_debug=True), signing_key(), built=BUILT)
    with Enclave.create(image, allowed, processor=cpu, debug=True) as enclave:
        assert Quote.parse(enclave.call("quote", bytes(64), returns=bytes)).body.attributes.debug


def test_a_package_that_was_altered_on_disk_is_refused(cpu, tmp_path):
    package = tmp_path / "packages"
    (package / "other").mkdir(parents=True)
    (package / "other" / "__init__.py").write_text("VALUE = 1\n")
    (package / "other-1.0.dist-info").mkdir()
    (package / "other-1.0.dist-info" / "RECORD").write_text("other/__init__.py,,\n")
    project, _, _ = sample()
    paths = [str(package), *default_paths()]
    image = build(replace(project, packages=("other", "cryptography")), package_paths=paths)
    sigstruct = sign(image, project.identity, signing_key(), built=BUILT)
    with Enclave.create(image, sigstruct, processor=cpu, package_paths=paths):
        pass
    (package / "other" / "__init__.py").write_text("VALUE = 2\n")
    with pytest.raises(EnclaveError) as caught:
        Enclave.create(image, sigstruct, processor=cpu, package_paths=paths)
    assert caught.value.code == "sgx.error.enclave_crashed"
    assert "package other: expected digest" in caught.value.message


@pytest.mark.parametrize(
    "beside", ["unpinned/__init__.py", "unpinned.py", "other/unlisted.py", "other/sub/__init__.py"]
)
def test_a_file_beside_the_pinned_packages_cannot_be_imported(cpu, tmp_path, beside):
    package = tmp_path / "packages"
    (package / "other").mkdir(parents=True)
    (package / "other" / "__init__.py").write_text("VALUE = 1\n")
    (package / "other-1.0.dist-info").mkdir()
    (package / "other-1.0.dist-info" / "RECORD").write_text("other/__init__.py,,\n")
    (package / beside).parent.mkdir(exist_ok=True)
    (package / beside).write_text("VALUE = 3\n")
    module = beside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    project, _, _ = sample()
    files = {"sample.py": f"import other\nimport {module}\n".encode()}
    paths = [str(package), *default_paths()]
    image = build(replace(project, files=files, packages=("other",)), package_paths=paths)
    with pytest.raises(EnclaveError) as caught:
        Enclave.create(
            image, sign(image, project.identity, signing_key(), built=BUILT), processor=cpu, package_paths=paths
        )
    assert f"{module} is not a file of the enclave's pinned packages" in caught.value.message


def default_paths():
    return [path for path in sys.path if path.endswith("site-packages")]


def test_an_error_of_this_project_crosses_the_wall_whole(enclave):
    with pytest.raises(EnclaveError) as caught:
        enclave.call("fail", "own", returns=int)
    assert (caught.value.code, caught.value.remedy) == ("sample.state", "do that")


@pytest.mark.parametrize(("how", "kind"), [("secret", "ValueError"), ("decode", "ValidationError")])
def test_any_other_error_crosses_without_its_text(enclave, how, kind):
    with pytest.raises(EnclaveError) as caught:
        enclave.call("fail", how, returns=int)
    assert "hunter2" not in str(caught.value)
    assert kind in caught.value.message


@pytest.mark.parametrize(
    ("function", "arguments", "code"),
    [
        ("_attempt", (), "sgx.error.invalid_function"),
        ("__import__", ("os",), "sgx.error.invalid_function"),
        ("add", (1,), "sgx.error.invalid_parameter"),
        ("add", (1, "2"), "sgx.error.invalid_parameter"),
        ("echo", (["a"],), "sgx.error.invalid_parameter"),
    ],
)
def test_a_call_of_another_shape_is_refused(enclave, function, arguments, code):
    with pytest.raises(EnclaveError) as caught:
        enclave.call(function, *arguments, returns=int)
    assert caught.value.code == code


def test_a_crash_is_an_error_and_other_enclaves_go_on(cpu, enclave):
    with sample_enclave(cpu) as other, pytest.raises(EnclaveError, match=r"sgx\.error\.enclave_crashed"):
        other.call("fail", "crash", returns=int)
    assert enclave.call("add", 1, 1, returns=int) == 2


def test_seal_keys_follow_measurement_signer_and_version(cpu, enclave):
    project, _, _ = sample()
    key_id, both = bytes(32), (KeyPolicy.MRENCLAVE, KeyPolicy.MRSIGNER)
    ours = [enclave.call("seal_key", int(policy), key_id, 3, returns=bytes) for policy in both]
    other_image = changed(project)
    signature = sign(other_image, project.identity, signing_key(), built=BUILT)
    with Enclave.create(other_image, signature, processor=cpu) as other:
        theirs = [other.call("seal_key", int(policy), key_id, 3, returns=bytes) for policy in both]
    assert ours[0] != theirs[0], "bound to the measurement"
    assert ours[1] == theirs[1], "bound to the signer"
    with pytest.raises(EnclaveError, match=r"sgx\.error\.invalid_isvsvn"):
        enclave.call("seal_key", int(KeyPolicy.MRSIGNER), key_id, 4, returns=bytes)


def test_a_report_of_another_processor_is_not_quoted(cpu, tmp_path):
    with processor(tmp_path) as other, ProcessorClient.connect(other) as theirs, ProcessorClient.connect(cpu) as ours:
        with sample_enclave(cpu) as enclave:
            quote = Quote.parse(enclave.call("quote", bytes(64), returns=bytes))
        forged = quote.body.to_bytes() + bytes(48)
        for client in (theirs, ours):
            with pytest.raises(EnclaveError, match=r"sgx\.error\.mac_mismatch"):
                client.request(simcpu.GetQuote(report=forged), simcpu.QuoteGiven)


def test_a_host_cannot_ask_what_is_an_enclave_s_to_ask(cpu):
    with ProcessorClient.connect(cpu) as client:
        for request in (simcpu.GetKey(key_request=bytes(512)), simcpu.EnclaveReady(isolation=())):
            with pytest.raises(EnclaveError, match=r"simcpu\.message\.invalid"):
                client.request(request, simcpu.Done)


@pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff", b"\x05\x00\x00\x00abcde", b"\x00", b"\x04\x00\x00\x00\xc1"])
def test_garbage_ends_its_own_connection_and_nothing_else(cpu, enclave, junk):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(cpu))
    peer.sendall(junk)
    peer.shutdown(socket.SHUT_WR)
    peer.recv(4096)
    peer.close()
    assert enclave.call("add", 1, 1, returns=int) == 2


def test_enclave_memory_is_counted_and_given_back(tmp_path):
    _, image, _ = sample()
    with processor(tmp_path, "--epc-size", str(image.size)) as path:
        with sample_enclave(path), pytest.raises(EnclaveError, match=r"sgx\.error\.out_of_epc"), sample_enclave(path):
            pass
        with ProcessorClient.connect(path) as client:
            while client.request(simcpu.DescribePlatform(), simcpu.PlatformDescribed).epc_free != image.size:
                pass


def test_an_enclave_ends_with_its_creator_s_connection(cpu):
    with sample_enclave(cpu) as enclave:
        pid = enclave.pid
    while os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
        pass


def test_a_forked_process_has_lost_the_enclave(enclave):
    enclave_owner, enclave._owner = enclave._owner, -1
    try:
        with pytest.raises(EnclaveError, match=r"sgx\.error\.enclave_lost"):
            enclave.call("add", 1, 1, returns=int)
    finally:
        enclave._owner = enclave_owner


def test_no_processor_is_a_clear_error(tmp_path):
    with pytest.raises(TransportError, match=r"processor\.unreachable"):
        ProcessorClient.connect(tmp_path / "nothing.sock")


def test_two_builds_of_one_tree_are_equal_byte_for_byte(tmp_path):
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in SAMPLE.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    _, image, _ = sample()
    assert build(EnclaveProject.load(copy)).stream == image.stream
    assert EnclaveImage.parse(image.stream).mr_enclave == image.mr_enclave
