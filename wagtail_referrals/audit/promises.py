"""Budgets, invitations and discounts: what is promised and used, against what is written down for the program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.audit.findings import Finding, Problem, Run
from wagtail_referrals.kinds import reward_kinds
from wagtail_referrals.programs import budget, parse
from wagtail_referrals.programs.models import Budget, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim

ZERO: Final = Decimal(0)
CHUNK: Final = 2000

BUDGET = Problem(
    "budget",
    _("Budgets that do not agree with the referrals and invitations"),
    _("Somebody changed the budget's row. Correct it to the sum of the referrals and open invitations."),
)
HELD = Problem(
    "claim_held",
    _("Invitations that hold more of the budget than they promise"),
    _("Correct what the invitation holds; an invitation that has ended holds nothing."),
)
CLAIM_OVERDUE = Problem(
    "claim_overdue",
    _("Invitations that should have ended by now"),
    _('Does "manage.py referrals_sweep" run? It ends them, and frees the budget.'),
    overdue=True,
)
DISCOUNT = Problem(
    "discount",
    _("Discounts that do not agree with the reward they are"),
    _("Open the referral and look again."),
)


def rows() -> int:
    return Claim.objects.count()


def find(run: Run) -> Iterator[Finding]:
    held: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    spent: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    read = lru_cache(maxsize=256)(lambda pk: parse(Terms.objects.get(pk=pk)))
    claims = Claim.objects.order_by("pk").values_list("pk", "terms_id", "state", "held", "expires_at")
    for pk, terms_id, state, holds, expires_at in claims.iterator(chunk_size=CHUNK):
        run.look_at("invitations")
        if state == Claim.State.OPEN and expires_at < run.now and run.is_late(expires_at):
            words = gettext("Invitation %(number)s was to end on %(date)s.")
            date = f"{expires_at:%Y-%m-%d %H:%M}"
            yield Finding(CLAIM_OVERDUE, "claim", pk, words % {"number": pk, "date": date}, date)
        if not holds:
            continue
        terms = read(terms_id)
        alive = state in (Claim.State.OPEN, Claim.State.USED)
        promised = budget.promise_of(terms) if alive else {}
        for code, text in holds.items():
            amount = Decimal(text)
            held[(terms.program_key, code)] += amount
            if amount > promised.get(code, ZERO):
                words = gettext(
                    "Invitation %(number)s holds %(found)s of the budget, and promises %(expected)s."
                )
                values = {
                    "number": pk,
                    "found": _of(amount, code),
                    "expected": _of(promised.get(code, ZERO), code),
                }
                yield Finding(
                    HELD, "claim", pk, words % values, str(promised.get(code, ZERO)), str(amount), code
                )
    costs = Referral.objects.exclude(spent={}).order_by("pk").values_list("program_key", "spent")
    for program, amounts in costs.iterator(chunk_size=CHUNK):
        for code, text in amounts.items():
            spent[(str(program), code)] += Decimal(text)
    yield from _budgets(held, spent)
    yield from _discounts(run)


def _budgets(
    held: dict[tuple[str, str], Decimal], spent: dict[tuple[str, str], Decimal]
) -> Iterator[Finding]:
    rows = {(str(row.program_key), row.currency): row for row in Budget.objects.all()}
    for program, code in sorted({*rows, *held, *spent}):
        row = rows.get((program, code))
        for what, right, found in (
            (_("promised"), held[(program, code)], row.held if row else ZERO),
            (_("spent"), spent[(program, code)], row.spent if row else ZERO),
        ):
            if right != found:
                words = gettext(
                    "Budget of the program %(program)s: %(found)s are written down as %(what)s, referrals and "
                    "invitations add up to %(expected)s."
                )
                values = {
                    "program": program,
                    "what": what,
                    "found": _of(found, code),
                    "expected": _of(right, code),
                }
                yield Finding(BUDGET, "program", program, words % values, str(right), str(found), code)


def _of(amount: Decimal, code: str) -> str:
    return credit.format_money(amount, code) if code else str(int(amount))


def _discounts(run: Run) -> Iterator[Finding]:
    """A reward that is a discount was handed over, or was not: its discount says the same."""
    kinds = [kind.key for kind in reward_kinds if kind.is_discount]
    rewards = Reward.objects.filter(kind__in=kinds).order_by("pk")
    alive = (DiscountGrant.State.OFFERED, DiscountGrant.State.ISSUED)
    rows: Any = rewards.values_list("pk", "posted", "discount__state")
    for pk, posted, state in rows.iterator(chunk_size=CHUNK):
        run.look_at("discounts")
        if posted > 0 and state not in (*alive, DiscountGrant.State.USED):
            words = gettext("Reward %(number)s says that a discount was given, and there is none to use.")
        elif posted == 0 and state in alive:
            words = gettext("Reward %(number)s says that no discount was given, and there is one to use.")
        else:
            continue
        yield Finding(DISCOUNT, "reward", pk, words % {"number": pk}, "", state or "")
    used = DiscountGrant.objects.filter(state=DiscountGrant.State.USED, used_reference="")
    for pk in used.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=CHUNK):
        words = gettext("Discount %(number)s was used, and no order is written down for it.")
        yield Finding(DISCOUNT, "discount", pk, words % {"number": pk})
