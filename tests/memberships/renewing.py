"""Memberships that go on by themselves, and cards that do what a test wants: shared by the tests of renewals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import time_machine
from oscar.core.loading import get_model

from example_site.card import gateway, kept
from example_site.card.gateway import ACCEPTED
from example_site.card.models import DemoCharge
from oscar_integration.memberships.charging import Card, CardDeclined, Charge, ChargeRequest, renewal_cards
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.renewals import renew_due
from tests.memberships.rows import NOW, give, make_user
from tests.memberships.shopping import make_sold_plan, pay
from tests.oscar_integration.shopping import create_order, make_product, make_program
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, messages, people, rewards
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

Order = get_model("order", "Order")
D = Decimal
DAY = timedelta(days=1)
# A month on, at the same time by the clock of Paris, where summer has begun; and one more.
DUE = NOW.replace(month=4, hour=8)
NEXT = DUE.replace(month=5)
PATH = "tests.memberships.renewing.Cards"


@dataclass
class Bank:
    """What the cards' bank knows: shared by all workers of this process."""

    # key -> what was taken under it
    taken: dict[str, ChargeRequest] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    asked: list[ChargeRequest] = field(default_factory=list)
    # Cards of these customers' are declined, with these words; all of them have a card but those without.
    declines: dict[int, str] = field(default_factory=dict)
    without_card: set[int] = field(default_factory=set)
    # Where those give the shop one; "" where the shop does not say.
    adding: str = ""
    # Called with each request, before and after the money is taken: to fail, or to do something meanwhile.
    before: Callable[[ChargeRequest], Any] = lambda request: None
    after: Callable[[ChargeRequest], Any] = lambda request: None

    @property
    def amounts(self) -> list[str]:
        return [str(request.amount) for request in self.taken.values()]


bank = Bank()


def open_bank() -> Bank:
    """A new one, as a test begins."""
    bank.__init__()  # type: ignore[misc]
    renewal_cards.cache_clear()
    return bank


class Cards:
    """The same key is the same charge, as the contract wants it."""

    def charge(self, request: ChargeRequest) -> Charge:
        bank.asked.append(request)
        bank.before(request)
        if request.key in bank.refused:
            raise CardDeclined(bank.refused[request.key])
        if request.key not in bank.taken:
            if request.user.pk in bank.declines:
                bank.refused[request.key] = bank.declines[request.user.pk]
                raise CardDeclined(bank.refused[request.key])
            bank.taken[request.key] = request
        bank.after(request)
        return Charge(reference=f"ch-{request.key}", label="•••• 4242")

    def card(self, user: Any) -> Card | None:
        if user.pk in bank.without_card:
            return Card("", bank.adding) if bank.adding else None
        return Card("•••• 4242", "/accounts/card/")


def make_renewing_plan(slug: str = "monthly", **values: Any) -> Plan:
    return make_sold_plan(slug, **({"renews": True} | values))


def join(user: Any, plan: Plan, *, now: datetime = NOW, **values: Any) -> Membership:
    """A first period, bought at ``now``, of a membership that goes on."""
    membership = give(
        user, plan, now=now, **({"origin": Period.Origin.ORDER, "key": f"line:{user.pk}:{plan.pk}"} | values)
    )
    return membership


def make_member(email: str = "camille@example.com", plan: Plan | None = None, **values: Any) -> Membership:
    return join(make_user(email), plan or make_renewing_plan(), **values)


def fresh(membership: Membership) -> Membership:
    return Membership.objects.select_related("plan", "user").get(pk=membership.pk)


def renewal_of(membership: Membership) -> Renewal:
    """The last one."""
    return membership.renewals.order_by("-number")[0]


def sweep_at(moment: datetime, clock: time_machine.Traveller) -> None:
    """It is that moment, and a sweep renews what is due."""
    clock.move_to(moment)
    renew_due(moment)


def orders_of(membership: Membership) -> list[Any]:
    return list(Order.objects.filter(user=membership.user).order_by("pk"))


def mails(user: Any) -> list[str]:
    return list(Message.objects.filter(user=user).order_by("pk").values_list("kind", flat=True))


