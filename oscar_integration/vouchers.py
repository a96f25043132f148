"""The friend's discount as Oscar knows it: many single-use vouchers on a few shared offers.

One ``ConditionalOffer`` stands for each kind, value, minimum, currency and language; one voucher on it for each
discount. The condition asks the engine at every application whether this basket may use this voucher, so that what was
withdrawn there stays withdrawn, whatever the voucher's row says.

Our offers have a lower priority than Oscar's default and are exclusive: they never take an item away from another offer
or voucher. A free product comes before all other offers instead: its piece costs nothing whatever else is on sale, and
counts for nothing else. The shop may change both on the offer, in Oscar's dashboard.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model
from oscar.core.utils import get_default_currency

from oscar_integration import conf, gifts
from wagtail_referrals import credit, rewards
from wagtail_referrals.kinds import DiscountRequest
from wagtail_referrals.people import keyed_hash

logger = logging.getLogger("oscar_integration")

# Tells our vouchers from the shop's own without a query; who may use one is never decided from it.
PREFIX: Final = "REF-"
_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH: Final = 12
# Lower than Oscar's default of 0: other offers and vouchers come first.
PRIORITY: Final = -1
GIFT_PRIORITY: Final = 1000
# Oscar passes over inactive vouchers also where the basket is being paid for; our condition knows the exact end.
_PAYMENT_GRACE: Final = timedelta(days=1)
_ALWAYS_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_ALWAYS_TO: Final = datetime(2999, 1, 1, tzinfo=UTC)

NOTHING: Final = Decimal("0.00")


def is_ours(code: str) -> bool:
    """Whether a voucher code looks like one of ours. No query."""
    return code.startswith(PREFIX)


def code_for(reference: str) -> str:
    """The voucher code of a discount: always the same one, which nobody without the site's key can compute."""
    number = int(keyed_hash("voucher", reference), 16)
    letters = []
    for _position in range(_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    text = "".join(letters)
    return f"{PREFIX}{text[:4]}-{text[4:8]}-{text[8:]}"


def apply_offers(request: HttpRequest) -> None:
    """Work out the discounts of the request's basket anew."""
    basket = request.basket  # type: ignore[attr-defined]
    basket.reset_offer_applications()
    gifts_of(basket).clear()
    considered(basket).clear()
    get_class("offer.applicator", "Applicator")().apply(basket, request.user, request)


# Issuing


def issue(request: DiscountRequest) -> str:
    """Make the voucher of a discount and return its code; asked again, the code of the one that was made.

    "" while the shop gives no vouchers.
    """
    if not conf.gives_vouchers():
        return ""
    Voucher = get_model("voucher", "Voucher")
    code = code_for(request.reference)
    if Voucher.objects.filter(code=code).exists():
        return code
    end = _ALWAYS_TO if request.expires_at is None else request.expires_at + _PAYMENT_GRACE
    offers = [_offer(request, currency) for currency in _currencies(request)]
    title = _title(request, "")
    # Names are unique in Oscar. Shoppers see another one: see ``ShownVoucher``.
    for name in (f"{title} – {code[-4:]}", f"{title} – {code}"):
        try:
            with transaction.atomic():
                voucher = Voucher.objects.create(
                    name=name[:128],
                    code=code,
                    usage=Voucher.SINGLE_USE,
                    start_datetime=_ALWAYS_FROM,
                    end_datetime=end,
                )
                voucher.offers.add(*offers)
        except IntegrityError:
            if Voucher.objects.filter(code=code).exists():
                return code
        else:
            return code
    raise IntegrityError(f"no free name for the voucher of {request.reference}")


def void(code: str) -> bool:
    """Take the voucher out of open baskets and let it expire; one that is just being paid for is left to its order.

    Whether one is being paid for.
    """
    Voucher = get_model("voucher", "Voucher")
    Basket = get_model("basket", "Basket")
    Basket.vouchers.through.objects.filter(
        voucher__code=code, basket__status__in=[Basket.OPEN, Basket.SAVED]
    ).delete()
    now = timezone.now()
    if Basket.objects.filter(status=Basket.FROZEN, vouchers__code=code).exists():
        return True
    Voucher.objects.filter(code=code, end_datetime__gt=now).update(end_datetime=now)
    return False


def end(codes: Iterable[str]) -> None:
    """Let vouchers expire that an order has used or that were withdrawn. One statement.

    Oscar refuses to place an order, which may have been paid, with a used voucher in its basket; an expired one it
    passes over.
    """
    now = timezone.now()
    get_model("voucher", "Voucher").objects.filter(code__in=list(codes), end_datetime__gt=now).update(
        end_datetime=now
    )


def _currencies(request: DiscountRequest) -> list[str]:
    """Currencies that need an offer of their own; "" is one for any currency."""
    bound = any(request.minimum_spend.values())
    if request.kind == "discount_fixed":
        return [code for code in request.amounts if not bound or code in request.minimum_spend]
    # With a minimum, a currency that has none gets nothing.
    return sorted(request.minimum_spend) if bound else [""]


def _title(request: DiscountRequest, currency: str) -> str:
    """For the name of the offer or voucher, in the current language."""
    if request.kind == gifts.FreeProductKind.key:
        return _("Referral gift: %(product)s") % {
            "product": gifts.title_in(request.options.get(gifts.TITLES) or {})[:80]
        }
    return _("Referral discount %(gift)s") % {"gift": _gift(request, currency)}


def _gift(request: DiscountRequest, currency: str) -> str:
    """What it gives, in the current language."""
    if request.kind == "discount_percent":
        return credit.format_percent(request.percent or NOTHING)
    if request.kind == "discount_fixed":
        amounts = {currency: request.amounts[currency]} if currency else request.amounts
        return " / ".join(credit.format_money(amount, code) for code, amount in amounts.items())
    return _("free delivery")


def _offer(request: DiscountRequest, currency: str) -> Any:
    """The shared offer of this kind, value, minimum and currency, named in the current language; made if missing."""
    ConditionalOffer = get_model("offer", "ConditionalOffer")
    minimum = request.minimum_spend.get(currency) if currency else None
    name = _title(request, currency)
    if minimum:
        name = _("%(name)s from %(minimum)s") % {
            "name": name,
            "minimum": credit.format_money(minimum, currency),
        }
    elif currency:
        name = f"{name} ({currency})"
    # The shop may rename it, so it is known by what it does, and for whom it was named.
    kind = f"{currency}/{get_language() or settings.LANGUAGE_CODE}"
    priority, condition_class = PRIORITY, PersonalCondition
    if request.kind == gifts.FreeProductKind.key:
        priority, condition_class = GIFT_PRIORITY, GiftCondition
        kind = f"{kind}/{_product_id(request)}"
    condition = {"proxy_class": _path(condition_class), "type": kind, "value": minimum or None}
    benefit = _benefit(request, currency)
    wanted = {
        "offer_type": ConditionalOffer.VOUCHER,
        **{f"condition__{field}": value for field, value in condition.items()},
        **{f"benefit__{field}": value for field, value in benefit.items()},
    }
    candidate = name
    for number in range(2, 20):
        found = ConditionalOffer.objects.filter(**wanted).order_by("pk").first()
        if found is not None:
            return found
        try:
            with transaction.atomic():
                return ConditionalOffer.objects.create(
                    name=candidate,
                    offer_type=ConditionalOffer.VOUCHER,
                    priority=priority,
                    max_basket_applications=1,
                    condition=get_model("offer", "Condition").objects.create(**condition),
                    benefit=get_model("offer", "Benefit").objects.create(**benefit),
                )
        except IntegrityError:
            # Made at this moment by another process; or the name is that of an offer that gives something else.
            candidate = f"{name} ({number})"
    raise IntegrityError(f"no free name for the offer {name}")


def _benefit(request: DiscountRequest, currency: str) -> dict[str, Any]:
    """Fields of the benefit's row."""
    if request.kind == "discount_percent":
        return {"proxy_class": _path(PercentOff), "value": _two_decimals(request.percent or NOTHING)}
    if request.kind == "discount_fixed":
        return {"proxy_class": _path(AmountOff), "value": _two_decimals(request.amounts[currency])}
    if request.kind == "free_shipping":
        return {"proxy_class": _path(FreeDelivery), "value": None}
    if request.kind == gifts.FreeProductKind.key:
        return {"proxy_class": _path(FreeProduct), "type": str(_product_id(request))}
    raise ValueError(f"Oscar has no voucher for {request.kind}")


def _product_id(request: DiscountRequest) -> int:
    return int(request.options[gifts.PRODUCT])


def _two_decimals(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _path(klass: type[Any]) -> str:
    return f"{klass.__module__}.{klass.__qualname__}"


# What Oscar's offers run. Plain classes, made by Oscar from the values of the row: no model, so no migration.


class _FromRow:
    """Made by Oscar as ``klass(**fields)`` from a Condition or Benefit row."""

    def __init__(self, **fields: Any) -> None:
        self.type: str = fields.get("type") or ""
        self.value: Decimal | None = fields.get("value")
        self.range_id = fields.get("range_id")
        self.range = None

    @property
    def description(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return self.name


class PersonalCondition(_FromRow):
    """The basket of the person whom the engine gave the voucher to, in a currency, from ``value`` on.

    The row's ``type`` is "<currency>/<language>": no currency is any, and the language is that of the offer's name.

    ``value`` counts the goods with tax, after the discounts that come before ours. Asked without a voucher ("could such
    a voucher be used here?") it answers for currency and minimum only.
    """

    @property
    def currency(self) -> str:
        return self.type.partition("/")[0]

    @property
    def name(self) -> str:
        if self.value and self.currency:
            return _("Referral: the person invited, from %(minimum)s") % {
                "minimum": credit.format_money(self.value, self.currency)
            }
        return _("Referral: the person invited")

    def is_satisfied(self, offer: Any, basket: Any) -> bool:
        try:
            voucher = offer.get_voucher()
            if voucher is not None:
                considered(basket).add(voucher.code)
            return self.is_allowed(offer, voucher, basket)
        except Exception:
            # The shopper goes on without the discount, rather than without the page.
            logger.exception("Basket %s: the condition of a referral discount failed", basket.pk)
            return False

    def is_allowed(self, offer: Any, voucher: Any, basket: Any) -> bool:
        if not self.is_met(basket):
            return False
        if voucher is None:
            return True
        with own_savepoint():
            grant = rewards.discount_by_code(voucher.code)
            allowed = refusal_of(grant, basket) is None
        if allowed and grant is not None:
            show(offer, voucher, grant, basket)
        return allowed

    def is_met(self, basket: Any) -> bool:
        lines = list(basket.all_lines())
        if self.currency and any(line.purchase_info.price.currency != self.currency for line in lines):
            return False
        return not self.value or self.counted(lines) >= self.value

    def counted(self, lines: list[Any]) -> Decimal:
        """What counts for the minimum."""
        return goods_value(lines)

    def is_partially_satisfied(self, offer: Any, basket: Any) -> bool:
        return False

    def get_upsell_message(self, offer: Any, basket: Any) -> str | None:
        return None

    def consume_items(self, offer: Any, basket: Any, affected_lines: Iterable[Any]) -> None:
        """The benefit marks what it discounts; nothing else is used up."""


class GiftCondition(PersonalCondition):
    """That of a free product, whose number is at the end of ``type``: "<currency>/<language>/<product>".

    The piece itself does not count for the minimum. What was found out stays with the basket: see ``gifts_of``.
    """

    @property
    def product_id(self) -> int:
        return int(self.type.rpartition("/")[2])

    def counted(self, lines: list[Any]) -> Decimal:
        line = line_of(lines, self.product_id)
        return goods_value(lines) - (_unit_price(line) or NOTHING if line is not None else NOTHING)

    def is_allowed(self, offer: Any, voucher: Any, basket: Any) -> bool:
        allowed = super().is_allowed(offer, voucher, basket)
        if voucher is not None:
            gifts_of(basket)[voucher.code] = Gift(voucher.code, self.product_id, self, allowed)
        return allowed


@dataclass(frozen=True)
class Gift:
    """A voucher for a free product that is in a basket. ``allowed``: the person and the minimum are right."""

    code: str
    product_id: int
    condition: GiftCondition
    allowed: bool


def applied_codes(basket: Any) -> set[str]:
    """Codes of our vouchers that give this basket something now. No query."""
    return {
        application["voucher"].code
        for application in basket.offer_applications
        if application["voucher"] is not None and is_ours(application["voucher"].code)
    }


def gifts_of(basket: Any) -> dict[str, Gift]:
    """The gifts whose vouchers are in the basket, by code, as its discounts were worked out. No query."""
    found: dict[str, Gift] | None = getattr(basket, "_referral_gifts", None)
    if found is None:
        basket._referral_gifts = found = {}
    return found


def line_of(lines: Iterable[Any], product_id: int) -> Any | None:
    """The first line with this product."""
    return next((line for line in lines if line.product_id == product_id and line.quantity > 0), None)


class ShownVoucher:
    """A voucher of ours under the name that shoppers see, which need not be unique; otherwise the voucher itself.

    Oscar's pages show the name of the voucher that an offer was applied for. It is made anew each time, in the language
    of the page, and never saved.
    """

    def __init__(self, voucher: Any, name: str) -> None:
        self._voucher, self.name = voucher, name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "_voucher":
            raise AttributeError(attribute)
        return getattr(self._voucher, attribute)

    def __eq__(self, other: object) -> bool:
        return bool(self._voucher == (other._voucher if isinstance(other, ShownVoucher) else other))

    def __hash__(self) -> int:
        return hash(self._voucher)

    def __str__(self) -> str:
        return self.name


def show(offer: Any, voucher: Any, grant: Any, basket: Any) -> None:
    """Let pages name the voucher by what it gives and where it comes from."""
    words = {"gift": offer.benefit.proxy().shown(basket)}
    name = _("Your invitation: %(gift)s") if grant.claim_id is not None else _("Your reward: %(gift)s")
    real = voucher._voucher if isinstance(voucher, ShownVoucher) else voucher
    offer.set_voucher(ShownVoucher(real, name % words))


@contextmanager
def own_savepoint() -> Iterator[None]:
    """Around reads in the middle of a page: PostgreSQL gives up the whole transaction after an error in one.

    No query where there is no transaction, and on SQLite, which does not mind.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.in_atomic_block and connection.vendor != "sqlite":
        with transaction.atomic():
            yield
    else:
        yield


def considered(basket: Any) -> set[str]:
    """Codes of our vouchers that were in the basket when its discounts were worked out, kept on this object."""
    found: set[str] | None = getattr(basket, "_referral_codes", None)
    if found is None:
        # Through Oscar's lazy wrapper, which has a dictionary of its own.
        basket._referral_codes = found = set()
    return found


def refusal_of(grant: Any, basket: Any) -> str | None:
    """Why this basket cannot use a discount, as a reason code; None when it can. No query or 1."""
    if grant is None:
        return "revoked"
    refusal = rewards.discount_refusal(grant, user_id=basket.owner_id, basket_reference=str(basket.pk))
    if refusal not in (None, "used", "other_person") and basket.status == basket.FROZEN:
        # It is in the amount that the shopper is paying at this moment.
        return None
    return refusal


def offers_include_tax() -> bool:
    """Whether Oscar takes discounts off prices with tax."""
    return bool(settings.OSCAR_OFFERS_INCL_TAX)  # type: ignore[misc]


def goods_value(lines: Iterable[Any]) -> Decimal:
    """The goods with tax, after the discounts so far; without tax where it is not known."""
    total = NOTHING
    for line in lines:
        price = (
            line.line_price_incl_tax_incl_discounts
            if line.is_tax_known
            else line.line_price_excl_tax_incl_discounts
        )
        total += price or NOTHING
    return total


class _GoodsBenefit(_FromRow):
    """Takes something off the goods: all that may be discounted and that no other offer holds."""

    def free_lines(self, offer: Any, basket: Any) -> Iterator[tuple[Any, int, Decimal]]:
        """Lines with the number of pieces to discount and the price of one, on the basis that Oscar's offers use."""
        incl_tax = offers_include_tax()
        for line in basket.all_lines():
            if not line.stockrecord_id or not line.product.is_discountable:
                continue
            pieces = line.quantity_without_offer_discount(offer)
            price = line.unit_price_incl_tax if incl_tax and line.is_tax_known else line.unit_price_excl_tax
            if pieces > 0 and price:
                yield line, int(pieces), price

    def take_off(self, line: Any, amount: Decimal, pieces: int, offer: Any) -> None:
        line.discount(amount, pieces, incl_tax=offers_include_tax(), offer=offer)

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def apply_deferred(self, basket: Any, order: Any, application: Any) -> None:
        return None

    def shipping_discount(self, charge: Decimal, currency: str | None = None) -> Decimal:
        return NOTHING


class PercentOff(_GoodsBenefit):
    """``value`` percent off the goods."""

    @property
    def name(self) -> str:
        return _("%(percent)s off the goods") % {"percent": credit.format_percent(self.value or NOTHING)}

    def shown(self, basket: Any) -> str:
        return self.name

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        total = NOTHING
        percent = min(self.value or NOTHING, Decimal(100))
        for line, pieces, price in list(self.free_lines(offer, basket)):
            amount = _two_decimals(price * pieces * percent / 100)
            if amount > 0:
                self.take_off(line, amount, pieces, offer)
                total += amount
        return get_class("offer.results", "BasketDiscount")(total)


class AmountOff(_GoodsBenefit):
    """``value`` off the goods, tax included, spread over them by their price.

    With ``OSCAR_OFFERS_INCL_TAX = False`` Oscar takes discounts off prices without tax: the net part is chosen so that
    the shopper still pays exactly ``value`` less, tax included.
    """

    @property
    def name(self) -> str:
        return _("%(amount)s off the goods, tax included") % {"amount": self.value}

    def shown(self, basket: Any) -> str:
        return _("%(amount)s off the goods") % {
            "amount": credit.format_money(self.value or NOTHING, basket.currency or get_default_currency())
        }

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        lines = [(line, pieces) for line, pieces, _price in self.free_lines(offer, basket)]
        worth = [_unit_price(line) * pieces for line, pieces in lines]
        available = sum(worth, NOTHING)
        left = min(self.value or NOTHING, available)
        total = NOTHING
        for (line, pieces), value in zip(lines, worth, strict=True):
            share = left if value >= available else _two_decimals(left * value / available)
            available -= value
            left -= share
            if share > 0:
                amount = share if offers_include_tax() else _net(line, share)
                self.take_off(line, amount, pieces, offer)
                total += amount
        return get_class("offer.results", "BasketDiscount")(total)


def _unit_price(line: Any) -> Decimal:
    price: Decimal = line.unit_price_incl_tax if line.is_tax_known else line.unit_price_excl_tax
    return price


def _net(line: Any, gross: Decimal) -> Decimal:
    """What to take off the net price of the line so that its price with tax falls by ``gross``."""
    if not line.is_tax_known or not line.unit_price_incl_tax:
        return gross
    ratio = line.unit_price_excl_tax / line.unit_price_incl_tax
    before: Decimal = line.line_price_excl_tax_incl_discounts
    after = (line.line_price_incl_tax_incl_discounts - gross) * ratio
    return (before - after).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)


class FreeProduct(_GoodsBenefit):
    """One piece of the product whose number is in ``type`` costs nothing, also where it is in no other offer."""

    @property
    def name(self) -> str:
        product = gifts.giftable().filter(pk=self.type).first() if self.type else None
        if product is None:
            return _("a free product that is no longer sold")
        return _("a free “%(product)s”") % {"product": product.get_title()}

    def shown(self, basket: Any) -> str:
        line = line_of(basket.all_lines(), int(self.type))
        return _("a free “%(product)s”") % {"product": line.product.get_title()} if line is not None else ""

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        zero, discount = (get_class("offer.results", name) for name in ("ZERO_DISCOUNT", "BasketDiscount"))
        lines = [line for line in basket.all_lines() if line.product_id == int(self.type)]
        if any(line.has_offer_discount(offer) for line in lines):
            # Another voucher on the same offer has the piece: one for each order.
            return zero
        for line in lines:
            price = line.unit_price_excl_tax
            if offers_include_tax() and line.is_tax_known:
                price = line.unit_price_incl_tax
            if line.stockrecord_id and price and line.quantity_without_offer_discount(offer) > 0:
                self.take_off(line, price, 1, offer)
                if not line.quantity_without_discount:
                    _pass_over(line)
                return discount(price)
        return zero


class _NothingToDiscount:
    """The price of a line of which nothing is left to discount, as other offers see it."""

    effective_price = NOTHING

    def __init__(self, price: Any) -> None:
        self._price = price

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "_price":
            raise AttributeError(attribute)
        return getattr(self._price, attribute)


def _pass_over(line: Any) -> None:
    """Let other offers pass over a line that is free as a whole, until the basket's lines are read again.

    Oscar's percentages go from the cheapest line on, and stop at the first of which another offer has taken all.
    """
    info = line.purchase_info
    if hasattr(info, "_replace"):
        line._info = info._replace(price=_NothingToDiscount(info.price))


class FreeDelivery(_FromRow):
    """Delivery for nothing. Not used up by a basket without anything to deliver."""

    @property
    def name(self) -> str:
        return _("free delivery")

    def shown(self, basket: Any) -> str:
        return self.name

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        zero, shipping = (get_class("offer.results", name) for name in ("ZERO_DISCOUNT", "SHIPPING_DISCOUNT"))
        return shipping if basket.is_shipping_required() else zero

    def apply_deferred(self, basket: Any, order: Any, application: Any) -> None:
        return None

    def shipping_discount(self, charge: Decimal, currency: str | None = None) -> Decimal:
        return charge
