"""Where the rows behind a figure are listed, for those who may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from wagtail_referrals.admin.filters import NONE
from wagtail_referrals.admin.referrals import NO_CHANNEL
from wagtail_referrals.insights import Period
from wagtail_referrals.tracking.models import Claim


@dataclass(frozen=True)
class Rows:
    """A listing, and which of its dates is in the period when a row counts."""

    listing: str
    permission: str
    moment: str
    filters: list[tuple[str, str]] = field(default_factory=list)


_REFERRALS: Final = ("wagtail_referrals_referrals:index", "wagtail_referrals.view_referral")
_REWARDS: Final = ("wagtail_referrals_rewards:index", "wagtail_referrals.view_reward")
_ORDERS: Final = ("wagtail_referrals_orders:index", "wagtail_referrals.view_purchase")
_SHARES: Final = ("wagtail_referrals_shares:index", "wagtail_referrals.view_share")

ROWS: Final[dict[str, Rows]] = {
    "sharers": Rows(*_SHARES, "created_at"),
    "shares": Rows(*_SHARES, "created_at"),
    "visits": Rows("wagtail_referrals_visits:index", "wagtail_referrals.view_visit", "created_at"),
    "claims": Rows("wagtail_referrals_claims:index", "wagtail_referrals.view_claim", "created_at"),
    "referrals": Rows(*_REFERRALS, "created_at"),
    "registered": Rows(*_REFERRALS, "registered_at"),
    "ordered": Rows(*_REFERRALS, "ordered_at"),
    "qualified": Rows(*_REFERRALS, "qualified_at"),
    "rewarded": Rows(*_REFERRALS, "qualified_at", [("state", "rewarded")]),
    "orders": Rows(*_ORDERS, "placed_at"),
    "revenue": Rows(*_ORDERS, "placed_at"),
    "refunded": Rows(*_ORDERS, "placed_at", [("refunded", "true")]),
    "discounts": Rows(*_ORDERS, "placed_at", [("saved", "true")]),
    "given": Rows(*_REWARDS, "given_at"),
    "due": Rows(*_REWARDS, "created_at", [("state", "waiting"), ("state", "to_check"), ("state", "failed")]),
    "taken_back": Rows(*_REFERRALS, "taken_back_at"),
}


def rows_url(
    figure: str,
    user: Any,
    period: Period,
    program: UUID | None = None,
    filters: Mapping[str, str] | None = None,
) -> str:
    """ "" where there is no listing of them, or the user may not see it. ``filters``: of the listing, by name."""
    rows = ROWS.get(figure)
    if rows is None or not user.has_perm(rows.permission):
        return ""
    query = [
        (f"{rows.moment}_from", period.first.isoformat()),
        (f"{rows.moment}_to", period.last.isoformat()),
        *rows.filters,
    ]
    chosen = {**({"program": str(program)} if program else {}), **(filters or {})}
    return f"{reverse(rows.listing)}?{urlencode([*query, *chosen.items()])}"


def row_filters(of: str, key: str) -> dict[str, str] | None:
    """The filters of the list of referrals for a row of a breakdown; ``None`` where it has no such filter."""
    if of == "channel":
        if key in Claim.Source.values:
            return {"source": key}
        return {"channel": key or NO_CHANNEL, "source": Claim.Source.LINK.value}
    if of in ("page", "language", "audience"):
        return {of: key or NONE}
    return {"program": key} if of == "program" and key else None


__all__ = ["ROWS", "Rows", "row_filters", "rows_url"]
