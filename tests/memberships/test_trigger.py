"""A friend who buys a new membership: what counts as one, what is asked of the editor, and what a rule counts."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from oscar_integration.memberships.models import Plan, PlanName
from oscar_integration.memberships.triggers import BuysMembership
from tests.admin.conftest import admin
from tests.admin.test_program_form import EDIT, errors_of, publish, start
from tests.books import assert_audit_clean
from tests.memberships.rows import NOW, give, make_user
from tests.memberships.shopping import make_sold_plan, pay, place, refund
from tests.oscar_integration.shopping import create_order, fill_basket, make_product, make_program
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, people, rewards
from wagtail_referrals.kinds import triggers
from wagtail_referrals.programs import parse, publish_terms, sentence
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward

__all__ = ["admin"]

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture
def camille(db: None) -> Any:
    return make_user("camille@example.com", "Camille")


@pytest.fixture
def advocate(camille: Any) -> Any:
    return people.advocate_for(camille)


@pytest.fixture
def yearly(db: None) -> Plan:
    return make_sold_plan("yearly", price="300.00", period_length=12)


@pytest.fixture
def day_pass(db: None) -> Plan:
    """Sold, and for trying out."""
    return make_sold_plan("day-pass", price="5.00", is_trial=True, period_unit="days", uses=1)


def rule(*plans: Plan, orders: str = "first", **values: Any) -> dict[str, Any]:
    trigger = BuysMembership()
    return {
        "side": "advocate",
        "trigger": trigger.key,
        "kind": "credit",
        "amounts": {"EUR": "15.00"},
        "options": trigger.freeze_options({"bought_plans": plans, "bought_plans_orders": orders}),
    } | values


def open_program(*rules: dict[str, Any], **values: Any) -> Any:
    return make_program(
        list(rules), **{"hold_days": 0, "hold_anchor": "paid", "new_customers_only": False} | values
    )


def first_order(advocate: Any, terms: Any, user: Any, *products: Any) -> Any:
    """Of a friend who followed the advocate's link; not paid."""
    return create_order(claimed(advocate, terms, *products, user=user), user=user)


def rewarded() -> list[tuple[str, Decimal]]:
    referral = Referral.objects.get()
    rewards.settle(referral.pk)
    given = Reward.objects.filter(posted__gt=0).order_by("pk").select_related("purchase")
    return [(reward.purchase.reference, reward.posted) for reward in given]


def test_who_becomes_a_member_brings_the_reward(advocate: Any, camille: Any, lea: Any, plan: Plan) -> None:
    terms = open_program(rule())
    order = first_order(advocate, terms, lea, plan.product)
    assert Purchase.objects.get().lines[0]["membership"] == {"plan": plan.pk, "kind": "new"}
    assert rewarded() == [], "not paid"
    pay(order)
    assert rewarded() == [(order.number, D("15.00"))]
    assert credit.available(camille, "EUR") == D("15.00")
    assert_audit_clean()


def test_who_is_one_already_does_not(advocate: Any, lea: Any, plan: Plan, yearly: Plan) -> None:
    pay(place(yearly, user=lea))
    terms = open_program(rule())
    order = pay(first_order(advocate, terms, lea, plan.product))
    assert Purchase.objects.get(reference=order.number).lines[0]["membership"]["kind"] == "extension"
    assert rewarded() == []
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("waiting_order", "other_products")


def test_who_only_had_a_gift_becomes_one(advocate: Any, lea: Any, plan: Plan, day_pass: Plan) -> None:
    give(lea, day_pass)
    terms = open_program(rule())
    order = pay(first_order(advocate, terms, lea, plan.product))
    assert rewarded() == [(order.number, D("15.00"))]


def test_another_thing_is_no_membership_and_the_membership_may_come_later(
    advocate: Any, lea: Any, plan: Plan
) -> None:
    mat = make_product("MAT", "100.00")
    terms = open_program(rule())
    pay(first_order(advocate, terms, lea, mat))
    assert rewarded() == []
    order = pay(create_order(fill_basket(plan.product, user=lea), user=lea))
    assert rewarded() == [(order.number, D("15.00"))]
    assert_audit_clean()


def test_what_is_for_trying_out_counts_only_where_it_is_named(
    advocate: Any, lea: Any, plan: Plan, day_pass: Plan
) -> None:
    terms = open_program(rule(), rule(day_pass, amounts={"EUR": "1.00"}))
    order = pay(first_order(advocate, terms, lea, day_pass.product))
    assert Purchase.objects.get().lines[0]["membership"]["trial"] is True
    assert rewarded() == [(order.number, D("1.00"))]


def test_only_the_plans_that_were_named(advocate: Any, lea: Any, plan: Plan, yearly: Plan) -> None:
    terms = open_program(rule(yearly))
    pay(first_order(advocate, terms, lea, plan.product))
    assert rewarded() == []


@pytest.mark.parametrize(("orders", "count"), [("first", 1), ("each", 2)])
def test_the_first_one_or_each_new_one(
    advocate: Any, lea: Any, plan: Plan, yearly: Plan, clock: Any, orders: str, count: int
) -> None:
    terms = open_program(rule(orders=orders), window_days=365)
    numbers = [pay(first_order(advocate, terms, lea, plan.product)).number]
    assert len(rewarded()) == 1
    # A month later it is over; what comes then is new again.
    clock.move_to(NOW + timedelta(days=60))
    rewards.sweep()
    numbers.append(pay(create_order(fill_basket(yearly.product, user=lea), user=lea)).number)
    kinds = [line["membership"]["kind"] for purchase in Purchase.objects.all() for line in purchase.lines]
    assert kinds == ["new", "new"]
    assert [number for number, _posted in rewarded()] == numbers[:count]
    assert_audit_clean()


