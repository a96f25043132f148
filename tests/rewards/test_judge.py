"""judge is pure: it is tested with plain values, thousands of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_referrals.kinds import Rule
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import Facts
from wagtail_referrals.rewards import History, PurchaseFacts, judge
from wagtail_referrals.rewards.judge import Given, slot_period

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)

FIXED = Rule(
    key="fixed",
    side="advocate",
    trigger="first_purchase",
    kind="credit",
    refund_policy="keep",
    amounts={"EUR": Decimal("15.00")},
    minimum_spend={"EUR": Decimal("50.00")},
)
PERCENT = Rule(
    key="percent",
    side="advocate",
    trigger="every_purchase",
    kind="credit_percent",
    refund_policy="proportional",
    percent=Decimal(10),
)
DISCOUNT = Rule(
    key="discount",
    side="advocate",
    trigger="first_purchase",
    kind="discount_percent",
    refund_policy="proportional",
    percent=Decimal(20),
)
TIER = Rule(
    key="tier",
    side="advocate",
    trigger="nth_referral",
    kind="credit",
    refund_policy="keep",
    amounts={"EUR": Decimal("30.00")},
    occurrence=3,
)


def terms(*rules: Rule, **values) -> TermsData:
    return TermsData(
        **(
            {
                "program_key": "p",
                "name": "Program",
                "rules": rules,
                "new_customers_only": True,
                "window_days": 30,
                "touch": "last",
                "hold_days": 14,
                "hold_anchor": "shipped",
                "clawback_days": 180,
                "cap_count": None,
                "cap_period": "year",
                "friend_cap_count": None,
                "budget_amounts": {},
                "budget_count": None,
                "landing_page_id": None,
                "texts": {},
            }
            | values
        )
    )


def order(
    number: int = 1, eligible: str = "100.00", *, placed_at=NOW, currency="EUR", **facts
) -> PurchaseFacts:
    return PurchaseFacts(
        id=number,
        reference=str(number),
        placed_at=placed_at,
        currency=currency,
        eligible=Decimal(eligible),
        watch_until=placed_at + 180 * DAY,
        facts=Facts(**facts),
    )


def history(**values) -> History:
    return History(**({"claim_expires_at": NOW + 30 * DAY, "created_at": NOW} | values))


def paid(verdict) -> dict[str, Decimal]:
    return {due.rule.key: due.worth for due in verdict.dues if due.state == "given"}


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        ({}, "waiting_payment", "payment"),
        ({"paid_at": NOW}, "waiting_payment", "delivery"),
        ({"paid_at": NOW, "shipped_at": NOW + 2 * DAY}, "waiting_period", "hold"),
        ({"cancelled": True}, "waiting_order", "cancelled"),
        ({"paid_at": NOW, "shipped_at": NOW, "cancelled": True}, "taken_back", "cancelled"),
        ({"paid_at": NOW, "shipped_at": NOW, "refunded": Decimal(100)}, "taken_back", "refunded"),
        ({"paid_at": NOW, "shipped_at": NOW, "refunded": Decimal("50.01")}, "taken_back", "below_minimum"),
    ],
)
def test_states_say_what_a_referral_waits_for(facts, state, reason):
    verdict = judge(terms(FIXED), [order(**facts)], history(), NOW + 3 * DAY)
    assert (verdict.state, verdict.reason) == (state, reason)
    assert paid(verdict) == {}


def test_the_waiting_period_ends_to_the_second():
    facts = {"paid_at": NOW, "shipped_at": NOW + 2 * DAY}
    end = NOW + 16 * DAY
    before = judge(terms(FIXED), [order(**facts)], history(), end - timedelta(seconds=1))
    assert (before.state, before.hold_until, before.next_check_at) == ("waiting_period", end, end)
    assert paid(judge(terms(FIXED), [order(**facts)], history(), end)) == {"fixed": Decimal("15.00")}


def test_the_minimum_is_told():
    verdict = judge(
        terms(FIXED), [order(eligible="49.99", paid_at=NOW, shipped_at=NOW)], history(), NOW + 20 * DAY
    )
    assert (verdict.state, verdict.reason) == ("complete", "minimum")


def test_another_currency_gives_nothing_and_says_so():
    verdict = judge(
        terms(FIXED), [order(currency="USD", paid_at=NOW, shipped_at=NOW)], history(), NOW + 20 * DAY
    )
    assert (verdict.state, verdict.reason) == ("complete", "no_amount")


def test_no_order_in_the_window_expires():
    assert judge(terms(FIXED), [], history(), NOW + 30 * DAY).state == "waiting_order"
    assert judge(terms(FIXED), [], history(), NOW + 31 * DAY).state == "expired"


def test_an_order_after_the_window_is_refused():
    late = order(placed_at=NOW + 31 * DAY, paid_at=NOW + 31 * DAY, shipped_at=NOW + 31 * DAY)
    verdict = judge(terms(FIXED), [late], history(), NOW + 60 * DAY)
    assert (verdict.state, verdict.reason) == ("refused", "window")


def test_a_reviewer_overrides_the_checks_both_ways():
    done = order(paid_at=NOW, shipped_at=NOW)
    later = NOW + 20 * DAY
    assert judge(terms(FIXED), [done], history(holds=("same_address",)), later).state == "to_check"
    assert paid(judge(terms(FIXED), [done], history(holds=("same_address",), review="approve"), later))
    assert paid(judge(terms(FIXED), [done], history(refusals=("own_link",), review="approve"), later))
    refused = judge(terms(FIXED), [done], history(review="refuse"), later)
    assert (refused.state, refused.reason, paid(refused)) == ("refused", "reviewer", {})


def test_only_the_first_order_counts_as_first_and_a_cancelled_one_never_was():
    first = order(1, cancelled=True)
    second = order(2, placed_at=NOW + DAY, paid_at=NOW + DAY, shipped_at=NOW + DAY)
    third = order(3, placed_at=NOW + 2 * DAY, paid_at=NOW + 2 * DAY, shipped_at=NOW + 2 * DAY)
    verdict = judge(terms(FIXED, PERCENT), [third, second, first], history(), NOW + 20 * DAY)
    assert [(due.rule.key, due.purchase_id) for due in verdict.dues] == [
        ("fixed", 2),
        ("percent", 2),
        ("percent", 3),
    ]


def test_an_order_of_nothing_is_not_the_first():
    sample = order(1, "0.00", paid_at=NOW, shipped_at=NOW)
    assert judge(terms(FIXED), [sample], history(), NOW + 2 * DAY).reason == "order"
    bought = order(2, placed_at=NOW + DAY, paid_at=NOW + DAY, shipped_at=NOW + DAY)
    verdict = judge(terms(FIXED), [sample, bought], history(), NOW + 20 * DAY)
    assert [(due.purchase_id, due.worth) for due in verdict.dues] == [(2, Decimal("15.00"))]


def test_a_milestone_is_given_for_its_number_only():
    done = order(paid_at=NOW, shipped_at=NOW)
    for number, expected in ((1, {}), (3, {"tier": Decimal("30.00")}), (4, {})):
        verdict = judge(terms(TIER), [done], history(next_ordinal=number), NOW + 20 * DAY)
        assert (verdict.ordinal, paid(verdict)) == (number, expected)


def test_what_is_held_for_review_gets_no_number_and_no_place():
    done = order(paid_at=NOW, shipped_at=NOW)
    verdict = judge(terms(FIXED, cap_count=1), [done], history(holds=("same_address",)), NOW + 20 * DAY)
    assert verdict.ordinal is None
    assert [due.slot for due in verdict.dues] == [None]


def test_places_under_the_cap_go_in_the_order_of_qualifying():
    early = order(1, paid_at=NOW + 5 * DAY, shipped_at=NOW + 5 * DAY)
    late = order(2, placed_at=NOW + DAY, paid_at=NOW + DAY, shipped_at=NOW + DAY)
    verdict = judge(terms(PERCENT, cap_count=1), [early, late], history(), NOW + 40 * DAY)
    assert {due.purchase_id: due.slot for due in verdict.dues} == {1: None, 2: 1}
    kept = history(
        rewards={("percent", "advocate", "purchase:1"): Given(slot=1, slot_period="2026")},
        slots_taken={("percent", "2026"): 1},
    )
    again = judge(terms(PERCENT, cap_count=1), [early, late], kept, NOW + 40 * DAY)
    assert {due.purchase_id: due.slot for due in again.dues} == {1: 1, 2: None}


def test_after_the_end_of_clawback_a_reward_stays():
    gone = order(paid_at=NOW, shipped_at=NOW, refunded=Decimal(100))
    given_before = history(rewards={("fixed", "advocate", "purchase:1"): Given(posted=Decimal("15.00"))})
    assert paid(judge(terms(FIXED), [gone], given_before, NOW + 181 * DAY)) == {"fixed": Decimal("15.00")}
    verdict = judge(terms(FIXED), [gone], history(), NOW + 181 * DAY)
    assert paid(verdict) == {}
    assert verdict.next_check_at is None


money = st.decimals(min_value=0, max_value=500, places=2)
moments = st.integers(min_value=0, max_value=40).map(lambda days: NOW + days * DAY)


@st.composite
def orders(draw):
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        eligible = draw(money)
        paid_at = draw(st.none() | moments)
        found.append(
            PurchaseFacts(
                id=number,
                reference=str(number),
                placed_at=draw(moments),
                currency="EUR",
                eligible=eligible,
                watch_until=NOW + 400 * DAY,
                facts=Facts(
                    paid_at=paid_at,
                    shipped_at=draw(st.none() | moments) if paid_at else None,
                    cancelled=draw(st.booleans()),
                    refunded=min(draw(money), eligible),
                ),
            )
        )
    return found


@given(orders=orders(), cap=st.none() | st.integers(1, 2), data=st.data())
def test_the_verdict_depends_on_the_facts_only_and_never_gives_too_much(orders, cap, data):
    promised = terms(FIXED, PERCENT, TIER, cap_count=cap)
    past = history(claim_expires_at=NOW + 100 * DAY, next_ordinal=data.draw(st.integers(1, 4)))
    now = NOW + 60 * DAY
    verdict = judge(promised, orders, past, now)
    assert judge(promised, data.draw(st.permutations(orders)), past, now) == verdict
    keys = [due.key for due in verdict.dues]
    assert len(keys) == len(set(keys)), "a rule pays at most once an occasion"
    by_id = {order.id: order for order in orders}
    for due in verdict.dues:
        assert due.worth >= 0
        if due.state != "given":
            continue
        net = by_id[due.purchase_id].net
        assert net > 0
        if due.rule is PERCENT:
            assert abs(due.worth - net / 10) <= Decimal("0.01")
        if due.rule is FIXED:
            assert net >= 50
    if cap:
        for rule in (FIXED, PERCENT):
            assert sum(1 for due in verdict.dues if due.rule is rule and due.worth > 0 and due.slot) <= cap


@given(orders=orders())
def test_judging_again_what_was_given_changes_nothing(orders):
    promised = terms(FIXED, PERCENT, cap_count=2)
    past = history(claim_expires_at=NOW + 100 * DAY)
    now = NOW + 60 * DAY
    first = judge(promised, orders, past, now)
    given_now = {
        due.key: Given(
            slot=due.slot,
            slot_period=due.slot_period,
            posted=due.worth if due.state == "given" else Decimal(0),
        )
        for due in first.dues
    }
    taken: dict[tuple[str, str], int] = {}
    for due in first.dues:
        if due.slot:
            place = (due.rule.key, due.slot_period)
            taken[place] = max(taken.get(place, 0), due.slot)
    again = judge(
        promised, orders, replace(past, rewards=given_now, slots_taken=taken, ordinal=first.ordinal), now
    )
    assert again.dues == first.dues
    assert again.state == first.state


# Discounts as rewards


def used(purchase_id: int | None = 1, **values) -> dict:
    given = Given(posted=Decimal(1), purchase_id=purchase_id, used=True, **values)
    return {("discount", "advocate", "purchase:1"): given}


def test_half_a_discount_is_not_taken_back():
    paid = order(paid_at=NOW, shipped_at=NOW, refunded=Decimal("40.00"))
    verdict = judge(terms(DISCOUNT), [paid], history(), NOW + 20 * DAY)
    assert [(due.worth, due.state, due.reason) for due in verdict.dues] == [(Decimal(1), "given", "")]


@pytest.mark.parametrize(
    ("facts", "history_values", "instead_of"),
    [
        ({"paid_at": NOW, "shipped_at": NOW, "cancelled": True}, {}, "cancelled"),
        ({"paid_at": NOW, "shipped_at": NOW, "refunded": Decimal("100.00")}, {}, "refunded"),
        ({"paid_at": NOW, "shipped_at": NOW}, {"review": "refuse"}, "reviewer"),
        ({"cancelled": True}, {}, "not_first"),
    ],
)
def test_a_discount_that_was_used_stays_whatever_becomes_of_its_reason(facts, history_values, instead_of):
    verdict = judge(
        terms(DISCOUNT), [order(**facts)], history(rewards=used(), **history_values), NOW + 20 * DAY
    )
    (due,) = verdict.dues
    assert (due.worth, due.state, due.reason, due.instead_of) == (Decimal(1), "given", "used_up", instead_of)


def test_a_used_discount_keeps_its_place_under_the_cap():
    rewards = used(slot=1, slot_period="2026")
    paid = order(paid_at=NOW, shipped_at=NOW, cancelled=True)
    (due,) = judge(terms(DISCOUNT, cap_count=1), [paid], history(rewards=rewards), NOW + 20 * DAY).dues
    assert (due.slot, due.slot_period) == (1, "2026")


@pytest.mark.parametrize(("period", "label"), [("month", "2025-12"), ("year", "2025"), ("ever", "ever")])
def test_the_period_of_a_cap_is_told_in_utc(period, label):
    new_year_in_paris = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert slot_period(terms(FIXED, cap_period=period), new_year_in_paris) == label
