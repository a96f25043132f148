"""The order of a renewal, made through Oscar without a request: its basket, its total, its payments.

Prices, offers and taxes are those of the shop's checkout for this customer: the same strategy, applicator, shipping
repository, surcharges, calculator and creator. There is no voucher in the basket.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from oscar_integration import conf
from oscar_integration.memberships.charging import Charge
from oscar_integration.memberships.models import Membership, Renewal
from oscar_integration.split import Split, split
from wagtail_referrals import credit, rewards

logger = logging.getLogger("oscar_integration")

# Name of the payment event of an order whose renewal was charged to a card.
CHARGED: Final = "Charged"


class CannotRenew(Exception):
    """The shop cannot sell the membership now. Nothing was charged. ``words`` are for the customer."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True)
class Priced:
    """A basket with its total, and what Oscar's order creator asks for beside it."""

    basket: Any
    price: Any
    shipping_method: Any
    shipping_charge: Any
    surcharges: Any

    @property
    def currency(self) -> str:
        return str(self.price.currency)

    @cached_property
    def total(self) -> Decimal:
        """In ``currency``, tax included."""
        return credit.quantize(self.price.incl_tax, self.currency)


# What is sold


def product_of(membership: Membership) -> Any:
    """What its renewal buys: the plan's product; where that comes in variants, the one that was bought last.

    Raises ``CannotRenew`` when there is none.
    """
    product = membership.plan.product
    if product is not None and product.is_parent:
        product = _variant_of(membership)
    if product is None:
        raise CannotRenew(_("The shop no longer sells this membership."))
    return product


def _variant_of(membership: Membership) -> Any | None:
    bought = membership.periods.filter(line_id__isnull=False, taken_back_at=None).order_by("-pk")
    line_id = bought.values_list("line_id", flat=True).first()
    lines = get_model("order", "Line")._default_manager.filter(
        pk=line_id, product__parent=membership.plan.product_id
    )
    line = lines.select_related("product").first()
    return line.product if line is not None else None


def make_basket(user: Any, product: Any) -> Any:
    """A basket of this customer with one piece, frozen, so that the shop never merges it into the one they fill.

    Call it within a transaction: until it is frozen nobody may see it. Raises ``CannotRenew``.
    """
    strategy = _strategy(user)
    info = strategy.fetch_for_product(product)
    if not info.price.exists or info.stockrecord is None:
        raise CannotRenew(_("The shop has no price for this membership at present."))
    basket = get_model("basket", "Basket")._default_manager.create(owner=user)
    basket.strategy = strategy
    basket.add_product(product)
    basket.freeze()
    return basket


def find_basket(renewal: Renewal, product: Any) -> Any | None:
    """The basket of an earlier attempt, if it still holds what the renewal buys."""
    if renewal.basket_id is None:
        return None
    baskets = get_model("basket", "Basket")._default_manager.filter(pk=renewal.basket_id)
    basket = baskets.filter(lines__product=product, lines__quantity=1).first()
    return basket if basket is not None and basket.status == basket.FROZEN else None


def order_number_for(basket: Any) -> str:
    """The number of the order to be, as the shop's checkout gives it."""
    return str(get_class("order.utils", "OrderNumberGenerator")().order_number(basket))


# What it costs


def price(basket: Any, user: Any) -> Priced:
    """The basket at the prices of now, as the checkout would sell it. Raises ``CannotRenew`` when it would not."""
    _reset(basket, _strategy(user))
    lines = list(basket.all_lines())
    for line in lines:
        _check(line)
    get_class("offer.applicator", "Applicator")().apply(basket, user)
    if basket.is_shipping_required():
        raise CannotRenew(_("This membership has to be sent to you, which a renewal cannot do."))
    return _total(basket, user)


def _check(line: Any) -> None:
    info = line.purchase_info
    if not info.price.exists:
        raise CannotRenew(_("The shop has no price for this membership at present."))
    permitted, reason = info.availability.is_purchase_permitted(line.quantity)
    if not permitted:
        raise CannotRenew(_("This membership cannot be bought at present: %(reason)s.") % {"reason": reason})
    # What is stored may be older: Oscar takes the basket's currency from it.
    line.price_currency = info.price.currency


def _total(basket: Any, user: Any) -> Priced:
    repository = get_class("shipping.repository", "Repository")()
    method = repository.get_default_shipping_method(basket=basket, user=user)
    charge = method.calculate(basket)
    surcharges = get_class("checkout.applicator", "SurchargeApplicator")().get_applicable_surcharges(
        basket, shipping_charge=charge
    )
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge, surcharges)
    if not total.is_tax_known:
        raise CannotRenew(_("The tax on this membership is not known without your address."))
    return Priced(basket, total, method, charge, surcharges)


def quote(membership: Membership) -> Priced:
    """What its renewal would cost now, by the very code of the renewal; nothing is left behind of the basket.

    Raises ``CannotRenew``.
    """
    with transaction.atomic():
        basket = make_basket(membership.user, product_of(membership))
        priced = price(basket, membership.user)
        transaction.set_rollback(True)
    return priced


def split_of(priced: Priced, user: Any, *, now: Any = None, at_most: Decimal | None = None) -> Split:
    """What credit pays of it, and what the card: as much credit as pays renewals, at most ``at_most``."""
    if not conf.credit_at_checkout():
        return Split(Decimal("0.00"), priced.total)
    there = rewards.renewal_credit(user, priced.currency, now=now)
    if at_most is not None:
        there = min(there, at_most)
    return split(priced.total, there, conf.minimum_charge(priced.currency))


