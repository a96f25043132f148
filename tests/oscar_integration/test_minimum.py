"""A minimum that is given in some currencies only: orders in the others bring nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.oscar_integration.shopping import create_order, make_product, make_program
from tests.oscar_integration.test_vouchers import claimed, has
from wagtail_referrals import rewards
from wagtail_referrals.programs import program_hints
from wagtail_referrals.programs.models import Program, ProgramRule
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db

D = Decimal


@pytest.fixture(autouse=True)
def _two_currencies(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CURRENCIES": ["EUR", "USD"]}


@pytest.mark.parametrize(
    ("minimum", "price"),
    [
        pytest.param({}, "90.00", id="no minimum"),
        pytest.param({"EUR": "50.00"}, "100.00", id="in another currency"),
        pytest.param({"EUR": "50.00", "USD": "0.00"}, "90.00", id="none in this one"),
        pytest.param({"EUR": "50.00", "USD": "101.00"}, "100.00", id="not reached"),
    ],
)
@pytest.mark.parametrize(
    "gift",
    [
        {"kind": "discount_percent", "percent": D(10)},
        {"kind": "discount_fixed", "amounts": {"EUR": "9.00", "USD": "10.00"}},
    ],
    ids=["percent", "fixed"],
)
def test_the_friends_discount(
    advocate: Any, gift: dict[str, Any], minimum: dict[str, str], price: str
) -> None:
    terms = make_program([{"side": "friend", "trigger": "arrives", "minimum_spend": minimum} | gift])
    dear = make_product("DOLLARS", "100.00", currency="USD")
    assert has(claimed(advocate, terms, dear), price)


@pytest.mark.parametrize(
    ("minimum", "reason"),
    [({"EUR": "50.00"}, "no_amount"), ({"EUR": "50.00", "USD": "101.00"}, "minimum"), ({"USD": "0.00"}, "")],
)
def test_the_reward(advocate: Any, minimum: dict[str, str], reason: str) -> None:
    rule = {
        "side": "advocate",
        "trigger": "first_purchase",
        "kind": "credit",
        "amounts": {"EUR": "15.00", "USD": "18.00"},
        "minimum_spend": minimum,
    }
    terms = make_program([rule], hold_days=0)
    dear = make_product("DOLLARS", "100.00", currency="USD")
    order = create_order(claimed(advocate, terms, dear), email="lea@example.com")
    type(order).objects.filter(pk=order.pk).update(status="Complete", currency="USD")
    rewards.settle(Referral.objects.get().pk)
    reward = Reward.objects.get()
    assert (reward.reason, reward.posted) == (reason, D(0) if reason else D("18.00"))


def test_the_form_says_so() -> None:
    def hints(minimum: dict[str, str]) -> str:
        rule = ProgramRule(
            side="advocate",
            trigger="first_purchase",
            kind="credit",
            amounts={"EUR": "15.00", "USD": "18.00"},
            minimum_spend=minimum,
        )
        return " ".join(program_hints(Program(name="Give"), [rule]))

    told = "has no minimum order in USD: orders there bring nothing. 0 stands for no minimum."
    assert told in hints({"EUR": "50.00"})
    assert "no minimum order" not in hints({})
    assert "no minimum order" not in hints({"EUR": "0.00"})
    assert "no minimum order" not in hints({"EUR": "50.00", "USD": "0.00"})
