"""Speaking HTTP to a broker: one place for time limits, sizes and errors."""

from __future__ import annotations

from typing import Final

import httpx2
import msgspec

from adyton.errors import AccessDenied, AdytonError, NotFound, PolicyDenied, TransportError
from adyton.formats.kbs import Problem

_TIMEOUT: Final = 30.0
_ANSWER_CAP: Final = 16 * 1024 * 1024
_BY_STATUS: Final[dict[int, type[AdytonError]]] = {401: AccessDenied, 403: PolicyDenied, 404: NotFound}


class Refusal(AdytonError):
    """A broker refused, and explained itself.

    Attributes:
        problem: The broker's own words, every check among them.
        status: The HTTP status.
    """

    def __init__(self, problem: Problem, status: int) -> None:
        super().__init__(problem.code or "broker.refused", problem.detail, remedy=problem.remedy or "ask its operator")
        self.problem = problem
        self.status = status

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """What a command that ends with this refusal exits with."""
        return _BY_STATUS.get(self.status, AdytonError).exit_code


class Http:
    """A connection to one broker.

    Args:
        url: Where it listens, such as `http://127.0.0.1:8470`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx2.Client(base_url=url, timeout=_TIMEOUT, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def send(
        self, method: str, path: str, *, content: bytes | None = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """Send a request, and return the answer if it is a success.

        Raises:
            Refusal: The broker refused.
            TransportError: `broker.unreachable`, `broker.answer`.
        """
        try:
            response = self._client.request(method, path, content=content, headers=headers)
        except httpx2.HTTPError as error:
            raise TransportError(
                "broker.unreachable",
                f"expected a broker at {self._url}: {type(error).__name__}",
                remedy="check the address, and that `adyton up` runs there",
            ) from error
        if len(response.content) > _ANSWER_CAP:
            raise TransportError("broker.answer", "the broker's answer is too large", remedy="check the address")
        if response.is_success:
            return response
        try:
            problem = msgspec.json.decode(response.content, type=Problem)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            problem = Problem(type="", detail=f"HTTP status {response.status_code}", code="broker.answer")
        raise Refusal(problem, response.status_code)
