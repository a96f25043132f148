"""What a rule can give: the base of reward kinds, and the kinds that every shop has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import conf, credit
from wagtail_referrals.kinds.options import HasOptions
from wagtail_referrals.kinds.registry import Registry
from wagtail_referrals.kinds.rule import RefundPolicy, Rule, Side
from wagtail_referrals.kinds.trigger import triggers


@dataclass(frozen=True)
class DiscountRequest:
    """A personal, single-use discount that the shop is asked to make usable in its basket.

    ``reference`` is unique to the discount and is the idempotency key: asked again with the same one, the shop
    answers with the same code. ``amounts`` maps currency to Decimal, ``percent`` is 0 to 100; which of them counts
    depends on ``kind`` ("discount_percent", "discount_fixed", "free_shipping"). ``options`` are the rule's.
    """

    reference: str
    kind: str
    percent: Decimal | None
    amounts: dict[str, Decimal]
    minimum_spend: dict[str, Decimal]
    expires_at: datetime | None
    options: dict[str, Any] = field(default_factory=dict)


class DiscountIssuer(Protocol):
    """The part of the shop that reward kinds use."""

    def issue_discount(self, request: DiscountRequest) -> str:
        """Make the discount usable; the code under which the shop knows it.

        "" where the shop gives no discounts at present: it stays promised, and the shop is asked again by each sweep.
        """

    def void_discount(self, code: str) -> bool:
        """Make it unusable for good. Without effect on an order that used it. Twice is once.

        Whether an order with it is being paid for at this moment, and may still come.
        """


@dataclass(frozen=True)
class Posting:
    """The difference that settle hands over: what the reward is worth now against what was posted.

    ``amount`` (Decimal, in ``currency``) is positive to give, negative to take back. For things that have no amount
    it is 1 or -1. ``key`` is the idempotency key ``reward:<id>:<revision>``; ``source`` is ``reward:<id>``.

    ``grants`` collects what goes into the ledger, where settle undoes all should anything fail.
    """

    user: Any
    currency: str
    amount: Decimal
    key: str
    source: str
    rule: Rule
    now: datetime
    expires_at: datetime | None
    grants: credit.Grants | None = None


class HadAlready(Exception):
    """Raised by ``RewardKind.post`` for what is given once to each customer, and this one has had."""


class RewardKind(HasOptions):
    """What a rule gives. Subclass it and register an instance in ``reward_kinds``.

    ``value_fields``: which of the rule form's fields say how much, "amounts", "percent" or an option of its own; none
    for a thing, of which ``worth`` counts 1. ``is_discount``: the friend finds it in the basket as a discount (or the
    advocate gets a personal voucher); the shop makes it. ``only_writes_rows``: ``post`` does nothing but write rows of
    this database, which a rollback undoes. Any other is called only where nothing that fails beside it undoes what it
    gave.
    """

    sides: Sequence[str] = (Side.ADVOCATE, Side.FRIEND)
    value_fields: Sequence[str] = ()
    refund_policy: str = RefundPolicy.KEEP
    is_discount: bool = False
    only_writes_rows: bool = False

    def words(self, rule: Rule, currency: str) -> str:
        """What is given, as it ends the sentence "the friend gets ...", in the current language."""
        raise NotImplementedError

    def worth(self, rule: Rule, currency: str, eligible: Decimal | None) -> Decimal | None:
        """What one occasion is worth before refunds, counted in ``unit``.

        ``currency`` is that of the order; ``eligible`` is the part of it that counts, ``None`` without an order.
        ``None`` means that the rule gives nothing in this currency; a thing without an amount is worth 1, which is the
        default where the rule's form asks for no amount.
        """
        return rule.amounts.get(currency) if "amounts" in self.value_fields else Decimal(1)

    def unit(self, rule: Rule, currency: str) -> str:
        """What ``worth`` is counted in: by default the order's ``currency``."""
        return currency

    def cost(self, rule: Rule) -> dict[str, Decimal]:
        """What one occasion may cost by currency (or unit), as far as it is known beforehand: for the budget."""
        return rule.amounts

    def post(self, posting: Posting) -> None:
        """Give or take back the difference. Called under the reward's row lock, inside its transaction.

        Must do nothing the second time for the same ``posting.key``. Raises ``HadAlready`` where the reward is to be
        refused for that reason; what else it raises makes it fail, and be tried again. Both undo what it wrote.
        """
        raise NotImplementedError


reward_kinds: Registry[RewardKind] = Registry("reward kind")


@dataclass(frozen=True)
class Objection:
    """What the shop says against a kind of reward at present, in a sentence for editors.

    ``forbids``: nobody may be promised it; else it is only something to think about.
    """

    words: str
    forbids: bool


_objectors: list[Callable[[RewardKind], Objection | None]] = []


def register_objector(ask: Callable[[RewardKind], Objection | None]) -> None:
    """Let the shop be asked about each kind, whenever an editor writes a program. Called from ``AppConfig.ready()``."""
    if ask not in _objectors:
        _objectors.append(ask)


def objection_to(kind: RewardKind) -> Objection | None:
    """What the shop says against this kind at present; one that forbids it goes first."""
    found = [objection for ask in _objectors if (objection := ask(kind)) is not None]
    return min(found, key=lambda objection: not objection.forbids, default=None)


