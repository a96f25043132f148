"""Run Oscar's own test suite without and with our apps, on PostgreSQL, and say what differs.

    .venv/bin/python -m tools.oscar_suite /path/to/django-oscar

The path is a checkout of django-oscar: neither its wheel nor its source distribution holds its tests. Nothing is
written there: the tests run from a copy, in an environment with what they ask for, against the release of Oscar that
is installed in it. They run as Oscar has them, beside Wagtail, and then beside Wagtail and us: what fails beside
Wagtail alone fails for reasons that are not ours. The exit code is 0 when our apps change nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from tests import postgres

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / ".cache" / "oscar-suite"

# Name of a run -> its settings module, and which of our stages are on.
RUNS = {
    "oscar": ("tests.settings", ""),
    "wagtail": ("with_referrals.settings", "wagtail"),
    "everything": ("with_referrals.settings", "everything"),
    "attribution": ("with_referrals.settings", "attribution"),
}
VERSIONS = """
import importlib.metadata as m, platform, wagtail_referrals
print(platform.python_version(), *(m.version(n) for n in ("django", "django-oscar", "wagtail")), sep="\\n")
"""


def version_of(checkout: Path) -> str:
    """The version that the checkout says it is. Exits where it is none of django-oscar."""
    source = checkout / "src" / "oscar" / "__init__.py"
    found = source.is_file() and re.search(r"^VERSION = \((\d+), (\d+), (\d+)", source.read_text(), re.M)
    if not found or not (checkout / "tests" / "settings.py").is_file():
        sys.exit(
            f"{checkout} is no checkout of django-oscar: its src/oscar and tests/settings.py are missing."
        )
    return ".".join(found.groups())


def environment() -> Path:
    """The Python of an environment with our package and with what Oscar's tests ask for; made once."""
    python = CACHE / "venv" / "bin" / "python"
    if not python.exists():
        print(f"Making {CACHE / 'venv'} (1 to 3 minutes)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", CACHE / "venv"], check=True)
    packages = ["-e", f"{ROOT}[oscar]", "django-oscar[test]>=4.2,<5"]
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], check=True
    )
    return python


def outcomes(report: Path) -> dict[str, str]:
    """Every test of a run with how it ended, from pytest's JUnit report."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        ended = next((kind for kind in ("error", "failure", "skipped") if kind in kinds), "passed")
        found[f"{case.get('classname')}::{case.get('name')}"] = ended.replace("failure", "failed")
    return found


def run(name: str, python: Path, folder: Path, extra: list[str]) -> dict[str, str]:
    """Run the suite once; its output goes to a file. Exits where pytest ran no test."""
    settings, stage = RUNS[name]
    log, report = CACHE / f"{name}.log", CACHE / f"{name}.xml"
    report.unlink(missing_ok=True)
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": settings,
        "REFERRALS_STAGE": stage,
        "PYTHONPATH": str(folder),
        "DATABASE_ENGINE": "django.db.backends.postgresql",
        "DATABASE_NAME": f"oscar_suite_{os.getpid()}",
        "DATABASE_USER": "postgres",
        "DATABASE_HOST": postgres.start(),
    }
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--deprecation=none",
        f"--junitxml={report}",
    ]
    print(f"{name}: running, see {log}", flush=True)
    started = time.monotonic()
    with log.open("w") as output:
        subprocess.run([*command, *extra], cwd=folder, env=environ, stdout=output, stderr=subprocess.STDOUT)
    found = outcomes(report) if report.exists() else {}
    if not found:
        print("".join(log.read_text().splitlines(keepends=True)[-30:]))
        sys.exit(f"{name}: no test ran.")
    counts = [
        f"{list(found.values()).count(kind)} {kind}" for kind in ("passed", "failed", "error", "skipped")
    ]
    print(f"{name}: {', '.join(counts)}, in {time.monotonic() - started:.0f} s", flush=True)
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """A line for each test that ends otherwise."""
    return [
        f"  {test}: {before.get(test, 'not there')} before, {after.get(test, 'not there')} now"
        for test in sorted(before.keys() | after.keys())
        if before.get(test) != after.get(test)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.oscar_suite",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Further arguments go to pytest, e.g. -k checkout.",
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument(
        "--python", type=Path, help="an environment that has everything (default: one in .cache)"
    )
    parser.add_argument("--stages", nargs="+", choices=list(RUNS)[2:], default=list(RUNS)[2:])
    options, extra = parser.parse_known_args()

    theirs = version_of(options.checkout)
    CACHE.mkdir(parents=True, exist_ok=True)
    python = options.python.absolute() if options.python else environment()
    versions = subprocess.run([python, "-c", VERSIONS], cwd=CACHE, check=True, capture_output=True, text=True)
    python_version, django, oscar, wagtail = versions.stdout.split()
    if theirs.split(".")[:2] != oscar.split(".")[:2]:
        sys.exit(
            f"The checkout is django-oscar {theirs}, but {oscar} is installed: their tests are not for it."
        )
    print(f"Tests of django-oscar {theirs}, run against {oscar}")
    print(f"Python {python_version}, Django {django}, Wagtail {wagtail}", flush=True)

    with tempfile.TemporaryDirectory(prefix="oscar-suite-") as name:
        folder = Path(name)
        shutil.copytree(options.checkout / "tests", folder / "tests")
        shutil.copy(options.checkout / "setup.cfg", folder)
        shutil.copytree(Path(__file__).with_name("with_referrals"), folder / "with_referrals")
        alone, before = (run(each, python, folder, extra) for each in ("oscar", "wagtail"))
        print(*differences(alone, before), sep="\n", flush=True)
        code = 0
        for stage in options.stages:
            found = differences(before, run(stage, python, folder, extra))
            print(*found, "  Our apps change nothing." if not found else "  Our apps change this.", sep="\n")
            code |= bool(found)
    return code


if __name__ == "__main__":
    sys.exit(main())
