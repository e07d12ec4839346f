"""The command `adyton`: a thin face over the rooms below it."""

from adyton.cli.app import main

__all__ = ["main"]
