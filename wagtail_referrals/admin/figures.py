"""Figures as they are read: what each is called and means, its amounts, and how it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.insights import change

NOTHING: Final = "–"


@dataclass(frozen=True)
class Meaning:
    """What a figure is called, and what it counts. ``better``: is more of it better, or less, or neither."""

    label: Any
    definition: Any
    better: str = ""


MEANINGS: Final[dict[str, Meaning]] = {
    "reached": Meaning(
        _("Reached"),
        _(
            "Customers who had a link of their own by the end of the period: they have seen the offer to refer."
        ),
        "more",
    ),
    "sharers": Meaning(
        _("Shared"),
        _("Customers who copied their link or passed it on. Nobody sees whether it was sent."),
        "more",
    ),
    "shares": Meaning(
        _("Times shared"),
        _("How often links were copied or passed on. What is printed is handed on where nobody counts."),
        "more",
    ),
    "visits": Meaning(
        _("Visits"), _("Times that a share link was opened, without search engines and previews."), "more"
    ),
    "claims": Meaning(
        _("Invitations saved"),
        _(
            "People who came by a link or a code and then did something: filled the basket, typed the code, registered."
        ),
        "more",
    ),
    "referrals": Meaning(
        _("Friends"), _("Friends who became known, by opening an account or by an order."), "more"
    ),
    "registered": Meaning(
        _("Registered"), _("Friends who opened an account. Who orders as a guest needs none."), "more"
    ),
    "ordered": Meaning(
        _("New customers"),
        _("Friends who placed their first order, also if it was cancelled later."),
        "more",
    ),
    "qualified": Meaning(
        _("Qualified"),
        _("Friends whose order met the conditions of the program: paid or delivered, and above its minimum."),
        "more",
    ),
    "rewarded": Meaning(
        pgettext_lazy("figure", "Rewarded"),
        _("Friends who qualified in the period and for whom a reward has been given since."),
        "more",
    ),
    "orders": Meaning(
        _("Orders"),
        _("All orders that friends placed, not only the first ones, also if cancelled later."),
        "more",
    ),
    "revenue": Meaning(
        _("Revenue"),
        _(
            "What friends’ orders came to when they were placed: goods with tax after discounts, without delivery."
        ),
        "more",
    ),
    "refunded": Meaning(
        _("Refunded"), _("What has been refunded of these orders since; of cancelled ones, all."), "less"
    ),
    "part": Meaning(
        _("Part of all revenue"),
        _("Friends’ orders as a part of all orders of the shop in the period."),
        "more",
    ),
    "cost": Meaning(
        _("Cost"),
        _("Rewards given in the period, as far as they were not taken back since, and friends’ discounts."),
    ),
    "cost_per_new_customer": Meaning(
        _("Cost per new customer"),
        _("The cost divided by the new customers; in each currency by those who ordered in it."),
        "less",
    ),
    "discounts": Meaning(
        _("Friends’ discounts"), _("What friends saved in these orders, without those that were cancelled.")
    ),
    "given": Meaning(
        _("Rewards given"),
        _("Credit first given in the period, as far as it has not been taken back since."),
    ),
    "due": Meaning(
        _("Rewards due"),
        _("Credit of rewards that came about in the period and wait, or are to be checked."),
        "",
    ),
    "taken_back": Meaning(
        _("Taken back"),
        _("Credit that was taken back in the period, after a refund, a cancellation or a review."),
    ),
    "friends_per_referrer": Meaning(
        _("Friends per referrer"),
        _("Friends divided by the customers who brought at least one of them."),
        "more",
    ),
    "share_rate": Meaning(
        _("Share rate"), _("Of the customers reached, how many shared their link."), "more"
    ),
    "click_through": Meaning(
        _("Click-through"),
        _("Visits for each time that a link was shared; many friends may open one."),
        "more",
    ),
    "conversion": Meaning(_("Conversion"), _("New customers as a part of the visits."), "more"),
    "average_order": Meaning(
        _("Average order"), _("Revenue divided by orders, as they were placed."), "more"
    ),
    "repeat_rate": Meaning(
        _("Repeat orders"), _("Of all orders, how many came from somebody who had ordered before."), "more"
    ),
}


@dataclass(frozen=True)
class Reading:
    """A figure now and in the period before, in words. ``currency`` is "" for counts and rates.

    ``percent`` is by how much it changed, ``None`` where nothing can be said; ``tone`` is "better", "worse" or "".
    """

    now: str
    before: str = ""
    currency: str = ""
    percent: int | None = None
    tone: str = ""
    # For files.
    value: int | Decimal | None = None
    value_before: int | Decimal | None = None

    @property
    def direction(self) -> str:
        if self.percent is None:
            return ""
        return "more" if self.percent > 0 else "less" if self.percent < 0 else "same"

    @property
    def change(self) -> str:
        return credit.format_percent(Decimal(abs(self.percent))) if self.percent is not None else ""

    @property
    def change_words(self) -> str:
        """For who does not see the arrow."""
        if self.direction == "more":
            return gettext("%(percent)s more") % {"percent": self.change}
        if self.direction == "less":
            return gettext("%(percent)s less") % {"percent": self.change}
        return gettext("as before") if self.direction == "same" else ""


def _reading(
    now: int | Decimal | None, before: int | Decimal | None, words: Any, better: str, currency: str = ""
) -> Reading:
    moved = change(now, before) if now is not None and before is not None else None
    tone = ""
    if moved and better:
        tone = "better" if (moved > 0) == (better == "more") else "worse"
    return Reading(
        NOTHING if now is None else words(now),
        "" if before is None else words(before),
        currency,
        moved,
        tone,
        now,
        before,
    )


def number(value: int | Decimal) -> str:
    return str(number_format(value, force_grouping=True))


def counted(name: str, now: int | Decimal | None, before: int | Decimal | None) -> list[Reading]:
    return [_reading(now, before, number, MEANINGS[name].better)]


def rated(name: str, now: Decimal | None, before: Decimal | None) -> list[Reading]:
    """Per cent. How many points it moved is plain from both."""
    found = _reading(now, before, credit.format_percent, MEANINGS[name].better)
    return [Reading(found.now, found.before, value=now, value_before=before)]


def amounts(name: str, now: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> list[Reading]:
    """One for each currency that either of them has; none at all where there is no amount."""
    return [
        _reading(
            now.get(currency, Decimal(0)),
            before.get(currency, Decimal(0)),
            lambda amount, currency=currency: credit.format_money(amount, currency),
            MEANINGS[name].better,
            currency,
        )
        for currency in by_currency(now, before)
    ]


def by_currency(*groups: Iterable[str]) -> list[str]:
    """Each once, money before points."""
    return sorted(
        {code for group in groups for code in group}, key=lambda code: (not credit.is_money(code), code)
    )


@dataclass(frozen=True)
class Figure:
    """``url`` leads to the rows behind it, "" where there are none or the reader may not see them."""

    name: str
    readings: list[Reading]
    url: str = ""

    @property
    def label(self) -> Any:
        return MEANINGS[self.name].label

    @property
    def definition(self) -> Any:
        return MEANINGS[self.name].definition

    @property
    def is_nothing(self) -> bool:
        return not any(reading.value for reading in self.readings)
