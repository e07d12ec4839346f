"""Running a fuzz target: coverage-guided with atheris if it is installed, else with random changes of its seeds.

    python fuzz/harness.py quote --runs 200000 [--seed 1]
    python fuzz/harness.py --list

A target is a function of bytes that may raise this project's errors and nothing else (`targets.py`). The seeds are made
by code; what coverage-guided runs find worth keeping stays in a temporary folder. An input that led to a fault is
printed, and belongs into `fuzz/corpus/<target>/` until it is fixed and after.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType

sys.path.insert(0, str(Path(__file__).resolve().parent))

from structured import mutate_json
from targets import TARGETS, Target

_WORD = re.compile(rb"[A-Za-z_][A-Za-z_.-]{2,40}")
CORPUS = Path(__file__).resolve().parent / "corpus"


def run(
    target: Callable[[bytes], None], seeds: Sequence[bytes], *, runs: int, seed: int, raw: Sequence[bytes] = ()
) -> None:
    """Call a target with changed seeds; whatever it raises ends the run, with the input that did it."""
    chance = random.Random(seed)
    for number in range(runs):
        data = structured(chance, chance.choice(seeds), raw)
        try:
            target(data)
        except BaseException:
            sys.stderr.write(f"run {number} of seed {seed} failed with {data[:200].hex()} ({len(data)} bytes)\n")
            raise


def structured(chance: random.Random, seed: bytes, raw: Sequence[bytes]) -> bytes:
    """Change a JSON document by its structure three times of four, and anything else by its bytes."""
    changed = mutate_json(chance, seed, raw) if seed[:1] in b"{#" and chance.random() < 0.75 else None
    return mutate(chance, seed) if changed is None else changed


def mutate(chance: random.Random, seed: bytes) -> bytes:
    """Change a few places: flip a bit, set a byte, cut, repeat, insert."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        if not data:
            return bytes(chance.randbytes(chance.randint(0, 64)))
        at = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del data[at : at + chance.randint(1, 64)]
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 64)]
            case 4:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case _:
                del data[at:]
    return bytes(data)


def regressions(name: str) -> list[bytes]:
    """Return the inputs that once led to a fault."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def instrument(atheris: object) -> int:
    """Count edges in this project's own code; libraries are not what is fuzzed. Return how many functions."""
    ours = [
        found
        for found in gc.get_objects()
        if isinstance(found, FunctionType) and (found.__module__ or "").startswith("adyton.")
    ]
    for function in ours:
        atheris.instrument_func(function)  # type: ignore[attr-defined]
    return len(ours)


def guided(target: Target, seeds: Sequence[bytes], *, runs: int, seed: int) -> None:
    """Fuzz with coverage; the process ends with it."""
    import atheris

    functions = instrument(atheris)
    print(f"{target.name}: {len(seeds)} seeds, {functions} functions watched")
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, content in enumerate(seeds):
            (corpus / f"seed{number}").write_bytes(content)
        words = dictionary(seeds, target.words)
        (Path(folder) / "words").write_text(words)
        longest = max(4096, *(2 * len(content) for content in seeds))
        options = [f"-runs={runs}", f"-seed={seed}", f"-max_len={longest}", "-timeout=30", "-rss_limit_mb=4096"]
        options += [f"-dict={folder}/words"] if words else []
        options += [f"-artifact_prefix={tempfile.gettempdir()}/{target.name}-", str(corpus)]

        def mutated(data: bytes, most: int, number: int) -> bytes:
            chance = random.Random(number)
            changed = mutate_json(chance, data, target.raw) if data[:1] in b"{#" and chance.random() < 0.75 else None
            return bytes(atheris.Mutate(data, most)) if changed is None or len(changed) > most else changed

        text = any(content[:1] in (b"{", b"#") for content in seeds)
        atheris.Setup([sys.argv[0], *options], target.one_input, custom_mutator=mutated if text else None)
        atheris.Fuzz()


def dictionary(seeds: Sequence[bytes], more: Sequence[bytes]) -> str:
    """Return the words that a text's mutations are made of: those of the seeds, and what no seed has."""
    texts = (content for content in seeds if content[:1] in b"{a-" and content.isascii())
    words = {word for content in texts for word in _WORD.findall(content)} | set(more)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in sorted(words))
    return "".join(f'"{word}"\n' for word in escaped)


def main() -> None:
    """Run a target from the command line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("target", nargs="?", choices=sorted(TARGETS))
    arguments.add_argument("--list", action="store_true", help="print the targets' names")
    arguments.add_argument("--runs", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    if options.list or options.target is None:
        print("\n".join(sorted(TARGETS)))
        return
    target = TARGETS[options.target]
    seeds = [*target.seeds(), *regressions(target.name)]
    if not seeds:
        print(f"{target.name}: skipped, {target.needs}")
        return
    try:
        guided(target, seeds, runs=options.runs, seed=options.seed)
    except ModuleNotFoundError:
        run(target.one_input, seeds, runs=options.runs, seed=options.seed, raw=target.raw)
        print(f"{target.name}: {options.runs} runs with seed {options.seed}, no fault (random changes, no coverage)")


if __name__ == "__main__":
    main()
