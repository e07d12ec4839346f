"""Times as documents write them: RFC 3339, UTC, to the second. No clock is read here."""

from __future__ import annotations

from datetime import UTC, datetime


def read_time(text: str) -> datetime:
    """Return a time that is written as RFC 3339 has it, UTC.

    Raises:
        ValueError: It is not one, or has no zone: a guess would move it by hours.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is out of range") from error


def time_text(moment: datetime) -> str:
    """Return a UTC time in RFC 3339 form, to the second."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
