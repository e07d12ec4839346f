"""Evidence providers: where code inside a TEE gets its quotes."""

from __future__ import annotations

from typing import Protocol

from adyton.errors import UsageError
from adyton.formats import simcpu
from adyton.formats.sgx import REPORT_DATA_SIZE
from adyton.guest.processor import ProcessorClient


class EvidenceProvider(Protocol):
    """Whatever makes quotes about the code that asks."""

    def quote(self, report_data: bytes) -> bytes:
        """Return a quote that carries 64 bytes of the caller's choice."""
        ...


class SimulatedProvider:
    """Quotes from the simulated processor, by the way that DCAP takes: target information, report, quote.

    Args:
        processor: The enclave's own connection to its processor.
    """

    def __init__(self, processor: ProcessorClient) -> None:
        self._processor = processor

    def quote(self, report_data: bytes) -> bytes:
        """Return a DCAP v3 quote.

        Raises:
            UsageError: `evidence.report_data` unless it is 64 bytes.
            EnclaveError: The processor refused.
        """
        if len(report_data) != REPORT_DATA_SIZE:
            raise UsageError(
                "evidence.report_data",
                f"expected {REPORT_DATA_SIZE} bytes of report data, found {len(report_data)}",
                remedy="hash what is to be bound with SHA-512, or pad it yourself",
            )
        target = self._processor.request(simcpu.GetTargetInfo(), simcpu.TargetInfoGiven).target_info
        create = simcpu.CreateReport(target_info=target, report_data=report_data)
        report = self._processor.request(create, simcpu.ReportCreated).report
        return self._processor.request(simcpu.GetQuote(report=report), simcpu.QuoteGiven).quote
