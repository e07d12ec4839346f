"""An upstream that fails, hangs, lies about sizes or has had enough: each is a clear error, in time, and bounded."""

from __future__ import annotations

import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest
from forged import NOW
from hypothesis import given
from hypothesis import strategies as st
from stub_upstream import (
    HTML,
    FakeClock,
    StubAnswer,
    StubUpstream,
    answer,
    hang,
    huge,
    status,
    trickle,
    truncated,
    vanish,
)

from adyton.endorsements import Address, EndorsementConfig, Upstream
from adyton.endorsements import request as ask
from adyton.endorsements.bucket import TokenBucket
from adyton.endorsements.clock import SystemClock
from adyton.errors import NotFound, TransportError, UsageError
from adyton.formats.quote import Tee

REQUEST = ask.qe_identity(Tee.SGX)
SECRET = "c0ffee" * 5


@pytest.fixture
def stub():
    with StubUpstream({REQUEST.key: StubAnswer(b"{}")}) as running:
        yield running


def client(stub, clock=None, *, bucket=None, jitter=lambda: 1.0, **limits):
    config = EndorsementConfig(**({"read_timeout_s": 0.2, "attempts": 1} | limits))
    return stub.upstream(config, clock=clock or SystemClock(), bucket=bucket, jitter=jitter)


def refused(stub, **limits):
    with pytest.raises((TransportError, NotFound)) as caught:
        client(stub, **limits).get(REQUEST)
    error = caught.value
    assert f"{stub.url.removeprefix('http://')}/{REQUEST.path}" in error.message
    assert error.remedy
    return error.code.removeprefix("collateral.upstream.")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (hang, "timeout"),
        (vanish, "unreachable"),
        (truncated, "unreachable"),
        (huge, "size"),
        (status(500), "status"),
        (status(503), "status"),
        (status(401), "status"),
        (status(302, Location="http://127.0.0.1:9/"), "status"),
        (status(404), "not_found"),
        (status(461), "not_found"),
        (status(429), "rate_limited"),
        (status(503, Retry_After="5"), "rate_limited"),
        (answer(b"{}", {"Content-Encoding": "gzip"}), "format"),
        (answer(b"{}", {"TCB-Info-Issuer-Chain": "A" * 70_000}), "size"),
        (answer(b"{}", {"X-Large": "A" * 200_000}), "unreachable"),
    ],
)
def test_an_upstream_that_fails_is_a_clear_error(stub, fault, code):
    stub.fault = fault
    assert refused(stub, body_cap_bytes=100_000) == code


def test_an_upstream_that_sends_a_little_at_a_time_ends_at_the_deadline(stub):
    stub.fault = trickle
    assert refused(stub, deadline_s=0.3) == "timeout"


def test_an_upstream_that_is_not_there_is_a_clear_error():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        upstream = Upstream(Address(f"http://127.0.0.1:{probe.getsockname()[1]}"), EndorsementConfig(attempts=1))
        with pytest.raises(TransportError, match=r"collateral\.upstream\.unreachable"):
            upstream.get(REQUEST)
        upstream.close()


def test_an_upstream_that_recovers_is_asked_again(stub):
    clock = FakeClock(NOW)

    def fails_twice(handler):
        (status(500) if len(stub.asked) < 3 else answer(b"{}"))(handler)

    stub.fault = fails_twice
    assert client(stub, clock, attempts=4).get(REQUEST).body == b"{}"
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(("chance", "slept"), [(0.0, [0.25, 0.5, 1.0, 1.0]), (1.0, [0.5, 1.0, 2.0, 2.0])])
def test_waits_double_up_to_their_cap_and_half_of_each_is_chance(stub, chance, slept):
    clock = FakeClock(NOW)
    stub.fault = status(500)
    with pytest.raises(TransportError):
        client(stub, clock, attempts=5, backoff_cap_s=2.0, jitter=lambda: chance).get(REQUEST)
    assert clock.slept == slept


def test_repetitions_end_at_the_deadline(stub):
    clock = FakeClock(NOW)
    stub.fault = status(500)
    with pytest.raises(TransportError):
        client(stub, clock, attempts=1000, deadline_s=30.0).get(REQUEST)
    assert clock.monotonic() < 30


@pytest.mark.parametrize(
    ("fault", "asked"), [(status(404), 1), (status(400), 1), (answer(b"x", {"Content-Encoding": "br"}), 1)]
)
def test_what_will_not_get_better_is_not_repeated(stub, fault, asked):
    stub.fault = fault
    with pytest.raises((TransportError, NotFound)):
        client(stub, FakeClock(NOW), attempts=5).get(REQUEST)
    assert len(stub.asked) == asked


