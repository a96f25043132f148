"""What a referrer has brought, and got for it, in words: for the page of a referrer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils.formats import number_format
from django.utils.translation import gettext

from wagtail_referrals import credit
from wagtail_referrals.admin.words import is_money
from wagtail_referrals.credit.models import Account
from wagtail_referrals.kinds import Side
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import badges_of
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward


@dataclass(frozen=True)
class Figure:
    """What is counted, how much of it there is, and what that means."""

    label: str
    value: str
    meaning: str


def brought(advocate: Advocate, user: Any) -> list[Figure]:
    """From the visits to what they were rewarded for, as far as this member of staff may see it. Five queries."""
    visits = advocate.visits.count() + (advocate.removed_visits.aggregate(n=Sum("number"))["n"] or 0)
    found = advocate.referrals.aggregate(
        friends=Count("pk"),
        ordered=Count("pk", filter=Q(qualified_at__isnull=False)),
        rewarded=Count("pk", filter=Q(state=Referral.State.REWARDED)),
        to_check=Count("pk", filter=Q(state=Referral.State.TO_CHECK)),
    )
    figures = [
        _count(
            gettext("Visits"), visits, gettext("How often somebody followed their link. Robots are left out.")
        ),
        _count(
            gettext("Friends"),
            found["friends"],
            gettext("Who came by the link or the code, and has opened an account or ordered since."),
        ),
        _count(
            gettext("Have ordered"),
            found["ordered"],
            gettext("Friends with an order that meets the program's conditions."),
        ),
        _count(
            gettext("Rewarded"),
            found["rewarded"],
            gettext("Friends for whom every reward that is owed has been given."),
        ),
    ]
    if found["to_check"]:
        figures.append(
            _count(
                gettext("To check"),
                found["to_check"],
                gettext("Friends whose rewards wait until one of you has decided."),
            )
        )
    if user.has_perm("wagtail_referrals.view_referral"):
        figures.append(_orders(advocate))
    return [*figures, *(_given(advocate) if user.has_perm("wagtail_referrals.view_reward") else ())]


def _orders(advocate: Advocate) -> Figure:
    orders = Purchase.objects.filter(referral__advocate=advocate)
    return Figure(
        gettext("Orders of their friends"),
        _amounts(orders.values_list("currency").annotate(Sum("total")).order_by("currency")),
        gettext("What friends have ordered for, with delivery. Refunds are not taken off."),
    )


def _given(advocate: Advocate) -> list[Figure]:
    """Amounts of money and points; things are in the list of their rewards."""
    theirs = Reward.objects.filter(advocate=advocate, side=Side.ADVOCATE)
    given: dict[str, Any] = {}
    waiting: dict[str, Any] = {}
    sums = theirs.values_list("kind", "currency").annotate(
        given=Sum("posted"), waiting=Sum("amount", filter=Q(state=Reward.State.WAITING))
    )
    for kind, currency, posted, to_come in sums.order_by():
        if is_money(kind):
            given[currency] = given.get(currency, 0) + posted
            waiting[currency] = waiting.get(currency, 0) + (to_come or 0)
    return [
        Figure(
            gettext("Given to them"),
            _amounts(sorted(given.items())),
            gettext("Credit and points for these friends, without what was taken back."),
        ),
        Figure(
            gettext("Still to come"),
            _amounts(sorted(waiting.items())),
            gettext("Given when the waiting period is over, unless the order is returned or cancelled."),
        ),
    ]


def balances(advocate: Advocate) -> list[Figure]:
    """Their credit as it is now, by currency. One query."""
    figures = []
    for account in Account.objects.filter(user=advocate.user_id).order_by("currency"):
        words = [gettext("What they can spend, and what an order that is being paid holds.")]
        if account.reserved:
            words.append(
                gettext("Set aside for such an order: %(amount)s.")
                % {"amount": credit.format_money(account.reserved, account.currency)}
            )
        if account.shortfall:
            words.append(
                gettext("Still to recover: %(amount)s, which was taken back after it had been spent.")
                % {"amount": credit.format_money(account.shortfall, account.currency)}
            )
        figures.append(
            Figure(
                gettext("Balance"), credit.format_money(account.balance, account.currency), " ".join(words)
            )
        )
    return figures


def badge_names(advocate: Advocate) -> list[str]:
    """The badges that they wear, the latest first."""
    return [worn.name for worn in badges_of(advocate.user)] if advocate.user is not None else []


def _count(label: str, number: int, meaning: str) -> Figure:
    return Figure(label, number_format(number, use_l10n=True, force_grouping=True), meaning)


def _amounts(sums: Any) -> str:
    """ "€15.00 · $3.00"; a dash where there is nothing. Never added across currencies."""
    return " · ".join(credit.format_money(amount, code) for code, amount in sums if amount) or "–"