# What was agreed


def remember_price(priced: Priced, *, total: Decimal | None = None) -> None:
    """Keep the total in the basket's line: once the card may have been charged, the order costs that and no more.

    ``total``: another one than that of now, with tax in the proportion of now.
    """
    kept, net = priced.total, priced.price.excl_tax
    if total is not None and total != kept:
        net = net * total / kept if kept else total
        kept = total
    _write_line(
        priced.basket.all_lines()[0],
        price_currency=priced.currency,
        price_incl_tax=kept,
        price_excl_tax=credit.quantize(net, priced.currency),
    )


def _write_line(line: Any, **values: Any) -> None:
    """Oscar saves no line of a frozen basket."""
    type(line)._default_manager.filter(pk=line.pk).update(**values)
    for name, value in values.items():
        setattr(line, name, value)


def price_as_agreed(basket: Any) -> Priced:
    """The basket at the total that was kept, whatever the shop's prices and offers have become since."""
    _reset(basket, _Agreed())
    method = get_class("shipping.methods", "NoShippingRequired")()
    charge = method.calculate(basket)
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge)
    return Priced(basket, total, method, charge, None)


class _Agreed:
    """A pricing strategy for a basket whose one line keeps what was agreed."""

    def fetch_for_line(self, line: Any, stockrecord: Any = None) -> Any:
        FixedPrice = get_class("partner.prices", "FixedPrice")
        return get_class("partner.strategy", "PurchaseInfo")(
            price=FixedPrice(
                currency=line.price_currency,
                excl_tax=line.price_excl_tax,
                tax=line.price_incl_tax - line.price_excl_tax,
                tax_code=line.tax_code,
            ),
            availability=get_class("partner.availability", "Available")(),
            stockrecord=line.stockrecord,
        )


def _strategy(user: Any) -> Any:
    return get_class("partner.strategy", "Selector")().strategy(user=user)


def _reset(basket: Any, strategy: Any) -> None:
    """Prices and offers anew."""
    basket.strategy = strategy
    basket.reset_offer_applications()


# The order


def place(renewal: Renewal, charge: Charge | None) -> Any:
    """Place the renewal's order, with what was agreed, and list what the card paid among its payments.

    What is set aside of credit is spent as the order is made. Within the caller's transaction.
    """
    membership = renewal.membership
    user = membership.user
    priced = _agreed(renewal, user)
    paid, step = _paid_status()
    order = _create(renewal, priced, user, status=None if step else paid)
    if charge is not None and renewal.rest > 0:
        record_charge(order, charge, renewal.rest)
    if step:
        order.set_status(paid)
    priced.basket.submit()
    return order


def _agreed(renewal: Renewal, user: Any) -> Priced:
    """The renewal's basket at the total that was agreed: usually that of now."""
    baskets = get_model("basket", "Basket")._default_manager.filter(pk=renewal.basket_id)
    basket = baskets.first()
    if basket is None:
        # Somebody tidied up: the same again, at the total that was agreed.
        basket = make_basket(user, product_of(renewal.membership))
        remember_price(price(basket, user), total=renewal.total)
    try:
        priced = price(basket, user)
    except CannotRenew:
        return price_as_agreed(basket)
    agreed = (renewal.total, renewal.currency)
    return priced if (priced.total, priced.currency) == agreed else price_as_agreed(basket)


def _create(renewal: Renewal, priced: Priced, user: Any, *, status: str | None) -> Any:
    number = renewal.order_number
    try:
        return get_class("order.utils", "OrderCreator")().place_order(
            basket=priced.basket,
            total=priced.price,
            shipping_method=priced.shipping_method,
            shipping_charge=priced.shipping_charge,
            user=user,
            order_number=number,
            status=status,
            surcharges=priced.surcharges,
        )
    except Exception:
        # Oscar sends its signal once the order is made, to whatever listens; that the money is taken is a fact.
        order = get_model("order", "Order")._default_manager.filter(number=number, user=user).first()
        if order is None:
            raise
        logger.exception("Order #%s: a receiver failed when this renewal was placed", number)
        return order


def _paid_status() -> tuple[str, bool]:
    """The first status that means paid which a new order can step to; else the first one, in which it is placed."""
    order = get_model("order", "Order")(status=getattr(settings, "OSCAR_INITIAL_ORDER_STATUS", ""))
    statuses = list(conf.get("PAID_STATUSES"))
    for status in statuses:
        if status == order.status or status in order.available_statuses():
            return status, True
    return (statuses[0] if statuses else ""), False


def record_charge(order: Any, charge: Charge, amount: Decimal) -> None:
    """List what the card paid: a source with its transaction, and a payment event for the lines."""
    Source, SourceType = get_model("payment", "Source"), get_model("payment", "SourceType")
    kind, _created = SourceType.objects.get_or_create(code=charge.source, defaults={"name": _("Bank card")})
    source = Source(
        order=order,
        source_type=kind,
        currency=order.currency,
        amount_allocated=amount,
        amount_debited=amount,
        reference=charge.reference,
        label=charge.label,
    )
    source.create_deferred_transaction(
        get_model("payment", "Transaction").DEBIT, amount, reference=charge.reference
    )
    source.save()
    event_type, _created = get_model("order", "PaymentEventType").objects.get_or_create(name=CHARGED)
    event = get_model("order", "PaymentEvent").objects.create(
        order=order, event_type=event_type, amount=amount, reference=charge.reference
    )
    for line in order.lines.all():
        get_model("order", "PaymentEventQuantity").objects.create(
            event=event, line=line, quantity=line.quantity
        )
