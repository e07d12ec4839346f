"""The simulated SGX processor: a process of its own that does what the instructions and the quoting enclave do.

It measures and checks enclaves before they start (ECREATE to EINIT), makes reports (EREPORT), derives keys (EGETKEY)
and signs quotes in the real DCAP v3 format, under a root that is made anew for each installation. Nothing imports this
package: it is started with `python -m adyton.simcpu` and spoken to over its socket (`adyton.formats.simcpu`).

What it does not protect from: root, the kernel, and whoever can read its state folder, which holds all of its keys.
Every result that stands on it says `simulated`, and no built-in policy accepts it.
"""
