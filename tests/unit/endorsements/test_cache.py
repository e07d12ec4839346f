"""The cache while vendors are away, slow, behind or hostile. Tests are named after the outage or the attack."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from forged import FMSPC, NOW, VALIDITY, Forged
from forged_kds import CHIP_ID, PRODUCT, SINCE, TCB, chip
from hypothesis import given
from hypothesis import strategies as st
from stub_upstream import HTML, StubAnswer, amd, answer, hang, intel, other_family, status

from adyton.endorsements import EndorsementConfig, Facts, ItemStore
from adyton.endorsements import request as ask
from adyton.endorsements.rules import Mark, in_date, is_due, is_rollback
from adyton.errors import AdytonError, NotFound, StateError, TransportError, UntrustedEvidence
from adyton.forge import Validity
from adyton.formats.quote import Tee

INFO = ask.tcb_info(Tee.SGX, FMSPC)
QE = ask.qe_identity(Tee.SGX)
PCK_CRL, ROOT_CRL = ask.pck_crl("platform"), ask.root_crl()
VCEK = ask.vcek(PRODUCT, CHIP_ID, TCB)
DAY = 24 * 3600
LIFE = VALIDITY.expires - NOW
LATER = Validity(VALIDITY.issued + timedelta(days=15))
EARLIER = Validity(VALIDITY.issued - timedelta(days=5))


def number(cache, request=INFO):
    return cache.get(request).facts.number


def counts(cache):
    return cache.counters.counts()


def test_what_is_in_date_is_served_without_asking_anybody(world):
    cache = world.cache()
    bodies = {cache.get(INFO).item.body for _ in range(5)}
    assert (len(bodies), world.stub.count(INFO)) == (1, 1)
    assert (counts(cache).hits, counts(cache).misses) == (4, 1)


def test_a_restart_loses_nothing(world):
    before = [world.cache().get(request) for request in (INFO, QE, PCK_CRL, ROOT_CRL)]
    world.stub.fault = status(500)
    again = world.cache()
    assert [again.get(entry.item.request) for entry in before] == before


@pytest.mark.parametrize(
    "fault", [status(500), status(404), status(429), answer(HTML)], ids=["500", "404", "429", "portal"]
)
def test_an_outage_goes_unnoticed_while_items_are_in_date(world, fault):
    cache = world.cache()
    cache.get(INFO)
    world.stub.fault = fault
    world.clock.advance(LIFE.total_seconds())
    assert not cache.serve(INFO).stale
    world.clock.advance(1)
    with pytest.raises((TransportError, NotFound)):
        cache.get(INFO)


def test_past_its_date_nothing_is_served_by_default(world):
    cache = world.cache()
    cache.get(INFO)
    world.stub.fault = status(503)
    world.clock.advance(LIFE.total_seconds() + 1)
    with pytest.raises(TransportError, match=r"collateral\.upstream\.status"):
        cache.serve(INFO)
    assert counts(cache).stale == 0


def test_within_the_grace_what_is_past_its_date_is_served_and_says_so(world):
    cache = world.cache(outage_grace_s=2 * DAY)
    cache.get(INFO)
    world.stub.fault = status(503)
    world.clock.advance(LIFE.total_seconds() + DAY)
    assert cache.serve(INFO).stale
    assert cache.serve(INFO).stale, "a remembered failure changes nothing"
    assert counts(cache).stale == 2
    world.clock.advance(DAY + 1)
    with pytest.raises(TransportError):
        cache.serve(INFO)


@pytest.mark.parametrize("hostile", ["another root", "another family", "page", "rollback"])
def test_a_hostile_upstream_gets_no_further_than_one_that_is_away(world, forged, hostile):
    cache = world.cache(outage_grace_s=2 * DAY, negative_life_s=0)
    held = cache.get(INFO)
    lies = {
        "another root": intel(Forged())[INFO.key],
        "another family": StubAnswer(*_other_family(forged)),
        "page": StubAnswer(HTML),
        "rollback": intel(forged, validity=EARLIER)[INFO.key],
    }
    world.stub.answers = {INFO.key: lies[hostile]}
    world.clock.advance(LIFE.total_seconds() - 60)
    assert cache.serve(INFO).entry == held, "refreshing did not replace it"
    world.clock.advance(120)
    served = cache.serve(INFO)
    assert (served.entry, served.stale) == (held, True)
    assert sum(counts(cache).failures.values()) == 2


def _other_family(forged):
    other = other_family(forged)
    found = intel(other)[ask.tcb_info(Tee.SGX, other.platform.fmspc).key]
    return found.body, found.headers


@pytest.mark.parametrize("request_", [INFO, QE, PCK_CRL, ROOT_CRL], ids=lambda request: request.kind)
def test_what_is_not_authentic_is_never_kept(world, request_):
    cache = world.cache()
    world.stub.answers = intel(Forged())
    with pytest.raises(UntrustedEvidence, match=r"dcap\.chain\.untrusted_root"):
        cache.get(request_)
    assert not cache.summaries()


@pytest.mark.parametrize("request_", [INFO, QE], ids=lambda request: request.kind)
def test_rollback_of_the_evaluation_number_is_refused_and_counted(world, forged, request_):
    world.stub.answers = intel(forged, number=18)
    cache = world.cache()
    assert number(cache, request_) == 18
    world.stub.answers = intel(forged, number=17, validity=LATER)
    world.clock.advance(16 * DAY)
    assert number(cache, request_) == 18
    assert counts(cache).refused_rollbacks == 1
    assert number(world.cache(), request_) == 18


@pytest.mark.parametrize("request_", [PCK_CRL, ROOT_CRL], ids=lambda request: request.kind)
def test_rollback_of_the_crl_number_is_refused_and_counted(world, forged, request_):
    world.stub.answers = intel(forged, crl_number=9)
    cache = world.cache()
    assert number(cache, request_) == 9
    world.stub.answers = intel(forged, crl_number=8, validity=LATER)
    world.clock.advance(16 * DAY)
    assert number(cache, request_) == 9
    assert counts(cache).refused_rollbacks == 1


def test_rollback_of_the_issue_date_is_refused_and_counted(world, forged):
    cache = world.cache()
    held = cache.get(INFO)
    world.stub.answers = intel(forged, validity=EARLIER)
    world.clock.advance(2 * DAY)
    assert cache.get(INFO) == held
    assert counts(cache).refused_rollbacks == 1


def test_rollback_after_the_item_was_evicted_is_refused(world, forged):
    world.stub.answers = intel(forged, number=18)
    cache = world.cache(entries_cap=1, memory_entries_cap=1)
    assert number(cache) == 18
    world.clock.advance(1)
    cache.get(PCK_CRL)
    assert [summary.request for summary in cache.summaries()] == [PCK_CRL]
    world.stub.answers = intel(forged, number=17)
    with pytest.raises(UntrustedEvidence, match=r"collateral\.upstream\.rollback"):
        world.cache(entries_cap=1).get(INFO)


def test_a_tcb_recovery_is_taken_within_a_day(world, forged):
    cache = world.cache()
    assert number(cache) == 1
    world.stub.answers = intel(forged, number=2)
    world.clock.advance(DAY - 1)
    assert number(cache) == 1
    world.clock.advance(1)
    cache.get(INFO)
    assert number(cache) == 2
    assert counts(cache).refreshed == 1


def test_an_item_is_fetched_anew_before_it_ends(world, forged):
    cache = world.cache(refresh_after_s=1e9, refresh_life_share=0.25)
    cache.get(INFO)
    world.stub.answers = intel(forged, validity=LATER)
    world.clock.advance(timedelta(days=10).total_seconds())
    cache.get(INFO)
    assert world.stub.count(INFO) == 1
    world.clock.advance(timedelta(days=1).total_seconds())
    cache.get(INFO)
    assert world.stub.count(INFO) == 2
    world.stub.fault = status(500)
    world.clock.advance(LIFE.total_seconds() - 11 * DAY + 1)
    assert cache.get(INFO).facts.expires == LATER.expires


def test_an_upstream_that_is_away_is_not_asked_to_refresh_with_every_hit(world):
    cache = world.cache(refresh_pause_s=300.0)
    cache.get(INFO)
    world.stub.fault = status(500)
    world.clock.advance(2 * DAY)
    for _ in range(20):
        cache.get(INFO)
    assert world.stub.count(INFO) == 2
    world.clock.advance(300)
    cache.get(INFO)
    assert world.stub.count(INFO) == 3


def test_the_sweep_refreshes_what_nobody_asks_for(world, forged):
    cache = world.cache()
    for request in (INFO, QE, PCK_CRL, ROOT_CRL):
        cache.get(request)
    world.stub.answers = intel(forged, number=2, crl_number=2)
    world.clock.advance(DAY)
    cache.sweep()
    world.stub.fault = status(500)
    assert [number(cache, request) for request in (INFO, QE, PCK_CRL, ROOT_CRL)] == [2, 2, 2, 2]


def test_the_sweep_removes_what_is_past_every_use(world):
    cache = world.cache()
    cache.get(INFO)
    world.stub.fault = status(500)
    world.clock.advance(LIFE.total_seconds() + DAY)
    cache.sweep()
    assert cache.summaries()
    world.clock.advance(1)
    cache.sweep()
    assert not cache.summaries()


def test_a_hundred_callers_of_one_item_are_one_request(world, forged):
    cache = world.cache()
    gate, release = threading.Barrier(100), threading.Event()
    answers = intel(forged)

    def slow(handler):
        release.wait(10)
        handler.give(answers[INFO.key])

    world.stub.fault = slow

    def caller():
        gate.wait(10)
        return cache.get(INFO)

    with ThreadPoolExecutor(100) as pool:
        callers = [pool.submit(caller) for _ in range(100)]
        release.set()
        assert len({found.result(30).item.body for found in callers}) == 1
    assert world.stub.count(INFO) == 1


def test_a_hundred_callers_of_an_upstream_that_is_away_are_one_request(world):
    cache = world.cache()
    world.stub.fault = status(500)
    gate = threading.Barrier(100)

    def caller():
        gate.wait(10)
        with pytest.raises(TransportError):
            cache.get(INFO)

    with ThreadPoolExecutor(100) as pool:
        for found in [pool.submit(caller) for _ in range(100)]:
            found.result(30)
    assert world.stub.count(INFO) == 1


def test_who_comes_when_another_s_request_has_landed_asks_for_nothing(world):
    cache = world.cache()
    held = cache.get(INFO)
    assert cache._fetch_once(INFO) == held
    assert world.stub.count(INFO) == 1


def test_the_sweep_leaves_machines_certificates_to_those_who_ask_for_them(world):
    world.stub.answers = amd(chip(), issued=NOW)
    cache = world.cache(root=chip().root_name)
    cache.get(VCEK)
    world.clock.advance(2 * DAY)
    cache.sweep()
    assert (world.stub.count(VCEK), world.stub.count(ask.snp_chain(PRODUCT))) == (1, 2)


def test_a_refresh_that_hangs_does_not_hold_up_who_is_served_from_the_cache(world):
    with ThreadPoolExecutor(1) as pool:
        cache = world.cache(executor=pool, read_timeout_s=0.2)
        held = cache.get(INFO)
        world.stub.fault = hang
        world.clock.advance(2 * DAY)
        assert [cache.get(INFO) for _ in range(100)] == [held] * 100


def test_a_failure_is_remembered_for_a_short_while(world):
    cache = world.cache(negative_life_s=15.0)
    world.stub.fault = status(404)
    for _ in range(5):
        with pytest.raises(NotFound):
            cache.get(INFO)
    assert (world.stub.count(INFO), counts(cache).remembered) == (1, 4)
    world.stub.fault = None
    world.clock.advance(15)
    assert number(cache) == 1


def test_a_flood_of_unknown_platforms_does_not_fill_the_memory(world):
    cache = world.cache(negative_entries_cap=10)
    for family in range(30):
        with pytest.raises(NotFound):
            cache.get(ask.tcb_info(Tee.SGX, family.to_bytes(6, "big")))
    assert len(cache._failures) == 10
    assert not cache.summaries()


def test_an_upstream_that_is_behind_is_refused(world, forged):
    world.stub.answers = intel(forged, validity=Validity(NOW - timedelta(days=31)))
    cache = world.cache()
    with pytest.raises(TransportError, match=r"collateral\.upstream\.expired"):
        cache.get(INFO)
    assert not cache.summaries()


def test_the_cache_is_bounded_and_what_was_fetched_longest_ago_goes_first(world):
    cache = world.cache(entries_cap=2)
    for request in (INFO, QE, PCK_CRL):
        cache.get(request)
        world.clock.advance(1)
    assert {summary.request for summary in cache.summaries()} == {QE, PCK_CRL}


def test_a_chip_s_certificate_is_asked_for_once_for_a_whole_fleet(world):
    world.stub.answers = amd(chip(), issued=SINCE + timedelta(days=140))
    cache = world.cache(root=chip().root_name)
    for _ in range(10):
        assert cache.get(VCEK).item.body == chip().vcek
    assert sorted(world.stub.asked) == sorted([VCEK.key, ask.snp_chain(PRODUCT).key])


def test_an_item_that_was_changed_on_disk_is_not_served(world):
    world.cache().get(INFO)
    world.close()
    with sqlite3.connect(world.path) as database:
        database.execute("UPDATE item SET body = CAST(replace(CAST(body AS TEXT), 'OutOfDate', 'UpToDate ') AS BLOB)")
    database.close()
    world.stub.fault = status(500)
    cache = world.cache()
    with pytest.raises(TransportError):
        cache.get(INFO)
    assert not cache.summaries()


def test_an_item_whose_dates_were_changed_on_disk_is_served_by_its_own(world):
    world.cache().get(INFO)
    world.close()
    with sqlite3.connect(world.path) as database:
        database.execute("UPDATE item SET expires = expires * 2")
    database.close()
    world.stub.fault = status(500)
    world.clock.advance(LIFE.total_seconds() + 1)
    with pytest.raises(TransportError):
        world.cache().get(INFO)


def test_an_item_of_a_root_that_is_no_longer_trusted_is_not_served(world):
    world.cache().get(INFO)
    with pytest.raises(UntrustedEvidence, match=r"dcap\.chain\.untrusted_root"):
        world.cache(root="intel").get(INFO)


TCB_SIGNING, PCK_CA = 3, 2


@pytest.mark.parametrize(
    ("request_", "serial"), [(INFO, TCB_SIGNING), (QE, TCB_SIGNING), (PCK_CRL, PCK_CA)], ids=["info", "qe", "crl"]
)
def test_items_of_an_issuer_that_the_root_withdraws_are_neither_served_nor_taken(world, forged, request_, serial):
    cache = world.cache(negative_life_s=0)
    cache.get(request_)
    cache.get(ROOT_CRL)
    world.stub.answers = intel(forged, crl_number=2, revoked_by_root=[serial])
    world.clock.advance(DAY)
    cache.get(ROOT_CRL)
    for opened in (cache, world.cache()):
        with pytest.raises(UntrustedEvidence, match=r"collateral\.item\.revoked"):
            opened.get(request_)
    assert request_ not in {summary.request for summary in cache.summaries()}


def test_a_chip_under_an_ask_that_the_ark_withdraws_is_not_served(world):
    world.stub.answers = amd(chip(), issued=NOW)
    cache = world.cache(root=chip().root_name)
    cache.get(VCEK)
    world.stub.answers = amd(chip(), issued=NOW, revokes_ask=True)
    cache.get(ask.snp_crl(PRODUCT))
    with pytest.raises(UntrustedEvidence, match=r"collateral\.item\.revoked"):
        cache.get(VCEK)


def test_the_numbers_of_one_root_do_not_bind_another(world, forged):
    world.stub.answers = intel(forged, number=99)
    assert number(world.cache()) == 99
    other = Forged()
    world.stub.answers = intel(other, number=1)
    assert number(world.cache(root=other.root_name)) == 1


@pytest.mark.parametrize("content", [b"not a database", b"\x00" * 5000])
def test_a_file_that_is_no_cache_is_a_clear_error(tmp_path, content):
    path = tmp_path / "endorsements.db"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"collateral\.cache\.unusable"):
        ItemStore(path, entries_cap=10)
    assert path.read_bytes() == content


def test_a_cache_of_a_later_version_is_left_alone(tmp_path):
    path = tmp_path / "endorsements.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(StateError, match="schema 7"):
        ItemStore(path, entries_cap=10)


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(StateError, match=r"collateral\.cache\.unusable"):
        ItemStore(tmp_path / "nothing" / "endorsements.db", entries_cap=10)


def test_two_processes_on_one_file_keep_the_newer(world, forged):
    first, second = world.cache(), world.cache()
    world.stub.answers = intel(forged, number=18)
    assert number(first) == 18
    second_store = second._store
    world.stub.answers = intel(forged, number=17, validity=LATER)
    old = world.stub.origin(world.root, config=EndorsementConfig(attempts=1), clock=world.clock).fetch(INFO, b"")
    assert not second_store.keep(old)
    assert number(second) == 18


def test_an_upstream_that_is_away_and_back_is_known_to_be(world):
    cache = world.cache(negative_life_s=0)
    world.stub.fault = status(500)
    with pytest.raises(TransportError):
        cache.get(INFO)
    assert counts(cache).away_since == {INFO.vendor: NOW}
    world.stub.fault = None
    cache.get(INFO)
    assert not counts(cache).away_since


moments = st.datetimes(min_value=NOW.replace(tzinfo=None), max_value=NOW.replace(year=2030, tzinfo=None)).map(
    lambda moment: moment.replace(tzinfo=NOW.tzinfo)
)
facts = st.builds(Facts, moments, moments, st.just("intel"), st.none() | st.integers(0, 50))


@given(st.lists(facts, min_size=1))
def test_whatever_an_upstream_gives_in_whatever_order_nothing_ever_goes_back(given_facts):
    mark = None
    for found in given_facts:
        if is_rollback(found, mark):
            continue
        if mark is not None:
            assert found.issued >= mark.issued
            assert None in (found.number, mark.number) or found.number >= mark.number
        mark = Mark(found.issued, found.number)


@given(facts, moments, st.floats(0, 1e6))
def test_an_item_in_date_is_in_date_under_every_grace(found, now, grace):
    if in_date(found, now):
        assert in_date(found, now, grace=timedelta(seconds=grace))
    assert in_date(found, now) == (now <= found.expires)


@given(facts, moments)
def test_an_item_past_its_date_is_always_due(found, now):
    if now > found.expires >= found.issued:
        assert is_due(found, now, now, EndorsementConfig())


def test_an_error_of_the_cache_says_what_to_do(world):
    world.stub.fault = status(500)
    with pytest.raises(AdytonError) as caught:
        world.cache().get(INFO)
    assert caught.value.remedy
