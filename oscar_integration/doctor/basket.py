"""A friend puts a product into the basket: is the discount there?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_UP, Decimal
from itertools import islice
from typing import Any, Final

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from oscar_integration import conf, vouchers
from oscar_integration.basket import attach_claim
from wagtail_referrals import conf as engine_conf
from wagtail_referrals import tracking
from wagtail_referrals.credit import format_money
from wagtail_referrals.doctor import (
    Browser,
    Finding,
    NotTried,
    Trial,
    broken,
    crash,
    fine,
    look,
    marks_of,
    off,
)
from wagtail_referrals.kinds import reward_kinds

# Products that are looked at, until one of them can be bought.
LOOKED_THROUGH: Final = 300


def examine_basket(trial: Trial) -> Iterator[Finding]:
    browser, friend = trial.need("browser"), trial.need("friend")
    found = find_product(trial)
    if found is None:
        yield look(
            _("No product can be bought now: none is public, in stock and has a price with tax."),
            _("The basket, the checkout and an order are tried once there is one."),
        )
        return
    product, quantity = found
    yield from marks_of(_("A product's page"), browser.get(product.get_absolute_url()))
    browser.sign_in(friend)
    yield from _add(product, quantity, browser, trial)
    basket = trial.need("basket")
    yield from _invitation(basket)
    yield from _discount(basket, trial)


def find_product(trial: Trial) -> tuple[Any, int] | None:
    """A product that can be bought now, and how many of it the friend's discount asks for."""
    Product = get_model("catalogue", "Product")
    strategy = get_class("partner.strategy", "Selector")().strategy(user=trial.friend)
    products = Product.objects.filter(is_public=True, stockrecords__isnull=False).exclude(structure="parent")
    found = None
    for product in islice(
        products.distinct().order_by("parent_id", "pk").iterator(chunk_size=50), LOOKED_THROUGH
    ):
        info = strategy.fetch_for_product(product)
        price = info.price
        if not price.exists or not price.is_tax_known or not price.incl_tax:
            continue
        quantity = _enough(trial, price.currency, price.incl_tax)
        for number in dict.fromkeys((quantity, 1)):
            if info.availability.is_purchase_permitted(quantity=number)[0]:
                if product.is_shipping_required:
                    return product, number
                # Only where there is nothing to be sent: such an order is shipped when it is paid.
                found = found or (product, number)
    return found


def _enough(trial: Trial, currency: str, price: Decimal) -> int:
    """How many pieces reach the minimum of the friend's discount."""
    rules = trial.offer.data.friend_rules if trial.offer is not None else ()
    minimum = max((rule.minimum_spend.get(currency, Decimal(0)) for rule in rules), default=Decimal(0))
    return max(1, int((minimum / price).to_integral_value(ROUND_UP)))


def _add(product: Any, quantity: int, browser: Browser, trial: Trial) -> Iterator[Finding]:
    """By the shop's own form, so that what listens to it is tried too."""
    Basket = get_model("basket", "Basket")
    open_ones = Basket.objects.filter(owner=trial.friend, status=Basket.OPEN)
    try:
        answer = browser.post(reverse("basket:add", kwargs={"pk": product.pk}), {"quantity": str(quantity)})
    except NoReverseMatch:
        answer = None
    if answer is not None and answer.error is not None:
        yield crash(answer.error, _("Putting a product into the basket fails"))
    basket = open_ones.filter(lines__isnull=False).first()
    if basket is None:
        yield look(
            _(
                "The shop's form for the basket took no product of the doctor's: it may ask for more than a number."
            ),
            _("Put a product into the basket by hand, after following a share link."),
        )
        basket = open_ones.first() or Basket.objects.create(owner=trial.friend)
        basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=trial.friend)
        basket.add_product(product, quantity)
        attach_claim(basket, tracking.token_for(trial.need("visit")))
    summary = browser.get(reverse("basket:summary"), public=False)
    if summary.error is not None:
        yield crash(summary.error, _("The basket's page fails"))
    elif not summary.is_page:
        yield look(_("The basket's page answers with %(status)s.") % {"status": summary.status})
    trial.kept["basket"] = priced(basket, trial.friend)


def priced(basket: Any, user: Any) -> Any:
    """The basket as it is now, with its discounts worked out as a page does it."""
    fresh = get_model("basket", "Basket").objects.get(pk=basket.pk)
    fresh.strategy = get_class("partner.strategy", "Selector")().strategy(user=user)
    get_class("offer.applicator", "Applicator")().apply(fresh, user)
    return fresh


def _invitation(basket: Any) -> Iterator[Finding]:
    if tracking.claim_of_basket(str(basket.pk)) is None:
        yield broken(
            _("The basket knows nothing of the invitation: its order would be nobody's."),
            _(
                "Does a view of the shop fill baskets without the signal basket_addition? Send it, or use attach_claim."
            ),
        )
    else:
        yield fine(_("The basket is tied to the invitation."))


def _discount(basket: Any, trial: Trial) -> Iterator[Finding]:
    data = trial.need("offer").data
    if not conf.gives_vouchers():
        yield off(_("Discounts and gifts are switched off (VOUCHERS): none is issued, and none is examined."))
        return
    promised = [rule for rule in data.friend_rules if reward_kinds.get(rule.kind).is_discount]
    if not promised:
        yield fine(_("The program promises the friend nothing in the basket."))
        return
    taken = sum(
        (
            application["discount"]
            for application in basket.offer_applications
            if application["voucher"] is not None and vouchers.is_ours(application["voucher"].code)
        ),
        Decimal("0.00"),
    )
    if taken > 0:
        yield fine(
            _("The friend's discount is in the basket: %(amount)s off.")
            % {"amount": format_money(taken, basket.currency)}
        )
    elif any(vouchers.is_ours(code) for code in basket.vouchers.values_list("code", flat=True)):
        yield look(
            _("The friend's discount is in the basket and takes nothing off."),
            _(
                "Does another offer exclude it, is the minimum not reached, or is the product not discountable?"
            ),
        )
    else:
        yield broken(
            _("The friend's discount is not in the basket."),
            _("Is a view or a form of the basket replaced by one that drops vouchers?"),
        )


def in_our_currency(basket: Any) -> None:
    """Raises ``NotTried`` where credit cannot pay for this basket at all."""
    if basket.currency not in engine_conf.currencies():
        raise NotTried(
            _("Not tried: there is no credit in %(currency)s, in which the basket is.")
            % {"currency": basket.currency}
        )
