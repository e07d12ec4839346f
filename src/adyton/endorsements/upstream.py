"""Speaking HTTP to a PCS, PCCS or KDS: one place for time, sizes, repetitions and errors.

Kept here: an answer is read as a stream, up to a cap, uncompressed and without following redirects; a request and its
repetitions end at one deadline; 429 and `Retry-After` close the upstream for everybody who shares it; an error names
the upstream's host and path, and never a header, a parameter or a body.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2

from adyton.endorsements.answers import CHAIN_HEADERS, TCBM_HEADER, Answer
from adyton.endorsements.bucket import TokenBucket
from adyton.endorsements.clock import Clock, SystemClock
from adyton.endorsements.config import EndorsementConfig
from adyton.endorsements.request import ItemRequest
from adyton.errors import AdytonError, NotFound, TransportError, UsageError

_KEPT_HEADERS: Final = frozenset({TCBM_HEADER, *(name for names in CHAIN_HEADERS.values() for name in names)})
# 461 and 462 are PCCS's own: the platform is not known; its certificates are not there.
_ABSENT: Final = frozenset({404, 410, 461, 462})
_BUSY: Final = 429
_REPEATED: Final = frozenset({408, 425, 500, 502, 503, 504})
_RETRY_AFTER_DEFAULT_S: Final = 10.0
_CHECK_ADDRESS: Final = "check the address, the network and the proxy between"
_WAIT: Final = "nothing is wrong here: try again later; a cache before the upstream serves what it has meanwhile"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream is.

    Attributes:
        url: Scheme, host and a path that goes before the API's own, such as `https://pccs.example:8081`.
        ca_file: Certificates that its TLS certificate may chain to, PEM; None for the system's.
        headers: Headers to send, such as a subscription key; never printed.
    """

    url: str
    ca_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        with suppress(ValueError):
            parts = urlsplit(self.url)
            plain = not (parts.query or parts.fragment or parts.username or parts.password)
            if parts.scheme in ("http", "https") and parts.hostname and plain and parts.port != 0:
                return
        raise UsageError(
            "collateral.upstream.url",
            "expected an upstream's address such as https://host:port, without user, parameters or fragment",
            remedy="use `https://api.trustedservices.intel.com`, `https://kdsintf.amd.com`, or your PCCS's address",
        )

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class _Failure:
    """One attempt that failed: why, whether another makes sense, and how long to wait at least."""

    error: AdytonError
    repeat: bool
    wait_s: float = 0.0


