"""What customers are still owed, as a CSV file: the shop goes on without the package, and keeps its word.

It names people by the key of their account, nothing else; their e-mail address only where the shop asks for it.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

from django.contrib.auth import get_user_model
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.credit.models import Lot
from wagtail_referrals.insights import plain_cell
from wagtail_referrals.kinds import LedgerKind, reward_kinds
from wagtail_referrals.leaving.steps import Step, steps
from wagtail_referrals.programs import parse, rule_gets
from wagtail_referrals.rewards.models import DiscountGrant, Reward

_CHUNK: Final = 2000


@dataclass(frozen=True)
class Owed:
    """One line of the file. Texts, "" where there is nothing to say; ``amount`` is in ``currency``, with a point."""

    # "credit" and "points": on the account. "discount": a code that was not used. "promised": not due yet. Other apps
    # have words of their own.
    kind: str
    # The primary key of the shop's own user.
    customer: str
    # The number of the account in the ledger.
    account: str
    currency: str
    amount: str
    # What it is, for people.
    words: str
    code: str
    # Last day, ISO 8601, in the site's time zone.
    until: str


def owed() -> Iterator[Owed]:
    """All of it, in an order that does not change. A constant number of queries and of memory."""
    yield from _balances()
    yield from _discounts()
    yield from _promised()
    for step in steps:
        yield from step.owed()


def _balances() -> Iterator[Owed]:
    """A line for each account and each last day: together they are its balance."""
    lots = (
        Lot.objects.filter(remaining__gt=0, account__user__isnull=False)
        .values_list("account_id", "account__user_id", "account__currency", "expires_at")
        .annotate(amount=Sum("remaining"))
        .order_by("account_id", "expires_at")
    )
    for account, user, currency, expires_at, amount in lots.iterator(chunk_size=_CHUNK):
        is_money = credit.is_money(currency)
        yield Owed(
            kind="credit" if is_money else "points",
            customer=str(user),
            account=str(account),
            currency=currency,
            amount=str(credit.quantize(amount, currency)),
            words=gettext("Referral credit") if is_money else credit.unit_name(currency),
            code="",
            until=credit.last_day(expires_at).isoformat() if expires_at else "",
        )


def _discounts() -> Iterator[Owed]:
    grants = DiscountGrant.objects.filter(
        user__isnull=False, state__in=[DiscountGrant.State.OFFERED, DiscountGrant.State.ISSUED]
    )
    now = timezone.now()
    for grant in grants.select_related("terms").order_by("pk").iterator(chunk_size=_CHUNK):
        # The time of a reward that waits has not begun; a friend's discount ends with the invitation in any case.
        may_be_over = grant.code or grant.claim_id is not None
        if may_be_over and grant.expires_at is not None and grant.expires_at < now:
            continue
        rule = parse(grant.terms).rule(str(grant.rule_key))
        yield Owed(
            kind="discount",
            customer=str(grant.user_id),
            account="",
            currency="",
            amount="",
            words=rule_gets(rule) if rule is not None else "",
            code=grant.code,
            until=credit.last_day(grant.expires_at).isoformat() if grant.expires_at else "",
        )


def _promised() -> Iterator[Owed]:
    """Rewards whose waiting period is not over, or that staff have to look at: nobody will settle them any more."""
    for reward in (
        _waiting()
        .filter(user__isnull=False)
        .select_related("terms")
        .order_by("pk")
        .iterator(chunk_size=_CHUNK)
    ):
        kind = reward_kinds.get(reward.kind) if reward.kind in reward_kinds else None
        rule = parse(reward.terms).rule(str(reward.rule_key))
        counted = isinstance(kind, LedgerKind)
        yield Owed(
            kind="promised",
            customer=str(reward.user_id),
            account="",
            currency=reward.currency if counted else "",
            amount=str(credit.quantize(reward.amount, reward.currency)) if counted else "",
            words=rule_gets(rule, reward.currency) if rule is not None else "",
            code="",
            until="",
        )


def _waiting() -> QuerySet[Reward]:
    states = [Reward.State.WAITING, Reward.State.TO_CHECK, Reward.State.FAILED]
    return Reward.objects.filter(state__in=states, posted=0)


def write_owed(path: Path, *, with_email: bool) -> int:
    """Write the file, readable for its owner only, as a whole or not at all; the number of lines below its heading.

    Raises ``FileExistsError`` where there is a file that says something else.
    """
    names = [field.name for field in fields(Owed)] + (["email"] if with_email else [])
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    number = 0
    for lines in _portions(owed()):
        emails = _emails([line.customer for line in lines]) if with_email else {}
        for line in lines:
            number += 1
            row = [*astuple(line), *([emails.get(line.customer, "")] if with_email else [])]
            writer.writerow([plain_cell(str(value)) for value in row])
    content = text.getvalue().encode()
    if path.exists():
        if path.read_bytes() != content:
            raise FileExistsError(str(path))
        return number
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    part.replace(path)
    return number


def _portions(lines: Iterator[Owed]) -> Iterator[list[Owed]]:
    portion: list[Owed] = []
    for line in lines:
        portion.append(line)
        if len(portion) >= _CHUNK:
            yield portion
            portion = []
    if portion:
        yield portion


def _emails(customers: list[str]) -> dict[str, str]:
    User = get_user_model()
    found = User._default_manager.filter(pk__in=set(customers))
    return {str(pk): str(email) for pk, email in found.values_list("pk", User.get_email_field_name())}


class WhatIsOwed(Step):
    """Looks only: the file is written by whoever carries out the steps, when it is this one's turn."""

    key = "owed"
    label = _("What customers are owed")

    def plan(self) -> list[str]:
        lots = Lot.objects.filter(remaining__gt=0, account__user__isnull=False)
        sums = lots.values_list("account__currency").annotate(
            Sum("remaining"), Count("account", distinct=True)
        )
        found = [
            ngettext("%(amount)s on %(count)s account.", "%(amount)s on %(count)s accounts.", accounts)
            % {"amount": credit.format_money(amount, currency), "count": accounts}
            for currency, amount, accounts in sums.order_by("account__currency")
        ]
        kinds = Counter(line.kind for line in owed())
        if kinds["discount"]:
            found.append(
                ngettext(
                    "%(count)s discount or gift that was not used.",
                    "%(count)s discounts and gifts that were not used.",
                    kinds["discount"],
                )
                % {"count": kinds["discount"]}
            )
        if kinds["promised"]:
            found.append(
                ngettext(
                    "%(count)s reward that was promised and is not due yet.",
                    "%(count)s rewards that were promised and are not due yet.",
                    kinds["promised"],
                )
                % {"count": kinds["promised"]}
            )
        guests = _waiting().filter(user=None).count()
        if found:
            found.append(gettext("It is written into the file that --owed names. Keep your word."))
        if guests:
            found.append(
                ngettext(
                    "%(count)s reward waits for a guest to open an account. Nobody knows them, so the file does not "
                    "name them.",
                    "%(count)s rewards wait for guests to open an account. Nobody knows them, so the file does not "
                    "name them.",
                    guests,
                )
                % {"count": guests}
            )
        return found
