"""A shop with points: leaves. Import the fixture ``leaves`` where it is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.translation import ngettext_lazy

from wagtail_referrals.kinds import PointsKind, reward_kinds

LEAVES = {"unit": "LEAF", "name": ngettext_lazy("leaf", "leaves")}
FIFTY_LEAVES: dict[str, Any] = {
    "side": "advocate",
    "trigger": "first_purchase",
    "kind": "points",
    "options": {"points": 50, "points_unit": "LEAF"},
}


@pytest.fixture
def leaves(settings: Any) -> Iterator[str]:
    """The setting, and the kind that stands where it does: also in a shop that has other points, or none."""
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "POINTS": LEAVES}
    had_some = "points" in reward_kinds
    if not had_some:
        reward_kinds.register(PointsKind())
    yield "LEAF"
    if not had_some:
        reward_kinds.unregister("points")


@pytest.fixture
def no_points(settings: Any) -> Iterator[None]:
    """A shop without points."""
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "POINTS": None}
    had_some = "points" in reward_kinds
    reward_kinds.unregister("points")
    yield
    if had_some:
        reward_kinds.register(PointsKind())
