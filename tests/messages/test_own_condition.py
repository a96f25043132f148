"""A beginning, a condition and a moment of a shop's own, as docs/reference/sequences.md has them."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.admin.rows import make_user
from tests.messages.sequences import DAY, START, make_sequence, planned
from wagtail_referrals.messages.models import Enrollment
from wagtail_referrals.messages.sequence_words import lines, problems
from wagtail_referrals.messages.sequencing import conditions, moments, starts
from wagtail_referrals.messages.steps import plan_due

pytestmark = pytest.mark.django_db

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "sequences.md"


class Rows(list[Any]):
    def filter(self, customer__in: Any) -> Rows:
        return Rows(row for row in self if row.customer.pk in customer__in)

    def values_list(self, *names: str, flat: bool = False) -> list[Any]:
        rows = [
            tuple(row.customer.pk if name == "customer" else row.begins_at for name in names) for row in self
        ]
        return [row[0] for row in rows] if flat else rows


@pytest.fixture
def courses(monkeypatch: pytest.MonkeyPatch) -> Any:
    rows = Rows()
    shop = ModuleType("shop")
    models = ModuleType("shop.models")
    models.Course = SimpleNamespace(objects=rows)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop", shop)
    monkeypatch.setitem(sys.modules, "shop.models", models)
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    assert source is not None
    code: dict[str, Any] = {}
    exec(source[1], code)
    code["register"]()
    yield SimpleNamespace(rows=rows, **code)
    starts.unregister("course_booked")
    conditions.unregister("booked")
    moments.unregister("course_begins")


def test_the_example_of_the_docs_works(courses: Any) -> None:
    lea = make_user("lea@example.com", "Léa")
    sequence = make_sequence(
        {"name": "Booked", "condition": "booked"},
        {"name": "Tomorrow", "delay": 1, "moment": "course_begins"},
        start="course_booked",
    )
    steps = list(sequence.steps.select_related("template"))
    assert problems(sequence, steps) == []
    assert lines(sequence, steps)[2] == "1 day before the course begins: “Tomorrow”."
    course = SimpleNamespace(pk=7, customer=lea, begins_at=START + 5 * DAY)
    courses.rows.append(course)
    courses.course_booked(course, START)
    courses.course_booked(course, START)
    assert Enrollment.objects.count() == 1
    for hours in range(0, 24 * 6, 6):
        plan_due(now=START + timedelta(hours=hours))
    assert planned() == ["Booked", "Tomorrow"]