def message(user: Any, kind: str) -> Message:
    """The last one of this kind."""
    return Message.objects.filter(user=user, kind=kind).latest("pk")


def mail(user: Any, kind: str) -> Any:
    return messages.compose(message(user, kind), user)


def unwrapped(mail: Any) -> str:
    return " ".join(mail.text.split())


def set_price(plan: Plan, price: str) -> None:
    assert plan.product is not None
    plan.product.stockrecords.update(price=D(price))


def has_credit(user: Any, amount: str, *, pays_renewals: bool = True, now: datetime = NOW) -> Any:
    """Credit for a friend who bought, of a program that says whether it pays renewals; the reward."""
    number = Referral.objects.count() + 1
    rule = {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": amount}}
    terms = make_program([rule], hold_days=0, hold_anchor="paid", credit_pays_renewals=pays_renewals)
    friend = make_user(f"friend{number}@example.com")
    product = make_product(f"TEA{number}", "100.00", sent=False)
    order = create_order(claimed(people.advocate_for(user), terms, product, user=friend), user=friend)
    pay(order)
    referral = Referral.objects.latest("pk")
    rewards.settle(referral.pk)
    reward = Reward.objects.get(referral=referral)
    assert reward.posted == D(amount)
    return reward


def left(user: Any) -> str:
    return str(credit.available(user, "EUR"))


def keep_card(user: Any, number: str = ACCEPTED) -> None:
    """In the example shop, whose bank writes down what it takes: for work in processes of its own."""
    kept.keep_card(user, gateway.keep(number))


def has_credit_like(user: Any, amount: str, reward: Any) -> None:
    """Credit that pays renewals as this reward's does, without the friend: the audit of rewards would miss one."""
    credit.grant(
        user=user,
        currency="EUR",
        amount=D(amount),
        key=f"like:{user.pk}:{amount}",
        source=f"reward:{reward.pk}",
    )


def problems_of(membership: Membership, *, paid: int = 1, price: str = "30.00") -> list[str]:
    """What is wrong with a member's renewals, of which ``paid`` came to their end, in the example shop."""
    user, found = membership.user, []
    done = list(membership.renewals.filter(state=Renewal.State.DONE))
    orders = {order.number: order for order in orders_of(membership)}
    if len(done) != paid or set(orders) != {renewal.order_number for renewal in done}:
        found.append(f"{len(done)} renewals, {len(orders)} orders, not {paid}")
    charges = {charge.order_number: charge for charge in DemoCharge.objects.filter(order_number__in=orders)}
    for renewal in done:
        order = orders.get(str(renewal.order_number))
        if order is None:
            continue
        charge = charges.get(order.number)
        taken = charge.amount if charge is not None and charge.status == charge.Status.CAPTURED else D(0)
        spent = credit.captured_amount(order.number)
        if order.total_incl_tax != D(price) or taken + spent != order.total_incl_tax:
            found.append(f"order {order.total_incl_tax}: {taken} by card and {spent} with credit")
        if (renewal.charge, renewal.credit) != (taken, spent):
            found.append(f"the renewal says {renewal.charge} and {renewal.credit}, not {taken} and {spent}")
        if sum(source.amount_debited for source in order.sources.all()) != order.total_incl_tax:
            found.append("the payment sources are not the total")
        if renewal.announced_total is None or order.total_incl_tax > renewal.announced_total:
            found.append(f"{order.total_incl_tax} was charged, {renewal.announced_total} was announced")
        if membership.periods.filter(order_number=order.number, taken_back_at=None).count() != 1:
            found.append("not one period of this order")
    account = credit.account_of(user, "EUR")
    if account is not None and (account.reserved or account.shortfall):
        found.append(f"{account.reserved} is set aside, {account.shortfall} lacks")
    numbers = list(membership.periods.filter(origin=Period.Origin.RENEWAL).values_list("key", flat=True))
    if len(numbers) != paid:
        found.append(f"{len(numbers)} periods")
    return [f"{membership}: {problem}" for problem in found]
