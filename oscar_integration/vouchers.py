"""The friend's discount as Oscar knows it: many single-use vouchers on a few shared offers.

One ``ConditionalOffer`` stands for each kind, value, minimum, currency and language; one voucher on it for each
discount. The condition asks the engine at every application whether this basket may use this voucher, so that what was
withdrawn there stays withdrawn, whatever the voucher's row says.

Our offers have a lower priority than Oscar's default and are exclusive: they never take an item away from another offer
or voucher. The shop may change both on the offer, in Oscar's dashboard.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from wagtail_referrals import conf as engine_conf
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


# Issuing


def issue(request: DiscountRequest) -> str:
    """Make the voucher of a discount and return its code; asked again, the code of the one that was made."""
    Voucher = get_model("voucher", "Voucher")
    code = code_for(request.reference)
    if Voucher.objects.filter(code=code).exists():
        return code
    end = _ALWAYS_TO if request.expires_at is None else request.expires_at + _PAYMENT_GRACE
    offers = [_offer(request, currency) for currency in _currencies(request)]
    title = _("Referral discount %(gift)s") % {"gift": _gift(request, "")}
    # Names are unique in Oscar; shoppers see them with the code behind.
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


def _currencies(request: DiscountRequest) -> list[str]:
    """Currencies that need an offer of their own; "" is one for any currency."""
    if request.kind == "discount_fixed":
        return list(request.amounts)
    if not request.minimum_spend:
        return [""]
    return sorted({*engine_conf.currencies(), *request.minimum_spend})


def _gift(request: DiscountRequest, currency: str) -> str:
    """What it gives, for the name of the offer or voucher, in the current language."""
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
    benefit_class, value = _benefit(request, currency)
    gift = _gift(request, currency)
    name = _("Referral discount %(gift)s") % {"gift": gift}
    if minimum:
        name = _("Referral discount %(gift)s from %(minimum)s") % {
            "gift": gift,
            "minimum": credit.format_money(minimum, currency),
        }
    elif currency:
        name = f"{name} ({currency})"
    # The shop may rename it, so it is known by what it does, and for whom it was named.
    kind = f"{currency}/{get_language() or settings.LANGUAGE_CODE}"
    wanted = {
        "offer_type": ConditionalOffer.VOUCHER,
        "condition__proxy_class": _path(PersonalCondition),
        "condition__type": kind,
        "condition__value": minimum or None,
        "benefit__proxy_class": _path(benefit_class),
        "benefit__value": value,
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
                    priority=PRIORITY,
                    max_basket_applications=1,
                    condition=get_model("offer", "Condition").objects.create(
                        proxy_class=_path(PersonalCondition), type=kind, value=minimum or None
                    ),
                    benefit=get_model("offer", "Benefit").objects.create(
                        proxy_class=_path(benefit_class), value=value
                    ),
                )
        except IntegrityError:
            # Made at this moment by another process; or the name is that of an offer that gives something else.
            candidate = f"{name} ({number})"
    raise IntegrityError(f"no free name for the offer {name}")


def _benefit(request: DiscountRequest, currency: str) -> tuple[type[Any], Decimal | None]:
    if request.kind == "discount_percent":
        return PercentOff, _two_decimals(request.percent or NOTHING)
    if request.kind == "discount_fixed":
        return AmountOff, _two_decimals(request.amounts[currency])
    if request.kind == "free_shipping":
        return FreeDelivery, None
    raise ValueError(f"Oscar has no voucher for {request.kind}")


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
            if not self.is_met(basket):
                return False
            if voucher is None:
                return True
            with own_savepoint():
                return refusal_of(voucher.code, basket) is None
        except Exception:
            # The shopper goes on without the discount, rather than without the page.
            logger.exception("Basket %s: the condition of a referral discount failed", basket.pk)
            return False

    def is_met(self, basket: Any) -> bool:
        lines = list(basket.all_lines())
        if self.currency and any(line.purchase_info.price.currency != self.currency for line in lines):
            return False
        return not self.value or goods_value(lines) >= self.value

    def is_partially_satisfied(self, offer: Any, basket: Any) -> bool:
        return False

    def get_upsell_message(self, offer: Any, basket: Any) -> str | None:
        return None

    def consume_items(self, offer: Any, basket: Any, affected_lines: Iterable[Any]) -> None:
        """The benefit marks what it discounts; nothing else is used up."""


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


def refusal_of(code: str, basket: Any) -> str | None:
    """Why this basket cannot use a voucher of ours, as a reason code; None when it can. 1 or 2 queries."""
    grant = rewards.discount_by_code(code)
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


class FreeDelivery(_FromRow):
    """Delivery for nothing. Not used up by a basket without anything to deliver."""

    @property
    def name(self) -> str:
        return _("free delivery")

    def apply(self, basket: Any, condition: Any, offer: Any, **kwargs: Any) -> Any:
        zero, shipping = (get_class("offer.results", name) for name in ("ZERO_DISCOUNT", "SHIPPING_DISCOUNT"))
        return shipping if basket.is_shipping_required() else zero

    def apply_deferred(self, basket: Any, order: Any, application: Any) -> None:
        return None

    def shipping_discount(self, charge: Decimal, currency: str | None = None) -> Decimal:
        return charge