def reward_kind_choices() -> list[tuple[str, object]]:
    """For model fields: migrations name this function, so that a registered kind needs no migration."""
    return reward_kinds.choices()


def amount_words(amounts: dict[str, Decimal], currency: str) -> str:
    """The amount in ``currency``, or all of them ("15 € / 18 $") where that one is missing."""
    if currency in amounts:
        return credit.format_money(amounts[currency], currency)
    return " / ".join(credit.format_money(amount, code) for code, amount in amounts.items())


def percent_words(percent: Decimal | None) -> str:
    return credit.format_percent(percent or Decimal(0))


def counts_part(rule: Rule) -> bool:
    """Does the rule count certain lines of an order only, because its trigger asks what was bought?"""
    return rule.trigger in triggers and triggers.get(rule.trigger).eligible_lines(rule, ()) is not None


def is_forbidden(kind_key: str) -> bool:
    """Can nobody be promised this kind at present? False for one that this site does not know."""
    objection = objection_to(reward_kinds.get(kind_key)) if kind_key in reward_kinds else None
    return objection is not None and objection.forbids


_annotators: list[Callable[[RewardKind], Sequence[str]]] = []


def register_annotator(ask: Callable[[RewardKind], Sequence[str]]) -> None:
    """Let the shop say what an editor should know about a kind, in sentences. Called from ``AppConfig.ready()``."""
    if ask not in _annotators:
        _annotators.append(ask)


def notes_on(kind: RewardKind) -> list[str]:
    """What the shop says about this kind, that neither forbids it nor asks for a second thought."""
    return [note for ask in _annotators for note in ask(kind)]


def gives_credit(rule: Rule) -> bool:
    """Is what the rule gives credit that pays for orders? Points pay for nothing."""
    if rule.kind not in reward_kinds:
        return False
    kind = reward_kinds.get(rule.kind)
    return isinstance(kind, LedgerKind) and credit.is_money(kind.unit(rule, conf.currencies()[0]))


class LedgerKind(RewardKind):
    """Posts to the customer's credit account. Settle locks the accounts of all that it posts beforehand."""

    def post(self, posting: Posting) -> None:
        if posting.amount > 0:
            given: dict[str, Any] = {
                "user": posting.user,
                "currency": posting.currency,
                "amount": posting.amount,
                "key": posting.key,
                "source": posting.source,
                "expires_at": posting.expires_at,
                "now": posting.now,
            }
            if posting.grants is None or not posting.grants.add(**given):
                credit.grant(**given)
        else:
            credit.claw_back(
                user=posting.user,
                currency=posting.currency,
                amount=-posting.amount,
                key=posting.key,
                source=posting.source,
                now=posting.now,
            )


class CreditKind(LedgerKind):
    key = "credit"
    label = _("Referral credit")
    value_fields = ("amounts",)

    def words(self, rule: Rule, currency: str) -> str:
        return gettext("%(amount)s of referral credit") % {"amount": amount_words(rule.amounts, currency)}


class CreditPercentKind(LedgerKind):
    key = "credit_percent"
    label = _("Referral credit, as a percentage of the order")
    value_fields = ("percent",)
    refund_policy = RefundPolicy.PROPORTIONAL

    def words(self, rule: Rule, currency: str) -> str:
        percent = {"percent": percent_words(rule.percent)}
        if counts_part(rule):
            return gettext("%(percent)s of what these products cost as referral credit") % percent
        return gettext("%(percent)s of the order as referral credit") % percent

    def worth(self, rule: Rule, currency: str, eligible: Decimal | None) -> Decimal | None:
        if eligible is None or rule.percent is None:
            return None
        return credit.quantize(eligible * rule.percent / 100, currency)


class DiscountKind(RewardKind):
    """A personal discount in the basket. It is handed over as a discount grant, not as a posting."""

    is_discount = True

    def worth(self, rule: Rule, currency: str, eligible: Decimal | None) -> Decimal | None:
        return Decimal(1)

    def post(self, posting: Posting) -> None:
        raise TypeError("Discounts are handed over by the rewards room.")


class DiscountPercentKind(DiscountKind):
    key = "discount_percent"
    label = _("Discount, in percent")
    value_fields = ("percent",)

    def words(self, rule: Rule, currency: str) -> str:
        return gettext("%(percent)s off one order") % {"percent": percent_words(rule.percent)}


class DiscountFixedKind(DiscountKind):
    key = "discount_fixed"
    label = _("Discount, a fixed amount")
    value_fields = ("amounts",)

    def words(self, rule: Rule, currency: str) -> str:
        return gettext("%(amount)s off one order") % {"amount": amount_words(rule.amounts, currency)}


class FreeShippingKind(DiscountKind):
    key = "free_shipping"
    label = _("Free delivery")

    def words(self, rule: Rule, currency: str) -> str:
        return gettext("free delivery of one order")


for _kind in (
    CreditKind(),
    CreditPercentKind(),
    DiscountPercentKind(),
    DiscountFixedKind(),
    FreeShippingKind(),
):
    reward_kinds.register(_kind)
