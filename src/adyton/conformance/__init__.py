"""The conformance kit: sound and forged evidence for any verifier, over a small protocol on standard input and output.

The cases are forged anew at each run, from a seed, and come out byte for byte the same (`manifest.json` holds their
digests). A verifier that accepts what has to be refused is worth less than one that refuses too much, and is shown so.
"""

from adyton.conformance.cases import Case, Expected, all_cases
from adyton.conformance.run import Finding, Report, run

__all__ = ["Case", "Expected", "Finding", "Report", "all_cases", "run"]
