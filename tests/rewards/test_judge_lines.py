"""Rules for certain products: their percentages, minimum and refunds count these products' lines, and no others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.test_judge import DAY, NOW, PERCENT, history, order, paid, terms
from wagtail_referrals.kinds import PurchaseOccasion, Rule, Trigger, triggers
from wagtail_referrals.rewards import PurchaseFacts, judge
from wagtail_referrals.rewards.judge import Given

D = Decimal
LATER = NOW + 40 * DAY


class BuysMats(Trigger):
    """The first order with a mat in it, or each one."""

    key = "test_buys_mats"
    label = "the friend buys a mat"

    def words(self, rule: Rule) -> str:
        return "has bought a mat"

    def eligible_lines(
        self, rule: Rule, lines: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]] | None:
        return [line for line in lines if line["kind"] == "mat"]

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        return purchase.is_first or bool(rule.options.get("each"))

    def repeats(self, rule: Rule) -> bool:
        return bool(rule.options.get("each"))


@pytest.fixture(scope="module", autouse=True)
def _registered() -> Iterator[None]:
    triggers.register(BuysMats())
    yield
    triggers.unregister(BuysMats.key)


FIRST_MAT = Rule(
    key="first_mat",
    side="advocate",
    trigger=BuysMats.key,
    kind="credit",
    refund_policy="keep",
    amounts={"EUR": D("15.00")},
    minimum_spend={"EUR": D("50.00")},
)
MAT_PERCENT = Rule(
    key="mat_percent",
    side="advocate",
    trigger=BuysMats.key,
    kind="credit_percent",
    refund_policy="proportional",
    percent=D(10),
    options={"each": True},
)


def bought(
    number: int = 1,
    mats: str = "60.00",
    books: str = "40.00",
    *,
    days: int = 0,
    done: bool = True,
    back: dict[str, str] | None = None,
    refunded: str | None = None,
    **facts: Any,
) -> PurchaseFacts:
    """An order with a line of mats and one of books; ``back``: given back by line; ``refunded``: in all."""
    placed = NOW + days * DAY
    lines = [
        {"line": line, "amount": amount, "kind": line.rstrip("s")}
        for line, amount in (("mats", mats), ("books", books))
        if D(amount)
    ]
    given_back = {line: D(amount) for line, amount in (back or {}).items()}
    when = {"paid_at": placed, "shipped_at": placed} if done else {}
    made = order(
        number,
        str(D(mats) + D(books)),
        placed_at=placed,
        **(when | {"refunded": D(refunded or 0) or sum(given_back.values(), D(0))} | facts),
    )
    return replace(made, lines=lines, facts=replace(made.facts, refunded_lines=given_back))


def given_for(*orders: PurchaseFacts, rules=(FIRST_MAT, MAT_PERCENT), past=None, **values: Any):
    return judge(terms(*rules, **values), orders, past or history(), LATER)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, {"first_mat": D("15.00"), "mat_percent": D("6.00")}, id="its lines only"),
        pytest.param(
            {"back": {"books": "40.00"}},
            {"first_mat": D("15.00"), "mat_percent": D("6.00")},
            id="another line given back changes nothing",
        ),
        pytest.param(
            {"back": {"mats": "6.00"}}, {"first_mat": D("15.00"), "mat_percent": D("5.40")}, id="a part"
        ),
        pytest.param({"back": {"mats": "10.01"}}, {"mat_percent": D("5.00")}, id="below its minimum"),
        pytest.param({"back": {"mats": "60.00"}}, {}, id="all of it"),
        pytest.param({"back": {"mats": "99.00"}}, {}, id="more than it cost"),
        pytest.param({"refunded": "10.00"}, {"first_mat": D("15.00"), "mat_percent": D("5.40")}, id="spread"),
        pytest.param({"refunded": "20.00"}, {"mat_percent": D("4.80")}, id="spread, below the minimum"),
        pytest.param(
            {"back": {"books": "20.00"}, "refunded": "28.00"},
            {"first_mat": D("15.00"), "mat_percent": D("5.40")},
            id="spread over what is left",
        ),
        pytest.param(
            {"back": {"books": "40.00"}, "refunded": "46.00"},
            {"first_mat": D("15.00"), "mat_percent": D("5.40")},
            id="nothing else is left to spread it over",
        ),
        pytest.param({"refunded": "100.00"}, {}, id="everything"),
        pytest.param({"cancelled": True}, {}, id="cancelled"),
        pytest.param(
            {"mats": "49.00"}, {"mat_percent": D("4.90")}, id="the other lines do not help the minimum"
        ),
    ],
)
def test_a_rule_counts_its_own_lines(values, expected):
    assert paid(given_for(bought(**values))) == expected


def test_an_order_with_too_little_of_it_never_counted():
    (due,) = given_for(bought(mats="49.00"), rules=(FIRST_MAT,)).dues
    assert (due.state, due.reason) == ("refused", "minimum")


def test_an_order_without_such_lines_is_waited_for_and_said_so():
    early = judge(terms(FIRST_MAT), [bought(mats="0.00")], history(), NOW + 20 * DAY)
    assert (early.state, early.reason, early.dues) == ("waiting_order", "other_products", ())
    assert early.waits_for_more and not early.waits_for_order
    assert early.hold_until == NOW + 30 * DAY
    late = given_for(bought(mats="0.00"), rules=(FIRST_MAT,))
    assert (late.state, late.reason, late.waits_for_more) == ("complete", "other_products", False)


def test_it_is_looked_at_again_when_the_days_to_order_are_over():
    waiting = replace(bought(mats="0.00"), watch_until=NOW + DAY)
    verdict = judge(terms(FIRST_MAT), [waiting], history(), NOW + 20 * DAY)
    assert verdict.next_check_at is not None and verdict.next_check_at > NOW + 30 * DAY


def test_the_first_such_order_counts_and_has_to_come_in_time():
    book, mat, another = bought(1, mats="0.00"), bought(2, days=5), bought(3, days=6)
    verdict = given_for(another, mat, book)
    assert [(due.rule.key, due.purchase_id) for due in verdict.dues] == [
        ("first_mat", 2),
        ("mat_percent", 2),
        ("mat_percent", 3),
    ]
    late = given_for(book, bought(2, days=31), rules=(FIRST_MAT, MAT_PERCENT))
    assert [(due.rule.key, due.purchase_id) for due in late.dues] == [("mat_percent", 2)]
    approved = given_for(book, bought(2, days=31), past=history(review="approve"))
    assert ("first_mat", 2) in [(due.rule.key, due.purchase_id) for due in approved.dues]


def test_a_line_that_was_given_back_was_not_the_first_where_another_one_stays():
    returned, kept = bought(1, back={"mats": "60.00"}), bought(2, days=3)
    assert [due.purchase_id for due in given_for(returned, rules=(FIRST_MAT,)).dues] == [1]
    assert paid(given_for(returned, kept, rules=(FIRST_MAT,))) == {"first_mat": D("15.00")}
    # Unless the reward for the first one stays, as its time for being taken back is over.
    stays = history(
        rewards={
            ("first_mat", "advocate", "purchase:1"): Given(posted=D("15.00"), purchase_id=1),
        }
    )
    over = [replace(returned, watch_until=NOW + 2 * DAY), kept]
    assert [due.purchase_id for due in given_for(*over, rules=(FIRST_MAT,), past=stays).dues] == [1]


def test_a_minimum_in_one_currency_binds_orders_in_every_other():
    rule = replace(PERCENT, minimum_spend={"EUR": D(50)})
    dollars = order(currency="USD", paid_at=NOW, shipped_at=NOW)
    verdict = judge(terms(rule), [dollars], history(), LATER)
    assert [(due.state, due.reason) for due in verdict.dues] == [("refused", "no_amount")]
    free = replace(rule, minimum_spend={"EUR": D(50), "USD": D(0)})
    assert paid(judge(terms(free), [dollars], history(), LATER)) == {"percent": D("10.00")}


# Places for one friend


def five(**facts: Any) -> list[PurchaseFacts]:
    return [
        order(number, placed_at=NOW + number * DAY, paid_at=NOW + number * DAY, shipped_at=NOW + number * DAY)
        for number in range(1, 6)
    ]


def places(verdict) -> dict[int, int | None]:
    return {due.purchase_id: due.friend_slot for due in verdict.dues}


def test_one_friend_brings_so_many_rewards_and_no_more():
    verdict = judge(terms(PERCENT, friend_cap_count=2), five(), history(), LATER)
    assert places(verdict) == {1: 1, 2: 2, 3: None, 4: None, 5: None}
    assert [(due.worth, due.reason) for due in verdict.dues[2:]] == [(0, "friend_cap")] * 3


def test_places_go_in_the_order_of_qualifying():
    orders = five()
    orders[0] = order(1, placed_at=NOW, paid_at=NOW, shipped_at=NOW + 9 * DAY)
    assert places(judge(terms(PERCENT, friend_cap_count=2), orders, history(), LATER)) == {
        1: None,
        2: 1,
        3: 2,
        4: None,
        5: None,
    }


def test_what_was_given_back_keeps_its_place_and_what_never_happened_had_none():
    orders = five()
    orders[0] = order(1, placed_at=NOW + DAY, paid_at=NOW + DAY, shipped_at=NOW + DAY, refunded=D(100))
    orders[1] = order(2, placed_at=NOW + 2 * DAY, paid_at=NOW + 2 * DAY, cancelled=True)
    verdict = judge(terms(PERCENT, friend_cap_count=2), orders, history(), LATER)
    assert places(verdict) == {1: 1, 3: 2, 4: None, 5: None}
    orders[4] = replace(orders[4], facts=replace(orders[4].facts, refunded=D(100)))
    last = judge(terms(PERCENT, friend_cap_count=2), orders, history(), LATER).dues[-1]
    assert (last.state, last.reason) == ("taken_back", "refunded"), "it had no place, and needs none"


def test_what_stays_keeps_its_place():
    orders = [replace(made, watch_until=NOW + 10 * DAY) for made in five()]
    stays = history(
        rewards={
            ("percent", "advocate", f"purchase:{number}"): Given(
                posted=D("10.00"), friend_slot=slot, purchase_id=number
            )
            for number, slot in ((4, 1), (5, 2))
        }
    )
    verdict = judge(terms(PERCENT, friend_cap_count=3), orders, stays, LATER)
    assert places(verdict) == {1: 3, 2: None, 3: None, 4: 1, 5: 2}
    assert len(paid(verdict)) and sum(due.state == "given" for due in verdict.dues) == 3


def test_what_was_used_keeps_its_place():
    """Also where another order counts now: two rewards never have the same place."""
    used = history(
        rewards={
            ("percent", "advocate", "purchase:9"): Given(
                posted=D(1), friend_slot=1, purchase_id=9, used=True
            ),
            ("percent", "advocate", "purchase:4"): Given(
                posted=D(1), friend_slot=2, purchase_id=4, used=True
            ),
        }
    )
    rule = replace(PERCENT, kind="discount_percent")
    verdict = judge(terms(rule, friend_cap_count=3), five(), used, LATER)
    assert places(verdict) == {1: 3, 2: None, 3: None, 4: 2, 5: None, 9: 1}


def test_a_place_with_the_friend_comes_before_a_place_in_the_period():
    verdict = judge(terms(PERCENT, friend_cap_count=1, cap_count=5), five(), history(), LATER)
    assert {due.purchase_id: due.slot for due in verdict.dues} == {1: 1, 2: None, 3: None, 4: None, 5: None}


def test_the_friends_own_rewards_are_limited_too():
    theirs = replace(PERCENT, side="friend")
    verdict = judge(terms(theirs, friend_cap_count=1), five(), history(), LATER)
    assert sum(due.state == "given" for due in verdict.dues) == 1


amounts = st.decimals(min_value=0, max_value=300, places=2)


@st.composite
def baskets(draw):
    """Orders of mats and books with refunds of every sort."""
    found = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        mats, books = draw(amounts), draw(amounts)
        back = {"mats": min(draw(amounts), mats), "books": min(draw(amounts), books)}
        known = sum(back.values(), D(0))
        unnamed = draw(amounts) if draw(st.booleans()) else D(0)
        found.append(
            bought(
                number,
                str(mats),
                str(books),
                days=draw(st.integers(0, 35)),
                done=draw(st.booleans()),
                back={line: str(amount) for line, amount in back.items() if amount},
                refunded=str(min(known + unnamed, mats + books)),
                cancelled=draw(st.booleans()),
            )
        )
    return found


@given(orders=baskets(), cap=st.none() | st.integers(1, 2), data=st.data())
def test_lines_and_places_depend_on_the_facts_only(orders, cap, data):
    promised = terms(FIRST_MAT, MAT_PERCENT, PERCENT, friend_cap_count=cap)
    verdict = judge(promised, orders, history(), LATER)
    assert judge(promised, data.draw(st.permutations(orders)), history(), LATER) == verdict
    by_id = {made.id: made for made in orders}
    for due in verdict.dues:
        if due.state != "given":
            continue
        made = by_id[due.purchase_id]
        mats = sum((D(line["amount"]) for line in made.lines if line["kind"] == "mat"), D(0))
        kept = mats - made.facts.refunded_lines.get("mats", D(0))
        assert due.worth <= credit_of(due.rule, min(kept, made.net) if due.rule is not PERCENT else made.net)
        if due.rule is FIRST_MAT:
            assert kept >= 50 and made.placed_at <= NOW + 30 * DAY
    if cap:
        for rule in (MAT_PERCENT, PERCENT):
            numbers = [due.friend_slot for due in verdict.dues if due.rule is rule and due.friend_slot]
            assert sorted(numbers) == list(range(1, len(numbers) + 1))
            assert sum(due.rule is rule and due.state == "given" for due in verdict.dues) <= cap
    # Judged again over what was given, nothing moves.
    given_now = {
        due.key: Given(
            slot=due.slot,
            friend_slot=due.friend_slot,
            posted=due.worth if due.state == "given" else D(0),
            purchase_id=due.purchase_id,
        )
        for due in verdict.dues
    }
    again = judge(promised, orders, history(rewards=given_now, ordinal=verdict.ordinal), LATER)
    assert again.dues == verdict.dues


def credit_of(rule: Rule, net: Decimal) -> Decimal:
    """The most that is due for what is left, with a cent for rounding."""
    return rule.amounts["EUR"] if rule.amounts else net / 10 + D("0.01")


@given(orders=baskets())
def test_the_parts_of_an_order_make_up_the_whole(orders):
    for made in orders:
        parts = [made.part([line]) for line in made.lines]
        assert abs(sum(part.eligible for part in parts) - made.eligible) == 0
        assert abs(sum(part.net for part in parts) - made.net) <= D("0.02")
        assert made.part(made.lines).net == made.net
        assert all(0 <= part.net <= part.kept <= part.eligible for part in parts)
