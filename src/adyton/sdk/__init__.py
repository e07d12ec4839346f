"""The TEE SDK, host side: build an enclave from a folder, sign it, measure it, run it.

    project = EnclaveProject.load(Path("classifier"))
    image = build(project)
    sigstruct = sign(image, project.identity, SigningKey.generate(), built=date.today())
    with Enclave.create(image, sigstruct, processor=socket_path) as enclave:
        enclave.call("add", 1, 2, returns=int)

What runs inside imports `adyton.guest.enclave`.
"""

from adyton.sdk.build import build
from adyton.sdk.project import EnclaveProject, ProductIdentity
from adyton.sdk.run import Enclave
from adyton.sdk.sign import SigningKey, sign

__all__ = ["Enclave", "EnclaveProject", "ProductIdentity", "SigningKey", "build", "sign"]
