"""Runs the same work with the package and without it, turn by turn, and prints the ratios.

A figure in milliseconds says more about the machine than about the package; a ratio within one run does not. Rounds are
interleaved, so that a machine that gets slower gets slower for both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from statistics import median

# (what, measured in, floor, measured in, goal)
COMPARISONS = (
    ("a plain page", "with", "page", "without", "page", None),
    ("a share link that leads on, against a view with one INSERT", "with", "share", "with", "floor", 1.3),
    (
        "a share link that shows the landing page, against a plain page",
        "with",
        "landing",
        "with",
        "page",
        None,
    ),
    ("placing an order, nobody's friend", "with", "order", "without", "order", None),
    ("placing an order, a friend's, paid with credit too", "with", "friend_order", "without", "order", None),
)


def measure(database: str, package: str, requests: int) -> dict[str, float]:
    environment = {
        **os.environ,
        "TEST_DATABASE": database,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "EXAMPLE_WITHOUT_REFERRALS": "0" if package == "with" else "1",
    }
    command = [sys.executable, "-m", "benchmarks.worker", str(requests)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def run(module: str, database: str) -> None:
    environment = {**os.environ, "TEST_DATABASE": database, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    subprocess.run([sys.executable, "-m", module], env=environment, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100)
    options = parser.parse_args()
    for database in ("sqlite", "postgres"):
        found: dict[tuple[str, str], list[float]] = {}
        for number in range(1, options.rounds + 1):
            print(f"{database}: round {number} of {options.rounds}", file=sys.stderr, flush=True)
            for package in ("with", "without"):
                for work, seconds in measure(database, package, options.requests).items():
                    found.setdefault((package, work), []).append(seconds)
        print(f"\n{database}: median of {options.rounds} rounds of {options.requests}")
        for what, package, work, other, floor, goal in COMPARISONS:
            own, base = median(found[package, work]), median(found[other, floor])
            aim = f"   goal {goal}" if goal else ""
            print(f"  {what:64} {own * 1000:7.2f} ms / {base * 1000:7.2f} ms = {own / base:5.2f}{aim}")
        # With a hundred thousand vouchers of others; compares by itself.
        run("benchmarks.vouchers", database)


if __name__ == "__main__":
    main()
