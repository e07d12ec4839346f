"""A party's signed requests: one request, one minute, one use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from brokers import World
from joserfc.jwk import ECKey

from adyton.broker.party import PartyRequest, sign_request
from adyton.errors import AccessDenied

REQUEST = PartyRequest("PUT", "/v1/secrets/a/b/c", b"body")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def token(world, request=REQUEST, *, party="owner", key=None, jti="1", now=None):
    return sign_request(request, party, key or world.party_key, jti=jti, now=now or datetime.now(UTC))


def refused(world, text, request=REQUEST):
    with pytest.raises(AccessDenied) as caught:
        world.broker.authorize(text, request)
    return caught.value.code


def test_a_signed_request_is_its_party_s(world):
    assert world.broker.authorize(token(world), REQUEST) == "owner"


def test_a_token_is_used_once(world):
    text = token(world)
    world.broker.authorize(text, REQUEST)
    assert refused(world, text) == "party.replay"


@pytest.mark.parametrize(
    "other",
    [
        PartyRequest("GET", "/v1/secrets/a/b/c", b"body"),
        PartyRequest("PUT", "/v1/secrets/a/b/d", b"body"),
        PartyRequest("PUT", "/v1/secrets/a/b/c", b"another body"),
    ],
)
def test_a_token_does_not_allow_another_request(world, other):
    assert refused(world, token(world), other) == "party.token"


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_token_of_another_time_is_refused(world, minutes):
    assert refused(world, token(world, now=datetime.now(UTC) + timedelta(minutes=minutes))) == "party.token"


def test_a_token_of_another_key_is_refused(world):
    assert refused(world, token(world, key=ECKey.generate_key("P-256", private=True))) == "party.token"


def test_an_unknown_party_is_refused(world):
    assert refused(world, token(world, party="stranger")) == "party.unknown"


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.e30.c", "a.!!.c", "." * 10, "é.é.é"])
def test_what_is_no_token_is_refused(world, text):
    assert refused(world, text) == "party.token"


def test_an_unsigned_token_is_refused(world):
    header = "eyJhbGciOiJub25lIn0"
    assert refused(world, f"{header}.{token(world).split('.')[1]}.") == "party.token"