class Upstream:
    """One upstream; safe to share between threads.

    Args:
        address: Where it is.
        config: The limits.
        clock: What tells the time.
        jitter: A number from 0 to 1, anew each time: how much of a wait is kept.
        bucket: How often it may be asked; None for as often as needed.

    Raises:
        UsageError: `collateral.upstream.ca` if the file of certificates cannot be used.
    """

    def __init__(
        self,
        address: Address,
        config: EndorsementConfig | None = None,
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        bucket: TokenBucket | None = None,
    ) -> None:
        self.address = address
        self._config = config or EndorsementConfig()
        self._clock = clock or SystemClock()
        self._jitter = jitter
        self._bucket = bucket or TokenBucket(0, 1, self._clock)
        self._client = _client(address, self._config)
        self._closed = False

    def beside(self, url: str) -> Upstream:
        """Return another upstream under the same limits, which gets none of this one's headers."""
        address = Address(url, self.address.ca_file)
        return Upstream(address, self._config, clock=self._clock, jitter=self._jitter)

    def close(self) -> None:
        """End its connections; what is under way is not repeated."""
        self._closed = True
        self._client.close()

    def get(self, request: ItemRequest) -> Answer:
        """Send a request, again if that makes sense.

        Raises:
            NotFound: `collateral.upstream.not_found`: the upstream has no such item.
            TransportError: `collateral.upstream.unreachable`, `.timeout`, `.status`, `.rate_limited`, `.size`.
        """
        where = f"{self.address.host}/{request.path}"
        deadline = self._clock.monotonic() + self._config.deadline_s
        failure = self._attempt(request, where, deadline)
        for number in range(1, self._config.attempts):
            if isinstance(failure, Answer):
                return failure
            wait = max(failure.wait_s, self._backoff(number))
            if not failure.repeat or self._clock.monotonic() + wait >= deadline:
                raise failure.error
            self._clock.sleep(wait)
            if self._closed:
                break
            failure = self._attempt(request, where, deadline)
        if isinstance(failure, Answer):
            return failure
        raise failure.error

    def _backoff(self, number: int) -> float:
        """Half of each wait is fixed, half is chance: callers that failed together do not come back together."""
        longest = min(self._config.backoff_cap_s, self._config.backoff_base_s * 2.0 ** (number - 1))
        return longest * (0.5 + self._jitter() / 2)

    def _attempt(self, request: ItemRequest, where: str, deadline: float) -> Answer | _Failure:
        wait = self._bucket.reserve(deadline - self._clock.monotonic())
        if wait is None:
            return _Failure(_rate_limited(where, "its limit leaves no request in time"), repeat=False)
        if wait:
            self._clock.sleep(wait)
        if self._closed:
            return _Failure(_unreachable(where, "this client is closed"), repeat=False)
        try:
            return self._send(request, where, deadline)
        except httpx2.TimeoutException as error:
            return _Failure(_slow(where, type(error).__name__), repeat=True)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ssl.SSLError, OSError) as error:
            return _Failure(_unreachable(where, type(error).__name__), repeat=True)

    def _send(self, request: ItemRequest, where: str, deadline: float) -> Answer | _Failure:
        url = f"{self.address.url.rstrip('/')}/{request.path}"
        with self._client.stream("GET", url, params=dict(request.query)) as response:
            if response.status_code != 200:
                return self._refusal(response, where)
            if response.headers.get("content-encoding", "identity") != "identity":
                return _Failure(_format(where, "an answer that is not compressed", "a compressed one"), repeat=False)
            headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            if sum(map(len, headers.values())) > self._config.chain_cap_bytes:
                return _Failure(_too_large(where, "headers", self._config.chain_cap_bytes), repeat=False)
            body = self._read(response, where, deadline)
            return body if isinstance(body, _Failure) else Answer(where, headers, body)

    def _read(self, response: httpx2.Response, where: str, deadline: float) -> bytes | _Failure:
        cap = self._config.body_cap_bytes
        body = bytearray()
        for part in response.iter_raw():
            body += part
            if len(body) > cap:
                return _Failure(_too_large(where, "a body", cap), repeat=False)
            if self._clock.monotonic() > deadline:
                return _Failure(_slow(where, "it sent a little at a time"), repeat=False)
        return bytes(body)

    def _refusal(self, response: httpx2.Response, where: str) -> _Failure:
        status = response.status_code
        if status in _ABSENT:
            return _Failure(_absent(where, status), repeat=False)
        if status == _BUSY or (status == 503 and "retry-after" in response.headers):
            asked = _retry_after(response.headers.get("retry-after", ""), self._clock.now())
            wait = min(asked, self._config.retry_after_cap_s)
            self._bucket.close(wait)
            return _Failure(_rate_limited(where, f"status {status}, wait {wait:.0f} s"), repeat=True, wait_s=wait)
        error = TransportError(
            "collateral.upstream.status",
            f"expected status 200 from {where}, found {status}",
            remedy=_WAIT if status >= 500 else _CHECK_ADDRESS,
        )
        return _Failure(error, repeat=status in _REPEATED)


def _client(address: Address, config: EndorsementConfig) -> httpx2.Client:
    try:
        trust = _trust(address)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "collateral.upstream.ca",
            f"expected certificates in PEM in {address.ca_file}: {type(error).__name__}",
            remedy="pass the CA certificate of the upstream's TLS certificate",
        ) from error
    return httpx2.Client(
        headers={"Accept-Encoding": "identity", **address.headers},
        timeout=httpx2.Timeout(config.read_timeout_s, connect=config.connect_timeout_s),
        verify=trust,
        trust_env=False,
        follow_redirects=False,
    )


def _trust(address: Address) -> ssl.SSLContext:
    """Return the certificates that the upstream's own may chain to: none for plain HTTP, as reading them is slow."""
    if address.url.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=address.ca_file)


def _retry_after(text: str, now: datetime) -> float:
    """Return the seconds that `Retry-After` asks for: a number, or a date (RFC 9110 10.2.3)."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    with suppress(ValueError):
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    return _RETRY_AFTER_DEFAULT_S


def _absent(where: str, status: int) -> NotFound:
    return NotFound(
        "collateral.upstream.not_found",
        f"{where} has no such item (status {status})",
        remedy="check that the upstream serves this platform; a PCCS in offline mode has to be filled first",
    )


def _unreachable(where: str, how: str) -> TransportError:
    return TransportError(
        "collateral.upstream.unreachable",
        f"expected an answer from {where}: {how}",
        remedy=_CHECK_ADDRESS,
    )


def _slow(where: str, how: str) -> TransportError:
    return TransportError(
        "collateral.upstream.timeout", f"expected an answer from {where} in time: {how}", remedy=_CHECK_ADDRESS
    )


def _rate_limited(where: str, how: str) -> TransportError:
    return TransportError(
        "collateral.upstream.rate_limited", f"{where} takes no more requests now: {how}", remedy=_WAIT
    )


def _too_large(where: str, what: str, cap: int) -> TransportError:
    return TransportError(
        "collateral.upstream.size", f"expected {what} of at most {cap} bytes from {where}, found more",
        remedy=_CHECK_ADDRESS,
    )  # fmt: skip


def _format(where: str, expected: str, found: str) -> TransportError:
    return TransportError(
        "collateral.upstream.format", f"expected {expected} from {where}, found {found}", remedy=_CHECK_ADDRESS
    )
