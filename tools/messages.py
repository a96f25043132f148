"""Collect, compile and check the translations of our packages, with Babel alone: no gettext has to be installed.

    python tools/messages.py update     collect the texts into every .po file and compile the .mo files
    python tools/messages.py compile    compile only
    python tools/messages.py check      complain about what is missing, and fail

The compiled files are in the repository, so that a fresh machine shows French at once.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("wagtail_referrals", "oscar_integration", "example_site")
LANGUAGES = ("fr",)
KEYWORDS: dict[str, tuple | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
COMMENT_TAGS = ("Translators:",)


def _sources(package: Path, domain: str) -> Iterator[tuple[Path, str, bytes]]:
    """Yield (file, extraction method of Babel, source) for every file that may hold texts of this domain."""
    if domain == "djangojs":
        for path in sorted(package.rglob("*.js")):
            if "vendor" not in path.parts and not path.name.endswith(".min.js"):
                yield path, "javascript", path.read_bytes()
        return
    for path in sorted(package.rglob("*.py")):
        if "migrations" not in path.parts:
            yield path, "python", path.read_bytes()
    for suffix in ("*.html", "*.txt"):
        for path in sorted(package.rglob(suffix)):
            # Django turns a template into calls of gettext between blanks; without indentation that is Python enough.
            text = templatize(path.read_text(encoding="utf-8"), origin=str(path))
            yield path, "python", "\n".join(line.lstrip() for line in text.splitlines()).encode()


def collect(package: Path, domain: str) -> Catalog:
    """Return the texts that the sources of a package hold now, without translations."""
    catalog = Catalog(project=package.name, charset="utf-8")
    for path, method, source in _sources(package, domain):
        where = path.relative_to(ROOT).as_posix()
        for line, message, comments, context in extract(
            method,
            io.BytesIO(source),
            KEYWORDS,
            COMMENT_TAGS,
            {"encoding": "utf-8"},
            strip_comment_tags=False,
        ):
            catalog.add(message, None, [(where, line)], auto_comments=comments, context=context)
    return catalog


def catalogs(package: Path) -> list[Path]:
    """Return the .po files of a package."""
    return sorted(package.glob("locale/*/LC_MESSAGES/*.po"))


def begin(package: Path) -> None:
    """Make the .po files that a package lacks for the texts it has."""
    for language in LANGUAGES:
        for domain in ("django", "djangojs"):
            po = package / "locale" / language / "LC_MESSAGES" / f"{domain}.po"
            if po.exists() or not len(collect(package, domain)):
                continue
            po.parent.mkdir(parents=True, exist_ok=True)
            with po.open("wb") as handle:
                write_po(
                    handle,
                    Catalog(
                        locale=language,
                        project="wagtail-referrals",
                        header_comment=f"# Translations of {package.name}.",
                        last_translator="wagtail-referrals contributors",
                        language_team=language,
                        msgid_bugs_address="",
                        charset="utf-8",
                        fuzzy=False,
                    ),
                )


def _read(po: Path) -> Catalog:
    with po.open("rb") as handle:
        return read_po(handle, locale=po.parent.parent.name, charset="utf-8")


def compile_catalog(po: Path) -> None:
    """Write the .mo file beside a .po file."""
    with po.with_suffix(".mo").open("wb") as handle:
        write_mo(handle, _read(po))


def update(po: Path) -> None:
    """Bring new texts into a .po file, take old ones out, and compile it."""
    package = po.parents[3]
    catalog = _read(po)
    # A guessed translation looks like a finished one to a hurried reader: new texts start empty.
    catalog.update(collect(package, po.stem), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    with po.open("wb") as handle:
        write_po(handle, catalog, width=110, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    compile_catalog(po)


def _strings(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _key(message: Message) -> tuple[str | None, tuple[str, ...]]:
    """What a translation is found by. Babel reads contexts from a .mo file as bytes, and plurals as lists."""
    context = message.context.decode() if isinstance(message.context, bytes) else message.context
    return context, _strings(message.id)


def problems(po: Path) -> list[str]:
    """Return what is wrong with a .po file and its .mo file, one line each."""
    found = []
    name = po.relative_to(ROOT).as_posix()
    catalog = _read(po)
    for message in catalog:
        if not message.id:
            continue
        if message.fuzzy:
            found.append(f"{name}: fuzzy: {message.id!r}")
        if not all(_strings(message.string)) or not message.string:
            found.append(f"{name}: not translated: {message.id!r}")
        found += [f"{name}: {error} in {message.id!r}" for error in message.check(catalog)]
    known = {
        (message.context, message.id if isinstance(message.id, str) else message.id[0]) for message in catalog
    }
    for message in collect(po.parents[3], po.stem):
        key = (message.context, message.id if isinstance(message.id, str) else message.id[0])
        if message.id and key not in known:
            where = ", ".join(sorted({path for path, _ in message.locations}))
            found.append(f"{name}: not collected yet, run `make messages`: {message.id!r} ({where})")
    mo = po.with_suffix(".mo")
    if not mo.exists():
        return [*found, f"{name}: not compiled, run `make messages`"]
    with mo.open("rb") as handle:
        compiled = {_key(m): _strings(m.string) for m in read_mo(handle) if m.id}
    written = {
        _key(m): _strings(m.string) for m in catalog if m.id and all(_strings(m.string)) and not m.fuzzy
    }
    if compiled != written:
        found.append(f"{name}: the .mo file is not made from this .po file, run `make messages`")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["update", "compile", "check"])
    parser.add_argument("packages", nargs="*", default=PACKAGES, help="default: all")
    options = parser.parse_args()
    found = []
    for package in options.packages:
        if options.action == "update":
            begin(ROOT / package)
        for po in catalogs(ROOT / package):
            if options.action == "update":
                update(po)
            elif options.action == "compile":
                compile_catalog(po)
            else:
                found += problems(po)
    print("\n".join(found) if found else f"{options.action}: done")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
