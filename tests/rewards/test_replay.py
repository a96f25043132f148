"""Replay is pure: referrals as plain values, judged by other terms."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.test_judge import DAY, DISCOUNT, FIXED, NOW, PERCENT, TIER, history, order, terms
from wagtail_referrals.kinds import Rule
from wagtail_referrals.programs import TermsData
from wagtail_referrals.rewards.judge import Given
from wagtail_referrals.rewards.replay import Case, Outcome, UsedDiscount, replay_cases

TODAY = NOW + 60 * DAY
WELCOME = Rule(
    key="welcome",
    side="friend",
    trigger="arrives",
    kind="discount_percent",
    refund_policy="keep",
    percent=Decimal(10),
)


def case(number: int, *orders, advocate: int = 1, own: TermsData | None = None, **values) -> Case:
    told = values.pop("told", {})
    return Case(
        **(
            {
                "id": number,
                "advocate": advocate,
                "terms": own or terms(FIXED),
                "history": history(**told),
                "orders": orders,
                "today": (),
                "created_at": NOW,
            }
            | values
        )
    )


def delivered(number: int, day: int = 1, eligible: str = "100.00", **facts):
    moment = NOW + day * DAY
    return order(number, eligible, placed_at=NOW, **({"paid_at": moment, "shipped_at": moment} | facts))


def given_to(found) -> dict[int, dict[str, Decimal]]:
    """What each referral got, by rule."""
    return {
        each.case.id: {o.rule.key: o.amount for o in each.outcomes if o.state == "given"}
        for each in found.judged
    }


def reasons(found) -> dict[int, set[str]]:
    return {each.case.id: {o.reason for o in each.outcomes} for each in found.judged}


def test_places_go_to_who_qualified_first():
    cases = [case(1, delivered(1, 9)), case(2, delivered(2, 3)), case(3, delivered(3, 3))]
    found = replay_cases(terms(FIXED, cap_count=2, cap_period="ever"), cases, TODAY)
    assert given_to(found) == {1: {}, 2: {"fixed": Decimal(15)}, 3: {"fixed": Decimal(15)}}
    assert reasons(found)[1] == {"cap"}


def test_each_referrer_has_places_of_their_own():
    cases = [case(1, delivered(1)), case(2, delivered(2), advocate=2)]
    found = replay_cases(terms(FIXED, cap_count=1), cases, TODAY)
    assert all(given_to(found).values())


def test_places_are_given_by_order_and_not_by_friend():
    """The second order of the first friend comes after the first order of the second."""
    cases = [case(1, delivered(1, 1), delivered(2, 20)), case(2, delivered(3, 10))]
    found = replay_cases(terms(PERCENT, cap_count=2, cap_period="ever"), cases, TODAY)
    state = {o.occasion: o.state for each in found.judged for o in each.outcomes}
    assert state == {"purchase:1": "given", "purchase:2": "none", "purchase:3": "given"}


def test_what_was_given_back_keeps_its_place():
    back = delivered(1, 1, cancelled=True)
    cases = [case(1, back, seen=frozenset({1})), case(2, delivered(2, 2))]
    assert given_to(replay_cases(terms(FIXED, cap_count=1), cases, TODAY)) == {1: {}, 2: {}}
    # One of which nothing is known that it ever was good took none.
    cases = [case(1, back), case(2, delivered(2, 2))]
    assert given_to(replay_cases(terms(FIXED, cap_count=1), cases, TODAY))[2] == {"fixed": Decimal(15)}


def test_what_was_let_pass_takes_its_place_then():
    held = {"holds": ("same_address",), "review": "approve"}
    late = case(1, delivered(1, 1), told=held, approved_at=NOW + 9 * DAY)
    found = replay_cases(terms(FIXED, TIER, cap_count=1), [late, case(2, delivered(2, 5))], TODAY)
    assert given_to(found) == {1: {}, 2: {"fixed": Decimal(15)}}


def test_milestones_are_counted_anew():
    cases = [case(number, delivered(number, 10 - number)) for number in (1, 2, 3)]
    found = replay_cases(terms(TIER), cases, TODAY)
    assert given_to(found) == {1: {"tier": Decimal(30)}, 2: {}, 3: {}}
    refused = replace(cases[1], history=history(refusals=("own_link",)))
    assert not any(given_to(replay_cases(terms(TIER), [cases[0], refused, cases[2]], TODAY)).values())


def test_the_budget_closes_the_program():
    """Who meets a budget that is not used up is promised everything; the next one nothing, and takes no place."""
    cases = [case(number, delivered(number, number)) for number in (1, 2, 3)]
    data = terms(FIXED, TIER, budget_amounts={"EUR": Decimal(20)})
    found = replay_cases(data, cases, TODAY)
    assert given_to(found) == {1: {"fixed": Decimal(15)}, 2: {"fixed": Decimal(15)}, 3: {}}
    assert ("", "budget") in [why for each in found.judged for why in [("", each.reason)]]
    friends = replay_cases(terms(FIXED, budget_count=1), cases, TODAY)
    assert [bool(given) for given in given_to(friends).values()] == [True, False, False]


def test_a_promise_by_the_same_budget_is_kept():
    data = terms(FIXED, budget_amounts={"EUR": Decimal(20)})
    cases = [case(number, delivered(number, number), own=data) for number in (1, 2, 3)]
    assert all(given_to(replay_cases(data, cases, TODAY)).values())


def test_currencies_are_never_added():
    dollars = replace(delivered(2, 2), currency="USD")
    both = replace(PERCENT, key="both")
    found = replay_cases(terms(both), [case(1, delivered(1)), case(2, dollars)], TODAY)
    assert found.costs == {"EUR": (0, Decimal(10)), "USD": (0, Decimal(10))}
    assert set(found.lines) == {
        ("advocate", "credit_percent", "EUR"),
        ("advocate", "credit_percent", "USD"),
    }


def test_a_longer_waiting_period_is_still_waiting():
    found = replay_cases(terms(FIXED, hold_days=90), [case(1, delivered(1))], TODAY)
    (line,) = found.lines.values()
    assert (line[1].number, line[1].waiting, line[1].waiting_amount) == (0, 1, Decimal(15))


def test_another_amount_that_waits_too_is_another_reward():
    """That it waits for the payment is no difference: it does so today."""
    unpaid = delivered(1, paid_at=None, shipped_at=None)
    (outcome,) = replay_cases(terms(FIXED), [case(1, unpaid)], TODAY).judged[0].outcomes
    assert (outcome.state, outcome.reason) == ("waiting", "payment")
    other = replace(FIXED, key="other", amounts={"EUR": Decimal(20)})
    found = replay_cases(terms(other), [case(1, unpaid, today=(outcome,))], TODAY)
    assert found.judged[0].why == (("advocate", "rule_changed"),)


def test_more_days_to_order_let_late_orders_count():
    late = replace(delivered(1, 45), placed_at=NOW + 40 * DAY)
    assert reasons(replay_cases(terms(FIXED), [case(1, late)], TODAY)) == {1: {"window"}}
    found = replay_cases(terms(FIXED, window_days=60, hold_days=0), [case(1, late)], TODAY)
    assert given_to(found) == {1: {"fixed": Decimal(15)}}


def test_new_customers_only_is_asked_of_the_first_order():
    everybody = terms(FIXED, new_customers_only=False)
    known = case(1, delivered(1), own=everybody, first_was_customer=True)
    found = replay_cases(terms(FIXED), [known], TODAY)
    assert reasons(found) == {1: {"existing_customer"}}
    assert "customers" in found.unknown
    was_refused = case(1, delivered(1), told={"refusals": ("existing_customer",)}, new_customer_refusals=1)
    assert given_to(replay_cases(everybody, [was_refused], TODAY)) == {1: {"fixed": Decimal(15)}}


def test_what_was_used_stays_where_the_rule_is_the_same():
    own = terms(DISCOUNT)
    key = ("discount", "advocate", "purchase:1")
    today = Outcome("advocate", "discount_percent", "purchase:1", DISCOUNT, "given", "EUR", Decimal(7))
    used = Given(posted=Decimal(1), used=True, purchase_id=1, currency="EUR")
    back = case(
        1,
        delivered(1, refunded=Decimal(100)),
        own=own,
        told={"rewards": {key: used}, "ordinal": 1},
        seen=frozenset({1}),
        today=(today,),
    )
    found = replay_cases(own, [back], TODAY)
    assert not found.different
    assert found.costs == {"EUR": (Decimal(7), Decimal(7))}
    assert given_to(replay_cases(terms(FIXED), [back], TODAY)) == {1: {}}


def test_after_the_time_for_taking_back_what_was_given_stays():
    given_then = Given(posted=Decimal(15), currency="EUR", purchase_id=1)
    back = case(
        1,
        delivered(1, refunded=Decimal(100)),
        told={"rewards": {("fixed", "advocate", "purchase:1"): given_then}, "ordinal": 1},
        seen=frozenset({1}),
    )
    late = NOW + 200 * DAY
    assert given_to(replay_cases(terms(FIXED), [back], late)) == {1: {"fixed": Decimal(15)}}
    assert given_to(replay_cases(terms(FIXED, clawback_days=365), [back], late)) == {1: {}}


@pytest.mark.parametrize(
    ("rule", "amount"),
    [
        (WELCOME, Decimal(10)),
        (replace(WELCOME, percent=Decimal(20)), Decimal(20)),
        (replace(WELCOME, kind="discount_fixed", percent=None, amounts={"EUR": Decimal(12)}), Decimal(12)),
        (replace(WELCOME, kind="free_shipping", percent=None), None),
    ],
)
def test_the_friends_discount_is_taken_off_the_same_order(rule, amount):
    used = UsedDiscount("welcome", "discount_percent", 1, "EUR", Decimal(10))
    friend = case(1, delivered(1, eligible="90.00"), own=terms(WELCOME), had_discount=True, discounts=(used,))
    found = replay_cases(terms(rule), [friend], TODAY)
    assert given_to(found) == {1: {"welcome": amount}}
    assert ("discount" in found.unknown) is (rule != WELCOME)
    assert ("price" in found.unknown) is (amount is None)


def test_who_did_not_use_a_discount_would_not_have_used_another():
    friend = case(1, delivered(1), own=terms(WELCOME), had_discount=True)
    assert given_to(replay_cases(terms(replace(WELCOME, percent=Decimal(20))), [friend], TODAY)) == {1: {}}
    without = case(1, delivered(1))
    assert given_to(replay_cases(terms(WELCOME), [without], TODAY)) == {1: {"welcome": Decimal(10)}}


@given(
    days=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    cap=st.none() | st.integers(1, 4),
    order_of=st.randoms(use_true_random=False),
)
def test_the_order_in_which_they_are_read_is_nothing(days, cap, order_of):
    cases = [
        case(number, delivered(number, day), advocate=number % 2) for number, day in enumerate(days, start=1)
    ]
    data = terms(FIXED, TIER, PERCENT, cap_count=cap, budget_amounts={"EUR": Decimal(60)})
    first = replay_cases(data, cases, TODAY)
    shuffled = list(cases)
    order_of.shuffle(shuffled)
    assert given_to(replay_cases(data, shuffled, TODAY)) == given_to(first)


@given(days=st.lists(st.integers(0, 40), min_size=1, max_size=8), cap=st.integers(1, 4))
def test_never_more_than_the_cap(days, cap):
    cases = [case(number, delivered(number, day)) for number, day in enumerate(days, start=1)]
    found = replay_cases(terms(FIXED, cap_count=cap, cap_period="ever"), cases, TODAY + timedelta(days=30))
    assert sum(bool(given) for given in given_to(found).values()) == min(cap, len(days))
