"""Buys from a range, buys a type of product: what is asked, what is frozen, and what a rule counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_integration import shop as oscar_shop
from oscar_integration.triggers import BuysFromRange, BuysProductClass, asked_ranges
from tests.admin.conftest import admin
from tests.admin.test_program_form import EDIT, errors_of, publish, start
from tests.oscar_integration.shopping import Friend, create_order, fill_basket, make_product, make_program
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, rewards
from wagtail_referrals.kinds import triggers
from wagtail_referrals.programs import parse, program_hints, publish_terms, sentence
from wagtail_referrals.programs.models import Program, ProgramRule, Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward

__all__ = ["admin"]

pytestmark = pytest.mark.django_db

D = Decimal
Range = get_model("offer", "Range")
Product = get_model("catalogue", "Product")


@pytest.fixture
def mats(mat: Any) -> Any:
    return factories.RangeFactory(name="Kapok mats", products=[mat])


def range_rule(reach: Any, orders: str = "first", **values: Any) -> dict[str, Any]:
    trigger = BuysFromRange()
    return {
        "side": "advocate",
        "trigger": trigger.key,
        "kind": "credit_percent",
        "percent": D(10),
        "options": trigger.freeze_options({trigger.option: reach, trigger.orders: orders}),
    } | values


def class_rule(kind: Any, orders: str = "first", **values: Any) -> dict[str, Any]:
    trigger = BuysProductClass()
    return {
        "side": "advocate",
        "trigger": trigger.key,
        "kind": "credit",
        "amounts": {"EUR": "15.00"},
        "options": trigger.freeze_options({trigger.option: kind, trigger.orders: orders}),
    } | values


def done(order: Any) -> None:
    type(order).objects.filter(pk=order.pk).update(status="Complete")


def rewarded() -> dict[str, str]:
    """What the advocate was given for which order."""
    referral = Referral.objects.get()
    rewards.settle(referral.pk)
    given = Reward.objects.filter(posted__gt=0).select_related("purchase")
    return {reward.purchase.reference: str(reward.posted) for reward in given}


def pay_back(order: Any, amount: str, upc: str = "") -> None:
    kind, _created = get_model("order", "PaymentEventType").objects.get_or_create(name="Refund")
    event = order.payment_events.create(event_type=kind, amount=D(amount))
    for line in order.lines.filter(upc=upc):
        event.line_quantities.create(line=line, quantity=line.quantity)


# What a rule counts


def test_only_the_lines_of_the_range_count(
    advocate: Any, mat: Any, strap: Any, mats: Any, camille: Any
) -> None:
    terms = make_program([range_rule(mats)], hold_days=0)
    order = create_order(claimed(advocate, terms, mat, strap), email="lea@example.com")
    done(order)
    assert rewarded() == {order.number: "10.00"}
    pay_back(order, "20.00", "STRAP")
    assert rewarded() == {order.number: "10.00"}, "another line"
    pay_back(order, "50.00", "MAT")
    assert rewarded() == {order.number: "5.00"}
    pay_back(order, "10.00")
    assert rewarded() == {order.number: "4.00"}, (
        "money without a line: only half of the mat is left to pay it"
    )
    assert credit.available(camille, "EUR") == D("4.00")


def test_a_cancelled_line_is_a_line_given_back(advocate: Any, mat: Any, strap: Any, mats: Any) -> None:
    terms = make_program([range_rule(mats)], hold_days=0)
    order = create_order(claimed(advocate, terms, mat, strap), email="lea@example.com")
    done(order)
    order.lines.filter(upc="STRAP").update(status="Cancelled")
    assert rewarded() == {order.number: "10.00"}
    order.lines.filter(upc="STRAP").update(status="Pending")
    order.lines.filter(upc="MAT").update(status="Cancelled")
    assert rewarded() == {}


@pytest.mark.parametrize(("orders", "count"), [("first", 1), ("each", 2)])
def test_the_first_such_order_or_each_one(
    advocate: Any, mat: Any, strap: Any, mats: Any, make_customer: Any, orders: str, count: int
) -> None:
    lea = make_customer("lea@example.com")
    terms = make_program([range_rule(mats, orders)], hold_days=0)
    made = [create_order(claimed(advocate, terms, strap, user=lea), user=lea)]
    for _ in range(2):
        made.append(create_order(fill_basket(mat, user=lea), user=lea))
    for order in made:
        done(order)
    assert list(rewarded()) == [order.number for order in made[1 : 1 + count]]


def test_a_type_of_product(advocate: Any, mat: Any, camille: Any) -> None:
    card = make_product("CARD", "50.00", sent=False)
    terms = make_program([class_rule(card.get_product_class())], hold_days=0)
    order = create_order(claimed(advocate, terms, mat), email="lea@example.com")
    done(order)
    assert rewarded() == {}
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("waiting_order", "other_products")
    order = create_order(fill_basket(card), email="lea@example.com")
    done(order)
    assert rewarded() == {order.number: "15.00"}


def test_a_variant_is_of_its_parents_type_and_range(advocate: Any) -> None:
    parent = factories.ProductFactory(structure="parent", stockrecords=[], upc="PARENT")
    child = factories.ProductFactory(
        structure="child", parent=parent, product_class=None, upc="CHILD", stockrecords=[]
    )
    factories.StockRecordFactory(product=child, price=D("30.00"), price_currency="EUR", num_in_stock=9)
    parent.product_class.requires_shipping = False
    parent.product_class.save()
    reach = factories.RangeFactory(name="Of the parent", products=[parent])
    terms = make_program([range_rule(reach), class_rule(parent.product_class)], hold_days=0)
    order = create_order(claimed(advocate, terms, child), email="lea@example.com")
    (line,) = Purchase.objects.get().lines
    assert (line["ranges"], line["product_class"]) == ([reach.pk], parent.product_class_id)
    done(order)
    rewarded()
    assert sorted(Reward.objects.values_list("posted", flat=True)) == [D("3.00"), D("15.00")]


def test_a_gift_is_not_bought(advocate: Any, mats: Any) -> None:
    trigger = triggers.get(BuysFromRange.key)
    rule = parse(make_program([range_rule(mats)])).rules[0]
    given_away = {"line": 1, "amount": "0.00", "ranges": [mats.pk]}
    assert trigger.eligible_lines(rule, [given_away]) == []
    assert trigger.eligible_lines(rule, [given_away | {"amount": "0.01"}]) != []


# What is in a range


def catalogue() -> dict[str, Any]:
    """Products below two categories, a parent with a variant, one of another type."""
    root = get_model("catalogue", "Category").add_root(name="Yoga")
    below = root.add_child(name="Mats of wool")
    found = {upc: make_product(upc, "10.00") for upc in ("PLAIN", "ROOT", "BELOW")}
    found["VIRTUAL"] = make_product("VIRTUAL", "10.00", sent=False)
    # Without the factory's own categories: it counts their paths by itself, and may meet those of the tree above.
    found["PARENT"] = factories.ProductFactory(
        structure="parent", stockrecords=[], categories=[], upc="PARENT"
    )
    found["CHILD"] = factories.ProductFactory(
        structure="child",
        parent=found["PARENT"],
        product_class=None,
        upc="CHILD",
        stockrecords=[],
        categories=[],
    )
    found["ROOT"].categories.add(root)
    found["BELOW"].categories.add(below)
    found["PARENT"].categories.add(below)
    return found | {"root": root, "below": below}


def everything(products: dict[str, Any], reach: Any) -> None:
    reach.includes_all_products = True
    reach.save()
    reach.excluded_products.add(products["PLAIN"])
    reach.excluded_categories.add(products["below"])


@pytest.mark.parametrize(
    ("fill", "inside"),
    [
        pytest.param(lambda p, r: r.add_product(p["PLAIN"]), {"PLAIN"}, id="a product"),
        pytest.param(lambda p, r: r.add_product(p["PARENT"]), {"PARENT", "CHILD"}, id="a parent"),
        pytest.param(
            lambda p, r: r.included_categories.add(p["root"]),
            {"ROOT", "BELOW", "PARENT", "CHILD"},
            id="a category",
        ),
        pytest.param(
            lambda p, r: (r.included_categories.add(p["root"]), r.excluded_products.add(p["BELOW"])),
            {"ROOT", "PARENT", "CHILD"},
            id="without a product",
        ),
        pytest.param(
            lambda p, r: r.classes.add(p["PARENT"].product_class), {"PARENT", "CHILD"}, id="a type of product"
        ),
        pytest.param(everything, {"ROOT", "VIRTUAL"}, id="everything but"),
        pytest.param(lambda p, r: None, set(), id="nothing"),
    ],
)
def test_a_range_is_what_oscar_says(fill: Any, inside: set[str]) -> None:
    products, reach = catalogue(), Range.objects.create(name="Some")
    fill(products, reach)
    by_upc = {upc: product for upc, product in products.items() if isinstance(product, Product)}
    found = oscar_shop.ranges_of([product.pk for product in by_upc.values()], [reach.pk])
    assert {upc for upc, product in by_upc.items() if found.get(product.pk) == [reach.pk]} == inside
    fresh = Range.objects.get(pk=reach.pk)
    assert {upc for upc, product in by_upc.items() if fresh.contains_product(product)} == inside


class Dear:
    """A range of the shop's own making."""

    name = "Dear things"

    def contains_product(self, product: Any) -> bool:
        return product.upc in ("PLAIN", "CHILD")

    def num_products(self) -> int:
        return 2

    def all_products(self) -> list[Any]:
        raise AssertionError("a shop's range may not know")


