"""The command's entry: which verbs there are, and how an error ends.

Kept here: an error that this project raises on purpose ends with its code, sentence, remedy and exit code, and
never with a traceback; with `--json` it is one JSON object on standard output. Exit codes: 0 done or acceptable,
1 authentic but not acceptable, 2 malformed, not authentic or failed, 3 wrong usage, 130 interrupted.

A verb's module is imported when the verb is used, so that one verb does not need the extras of another.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from adyton.cli.output import print_error
from adyton.errors import AdytonError, ErrorReport, UsageError

EXIT_USAGE: Final = 3
EXIT_INTERRUPTED: Final = 130

# Verb: where it is, and which extra of the package it needs.
_VERBS: Final = {
    "collateral": ("adyton.cli.collateral", "broker"),
    "conformance": ("adyton.cli.conformance", None),
    "demo": ("adyton.cli.demo", "demo"),
    "ear": ("adyton.cli.ear", None),
    "forecast": ("adyton.cli.forecast", None),
    "inspect": ("adyton.cli.inspect", None),
    "ledger": ("adyton.cli.ledger", "broker"),
    "policy": ("adyton.cli.policy", None),
    "receipt": ("adyton.cli.receipt", "broker"),
    "replay": ("adyton.cli.replay", None),
    "result": ("adyton.cli.result", None),
    "secret": ("adyton.cli.secret", "broker"),
    "up": ("adyton.cli.up", "broker"),
    "verify": ("adyton.cli.verify", None),
}


class _Verbs(click.Group):
    """The verbs, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, click's signature
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, click's signature
        if cmd_name not in _VERBS:
            return None
        module, extra = _VERBS[cmd_name]
        try:
            command: click.Command = import_module(module).command
        except ModuleNotFoundError as error:
            if extra is None or (error.name or "").startswith("adyton"):
                raise
            raise UsageError(
                "cli.extra_missing",
                f"`adyton {cmd_name}` needs {error.name}, which is not installed",
                remedy=f"pip install 'adyton[{extra}]'",
            ) from error
        return command


@click.command(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="adyton")
def adyton() -> None:
    """Confidential computing for Kubernetes: a secret leaves only for the code that its owner named."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit."""
    words = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in words
    try:
        code = adyton.main(args=words, prog_name="adyton", standalone_mode=False)
    except AdytonError as error:
        print_error(error.report(), as_json=as_json)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        remedy = "see `adyton --help`, or `--help` after a verb"
        print_error(ErrorReport("cli.usage", error.format_message(), remedy), as_json=as_json)
        sys.exit(EXIT_USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone: there is nobody left to tell.
        sys.stderr.close()
        sys.exit(EXIT_INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
