"""A test of a policy: recorded evidence, and what the policy has to make of it.

JSON or YAML, kind `PolicyTest`. Kept here: known fields only; at least one case; a case that expects a denial may name
the checks that have to decide it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from adyton.errors import MalformedDocument
from adyton.formats.policy import API_VERSION
from adyton.formats.yaml import read_yaml

POLICY_TEST_SIZE_CAP: Final = 1024 * 1024
_KIND: Final = "PolicyTest"


class PolicyTestCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One case.

    Attributes:
        record: An appraisal record's file, beside the test's own.
        expect: The verdict.
        failed: Checks that have to be among those that fail; empty asks for none by name.
        at: The time to appraise for, RFC 3339; absent, the record's.
    """

    record: str
    expect: Literal["accepted", "denied"]
    failed: tuple[str, ...] = ()
    at: str | None = None


class PolicyTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Cases for a policy.

    Attributes:
        api_version: `adyton.dev/v1`.
        kind: `PolicyTest`.
        cases: What to try.
    """

    api_version: str
    kind: str
    cases: Annotated[tuple[PolicyTestCase, ...], msgspec.Meta(min_length=1)]

    @classmethod
    def parse(cls, data: bytes) -> PolicyTest:
        """Read a test.

        Raises:
            MalformedDocument: `policy.test.size` over 1 MiB; `policy.test.invalid`.
        """
        if len(data) > POLICY_TEST_SIZE_CAP:
            raise _malformed("size", f"a policy test has at most {POLICY_TEST_SIZE_CAP} bytes, found {len(data)}")
        try:
            document = msgspec.json.decode(data) if data.lstrip()[:1] == b"{" else read_yaml(data)
            found = msgspec.convert(document, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise _malformed("invalid", f"this is not a policy test: {error}") from error
        if (found.api_version, found.kind) != (API_VERSION, _KIND):
            raise _malformed("invalid", f"expected {_KIND} of {API_VERSION}, found {found.kind} of {found.api_version}")
        return found


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(f"policy.test.{suffix}", found, remedy="see `adyton policy test --help`")
