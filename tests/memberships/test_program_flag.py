"""Programs with memberships: whether credit pays renewals first, and the ready-made ones."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.urls import reverse
from oscar.core.loading import get_model

from example_site.card.gateway import ACCEPTED
from oscar_integration.memberships.models import Membership, Plan, PlanName
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import record_use
from tests.admin.conftest import admin
from tests.admin.forms import values_of
from tests.admin.test_program_form import ADD, EDIT, errors_of, publish, start
from tests.books import assert_audit_clean
from tests.memberships.rows import give, make_plan
from tests.memberships.shopping import make_sold_plan, membership_of, pay
from tests.oscar_integration.conftest import mat
from tests.oscar_integration.paying import Customer, sources
from tests.oscar_integration.shopping import Friend, create_order, fill_basket
from wagtail_referrals import credit, people, rewards
from wagtail_referrals.programs import parse, presets, sentence
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals import shop_renews
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

__all__ = ["admin", "mat"]

pytestmark = pytest.mark.django_db

D = Decimal
PAYS = "The credit is used for membership renewals automatically, before the card is charged."


@pytest.fixture
def day_pass(db: None) -> Plan:
    plan = make_plan("day-pass", "Day pass", period_unit="days", uses=1, is_trial=True, gift_only=True)
    PlanName.objects.create(plan=plan, language="fr", name="Une visite")
    return plan


@pytest.fixture
def monthly(db: None) -> Plan:
    return make_sold_plan("monthly", title="Monthly", renews=True)


# The box


def test_this_shop_renews() -> None:
    assert shop_renews()


def test_the_editor_ticks_it(admin: Any) -> None:
    values = start(admin)
    assert "credit_pays_renewals" not in values, "off at first"
    page = BeautifulSoup(admin.get(reverse(ADD), {"preset": "empty"}).content, "html.parser")
    assert page.find("input", {"name": "credit_pays_renewals"})
    assert publish(admin, values).status_code == 302
    assert PAYS not in sentence(parse(Terms.objects.get()))
    edit = reverse(EDIT, args=[Program.objects.get().pk])
    values = values_of(admin.get(edit).content.decode()) | {"action-publish": "1"}
    response = admin.post(edit, values | {"credit_pays_renewals": "on"})
    assert response.status_code == 302, errors_of(response)
    newest = parse(Terms.objects.latest("number"))
    assert newest.credit_pays_renewals and sentence(newest).endswith(PAYS)
    assert "credit_pays_renewals" in values_of(admin.get(edit).content.decode())
    assert admin.post(edit, values).status_code == 302
    assert Terms.objects.count() == 2, "it is the first version again"
    assert not Program.objects.get().credit_pays_renewals


def test_the_sentence_beside_the_form_says_it(admin: Any) -> None:
    values = start(admin) | {"credit_pays_renewals": "on"}
    said = admin.post(reverse("wagtail_referrals_programs:sentence"), values).json()
    assert said["sentence"].endswith(PAYS)
    none = values | {"rules-1-kind": "free_shipping"}
    said = admin.post(reverse("wagtail_referrals_programs:sentence"), none).json()
    assert PAYS not in said["sentence"]
    assert "No reward is credit: there is nothing that could pay a renewal." in said["hints"]


# Ready-made programs


def card(client: Any, key: str) -> str:
    soup = BeautifulSoup(client.get(reverse(ADD)).content, "html.parser")
    link = soup.find("a", href=lambda href: href and href.endswith(f"preset={key}"))
    return str(link.find_parent("li").get_text(" ", strip=True))


NO_PLAN = "“Membership or pass”: There is no plan yet: make one under “Plans” first."


@pytest.mark.parametrize("key", ["try_once", "month_for_month"])
def test_without_a_plan_it_is_said_what_is_missing(admin: Any, key: str) -> None:
    assert NO_PLAN in card(admin, key)
    page = admin.get(reverse(ADD), {"preset": key})
    assert NO_PLAN in page.content.decode()
    errors = errors_of(publish(admin, start(admin, key)))
    assert "There is no plan yet" in errors and "No membership is sold so far" in errors
    assert not Terms.objects.exists()
    draft = admin.post(reverse(ADD), start(admin, key))
    assert draft.status_code == 302, "it can be kept as a draft"


def test_new_friends_try_once(admin: Any, day_pass: Plan, monthly: Plan) -> None:
    assert "the friend gets a free “Day pass”" in card(admin, "try_once")
    response = publish(admin, start(admin, "try_once"))
    assert response.status_code == 302, errors_of(response)
    data = parse(Terms.objects.get())
    assert sentence(data) == (
        "When your customer refers a friend, the friend gets a free “Day pass”. "
        "Once the friend has bought a new membership, your customer gets €15.00 of referral credit, "
        "14 days after payment, at most 10 times a year. " + PAYS
    )
    assert data.rules[0].options["gift_plan_names"] == {"en": "Day pass", "fr": "Une visite"}


def test_a_month_for_a_month(admin: Any, day_pass: Plan, monthly: Plan) -> None:
    response = publish(admin, start(admin, "month_for_month"))
    assert response.status_code == 302, errors_of(response)
    data = parse(Terms.objects.get())
    assert sentence(data) == (
        "When your customer refers a friend, the friend gets 10% off one order. "
        "Once the friend has bought a new membership, your customer gets a free “Monthly”, "
        "14 days after payment, at most 10 times a year."
    )
    assert data.rules[1].options["gift_plan_prolongs"] is True


def test_only_what_is_sold_is_missing(admin: Any, day_pass: Plan) -> None:
    errors = errors_of(publish(admin, start(admin, "try_once")))
    assert "No membership is sold so far" in errors and "There is no plan yet" not in errors


def test_ready_made_ones_choose_what_fits(day_pass: Plan, monthly: Plan) -> None:
    ten = make_plan("ten", uses=10)

    def chosen(key: str) -> Any:
        return next(
            rule.options["gift_plan"]
            for rule in presets.get(key).build().rules.all()
            if rule.kind == "membership"
        )

    assert (chosen("try_once"), chosen("month_for_month")) == (day_pass.pk, monthly.pk)
    day_pass.delete()
    assert chosen("try_once") == ten.pk
    monthly.delete()
    assert chosen("month_for_month") == ten.pk


# Through the shop


@pytest.fixture
def camille(make_customer: Any) -> Any:
    return make_customer("camille@example.com", first_name="Camille")


@pytest.fixture
def try_once(admin: Any, day_pass: Plan, monthly: Plan) -> Terms:
    """The ready-made program, published as it is but for its waiting period."""
    response = publish(admin, start(admin, "try_once", hold_days="0"))
    assert response.status_code == 302, errors_of(response)
    return Terms.objects.get()


def becomes_a_member(camille: Any, terms: Terms, plan: Plan) -> Any:
    """A friend opens an account through the link, comes once, and buys the plan; the friend."""
    friend = Friend()
    friend.click(people.advocate_for(camille), terms)
    friend.register("lea@example.com")
    rewards.sweep()
    lea = Referral.objects.get().friend
    come_once = membership_of(lea)
    record_use(come_once, key="desk", how="list", by=None)
    pay(create_order(fill_basket(plan.product, user=lea), user=lea))
    rewards.sweep()
    return lea


def test_a_friend_tries_it_becomes_a_member_and_brings_the_credit(
    camille: Any, try_once: Terms, day_pass: Plan, monthly: Plan
) -> None:
    lea = becomes_a_member(camille, try_once, monthly)
    settle(membership_of(lea, monthly).pk)
    assert (membership_of(lea, day_pass).state, membership_of(lea, monthly).state) == ("ended", "active")
    reward = Reward.objects.get(side="advocate")
    assert (reward.posted, reward.state) == (D("15.00"), "given")
    assert rewards.renewal_credit(camille, "EUR") == D("15.00")
    assert_audit_clean()


def test_who_has_nothing_to_renew_pays_the_next_purchase_with_it(
    camille: Any, try_once: Terms, monthly: Plan, france: Any, mat: Any
) -> None:
    """Credit that would pay a renewal is offered by the checkout as any other."""
    becomes_a_member(camille, try_once, monthly)
    assert not Membership.objects.filter(user=camille).exists()
    customer = Customer(camille)
    assert "Use my €15.00" in customer.go_to_payment().content.decode()
    customer.use("15.00")
    assert customer.place(ACCEPTED).url.endswith("/checkout/thank-you/")
    assert credit.available(camille, "EUR") == rewards.renewal_credit(camille, "EUR") == 0
    assert sources(get_model("order", "Order").objects.latest("pk"))["referral-credit"] == "15.00"
    assert_audit_clean()


def test_what_a_renewal_could_take_is_not_kept_from_the_checkout(
    camille: Any, try_once: Terms, monthly: Plan, france: Any, mat: Any
) -> None:
    """Nor for a member: it is the customer's to spend."""
    give(camille, monthly)
    becomes_a_member(camille, try_once, monthly)
    assert "Use my €15.00" in Customer(camille).go_to_payment().content.decode()
