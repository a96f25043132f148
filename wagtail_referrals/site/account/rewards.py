"""What the customer has: credit with its history, discounts and things to use, badges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import F, Max, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext

from wagtail_referrals import credit, programs, rewards
from wagtail_referrals.credit.models import Account, Entry
from wagtail_referrals.kinds import Side
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import name_for_advocate, reason_for_advocate, reason_words
from wagtail_referrals.referrals.models import TimelineEvent
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site import elsewhere

PAGE_SIZE: Final = 20
EXPIRES_SOON: Final = timedelta(days=60)
# Nobody plans further ahead; credit that lives longer is said to be there, and no more.
EXPIRES_EVER: Final = timedelta(days=3650)
MOST_ENDINGS: Final = 5
LATER_ENDINGS: Final = 50


@dataclass(frozen=True)
class Discount:
    """A reward that is a discount and waits to be used: what it is, its code, until when, and where to use it.

    Without a code it cannot be used yet: the shop gives no discounts at present. Texts are in the current language; ""
    where there is nothing to say.
    """

    words: str
    minimum: str
    code: str
    until: str
    url: str


def discounts_of(user: Any) -> list[Discount]:
    """The customer's rewards that are discounts and have not been used. One query."""
    found = []
    parsed: dict[int, TermsData] = {}
    for grant in rewards.usable_rewards(user):
        data = parsed.setdefault(grant.terms_id, programs.parse(grant.terms))
        rule = data.rule(str(grant.rule_key))
        if rule is None:
            continue
        found.append(
            Discount(
                words=capfirst(programs.rule_gets(rule)),
                minimum=programs.minimum_words(rule) if rewards.minimum_to_use(rule) else "",
                code=grant.code,
                until=date_format(timezone.localtime(grant.expires_at), "DATE_FORMAT")
                if grant.expires_at and grant.code
                else "",
                url=reverse("referrals:use_discount", args=[grant.token]),
            )
        )
    return found


@dataclass(frozen=True)
class Movement:
    """One line of the history. ``amount`` is written with its sign. ``note`` says what for, ``why`` what made it less
    than promised; "" where there is nothing to say.
    """

    when: Any
    words: str
    note: str
    why: str
    amount: str
    is_gain: bool


@dataclass(frozen=True)
class Balance:
    """One account. Amounts are written in its currency; "" where there is nothing to say.

    ``unit`` is the name of the shop's points, "" for money. ``expiring``: what expires next, a sentence each;
    ``expiring_later``: the rest of it. ``movements``: one page of the history, ``None`` where that is not shown.
    """

    unit: str
    available: str
    reserved: str
    shortfall: str
    expiring: list[str]
    expiring_later: list[str]
    # What it pays by itself.
    uses: list[str]
    movements: Page | None = None
    parameter: str = ""


def balance_of(account: Account, user: Any, number: Any) -> Balance:
    """The customer's account with all that expires, and one page of its movements."""
    movements = Paginator(_movements(account), PAGE_SIZE).get_page(number)
    rows = list(movements.object_list)
    notes = _notes(row["key"] for row in rows)
    lines = [_movement(row, account.currency, *notes.get(row["key"], ("", ""))) for row in rows]
    movements.object_list = lines
    return _balance(account, user, EXPIRES_EVER, movements)


def balances_in_short(user: Any) -> list[Balance]:
    """The customer's accounts, without history and with what expires soon."""
    return [_balance(account, user, EXPIRES_SOON, None) for account in credit.accounts_of(user)]


def _balance(account: Account, user: Any, ahead: timedelta, movements: Page | None) -> Balance:
    # By day, as the mails say it.
    endings = credit.endings_of(account, until=timezone.localdate() + ahead)
    expiring = [
        ending_words(ending.amount, account.currency, ending.day) for ending in endings[:LATER_ENDINGS]
    ]
    return Balance(
        unit="" if credit.is_money(account.currency) else capfirst(credit.unit_name(account.currency)),
        available=credit.format_money(account.available, account.currency),
        reserved=_money(account.reserved, account.currency),
        shortfall=_money(account.shortfall, account.currency),
        expiring=expiring[:MOST_ENDINGS],
        expiring_later=expiring[MOST_ENDINGS:],
        uses=elsewhere.credit_uses_of(user, account.currency) if account.available else [],
        movements=movements,
        parameter=f"movements-{account.currency}",
    )


def ending_words(amount: Decimal, currency: str, day: date) -> str:
    return gettext("%(amount)s can be used until %(day)s.") % {
        "amount": credit.format_money(amount, currency),
        "day": date_format(day, "DATE_FORMAT"),
    }


def _money(amount: Decimal, currency: str) -> str:
    return credit.format_money(amount, currency) if amount else ""


def _movements(account: Account) -> Any:
    """One row for each operation on the account that changed what the customer has, the newest first."""
    return (
        Entry.objects.filter(account=account)
        .values("key", "kind", order=F("reservation__order_number"))
        .annotate(total=Sum("amount"), owed=Sum("shortfall_delta"), when=Max("created_at"), newest=Max("pk"))
        .exclude(total=0, owed=0)
        .order_by("-when", "-newest")
    )


def _movement(row: dict[str, Any], currency: str, note: str, why: str) -> Movement:
    what = capfirst(str(Entry.Kind(row["kind"]).label))
    if row["order"]:
        what = gettext("%(movement)s, order %(number)s") % {"movement": what, "number": row["order"]}
    # What could not be taken back at once shows as the debt that it became.
    amount = row["total"] or -row["owed"]
    text = credit.format_money(abs(amount), currency)
    return Movement(row["when"], what, note, why, f"+{text}" if amount > 0 else f"−{text}", amount > 0)


def _reward_id(key: str) -> int | None:
    """Settle writes what a reward moves with the key "reward:<id>:<revision>"."""
    kind, _colon, rest = key.partition(":")
    number = rest.partition(":")[0]
    return int(number) if kind == "reward" and number.isdecimal() else None


def _notes(keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """By the movement's key: what it was for, and why it was not as promised. Two queries; none without a reward."""
    by_key = {key: reward_id for key in keys if (reward_id := _reward_id(key)) is not None}
    if not by_key:
        return {}
    found = Reward.objects.filter(pk__in=by_key.values()).select_related(
        "referral__friend", "referral__advocate"
    )
    given = {reward.pk: reward for reward in found}
    # The reward knows its newest reason only; the timeline has each, under the key of the movement.
    events = TimelineEvent.objects.filter(key__in=by_key).values_list("key", "data")
    reasons = {key: str(data.get("reason", "")) for key, data in events}
    return {
        key: (_note(given[reward_id]), _why(given[reward_id], reasons.get(key, "")))
        for key, reward_id in by_key.items()
        if reward_id in given
    }


def _why(reward: Reward, reason: str) -> str:
    if not reason:
        return ""
    words = reason_words(reason) if reward.side == Side.FRIEND else reason_for_advocate(reason)
    return capfirst(words)


def _note(reward: Reward) -> str:
    if reward.side == Side.FRIEND:
        return gettext("because you were invited")
    if reward.tier is not None:
        return gettext("for a milestone")
    name = name_for_advocate(reward.referral)
    return gettext("for your friend %(name)s") % {"name": name} if name else gettext("for a friend")
