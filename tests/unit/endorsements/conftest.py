"""A stub upstream, a fake clock and a cache over both, for every test of this room."""

from __future__ import annotations

from concurrent.futures import Executor, Future

import pytest
from forged import NOW, Forged
from stub_upstream import FakeClock, StubUpstream, intel

from adyton.endorsements import EndorsementCache, EndorsementConfig, ItemStore

QUICK = {"attempts": 1, "connect_timeout_s": 2.0, "read_timeout_s": 2.0}


@pytest.fixture(scope="session")
def forged():
    return Forged()


@pytest.fixture
def clock():
    return FakeClock(NOW)


@pytest.fixture
def stub(forged):
    with StubUpstream(intel(forged)) as running:
        yield running


class AtOnce(Executor):
    """Does what it is given before it returns."""

    def submit(self, function, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


class World:
    """A cache before a stub; `reopen` is a restart on the same file."""

    def __init__(self, stub, clock, root, path):
        self.stub, self.clock, self.root, self.path = stub, clock, root, path
        self._open = []

    def cache(self, *, root=None, executor=None, **limits):
        config = EndorsementConfig(**(QUICK | limits))
        """Open a cache; `root` is a name, or several."""
        roots = (root or self.root,) if isinstance(root or self.root, str) else root
        origin = self.stub.origin(*roots, config=config, clock=self.clock, jitter=lambda: 0.0)
        store = ItemStore(self.path, entries_cap=config.entries_cap)
        cache = EndorsementCache(origin, store, config, clock=self.clock, executor=executor or AtOnce())
        self._open += [cache, origin]
        return cache

    def close(self):
        for one in self._open:
            one.close()


@pytest.fixture
def world(stub, clock, forged, tmp_path):
    made = World(stub, clock, forged.root_name, tmp_path / "endorsements.db")
    yield made
    made.close()
