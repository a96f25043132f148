"""The friend has credit, and goes through the checkout up to the preview. Nothing is paid."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final
from uuid import uuid4

from django.apps import apps
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.translation import gettext as _
from oscar.core.loading import get_class, get_model

from oscar_integration import conf
from oscar_integration.checkout import ACTION, CreditPaymentMixin
from oscar_integration.doctor.basket import in_our_currency, priced
from oscar_integration.reading import payment_view_problems
from wagtail_referrals import credit
from wagtail_referrals.doctor import (
    Answer,
    Browser,
    Finding,
    NotTried,
    Trial,
    broken,
    crash,
    filled,
    fine,
    look,
    off,
)

# More than any basket costs.
PLENTY: Final = Decimal("100000.00")
# What stands in the pages where our blocks are.
FORM: Final = 'class="referral-credit '
TOTALS: Final = "referral-credit-totals-title"
PLACE: Final = 'value="place_order"'


def examine_checkout(trial: Trial) -> Iterator[Finding]:
    basket, browser = trial.need("basket"), trial.need("browser")
    try:
        details, preview = reverse("checkout:payment-details"), reverse("checkout:preview")
    except NoReverseMatch:
        yield look(_("The shop has none of Oscar's checkout pages: no credit can be used there."))
        return
    yield from _deliver(basket, browser, trial)
    if not conf.credit_at_checkout():
        yield off(_("Paying with credit is switched off (CREDIT_AT_CHECKOUT): the checkout is as it was."))
        return
    view = getattr(resolve(preview).func, "view_class", None)
    if view is None or not issubclass(view, CreditPaymentMixin):
        yield _not_ours(view)
        return
    yield fine(_("The checkout's addresses lead to the view with credit, on top of the shop's own."))
    in_our_currency(basket)
    credit.grant(
        user=trial.need("friend"),
        currency=basket.currency,
        amount=PLENTY,
        key=f"doctor:{uuid4().hex}",
        now=trial.now,
    )
    yield from _through(details, preview, browser)


def _not_ours(view: Any) -> Finding:
    configured = getattr(apps.get_app_config("checkout"), "payment_details_view", None)
    if configured is not None and issubclass(configured, CreditPaymentMixin):
        return broken(
            _(
                "The checkout's addresses lead to a view without credit: they were made before all apps were ready."
            ),
            _("Something calls reverse() while apps are loading: use reverse_lazy() there."),
        )
    problems = payment_view_problems(configured) if configured is not None else []
    return broken(
        _("The payment step takes no credit: %(problem)s.") % {"problem": problems[0]}
        if problems
        else _("The payment step takes no credit."),
        _(
            "Charge the total that handle_payment is handed, and nothing else, or set CREDIT_AT_CHECKOUT to False."
        ),
    )


def _deliver(basket: Any, browser: Browser, trial: Trial) -> Iterator[Finding]:
    """As if the friend had chosen an address and a way of delivery: those forms are the shop's own."""
    start = browser.get(reverse("checkout:index"), public=False)
    if start.error is not None:
        yield crash(start.error, _("The checkout's first step fails"))
    request, session = browser.request, browser.client.session
    request.session, request.user, request.basket = session, trial.friend, basket
    chosen = get_class("checkout.utils", "CheckoutSessionData")(request)
    address = None
    if basket.is_shipping_required():
        UserAddress, Country = get_model("address", "UserAddress"), get_model("address", "Country")
        country = Country.objects.filter(is_shipping_country=True).order_by("-display_order", "pk").first()
        if country is None:
            raise NotTried(_("Not tried: Oscar has no country to deliver to."))
        address = filled(
            UserAddress,
            user=trial.friend,
            country=country,
            first_name="Referrals",
            last_name="Doctor",
            line1="1 Test Street",
            line4="Testing",
            postcode="10000",
        )
        address.save()
        chosen.ship_to_user_address(address)
    methods = get_class("shipping.repository", "Repository")().get_shipping_methods(
        basket=basket, user=trial.friend, shipping_addr=address, request=request
    )
    if not methods:
        raise NotTried(_("Not tried: the shop delivers this product nowhere."))
    chosen.use_shipping_method(methods[0].code)
    session.save()
    trial.kept["address"], trial.kept["method"] = address, methods[0]
    trial.kept["basket"] = priced(basket, trial.friend)


def _through(details: str, preview: str, browser: Browser) -> Iterator[Finding]:
    step = browser.get(details, public=False)
    if (refusal := _refused(_("The payment step"), step, details)) is not None:
        yield refusal
        return
    if FORM not in step.text:
        yield broken(
            _("The payment step is drawn, and does not offer to use credit."),
            _(
                "Its template shows no block “payment_details”: put {% load referral_credit %} and "
                "{% referral_credit_form %} in, outside other forms."
            ),
        )
    else:
        yield fine(_("The payment step offers to use credit."))
    last = browser.post(details, {"action": ACTION, "use": "on", "amount": f"{PLENTY:.0f}"})
    if (refusal := _refused(_("The preview, paid with credit,"), last, preview)) is not None:
        yield refusal
        return
    if TOTALS not in last.text:
        yield broken(
            _("The preview is drawn, and does not say what credit pays."),
            _(
                "Its template shows no block “place_order”: put {% load referral_credit %} and "
                "{% referral_credit_totals %} in, outside other forms."
            ),
        )
    elif PLACE not in last.text:
        yield broken(
            _("The preview has nothing to place the order with."),
            _("Its template is to have a form with action=place_order in its block “place_order”."),
        )
    else:
        yield fine(_("The preview says what credit pays, and the order can be placed there."))


def _refused(name: str, answer: Answer, path: str) -> Finding | None:
    if answer.error is not None:
        return crash(answer.error, _("%(page)s fails") % {"page": name})
    if not answer.is_page:
        return broken(_("%(page)s answers with %(status)s.") % {"page": name, "status": answer.status})
    if answer.path.split("?")[0] != path:
        return look(
            _("%(page)s leads to %(path)s: the shop wants something first that the doctor does not know.")
            % {"page": name, "path": answer.path},
            _("Go through the checkout by hand, with credit."),
        )
    return None