def test_a_range_of_the_shops_own_making_is_asked() -> None:
    products = catalogue()
    reach = Range.objects.create(name="Dear", proxy_class=f"{__name__}.Dear")
    ids = [product.pk for product in products.values() if isinstance(product, Product)]
    found = oscar_shop.ranges_of(ids, [reach.pk])
    assert set(found) == {products["PLAIN"].pk, products["CHILD"].pk}


def test_a_range_that_is_gone_has_nothing(mat: Any, mats: Any) -> None:
    assert oscar_shop.ranges_of([mat.pk, None], [mats.pk]) == {mat.pk: [mats.pk]}
    assert oscar_shop.ranges_of([mat.pk], [mats.pk + 1]) == {}
    assert oscar_shop.ranges_of([None], [mats.pk]) == {}


# Frozen with the order


def test_what_is_in_a_range_is_frozen_at_the_order(advocate: Any, mat: Any, mats: Any) -> None:
    terms = make_program([range_rule(mats)], hold_days=0)
    order = create_order(claimed(advocate, terms, mat), email="lea@example.com")
    done(order)
    mats.remove_product(mat)
    assert rewarded() == {order.number: "10.00"}
    mats.delete()
    assert rewarded() == {order.number: "10.00"}


def test_only_ranges_that_rules_ask_about_are_asked(advocate: Any, mat: Any, mats: Any) -> None:
    factories.RangeFactory(name="Other", products=[mat])
    other = make_program()
    create_order(claimed(advocate, other, mat), email="lea@example.com")
    assert [line["ranges"] for line in Purchase.objects.get().lines] == [[]]
    terms = make_program([range_rule(mats)])
    assert asked_ranges([parse(terms), parse(other)]) == {mats.pk}
    create_order(claimed(advocate, terms, mat), email="zoe@example.com")
    assert Purchase.objects.latest("pk").lines[0]["ranges"] == [mats.pk]


