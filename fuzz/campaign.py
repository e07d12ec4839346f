"""Run every fuzz target, each in a process of its own, and print a line of the reference page's table for each.

    python fuzz/campaign.py --runs 200000 [--seed 1] [TARGET ...]

Ends with 1 if a target found a fault; its output then stands above the table.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

HARNESS = Path(__file__).resolve().with_name("harness.py")
_DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+) ft: \d+ corp: (\d+)/")
_SECONDS = re.compile(r"Done \d+ runs in (\d+) second")


def main() -> int:
    """Run the targets that are named, or all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("targets", nargs="*")
    arguments.add_argument("--runs", type=int, default=20_000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    listing = subprocess.run([sys.executable, HARNESS, "--list"], check=True, capture_output=True, text=True)
    print("| target | runs | edges reached | corpus | seconds | result |\n| --- | ---: | ---: | ---: | ---: | --- |")
    return max([one(name, options.runs, options.seed) for name in options.targets or listing.stdout.split()])


def one(name: str, runs: int, seed: int) -> int:
    """Run a target; print its line, and return whether it failed."""
    command = [sys.executable, HARNESS, name, "--runs", str(runs), "--seed", str(seed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    output = done.stdout + done.stderr
    found, seconds = _DONE.search(output), _SECONDS.search(output)
    if done.returncode:
        sys.stderr.write(f"{output[-4000:]}\n")
    if found is None or seconds is None or done.returncode:
        words = "FAULT" if done.returncode else done.stdout.strip().splitlines()[-1]
        print(f"| {name} | | | | | {words} |", flush=True)
        return int(done.returncode != 0)
    print(f"| {name} | {int(found[1]):,} | {found[2]} | {found[3]} | {seconds[1]} | no fault |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