def test_percentages_minimum_and_refunds_count_memberships_only(
    advocate: Any, camille: Any, lea: Any, plan: Plan
) -> None:
    mat = make_product("MAT", "100.00")
    percent = rule(kind="credit_percent", percent=D(10), amounts={})
    dear = rule(minimum_spend={"EUR": "50.00"})
    terms = open_program(percent, dear)
    order = pay(first_order(advocate, terms, lea, plan.product, mat))
    assert rewarded() == [(order.number, D("3.00"))]
    refund(order, "100.00", {order.lines.get(product=mat): 1})
    assert rewarded() == [(order.number, D("3.00"))]
    refund(order, "30.00", {order.lines.get(product=plan.product): 1})
    assert rewarded() == []
    assert credit.available(camille, "EUR") == 0


def test_what_costs_nothing_was_not_bought(advocate: Any, plan: Plan) -> None:
    promised = parse(open_program(rule())).rules[0]
    trigger = triggers.get(BuysMembership.key)
    line = {"line": 1, "amount": "0.00", "membership": {"plan": plan.pk, "kind": "new"}}
    assert trigger.eligible_lines(promised, [line]) == []
    assert trigger.eligible_lines(promised, [line | {"amount": "0.01"}]) != []
    assert trigger.eligible_lines(promised, [{"line": 1, "amount": "9.00"}]) == []
    renewal = line | {"amount": "9.00", "membership": {"plan": plan.pk, "kind": "renewal"}}
    assert trigger.eligible_lines(promised, [renewal]) == []


def test_what_was_new_stays_new(advocate: Any, lea: Any, plan: Plan) -> None:
    """Whatever the editor does with the plan since."""
    terms = open_program(rule(plan))
    order = pay(first_order(advocate, terms, lea, plan.product))
    Plan.objects.update(product=None)
    assert rewarded() == [(order.number, D("15.00"))]


# Words


@pytest.fixture
def named(plan: Plan, yearly: Plan) -> tuple[Plan, Plan]:
    for owner, names in ((plan, ("Monthly", "Au mois")), (yearly, ("Yearly", "À l'année"))):
        for language, name in zip(("en", "fr"), names, strict=True):
            PlanName.objects.create(plan=owner, language=language, name=name)
    return plan, yearly


def words(*plans: Plan, orders: str = "first") -> str:
    promised = parse(open_program(rule(*plans, orders=orders))).rules[0]
    return triggers.get(BuysMembership.key).words(promised)


def test_words(named: tuple[Plan, Plan]) -> None:
    assert words() == "has bought a new membership"
    assert words(orders="each") == "has bought a new membership, each time"
    assert words(*named) == "has bought a new membership (“Monthly” or “Yearly”)"
    assert words(named[0], orders="each") == "has bought a new membership (“Monthly”), each time"


def test_the_terms_keep_the_names_in_each_language(named: tuple[Plan, Plan]) -> None:
    promised = parse(open_program(rule(named[1]))).rules[0]
    PlanName.objects.update(name="Renamed")
    with translation.override("fr"):
        assert "À l'année" in triggers.get(BuysMembership.key).words(promised)
    named[1].delete()
    assert "“Yearly”" in triggers.get(BuysMembership.key).words(promised)


def test_a_plan_without_a_name_for_customers_has_that_for_editors(plan: Plan) -> None:
    assert words(plan) == "has bought a new membership (“Monthly”)"


# What the editor writes


def form_values(client: Any, *plans: Plan, orders: str = "first") -> dict[str, Any]:
    values = start(
        client, **{"rules-1-trigger": "buys_membership", "rules-1-option_bought_plans_orders": orders}
    )
    return values | {"rules-1-option_bought_plans": [str(plan.pk) for plan in plans]}


def test_the_form_keeps_the_plans(admin: Any, plan: Plan, yearly: Plan) -> None:
    response = publish(admin, form_values(admin, yearly, orders="each"))
    assert response.status_code == 302, errors_of(response)
    promised = parse(Terms.objects.get()).rules[1]
    assert promised.options == {
        "bought_plans": [yearly.pk],
        "bought_plans_names": [{"en": "Yearly"}],
        "bought_plans_orders": "each",
    }
    assert (
        "Once the friend has bought a new membership (“Yearly”), each time, your customer gets"
        in sentence(parse(Terms.objects.get()))
    )
    page = admin.get(reverse(EDIT, args=[Program.objects.get().pk])).content.decode()
    ticked = f'name="rules-1-option_bought_plans" value="{yearly.pk}"'
    assert ticked in page and "checked" in page.split(ticked)[1].split(">")[0]


def test_none_is_all(admin: Any, plan: Plan) -> None:
    response = publish(admin, form_values(admin))
    assert response.status_code == 302, errors_of(response)
    assert parse(Terms.objects.get()).rules[1].options == {"bought_plans_orders": "first"}


def test_a_shop_that_sells_no_membership_is_told(admin: Any) -> None:
    assert "No membership is sold so far" in errors_of(publish(admin, form_values(admin)))
    assert not Terms.objects.exists()


def test_what_is_no_longer_sold_has_to_be_chosen_again(admin: Any, plan: Plan, yearly: Plan) -> None:
    publish(admin, form_values(admin, plan, yearly))
    program = Program.objects.get()
    plan.delete()
    publish_terms(program)
    newest = parse(Terms.objects.latest("number"))
    assert [found.trigger for found in newest.rules] == ["arrives", "buys_membership"], "one is left"
    Plan.objects.update(product=None)
    publish_terms(program)
    newest = parse(Terms.objects.latest("number"))
    assert [found.trigger for found in newest.rules] == ["arrives"]
    page = admin.get(reverse(EDIT, args=[program.pk]))
    assert page.status_code == 200