def test_a_later_order_is_asked_for_the_terms_of_the_first(
    advocate: Any, mat: Any, mats: Any, make_customer: Any, strap: Any
) -> None:
    lea = make_customer("lea@example.com")
    terms = make_program([range_rule(mats, "each")])
    create_order(claimed(advocate, terms, strap, user=lea), user=lea)
    create_order(fill_basket(mat, user=lea), user=lea)
    assert [purchase.lines[0]["ranges"] for purchase in Purchase.objects.order_by("pk")] == [[], [mats.pk]]


def test_no_query_is_spent_where_no_rule_asks(
    advocate: Any, terms: Any, mat: Any, strap: Any, mats: Any
) -> None:
    order = create_order(fill_basket(mat, strap), email="lea@example.com")
    with CaptureQueriesContext(connection) as plain:
        oscar_shop.snapshot_of(order, user=None, email="lea@example.com")
    assert len(plain) == 1
    with CaptureQueriesContext(connection) as asked:
        oscar_shop.snapshot_of(order, user=None, email="lea@example.com", ranges={mats.pk})
    assert len(asked) > 1


# What the editor writes


def form_values(client: Any, trigger: str, **options: Any) -> dict[str, Any]:
    values = start(client, **{"rules-1-trigger": trigger})
    return values | {f"rules-1-option_{name}": value for name, value in options.items()}


def test_the_form_keeps_the_range_with_its_name(admin: Any, mats: Any) -> None:
    values = form_values(admin, "buys_from_range", bought_range=str(mats.pk), bought_range_orders="each")
    response = publish(admin, values)
    assert response.status_code == 302, errors_of(response)
    data = parse(Terms.objects.get())
    assert data.rules[1].options["bought_range"] == mats.pk
    assert "Once the friend has bought from “Kapok mats”, each time, your customer gets" in sentence(data)
    mats.name = "Wool"
    mats.save()
    assert "“Kapok mats”" in sentence(parse(Terms.objects.get())), "the terms keep the name that was promised"


def test_the_form_keeps_the_type_of_product(admin: Any, mat: Any) -> None:
    kind = mat.get_product_class()
    response = publish(admin, form_values(admin, "buys_product_class", bought_class=str(kind.pk)))
    assert response.status_code == 302, errors_of(response)
    data = parse(Terms.objects.get())
    assert "Once the friend has bought a product of the type “Sent”, your customer gets" in sentence(data)


@pytest.mark.parametrize("trigger", ["buys_from_range", "buys_product_class"])
def test_nothing_chosen_cannot_be_published(admin: Any, trigger: str) -> None:
    assert "required" in errors_of(publish(admin, form_values(admin, trigger)))
    assert not Terms.objects.exists()


