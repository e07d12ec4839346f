"""How much is read and shown, and what dates are compared with: the settings of one inspection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adyton.formats.image import IMAGE_SIZE_CAP


@dataclass(frozen=True, slots=True)
class InspectionLimits:
    """How much is read and shown.

    Attributes:
        file_size_bytes: The largest input.
        document_size_bytes: The largest file of any format but enclave images.
        text_size_bytes: The largest input that is looked at as hex or base64.
        text_layers_count: How many of those texts may be around the bytes.
        nodes_count: How many fields of a DER structure are shown; what is beyond is one field without parts.
        entries_count: How many entries of one list are shown, such as a revocation list's.
        pages_count: How many pages of an enclave image are shown field by field.
        depth_count: How deep DER is read.
    """

    file_size_bytes: int = IMAGE_SIZE_CAP
    document_size_bytes: int = 16 * 1024 * 1024
    text_size_bytes: int = 32 * 1024 * 1024
    text_layers_count: int = 3
    nodes_count: int = 20_000
    entries_count: int = 1000
    pages_count: int = 1000
    depth_count: int = 24


@dataclass(frozen=True, slots=True)
class View:
    """The settings of one inspection.

    Attributes:
        at: The time that dates are compared with, UTC; None compares none.
        limits: How much is read and shown.
    """

    at: datetime | None = None
    limits: InspectionLimits = InspectionLimits()


UNDATED: Final = View()
