"""What others wrote is shown, and not obeyed."""

from __future__ import annotations

import pytest

from adyton.cli.output import console, printable, shorten


@pytest.mark.parametrize("text", ["\x1b[2J", "\x1b]0;title\x07", "a\x00b", "\x9b31m", "\u202egnp.exe"])
def test_control_characters_do_not_reach_the_terminal(text):
    assert not set(printable(text)) & set("\x1b\x07\x00\x9b\u202e")


def test_brackets_are_not_read_as_styles(capsys):
    console().print("[/no-such-style] [red]text[/red]")
    assert capsys.readouterr().out == "[/no-such-style] [red]text[/red]\n"


def test_long_hex_is_shortened_and_a_fingerprint_is_not():
    assert shorten("found " + "ab" * 32 + ", twice") == "found abababababab..abababab, twice"
    fingerprint = "simulated:" + "0" * 32
    assert shorten(fingerprint) == fingerprint
