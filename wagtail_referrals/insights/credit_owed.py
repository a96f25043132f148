"""What customers have, and are still to get or to give back, by currency: as of now, whatever the period."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone

from wagtail_referrals import credit
from wagtail_referrals.credit.models import Account, Lot
from wagtail_referrals.insights.daily import money_kinds
from wagtail_referrals.insights.periods import months_after, today
from wagtail_referrals.rewards.models import Reward

NOTHING: Final = Decimal("0.00")
SOON: Final = timedelta(days=30)
# How many months ahead is said what expires.
MONTHS: Final = 6


@dataclass
class CreditOwed:
    """In one currency, or in the shop's points. Amounts are ``Decimal`` in it, ``customers`` how many have any of it.

    ``to_spend``: can be used at once. ``set_aside``: for payments under way. ``ownerless``: of customers who were
    deleted; nobody can spend it. ``expiring``: of what can be spent, what ends within 30 days; ``expiring_by_month``
    the same for this month and the next ones. ``waiting``, ``to_check``, ``failed``: promised, and not given yet.
    ``shortfall``: to be taken back, and spent already, by ``debtors``.
    """

    currency: str
    to_spend: Decimal = NOTHING
    set_aside: Decimal = NOTHING
    ownerless: Decimal = NOTHING
    customers: int = 0
    expiring: Decimal = NOTHING
    expiring_by_month: dict[date, Decimal] = field(default_factory=dict)
    waiting: Decimal = NOTHING
    to_check: Decimal = NOTHING
    failed: Decimal = NOTHING
    shortfall: Decimal = NOTHING
    debtors: int = 0


def expiry_months(now: datetime | None = None) -> list[date]:
    """The first days of the months for which is said what expires: this one and those after it."""
    return [months_after(today(now), number) for number in range(MONTHS)]


def credit_owed(now: datetime | None = None) -> list[CreditOwed]:
    """A row for each currency in which there is anything, by its code. Three queries.

    What is owed is read by indexes; the accounts are summed up, one row for each customer and currency.
    """
    moment = now or timezone.now()
    found: dict[str, CreditOwed] = {}

    def of(currency: str) -> CreditOwed:
        return found.setdefault(currency, CreditOwed(currency))

    def money(amount: Any, currency: str) -> Decimal:
        return credit.quantize(Decimal(amount or 0), currency)

    for row in _accounts():
        owed = of(row["currency"])
        for name in ("to_spend", "set_aside", "ownerless"):
            setattr(owed, name, money(row[name], owed.currency))
        owed.shortfall = money(row["missing"], owed.currency)
        owed.customers, owed.debtors = row["customers"], row["debtors"]
    for currency, month, ending, soon, over in _expiring(moment):
        owed = of(currency)
        owed.expiring += money(soon, currency)
        # Over already, and not swept yet: nobody can spend it.
        owed.to_spend -= money(over, currency)
        if ending:
            owed.expiring_by_month[month.date()] = money(ending, currency)
    for currency, state, amount in (
        Reward.objects.filter(state__in=["waiting", "to_check", "failed"], kind__in=money_kinds())
        .order_by()
        .values_list("currency", "state")
        .annotate(open=Sum(F("amount") - F("posted")))
    ):
        setattr(of(currency), state, money(amount, currency))
    return [owed for _code, owed in sorted(found.items()) if _is_any(owed)]


def _accounts() -> Any:
    theirs = Q(user__isnull=False)
    return (
        Account.objects.order_by()
        .values("currency")
        .annotate(
            to_spend=Sum(F("balance") - F("reserved"), filter=theirs),
            set_aside=Sum("reserved", filter=theirs),
            ownerless=Sum("balance", filter=~theirs),
            customers=Count("pk", filter=theirs & Q(balance__gt=0)),
            # Of who is gone nobody recovers anything.
            missing=Sum("shortfall", filter=theirs),
            debtors=Count("pk", filter=theirs & Q(shortfall__gt=0)),
        )
    )


def _expiring(moment: datetime) -> Iterable[tuple[str, datetime, Any, Any, Any]]:
    """(currency, month, what ends in it from now on, of that what ends soon, what was over before now)."""
    zone = timezone.get_default_timezone()
    end = timezone.make_aware(
        datetime.combine(months_after(today(moment), MONTHS), datetime.min.time()), zone
    )
    left, to_come = F("remaining") - F("reserved"), Q(expires_at__gt=moment)
    return (
        Lot.objects.filter(remaining__gt=0, expires_at__lte=end, account__user__isnull=False)
        .order_by()
        # What ends at midnight can be used until the day before.
        .annotate(month=TruncMonth(F("expires_at") - timedelta(microseconds=1), tzinfo=zone))
        .values_list("account__currency", "month")
        .annotate(
            ending=Sum(left, filter=to_come),
            soon=Sum(left, filter=to_come & Q(expires_at__lte=moment + SOON)),
            over=Sum(left, filter=~to_come),
        )
        .order_by("month")
    )


def _is_any(owed: CreditOwed) -> bool:
    amounts = (owed.to_spend, owed.set_aside, owed.ownerless, owed.waiting, owed.to_check, owed.failed)
    return bool(owed.customers or owed.shortfall or any(amounts))