def test_a_range_that_is_gone_has_to_be_chosen_anew(admin: Any, mats: Any) -> None:
    publish(admin, form_values(admin, "buys_from_range", bought_range=str(mats.pk)))
    program = Program.objects.get()
    mats.delete()
    page = admin.get(reverse(EDIT, args=[program.pk]))
    assert page.status_code == 200
    publish_terms(program)
    newest = parse(Terms.objects.latest("number"))
    assert [rule.trigger for rule in newest.rules] == ["arrives"], (
        "what cannot be kept is promised to nobody new"
    )
    assert "“Kapok mats”" in sentence(parse(Terms.objects.earliest("number")))


def test_the_limit_for_one_friend_is_in_the_form_and_in_the_sentence(admin: Any, mats: Any) -> None:
    values = form_values(admin, "buys_from_range", bought_range=str(mats.pk), bought_range_orders="each")
    response = publish(admin, values | {"friend_cap_count": "3"})
    assert response.status_code == 302, errors_of(response)
    data = parse(Terms.objects.get())
    assert data.friend_cap_count == 3
    assert "at most 3 times for the same friend" in sentence(data)
    once = form_values(admin, "buys_from_range", bought_range=str(mats.pk), bought_range_orders="first")
    publish(admin, once | {"friend_cap_count": "3"})
    assert "same friend" not in sentence(parse(Terms.objects.latest("pk"))), "it can be brought once only"


def test_ranges_are_looked_for_by_name(admin: Any, mats: Any) -> None:
    for number in range(12):
        factories.RangeFactory(name=f"Range {number:02}")
    window = reverse("referrals_range_chooser:choose")
    assert "Kapok mats" in admin.get(window).json()["html"]
    found = admin.get(reverse("referrals_range_chooser:choose_results"), {"q": "range 11"}).content.decode()
    assert "Range 11" in found and "Kapok mats" not in found and "Range 10" not in found
    chosen = admin.get(reverse("referrals_range_chooser:chosen", args=[mats.pk])).json()
    assert (chosen["result"]["id"], chosen["result"]["title"]) == (str(mats.pk), "Kapok mats")


def test_ranges_are_shown_to_nobody_outside_the_admin(client: Any, mats: Any) -> None:
    answer = client.get(reverse("referrals_range_chooser:choose_results"))
    assert answer.status_code == 302 and "login" in answer.url


def test_percentages_of_what_they_bought_are_called_so(mats: Any) -> None:
    assert "10% of what these products cost as referral credit" in sentence(
        parse(make_program([range_rule(mats)]))
    )


def test_words_in_french(mats: Any, mat: Any) -> None:
    rules = parse(make_program([range_rule(mats), class_rule(mat.get_product_class(), "each")])).rules
    with translation.override("fr"):
        words = [triggers.get(rule.trigger).words(rule) for rule in rules]
    assert "Kapok mats" in words[0] and "Sent" in words[1], words


def test_a_friend_buys_from_the_range_in_the_shop(
    friend: Friend, advocate: Any, mat: Any, strap: Any, mats: Any, camille: Any
) -> None:
    terms = make_program([range_rule(mats)], hold_days=0)
    friend.click(advocate, terms, timezone.now())
    friend.add("MAT")
    friend.add("STRAP")
    friend.as_guest("lea@example.com")
    order = friend.buy()
    done(order)
    assert rewarded() == {order.number: "10.00"}


def test_an_empty_range_is_said_while_the_program_is_written(mat: Any) -> None:
    empty = factories.RangeFactory(name="Next season")
    said = "There is no product in “Next season”: nobody can buy from it."
    program = make_unsaved([range_rule(empty)])
    assert said in program_hints(program, list(program.rules.all()))
    empty.add_product(mat)
    assert said not in program_hints(program, list(program.rules.all()))
    # One that has been deleted is refused where it is chosen, not hinted at.
    empty.delete()
    assert said not in program_hints(program, list(program.rules.all()))


def test_a_type_without_products_is_said_while_the_program_is_written() -> None:
    kind = factories.ProductClassFactory(name="Workshop")
    said = "There is no product of the type “Workshop”: nobody can buy one."
    program = make_unsaved([class_rule(kind)])
    assert said in program_hints(program, list(program.rules.all()))
    parent = factories.ProductFactory(product_class=kind, structure="parent", stockrecords=[])
    assert said not in program_hints(program, list(program.rules.all()))
    assert parent.product_class == kind


def make_unsaved(rules: list[dict[str, Any]]) -> Program:
    program = Program(name="Give")
    program.rules = [ProgramRule(sort_order=number, **rule) for number, rule in enumerate(rules)]
    return program
