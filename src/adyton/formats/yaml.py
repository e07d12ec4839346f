"""YAML as documents need it: the JSON values, in YAML's writing, and nothing else of YAML.

Anchors, aliases, merge keys, explicit tags, dates and numbers to base 60 are refused or read as text: each of them has
made a reader take time that doubles with a line, or raise what its caller does not expect. Numbers are decimal or `0x`.

Kept here: every failure is `ValueError`, for the caller to name; time grows with the size of the text.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_DEPTH_CAP: Final = 64
_TOKENS_CAP: Final = 200_000
_PLAIN: Final = (
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    (re.compile(r"null|Null|NULL|~|"), lambda _text: None),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,30})"), int),
    (re.compile(r"0x[0-9a-fA-F]{1,30}"), lambda text: int(text, 16)),
    (re.compile(r"[-+]?[0-9]{1,30}\.[0-9]{1,30}([eE][-+]?[0-9]{1,3})?"), float),
)
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(data: bytes) -> Any:  # noqa: ANN401, whatever the document holds
    """Read one document.

    Args:
        data: UTF-8.

    Returns:
        Dictionaries with text keys, lists, text, numbers, booleans and None.

    Raises:
        ValueError: If it is not YAML, or more of it than is read here.
    """
    try:
        events = list(_events(data))
        value, at = _value(events, 2, 0)
        if not isinstance(events[at], yaml.DocumentEndEvent) or len(events) != at + 2:
            raise ValueError("expected one document")
    except (yaml.YAMLError, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"this is not YAML: {' '.join(str(error).split())[:300]}") from error
    return value


def _events(data: bytes) -> Any:  # noqa: ANN401, the library's events
    for count, event in enumerate(yaml.parse(data.decode("utf-8"), Loader=_Loader)):
        if count > _TOKENS_CAP:
            raise ValueError(f"expected at most {_TOKENS_CAP} parts")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ValueError("anchors and aliases are not read")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ValueError(f"tags are not read: {tag}")
        yield event


def _value(events: list[Any], at: int, depth: int) -> tuple[Any, int]:
    """Return the value that begins at an event, and where the next one begins."""
    event = events[at]
    if depth > _DEPTH_CAP:
        raise ValueError(f"expected at most {_DEPTH_CAP} levels")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event), at + 1
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(events, at + 1, depth)
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(events, at + 1, depth)
    raise ValueError("expected a value")


def _sequence(events: list[Any], at: int, depth: int) -> tuple[list[Any], int]:
    found = []
    while not isinstance(events[at], yaml.SequenceEndEvent):
        value, at = _value(events, at, depth + 1)
        found.append(value)
    return found, at + 1


def _mapping(events: list[Any], at: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while not isinstance(events[at], yaml.MappingEndEvent):
        key = events[at]
        if not isinstance(key, yaml.ScalarEvent) or key.value in found or key.value == "<<":
            raise ValueError(f"expected a key that is text, once: {getattr(key, 'value', 'a collection')}")
        found[key.value], at = _value(events, at + 1, depth + 1)
    return found, at + 1


def _scalar(event: Any) -> Any:  # noqa: ANN401, the library's event and a JSON value
    text: str = event.value
    if not event.style:
        for pattern, read in _PLAIN:
            if pattern.fullmatch(text):
                return read(text)
    return text
