"""What a shop is told before its customers find out; and how the views are put together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.template import engines
from oscar.apps.checkout import views

from oscar_integration import checks, conf
from oscar_integration.checkout import (
    CreditPaymentMethodMixin,
    CreditPaymentMixin,
    extend,
    extend_checkout,
)
from oscar_integration.reading import mixin_problems, payment_view_problems
from wagtail_referrals.site.template_blocks import shown_blocks


def ids(found: list[Any]) -> list[str]:
    for message in found:
        assert message.hint, message
    return [message.id for message in found]


def config(view: type) -> SimpleNamespace:
    return SimpleNamespace(payment_details_view=view, payment_method_view=views.PaymentMethodView)


class Charges(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        self.charged = total.incl_tax


class ChargesTheBasket(views.PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        self.charged = self.request.basket.total_incl_tax


class NeverAsks(views.PaymentDetailsView):
    def submit(self, **kwargs):
        return self.handle_order_placement(1, **kwargs)


class AsksItself(views.PaymentDetailsView):
    def submit(self, order_total, **kwargs):
        self.handle_payment(1, order_total)


class AsksOscar(views.PaymentDetailsView):
    def submit(self, *args, **kwargs):
        return super().submit(*args, **kwargs)


# The views


def test_the_example_shops_views_are_extended() -> None:
    checkout = apps.get_app_config("checkout")
    assert issubclass(checkout.payment_details_view, CreditPaymentMixin)
    assert issubclass(checkout.payment_method_view, CreditPaymentMethodMixin)
    assert ids(checks.check_payment_view()) == []


def test_a_view_is_extended_once_and_keeps_its_name() -> None:
    once = extend(Charges, CreditPaymentMixin)
    assert issubclass(once, Charges) and once.__name__ == "Charges" and once.__module__ == __name__
    assert extend(once, CreditPaymentMixin) is once


def test_switched_off_no_view_is_touched(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"CREDIT_AT_CHECKOUT": False}
    shop = config(Charges)
    assert extend_checkout(shop) == []
    assert shop == config(Charges)
    assert checks.check_payment_view() == []


def test_before_oscars_checkout_there_is_nothing_to_extend() -> None:
    assert extend_checkout(SimpleNamespace()) == []


@pytest.mark.parametrize("view", [views.PaymentDetailsView, Charges, AsksItself, AsksOscar])
def test_views_that_work_are_extended(view: type) -> None:
    assert payment_view_problems(view) == []
    assert extend_checkout(config(view)) == ["payment_method_view", "payment_details_view"]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (ChargesTheBasket, "ChargesTheBasket.handle_payment() does not use the total it is handed"),
        (NeverAsks, "neither calls self.handle_payment() nor super().submit()"),
    ],
)
def test_a_view_that_would_charge_twice_is_left_alone_and_said(
    view: type, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = config(view)
    assert extend_checkout(shop) == []
    assert shop.payment_details_view is view
    monkeypatch.setattr(apps.get_app_config("checkout"), "payment_details_view", view)
    (found,) = checks.check_payment_view()
    assert ids([found]) == ["oscar_integration.W002"]
    assert words in found.msg


def test_a_method_above_the_mixin_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgets(CreditPaymentMixin, views.PaymentDetailsView):
        def handle_payment(self, order_number, total, **kwargs):
            self.charged = total

    class Charges(CreditPaymentMixin, views.PaymentDetailsView):
        def handle_payment(self, order_number, total, **kwargs):
            super().handle_payment(order_number, total, **kwargs)
            self.charged = total

    class Fine(CreditPaymentMixin, AsksOscar):
        pass

    assert "does not call super().handle_payment()" in str(mixin_problems(Forgets, CreditPaymentMixin)[0])
    assert "without the credit taken off" in str(mixin_problems(Charges, CreditPaymentMixin)[0])
    assert mixin_problems(Fine, CreditPaymentMixin) == []
    monkeypatch.setattr(apps.get_app_config("checkout"), "payment_details_view", Forgets)
    assert ids(checks.check_payment_view()) == ["oscar_integration.W002"]


def test_a_view_with_the_mixin_by_hand_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out where the judgement is wrong: the shop says itself that its view charges what is left."""

    class ByHand(CreditPaymentMixin, ChargesTheBasket):
        pass

    shop = config(ByHand)
    assert extend_checkout(shop) == ["payment_method_view", "payment_details_view"]
    assert shop.payment_details_view is ByHand
    assert issubclass(shop.payment_method_view, CreditPaymentMethodMixin)


# The templates


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{% block place_order %}{% endblock %}", True),
        ("{% if x %}{% block place_order %}{% endblock %}{% else %}-{% endif %}", True),
        ('{% extends "oscar/checkout/preview.html" %}', True),
        ('{% extends "oscar/checkout/checkout.html" %}{% block content %}Mine{% endblock %}', False),
        (
            '{% extends "oscar/checkout/checkout.html" %}{% block content %}{{ block.super }}{% endblock %}',
            True,
        ),
        ("<p>All my own</p>", False),
    ],
)
def test_whether_a_template_shows_a_block(source: str, shown: bool) -> None:
    template = engines["django"].from_string(source).template
    assert ("place_order" in shown_blocks(template)) is shown


def test_unknown_names_are_no_setting() -> None:
    with pytest.raises(KeyError):
        conf.get("PAYED_STATUSES")
