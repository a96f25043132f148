"""A small catalogue, a published program, and a friend who shops: shared by the tests of this package."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.utils import timezone
from oscar.apps.order.utils import OrderCreator
from oscar.core.loading import get_class, get_model
from oscar.test import factories

from example_site.card.gateway import ACCEPTED
from tests.example_site.conftest import Shopper
from wagtail_referrals import conf, tracking
from wagtail_referrals.programs import publish_terms
from wagtail_referrals.programs.models import Program, ProgramRule, ProgramText
from wagtail_referrals.tracking.models import Visit

PASSWORD = "a-long-password-7"


def make_program(rules: list[dict[str, Any]] | None = None, **values: Any) -> Any:
    """Publish "give 10 %, get 15 €", or what the rules say; the terms."""
    program = Program(name="Give 10, get 15", live=True, **({"hold_days": 14} | values))
    program.texts = [ProgramText(language="en", headline="Welcome")]
    program.rules = [
        ProgramRule(sort_order=index, **rule)
        for index, rule in enumerate(
            rules
            or [
                {"side": "friend", "trigger": "arrives", "kind": "discount_percent", "percent": Decimal(10)},
                {
                    "side": "advocate",
                    "trigger": "first_purchase",
                    "kind": "credit",
                    "amounts": {"EUR": "15.00"},
                },
            ]
        )
    ]
    program.save()
    return publish_terms(program)


def make_product(upc: str, price: str, *, sent: bool = True, currency: str = "EUR") -> Any:
    name = "Sent" if sent else "By e-mail"
    kind, _created = get_model("catalogue", "ProductClass").objects.get_or_create(
        name=name, defaults={"requires_shipping": sent, "track_stock": False}
    )
    product = factories.create_product(upc=upc, title=upc.title(), product_class=kind.name)
    factories.create_stockrecord(product, price=Decimal(price), num_in_stock=1000, currency=currency)
    return product


class Friend(Shopper):
    """A browser that may come by a share link."""

    def __init__(self, client: Client | None = None, language: str = "en") -> None:
        super().__init__(client or Client(), language)

    def click(self, advocate: Any, terms: Any, now: Any = None) -> Visit:
        visit = Visit.objects.create(
            advocate=advocate, terms=terms, language=self.language, created_at=now or timezone.now()
        )
        self.client.cookies[conf.get("COOKIE_NAME")] = tracking.token_for(visit)
        return visit

    def type_code(self, text: str) -> Any:
        return self.client.post(self.url("basket/vouchers/add/"), {"code": text})

    def register(self, email: str, **values: str) -> Any:
        response = self.client.post(
            self.url("accounts/register/"),
            {
                "email": email,
                "password1": PASSWORD,
                "password2": PASSWORD,
                "registration-email": email,
                "registration-password1": PASSWORD,
                "registration-password2": PASSWORD,
                "registration_submit": "Register",
                **values,
            },
        )
        assert response.status_code == 302, response.context["registration_form"].errors
        return response

    def log_in(self, email: str) -> Any:
        response = self.client.post(
            self.url("accounts/login/"),
            {"login-username": email, "login-password": PASSWORD, "login_submit": "Log In"},
        )
        assert response.status_code == 302
        return response

    def log_out(self) -> None:
        self.client.post(self.url("accounts/logout/"))
        self.client.get(self.url("accounts/logout/"))

    def begin_checkout(self) -> Any:
        """As a customer who is signed in."""
        return self.client.get(self.url("checkout/"))

    def buy(self, number: str = ACCEPTED) -> Any:
        """Deliver and pay; the order."""
        self.deliver()
        response = self.place(number)
        assert response.status_code == 302, response.content.decode()[:2000]
        return get_model("order", "Order").objects.latest("pk")

    def basket(self) -> Any:
        """The basket as its page shows it."""
        response = self.client.get(self.url("basket/"))
        assert response.status_code == 200
        return response.context["basket"]

    def messages(self) -> list[str]:
        """What the next page tells."""
        response = self.client.get(self.url("basket/"))
        return [str(message) for message in response.context["messages"]]


def fill_basket(*products: Any, user: Any = None) -> Any:
    """A basket with a strategy and one of each product, as code without a request makes it."""
    basket = get_model("basket", "Basket").objects.create(owner=user)
    basket.strategy = get_class("partner.strategy", "Selector")().strategy()
    for product in products:
        basket.add_product(product)
    return basket


def create_order(basket: Any, *, user: Any = None, email: str = "", **values: Any) -> Any:
    """Oscar's OrderCreator, as a job without a request calls it."""
    basket.reset_offer_applications()
    get_class("offer.applicator", "Applicator")().apply(basket, user or AnonymousUser())
    method = get_class("shipping.repository", "Repository")().get_default_shipping_method(basket)
    charge = method.calculate(basket)
    total = get_class("checkout.calculators", "OrderTotalCalculator")().calculate(basket, charge)
    order = OrderCreator().place_order(
        basket,
        total,
        shipping_method=method,
        shipping_charge=charge,
        user=user or AnonymousUser(),
        **({"guest_email": email} if email else {}),
        **values,
    )
    basket.submit()
    return type(order).objects.get(pk=order.pk)


def site_offer(name: str, percent: str, product: Any = None, **values: Any) -> Any:
    reach = factories.RangeFactory(
        name=f"Range of {name}", includes_all_products=product is None, products=[product] if product else []
    )
    return factories.ConditionalOfferFactory(
        name=name,
        offer_type=values.pop("offer_type", get_model("offer", "ConditionalOffer").SITE),
        condition=factories.ConditionFactory(range=reach, type="Count", value=1),
        benefit=factories.BenefitFactory(
            range=reach, type="Percentage", value=Decimal(percent), max_affected_items=None
        ),
        max_basket_applications=1,
        **values,
    )


def shop_voucher(code: str, percent: str) -> Any:
    voucher = factories.VoucherFactory(
        code=code,
        name=f"Voucher {code}",
        start_datetime=timezone.now() - timedelta(days=1),
        end_datetime=timezone.now() + timedelta(days=1),
    )
    voucher.offers.add(
        site_offer(f"Offer {code}", percent, offer_type=get_model("offer", "ConditionalOffer").VOUCHER)
    )
    return voucher
