"""The command, as tests of it run it."""

from __future__ import annotations

import pytest

from adyton.cli import main


@pytest.fixture
def run(capsys):
    """Run the command; give its exit code, and what it printed on both streams."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run
