"""The appraisal record: what was appraised, under which policy, with which endorsements, when, and what came of it.

One JSON document that stands alone: whoever holds it can appraise again, offline and years later, and gets the same
result byte for byte (`adyton.policy.record`). Digests name each input, so that two records can be compared, and an
input that was exchanged is found out before it is used.

Kept here: known fields only; every digest is that of the content beside it.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

import msgspec

from adyton.errors import MalformedDocument
from adyton.formats.check import Check, Mode, Verdict
from adyton.formats.policy import API_VERSION, AppraisalPolicy

RECORD_SIZE_CAP: Final = 16 * 1024 * 1024
_KIND: Final = "AppraisalRecord"
_REMEDY: Final = "use the record as `adyton verify --record` wrote it"


class RecordDigests(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SHA-256 of each input and of the result, hex.

    Attributes:
        evidence: Of the quote or report as received.
        endorsements: Of the collateral or endorsements file as received.
        collateral: Of each endorsement, by its name; empty if authentication did not get so far.
        policy: Of the policy's canonical form.
        result: Of the result's bytes.
    """

    evidence: str
    endorsements: str
    collateral: dict[str, str]
    policy: str
    result: str


class KeptTcb(msgspec.Struct, frozen=True):
    """The platform's status, as a result has it."""

    status: str


class KeptResult(msgspec.Struct, frozen=True):
    """What a kept result has to say, whichever version wrote it (`adyton.policy.AppraisalDocument`).

    Attributes:
        verdict: Accepted or denied.
        checks: Every check, in order.
        mode: Hardware or simulated; None if that was not found out.
        tee: What made the evidence; the same.
        root: The root of trust; the same.
        tcb: The platform's status; None for SNP and after an error.
    """

    verdict: Verdict
    checks: tuple[Check, ...]
    mode: Mode | None = None
    tee: str | None = None
    root: str | None = None
    tcb: KeptTcb | None = None


class AppraisalRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An appraisal that can be made again; bytes are base64.

    Attributes:
        appraised_at: The time that it was appraised for: RFC 3339, UTC.
        technology: `dcap` for SGX and TDX, `snp` for SEV-SNP.
        evidence: The quote or report as received.
        endorsements: The collateral file (`dcap`) or endorsements file (`snp`) as received.
        policy: What it was appraised under, every default spelt out.
        report_data: The 64 bytes that were expected, hex; None if none were.
        digests: What names the inputs and the result.
        result: The result: `adyton.policy.AppraisalDocument`, byte for byte.
        made_by: The program and its version.
    """

    appraised_at: str
    technology: Literal["dcap", "snp"]
    evidence: bytes
    endorsements: bytes
    policy: AppraisalPolicy
    report_data: str | None
    digests: RecordDigests
    result: msgspec.Raw
    made_by: str
    api_version: str = API_VERSION
    kind: str = _KIND

    @classmethod
    def parse(cls, data: bytes) -> AppraisalRecord:
        """Read a record.

        Raises:
            MalformedDocument: `record.size` over 16 MiB; `record.invalid`; `record.digest` if a digest is not that of
                the content beside it.
        """
        if len(data) > RECORD_SIZE_CAP:
            raise _malformed("size", f"a record has at most {RECORD_SIZE_CAP} bytes, found {len(data)}")
        try:
            record = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise _malformed("invalid", f"this is not an appraisal record: {error}") from error
        if (record.api_version, record.kind) != (API_VERSION, _KIND):
            raise _malformed(
                "invalid", f"expected {_KIND} of {API_VERSION}, found {record.kind} of {record.api_version}"
            )
        record.require_digests()
        return record

    def require_digests(self) -> None:
        """Compare every digest with its content.

        Raises:
            MalformedDocument: `record.digest`.
        """
        for name, content, expected in (
            ("evidence", self.evidence, self.digests.evidence),
            ("endorsements", self.endorsements, self.digests.endorsements),
            ("policy", self.policy.to_bytes(), self.digests.policy),
            ("result", bytes(self.result), self.digests.result),
        ):
            found = hashlib.sha256(content).hexdigest()
            if found != expected:
                raise _malformed("digest", f"expected {name} with SHA-256 {expected}, found {found}")

    def kept(self) -> KeptResult:
        """Return the result that was kept.

        Raises:
            MalformedDocument: `record.invalid` if it is not an appraisal's.
        """
        try:
            return msgspec.json.decode(self.result, type=KeptResult)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed("invalid", f"the result is not an appraisal's: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the document."""
        return msgspec.json.encode(self)


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(f"record.{suffix}", found, remedy=_REMEDY)
