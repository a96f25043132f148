"""Who is in an audience, read from Oscar's tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model

from tests.audiences import BUYERS, who
from tests.oscar_integration.shopping import make_product
from wagtail_referrals.people import advocate_for
from wagtail_referrals.programs import AudienceData, AudienceRuleData, customers_in
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
numbers = count(1)


def order(user: Any, total: str = "100.00", *, days: int = 10, **values: Any) -> Any:
    """An order that was paid ``days`` ago."""
    return get_model("order", "Order").objects.create(
        number=f"A{next(numbers)}",
        user=user,
        total_incl_tax=Decimal(total),
        total_excl_tax=Decimal(total),
        shipping_incl_tax=0,
        shipping_excl_tax=0,
        date_placed=NOW - days * DAY,
        **({"currency": "EUR", "status": "Paid"} | values),
    )


def line(of: Any, product: Any, **values: Any) -> None:
    get_model("order", "Line").objects.create(
        order=of,
        product=product,
        title=product.title,
        partner_sku=product.upc,
        quantity=1,
        num_allocated=0,
        line_price_incl_tax=10,
        line_price_excl_tax=10,
        line_price_before_discounts_incl_tax=10,
        line_price_before_discounts_excl_tax=10,
        **values,
    )


def refund_by_event(of: Any, amount: str) -> None:
    kind, _created = get_model("order", "PaymentEventType").objects.get_or_create(
        code="refund", defaults={"name": "Refund"}
    )
    get_model("order", "PaymentEvent").objects.create(order=of, event_type=kind, amount=Decimal(amount))


def paid_by(of: Any, name: str, refunded: str) -> None:
    kind, _created = get_model("payment", "SourceType").objects.get_or_create(name=name, code=name)
    get_model("payment", "Source").objects.create(
        order=of, source_type=kind, currency=of.currency, amount_refunded=Decimal(refunded)
    )


@pytest.fixture
def lea(make_customer: Any) -> Any:
    return make_customer("lea@example.com", first_name="Léa")


@pytest.fixture(autouse=True)
def noe(make_customer: Any) -> Any:
    """Has never ordered."""
    return make_customer("noe@example.com", first_name="Noé")


def orders_rule(least: int | None = None, most: int | None = None) -> tuple[str, dict[str, Any]]:
    options = {"orders_at_least": least, "orders_at_most": most}
    return "orders", {name: value for name, value in options.items() if value is not None}


def spent(how: str = "at_least", **amounts: str) -> tuple[str, dict[str, Any]]:
    return "spent", {"spent_how": how, "spent_amounts": amounts}


def test_by_the_number_of_orders(camille: Any, lea: Any) -> None:
    for _order in range(3):
        order(camille)
    order(lea)
    assert who(orders_rule(1)) == {"Camille", "Léa"}
    assert who(orders_rule(2)) == {"Camille"}
    assert who(orders_rule(most=1)) == {"Léa", "Noé"}
    assert who(orders_rule(most=0)) == {"Noé"}
    assert who(orders_rule(1, 2)) == {"Léa"}


def test_orders_that_came_to_nothing_do_not_count(camille: Any, lea: Any) -> None:
    order(camille, status="Cancelled")
    order(lea, status="Refunded")
    assert who(orders_rule(1)) == set()
    assert who(spent(EUR="1.00")) == set()
    assert who(("last_order", {"last_order_how": "within", "last_order_days": 99}), now=NOW) == set()


def test_a_guests_order_is_nobodys(lea: Any) -> None:
    order(None, guest_email=lea.email)
    assert who(orders_rule(1)) == set()
    assert who(orders_rule(most=0)) == {"Léa", "Noé"}


def test_what_was_spent_is_counted_by_currency(camille: Any, lea: Any) -> None:
    order(camille, "60.00")
    order(camille, "40.00")
    order(lea, "70.00", currency="USD")
    order(lea, "30.00")
    assert who(spent(EUR="100.00")) == {"Camille"}
    assert who(spent(EUR="100.01")) == set()
    assert who(spent(EUR="100.00", USD="70.00")) == {"Camille", "Léa"}
    assert who(spent("less_than", EUR="100.00")) == {"Léa", "Noé"}
    assert who(spent("less_than", EUR="100.00", USD="70.00")) == {"Noé"}


def test_what_was_given_back_is_not_spent(camille: Any, lea: Any) -> None:
    """By a payment event, by the sources, or by both: nothing links the two, and they are not added up."""
    first = order(camille, "100.00")
    refund_by_event(first, "30.00")
    paid_by(first, "card", "20.00")
    paid_by(first, "referral-credit", "10.00")
    order(camille, "50.00")
    assert who(spent(EUR="120.00")) == {"Camille"}
    assert who(spent(EUR="120.01")) == set()
    second = order(lea, "100.00")
    paid_by(second, "card", "40.00")
    assert who(spent(EUR="60.00")) == {"Camille", "Léa"}
    assert who(spent(EUR="60.01")) == {"Camille"}
    # Oscar takes any amount.
    refund_by_event(second, "9999.00")
    order(lea, "5.00")
    assert who(spent(EUR="5.00")) == {"Camille", "Léa"}
    assert who(spent(EUR="5.01")) == {"Camille"}


def test_a_refund_of_which_only_an_event_tells(camille: Any) -> None:
    refund_by_event(order(camille, "100.00"), "30.00")
    assert who(spent(EUR="70.00")) == {"Camille"}
    assert who(spent(EUR="70.01")) == set()


def test_by_the_last_order(camille: Any, lea: Any) -> None:
    order(camille, days=400)
    order(camille, days=5)
    order(lea, days=100)

    def last(how: str, days: int) -> set[str]:
        return who(("last_order", {"last_order_how": how, "last_order_days": days}), now=NOW)

    assert last("within", 30) == {"Camille"}
    assert last("within", 101) == {"Camille", "Léa"}
    assert last("before", 30) == {"Léa"}
    assert last("before", 200) == set()


def bought(known: Any) -> set[str]:
    return who(("bought_from", {"range": str(known.pk), "title": known.name}))


def test_by_what_was_bought(camille: Any, lea: Any, mat: Any, strap: Any) -> None:
    Range = get_model("offer", "Range")
    mats = Range.objects.create(name="Mats")
    mats.add_product(mat)
    line(order(camille), mat)
    line(order(lea), strap)
    assert bought(mats) == {"Camille"}
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    assert bought(everything) == {"Camille", "Léa"}
    of_a_class = Range.objects.create(name="By class")
    of_a_class.classes.add(strap.product_class)
    assert bought(of_a_class) == {"Camille", "Léa"}
    of_a_class.excluded_products.add(mat)
    of_a_class.invalidate_cached_queryset()
    assert bought(of_a_class) == {"Léa"}


def test_what_was_cancelled_was_not_bought(camille: Any, lea: Any, mat: Any) -> None:
    everything = get_model("offer", "Range").objects.create(name="All", includes_all_products=True)
    line(order(camille, status="Cancelled"), mat)
    line(order(lea), mat, status="Cancelled")
    assert bought(everything) == set()


def test_of_a_range_that_is_gone_nobody_bought(camille: Any, mat: Any) -> None:
    gone = get_model("offer", "Range").objects.create(name="All", includes_all_products=True)
    line(order(camille), mat)
    assert bought(gone) == {"Camille"}
    pk = gone.pk
    gone.delete()
    assert who(("bought_from", {"range": str(pk), "title": "All"})) == set()


def test_by_group(camille: Any) -> None:
    vip, other = Group.objects.create(name="VIP"), Group.objects.create(name="Other")
    camille.groups.add(vip, other)
    rule = ("group", {"group": str(vip.pk), "title": "VIP"})
    assert who(rule) == {"Camille"}
    assert who(rule, ("group", {"group": str(other.pk), "title": "Other"}), any_rule=True) == {"Camille"}
    vip.delete()
    assert who(rule) == set()


def test_by_language(camille: Any, lea: Any) -> None:
    for user, language in ((camille, "fr-ca"), (lea, "en")):
        advocate = advocate_for(user)
        advocate.language = language
        advocate.save()
    assert who(("language", {"language": "fr"})) == {"Camille"}
    assert who(("language", {"language": "en"})) == {"Léa"}


@pytest.mark.parametrize("state", [Referral.State.WAITING_ORDER, Referral.State.REFUSED])
def test_by_how_they_came(camille: Any, lea: Any, terms: Any, advocate: Any, state: str) -> None:
    from tests.admin.rows import make_referral

    make_referral(terms, advocate, lea, state=state)
    came = {"Léa"} if state != Referral.State.REFUSED else set()
    assert who(("friend", {"came": "invited"})) == came
    assert who(("friend", {"came": "alone"})) == {"Camille", "Léa", "Noé"} - came


def test_all_rules_or_one_of_them(camille: Any, lea: Any) -> None:
    order(camille, "500.00", days=100)
    order(lea, "20.00", days=1)
    rich, recent = spent(EUR="100.00"), ("last_order", {"last_order_how": "within", "last_order_days": 30})
    assert who(rich, recent, now=NOW) == set()
    assert who(rich, BUYERS, now=NOW) == {"Camille"}
    assert who(rich, recent, any_rule=True, now=NOW) == {"Camille", "Léa"}


def test_a_closed_account_is_no_customer(camille: Any) -> None:
    order(camille)
    camille.is_active = False
    camille.save()
    assert who(BUYERS) == set()
    listed = customers_in(AudienceData(name="", rules=()))
    assert camille not in listed and listed.count() == 1


EVERY = {
    "orders": orders_rule(1),
    "few": orders_rule(most=2),
    "spent": spent(EUR="10.00", USD="10.00"),
    "last": ("last_order", {"last_order_how": "before", "last_order_days": 1}),
    "group": ("group", {"group": "1", "title": ""}),
    "language": ("language", {"language": "fr"}),
    "friend": ("friend", {"came": "alone"}),
}


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_asked_for_each_customer(name: str) -> None:
    """One query, and in it no subquery that is run once for each account, but for those orders that were refunded."""
    data = AudienceData(name="", rules=(AudienceRuleData(*EVERY[name]),))
    with CaptureQueriesContext(connection) as queries:
        customers_in(data, now=NOW).count()
    assert len(queries) == 1
    sql = queries[0]["sql"]
    user = '"auth_user"."id"'
    assert sql.count(user) == 1 + sql.count(f"COUNT({user})"), sql


def test_about_one_customer_only_their_orders_are_read(camille: Any, django_assert_num_queries: Any) -> None:
    data = AudienceData(name="", rules=tuple(AudienceRuleData(*rule) for rule in EVERY.values()))
    with django_assert_num_queries(1) as queries:
        customers_in(data, user_id=camille.pk, now=NOW).exists()
    sql = queries[0]["sql"]
    orders = sql.count('FROM "order_order"')
    assert orders >= 4
    assert sql.count(f'"user_id" = {camille.pk}') > orders, "the language is asked of the advocate"
    assert f'"friend_id" = {camille.pk}' in sql


def test_the_ranges_are_those_of_the_shop() -> None:
    from oscar_integration import OscarShop

    mats = get_model("offer", "Range").objects.create(name="Mats")
    make_product("X", "1.00")
    assert OscarShop().ranges() == [(str(mats.pk), "Mats")]
