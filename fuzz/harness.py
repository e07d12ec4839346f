"""Running a fuzz target: coverage-guided with atheris if it is installed, else with random changes of its seeds.

    python fuzz/fuzz_quote.py --runs 20000 [--seed 1]

A target is a function of bytes that may raise this project's errors and nothing else.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Target = Callable[[bytes], None]


def run(target: Target, seeds: Sequence[bytes], *, runs: int, seed: int) -> None:
    """Call a target with changed seeds; whatever it raises ends the run, with the input that did it."""
    chance = random.Random(seed)
    for number in range(runs):
        data = mutate(chance, chance.choice(seeds))
        try:
            target(data)
        except BaseException:
            sys.stderr.write(f"run {number} of seed {seed} failed with {data[:200].hex()} ({len(data)} bytes)\n")
            raise


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


def main(target: Target, seeds: Sequence[bytes]) -> None:
    """Run a target from the command line."""
    arguments = argparse.ArgumentParser(description=target.__doc__)
    arguments.add_argument("--runs", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    options = arguments.parse_args()
    try:
        import atheris  # type: ignore[import-not-found]
    except ImportError:
        run(target, seeds, runs=options.runs, seed=options.seed)
        print(f"{Path(sys.argv[0]).stem}: {options.runs} runs with seed {options.seed}, no fault")
        return
    atheris.Setup([sys.argv[0], f"-runs={options.runs}"], target)
    atheris.Fuzz()
