"""Enclave projects and signing keys: what is wrong is said before anything is built or signed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from running import BUILT, sample, signing_key

from adyton.cli.demo.stage import published_key
from adyton.errors import MalformedDocument, UsageError
from adyton.formats.sgx import AttributeFlags
from adyton.sdk import EnclaveProject, ProductIdentity, SigningKey, build, sign

TOML = 'name = "a"\nmodule = "m"\n'


def project(folder, toml=TOML, **files):
    (folder / "enclave.toml").write_text(toml)
    for name, content in (files or {"m": ""}).items():
        (folder / f"{name}.py").write_text(content)
    return EnclaveProject.load(folder)


def test_a_short_project_forbids_debugging(tmp_path):
    found = project(tmp_path)
    assert (found.name, found.identity.allow_debug, found.files) == ("a", False, {"m.py": b""})


@pytest.mark.parametrize(
    "toml",
    [
        "",
        "name = 1",
        TOML + "unknown = 1",
        TOML + "heap_size = 1",
        TOML + "[identity]\nisv_svn = 65536",
        "name = ",
        "\x00",
    ],
)
def test_a_configuration_that_is_not_quite_one_is_refused(tmp_path, toml):
    with pytest.raises(MalformedDocument, match=r"sdk\.project\.invalid"):
        project(tmp_path, toml)


def test_a_folder_without_a_project_or_its_module_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match=r"sdk\.project\.unreadable"):
        EnclaveProject.load(tmp_path)
    with pytest.raises(UsageError, match=r"sdk\.project\.module"):
        project(tmp_path, other="")


def test_a_package_that_is_not_installed_is_a_clear_error():
    with pytest.raises(UsageError, match=r"sdk\.build\.package"):
        build(replace(sample()[0], packages=("no-such-package",)))


def test_the_measurement_covers_code_configuration_and_packages():
    base, image, _ = sample()
    others = [
        replace(base, files=base.files | {"more.py": b""}),
        replace(base, heap_size=base.heap_size + 4096),
        replace(base, module="other"),
        replace(base, packages=()),
    ]
    measured = {build(other).mr_enclave for other in others} | {image.mr_enclave}
    assert len(measured) == len(others) + 1


def test_the_signature_forbids_a_debug_launch_unless_asked():
    _, image, sigstruct = sample()
    assert sigstruct.attribute_mask.flags & AttributeFlags.DEBUG
    allowed = sign(image, ProductIdentity(allow_debug=True), signing_key(), built=BUILT)
    assert not allowed.attribute_mask.flags & AttributeFlags.DEBUG


def test_a_publicly_known_key_does_not_sign_unless_told_so():
    image = sample()[1]
    with pytest.raises(UsageError, match=r"sdk\.sign\.public_key"):
        sign(image, ProductIdentity(), published_key(), built=BUILT)
    signed = sign(image, ProductIdentity(), published_key(), built=BUILT, dangerous_allow_public_signer=True)
    signed.verify()


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def test_a_key_of_another_kind_does_not_sign():
    keys = [
        rsa.generate_private_key(65537, 2048),
        rsa.generate_private_key(65537, 3072),
        ec.generate_private_key(ec.SECP256R1()),
    ]
    for content in (*map(pem, keys), b"", b"not a key"):
        with pytest.raises(UsageError, match=r"sdk\.sign\.key"):
            SigningKey.load(content)


def test_a_key_under_a_passphrase_opens_with_it_alone():
    key = rsa.generate_private_key(3, 3072)
    content = pem(key, BestAvailableEncryption(b"right"))
    assert SigningKey.load(content, passphrase=b"right").modulus == key.public_key().public_numbers().n
    for wrong in (b"wrong", None):
        with pytest.raises(UsageError, match=r"sdk\.sign\.key"):
            SigningKey.load(content, passphrase=wrong)


def test_the_date_is_binary_coded_decimal():
    assert sample()[2].date == 0x20260102
