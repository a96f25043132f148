"""Run the test suite in all its settings: ``python -m tests``, or some: ``python -m tests sqlite browser``.

Every run is tried, also after a failed one; the end is a table with the closing line of each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = "not browser and not packaging"
PLAINSHOP = ["tests/plainshop", "--ds=tests.plainshop.settings"]
RUNS: dict[str, tuple[dict[str, str], list[str], str]] = {
    # name: (environment, arguments of pytest, what stays in one process of several: tests of a group, or of a file)
    "sqlite": ({"TEST_DATABASE": "sqlite"}, ["-m", HERE], "loadgroup"),
    "postgres": ({"TEST_DATABASE": "postgres"}, ["-m", f"{HERE} and not one_database"], "loadgroup"),
    "plainshop-sqlite": ({"TEST_DATABASE": "sqlite"}, PLAINSHOP, "loadgroup"),
    "plainshop-postgres": ({"TEST_DATABASE": "postgres"}, PLAINSHOP, "loadgroup"),
    # The chain in the browser runs on the database of `make demo`; what is special to PostgreSQL is tested above.
    "browser": ({"TEST_DATABASE": "sqlite"}, ["-m", "browser"], "loadgroup"),
    "wheel": ({"TEST_DATABASE": "sqlite"}, ["-m", "packaging", "-s"], "loadfile"),
}


def prepare(names: list[str]) -> None:
    """Build the migrated templates that these runs need, a process for each server: alone each takes a minute of one
    core. What fails here fails again, and is reported, in the run itself.
    """

    def build(database: str) -> None:
        projects = ["tests.settings", "tests.plainshop.settings"]
        needed = {
            projects["plainshop" in name] for name in names if RUNS[name][0]["TEST_DATABASE"] == database
        }
        for settings in sorted(needed, key=projects.index):
            environment = {"TEST_DATABASE": database, "DJANGO_SETTINGS_MODULE": settings}
            subprocess.run(
                [sys.executable, "-m", "tests.databases"], env=os.environ | environment, check=False
            )

    with ThreadPoolExecutor() as pool:
        list(pool.map(build, ["sqlite", "postgres"]))


def run(name: str, workers: int, extra: list[str]) -> tuple[int, str]:
    """Run pytest once, passing its output on as it comes, and return its exit code and its last line."""
    environment, arguments, together = RUNS[name]
    command = [sys.executable, "-m", "pytest", *arguments, *extra]
    if workers > 1:
        # Tests that share something dear, like the history of the example shop, stay in one process.
        command += ["-n", str(workers), "--dist", together]
    print(
        f"\n=== {name}: {' '.join(f'{k}={v}' for k, v in environment.items())} pytest {' '.join(command[3:])}",
        flush=True,
    )
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    tail = b""
    while chunk := os.read(process.stdout.fileno(), 65536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        tail = (tail + chunk)[-4000:]
    lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    return process.wait(), lines[-1].strip("= ") if lines else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="run", help=f"one of {', '.join(RUNS)}; default: all")
    parser.add_argument("--workers", type=int, default=2, help="test processes at once (default: 2)")
    options, extra = parser.parse_known_args()
    unknown = set(options.runs) - set(RUNS)
    if unknown:
        parser.error(f"no run called {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    results = []
    prepare(options.runs or list(RUNS))
    for name in options.runs or RUNS:
        started = time.monotonic()
        code, line = run(name, options.workers, extra)
        results.append((name, code, time.monotonic() - started, line))
    print("\n=== all runs")
    for name, code, seconds, line in results:
        print(f"{'ok    ' if code == 0 else 'FAILED'}  {name:<20} {seconds:5.0f} s  {line}")
    return int(any(code != 0 for _, code, _, _ in results))


if __name__ == "__main__":
    sys.exit(main())
