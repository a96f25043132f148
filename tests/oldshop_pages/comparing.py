"""Two walks through the shop, before and after it adopted the package, held against each other."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import Any

from tests.oldshop_pages.differences import TABLES, WORDS, Cost, Page

TRANSACTION = re.compile(r"(RELEASE |ROLLBACK TO )?SAVEPOINT|BEGIN|COMMIT|ROLLBACK")
Answer = dict[str, Any]


def name(answer: Answer) -> str:
    return f"{answer['visitor']}, {answer['language']}: {answer['request']}"


def complaints(before: Answer, after: Answer, pages: list[Page], costs: list[Cost]) -> list[str]:
    """What differs in an answer and is not among the known differences, in words; costs: the last that fits counts."""
    page = next((page for page in pages if re.fullmatch(page.request, after["request"])), None)
    if page and page.leads_to:
        path = after["request"].split()[1]
        where = page.leads_to.format(language=after["language"], path=path)
        expected = (404, 302, where)
        found = (before["status"], after["status"], after["headers"].get("Location"))
        return [] if found == expected else [f"{name(after)}: {found}, not {expected}"]
    found = []
    for what in ("status", "cookies", "mails"):
        if before[what] != after[what]:
            found.append(f"{name(after)}: {what} {before[what]!r} -> {after[what]!r}")
    # The length goes with the page.
    headers = [
        {name: value for name, value in answer["headers"].items() if name != "Content-Length"}
        for answer in (before, after)
    ]
    if headers[0] != headers[1]:
        found.append(f"{name(after)}: headers {headers[0]} -> {headers[1]}")
    added = page.added if page and after["visitor"] in page.visitors else ""
    found += [f"{name(after)}: {line}" for line in changed_lines(before, after, added)]
    return found + paid(before, after, costs)


def changed_lines(before: Answer, after: Answer, added: str) -> list[str]:
    """Lines that changed, but for Wagtail's French, and for what is to be there in addition, which must be there."""
    old, new = before["body"], after["body"]
    if added:
        old, new = without_blanks(old), without_blanks(new)
        new, times = re.subn(added, "", new, flags=re.DOTALL)
        if not times:
            return ["what should be added is not there"]
    if old == new:
        return []
    found = []
    old_lines, new_lines = old.splitlines(), new.splitlines()
    for what, a, b, c, d in SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        gone, come = old_lines[a:b], new_lines[c:d]
        if after["language"] == "fr" and len(gone) == len(come):
            pairs = [(x, y) for x, y in zip(gone, come, strict=True) if not same_but_for_words(x, y)]
            gone, come = [x for x, __ in pairs], [y for __, y in pairs]
        found += [f"- {line}" for line in gone] + [f"+ {line}" for line in come]
    return found


def without_blanks(text: str) -> str:
    return "".join(f"{line.strip()}\n" for line in text.splitlines() if line.strip())


def same_but_for_words(before: str, after: str) -> bool:
    """Whether putting Wagtail's words in makes one line of the other; one text may be shown more than once."""
    for words in WORDS:
        if words.after in after:
            before = before.replace(words.before, words.after)
    return before == after


def statements(answer: Answer) -> Counter[str]:
    """What was asked of the database, without values and without begin and end of transactions."""
    found = Counter[str]()
    for sql in answer["queries"]:
        if not TRANSACTION.match(sql):
            found[re.sub(r"'[^']*'|\b[0-9a-f]{32}\b|\d+", "?", sql)] += 1
    return found


def paid(before: Answer, after: Answer, costs: list[Cost]) -> list[str]:
    """What the answer costs more than it may, and whether anything of the shop's own is asked more often."""
    cost = next(
        (
            cost
            for cost in reversed(costs)
            if re.fullmatch(cost.visitor, after["visitor"]) and re.fullmatch(cost.request, after["request"])
        ),
        None,
    )
    may, tables = (cost.statements, cost.tables) if cost else (0, "")
    least = cost.least if cost and cost.least is not None else may
    old, new = statements(before), statements(after)
    found = []
    more = new.total() - old.total()
    if not least <= more <= may:
        asked = "".join(f"\n    {times} more of {sql[:300]}" for sql, times in (new - old).items())
        found.append(f"{name(after)}: {more} statements more, not {may}{asked}")
    for sql, times in (new - old).items():
        if not re.search(TABLES, sql) and not (tables and re.search(tables, sql)):
            found.append(f"{name(after)}: {times} more of {sql[:300]}")
    return found