@pytest.mark.parametrize(
    ("asked", "slept"),
    [
        ("7", 7.0),
        (format_datetime(NOW + timedelta(seconds=9), usegmt=True), 9.0),
        ("soon", 10.0),
        ("-1", 10.0),
        ("", 10.0),
        ("9" * 40, 10.0),
    ],
)
def test_the_wait_that_the_upstream_asks_for_is_kept(stub, asked, slept):
    clock = FakeClock(NOW)
    stub.fault = status(429, Retry_After=asked)
    with pytest.raises(TransportError, match="rate_limited"):
        client(stub, clock, attempts=2).get(REQUEST)
    assert clock.slept[0] == slept


def test_an_upstream_cannot_close_itself_for_ever(stub):
    clock = FakeClock(NOW)
    stub.fault = status(429, Retry_After="999999999")
    upstream = client(stub, clock, attempts=1, retry_after_cap_s=600.0)
    with pytest.raises(TransportError, match="rate_limited"):
        upstream.get(REQUEST)
    stub.fault = None
    clock.advance(600)
    assert upstream.get(REQUEST).body == b"{}"


def test_after_429_nobody_asks_until_the_pause_is_over(stub):
    clock = FakeClock(NOW)
    upstream = client(stub, clock, attempts=1, deadline_s=5.0)
    stub.fault = status(429, Retry_After="60")
    for _ in range(10):
        with pytest.raises(TransportError, match="rate_limited"):
            upstream.get(REQUEST)
    assert len(stub.asked) == 1


def test_the_kds_gets_one_request_in_ten_seconds(stub):
    clock = FakeClock(NOW)
    upstream = client(stub, clock, bucket=TokenBucket(10.0, 1, clock))
    for _ in range(4):
        upstream.get(REQUEST)
    assert clock.slept == [10.0, 10.0, 10.0]


def test_who_would_wait_past_the_deadline_is_told_at_once(stub):
    clock = FakeClock(NOW)
    bucket = TokenBucket(10.0, 1, clock)
    for _ in range(4):
        bucket.reserve(60.0)
    with pytest.raises(TransportError, match="rate_limited"):
        client(stub, clock, bucket=bucket, deadline_s=15.0).get(REQUEST)
    assert not stub.asked


@given(interval=st.floats(0.1, 20), burst=st.integers(1, 5), moves=st.lists(st.tuples(st.floats(0, 30), st.booleans())))
def test_no_window_of_time_holds_more_requests_than_the_bucket_allows(interval, burst, moves):
    clock = FakeClock(NOW)
    bucket = TokenBucket(interval, burst, clock)
    used = []
    for pause, closes in moves:
        clock.advance(pause)
        if closes:
            bucket.close(pause)
        wait = bucket.reserve(1000.0)
        assert wait is None or wait >= 0
        if wait is not None:
            used.append(clock.monotonic() + wait)
    for first in range(len(used)):
        for last in range(first, len(used)):
            allowed = burst + (used[last] - used[first]) / interval
            assert last - first + 1 <= allowed + 1e-3


def test_a_subscription_key_is_sent_and_never_printed(stub):
    address = Address(stub.url, headers={"Ocp-Apim-Subscription-Key": SECRET})
    upstream = Upstream(address, EndorsementConfig(attempts=1))
    stub.fault = status(500)
    with pytest.raises(TransportError) as caught:
        upstream.get(REQUEST)
    assert stub.headers[0]["Ocp-Apim-Subscription-Key"] == SECRET
    assert SECRET not in repr(address) + str(caught.value) + caught.value.remedy
    upstream.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pccs.example",
        "ftp://pccs.example",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@pccs.example",
        "https://pccs.example?x=1",
        "https://pccs.example#x",
        "https://pccs.example:99999",
        "https://[::1",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(UsageError, match=r"collateral\.upstream\.url") as caught:
        Address(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_holds_no_certificates_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(UsageError, match=r"collateral\.upstream\.ca"):
            Upstream(Address("https://pccs.example", tmp_path / name))


def test_a_portal_that_answers_200_with_a_page_is_read_as_it_is(stub):
    stub.fault = answer(HTML)
    assert client(stub).get(REQUEST).body == HTML


@pytest.mark.parametrize("fields", [{"attempts": 0}, {"deadline_s": -1.0}, {"refresh_life_share": 1.5}])
def test_limits_that_cannot_be_kept_are_refused(fields):
    with pytest.raises(UsageError, match=r"collateral\.config"):
        EndorsementConfig(**fields)


def test_closing_ends_the_repetitions_of_whoever_waits(stub):
    clock = SystemClock()
    upstream = client(stub, clock, attempts=100, backoff_base_s=60.0, backoff_cap_s=60.0, deadline_s=1000.0)

    def fails_and_closes(handler):
        status(500)(handler)
        upstream.close()
        clock.wake()

    stub.fault = fails_and_closes
    with pytest.raises(TransportError):
        upstream.get(REQUEST)
    assert len(stub.asked) == 1
