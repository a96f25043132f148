"""The whole chain with no Oscar: link, claim, discount, order, waiting period, credit, spending, refund."""

import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail

from tests.plainshop.models import Order, Voucher
from tests.plainshop.shop import place_order
from wagtail_referrals import credit, messages, rewards
from wagtail_referrals.people import code_of
from wagtail_referrals.programs.models import Budget, Program
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
from wagtail_referrals.referrals.timeline import event_words, events_of
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def visit(advocate, terms, now) -> Visit:
    return Visit.objects.create(advocate=advocate, terms=terms, created_at=now)


def friend_orders(
    advocate, terms, basket, now, *, user=None, email="lea@example.com", number="1", goods="100.00", **values
):
    made = basket(user)
    rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=user, now=now)
    return place_order(made, number=number, goods=Decimal(goods), email=email, now=now, **values)


def deliver(order: Order, moment) -> None:
    order.paid_at = order.paid_at or moment
    order.shipped_at = moment
    order.save()


def story(referral: Referral) -> list[str]:
    return [event_words(event) for event in events_of(referral)]


def test_oscar_is_not_here():
    with pytest.raises(ImportError):
        import oscar  # noqa: F401
    assert not [name for name in sys.modules if name.startswith("oscar_integration")]


def test_from_link_to_credit_to_refund(advocate, camille, make_program, basket, make_user, now, mailoutbox):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    assert (order.discount, order.paid_by_card) == (Decimal("10.00"), Decimal("90.00"))
    referral = Referral.objects.get()
    assert referral.state == "waiting_payment"
    rewards.sweep(now=now)
    assert credit.available(camille, "EUR") == 0

    deliver(order, now + 2 * DAY)
    rewards.sweep(now=now + 2 * DAY)
    referral.refresh_from_db()
    assert (referral.state, referral.hold_until) == ("waiting_period", now + 16 * DAY)

    rewards.sweep(now=now + 16 * DAY - timedelta(seconds=1))
    assert credit.available(camille, "EUR") == 0
    rewards.sweep(now=now + 16 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    rewards.sweep(now=now + 17 * DAY)
    rewards.settle(referral.pk, now=now + 17 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    messages.deliver_pending(now=now + 17 * DAY)
    messages.deliver_pending(now=now + 18 * DAY)
    assert [message.to for message in mail.outbox] == [["camille@example.com"]]
    assert "15.00" in mail.outbox[0].subject

    spent = place_order(
        basket(camille),
        number="2",
        goods=Decimal("40.00"),
        email="camille@example.com",
        now=now + 20 * DAY,
        use_credit=Decimal("15.00"),
    )
    assert (spent.paid_by_credit, spent.paid_by_card) == (Decimal("15.00"), Decimal("25.00"))

    order.refunded = Decimal("45.00")
    order.save()
    rewards.settle(referral.pk, now=now + 30 * DAY)
    assert credit.account_of(camille, "EUR").shortfall == 0, "a fixed reward stays after half a refund"
    order.cancelled = True
    order.save()
    rewards.settle(referral.pk, now=now + 31 * DAY)
    account = credit.account_of(camille, "EUR")
    assert (account.balance, account.shortfall) == (0, Decimal("15.00"))
    referral.refresh_from_db()
    assert referral.state == "taken_back"
    text = "\n".join(story(referral))
    for part in (
        "came by a share link",
        "placed order 1",
        "Reward given to the referrer",
        "the order was cancelled",
    ):
        assert part in text
    assert "@" not in text


def test_a_percentage_shrinks_with_the_refund(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program(
        [{"side": "advocate", "trigger": "first_purchase", "kind": "credit_percent", "percent": Decimal(10)}]
    )
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("10.00")
    order.refunded = Decimal("50.00")
    order.save()
    rewards.settle(Referral.objects.get().pk, now=now + 16 * DAY)
    assert credit.available(camille, "EUR") == Decimal("5.00")
    assert Reward.objects.get().state == "reduced"


def test_a_fixed_reward_goes_when_the_order_falls_below_its_minimum(
    advocate, camille, make_program, basket, now
):
    _, terms, _ = make_program(
        [
            {
                "side": "advocate",
                "trigger": "first_purchase",
                "kind": "credit",
                "amounts": {"EUR": "15.00"},
                "minimum_spend": {"EUR": "60.00"},
            }
        ]
    )
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    for refunded, expected in (("40.00", "15.00"), ("40.01", "0"), ("0", "15.00"), ("100.00", "0")):
        order.refunded = Decimal(refunded)
        order.save()
        rewards.settle(Referral.objects.get().pk, now=now + 16 * DAY)
        assert credit.available(camille, "EUR") == Decimal(expected)


def test_own_link_is_refused_whatever_the_address_looks_like(advocate, make_program, basket, make_user, now):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now, email="Ca.Mille+shop@EXAMPLE.com")
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("refused", "own_link")
    assert "this is the referrer's own link" in "\n".join(story(referral))
    assert not Reward.objects.exclude(posted=0).exists()


def test_own_link_of_the_same_account_is_refused_at_once(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program()
    made = basket(camille)
    assert (
        rewards.commit(
            visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=camille, now=now
        )
        is None
    )
    event = TimelineEvent.objects.get()
    assert (event.kind, event.data["reason"], event.advocate) == ("claim_refused", "own_link", advocate)


def test_the_same_delivery_address_is_held_for_review_and_a_reviewer_decides(
    advocate, camille, make_program, basket, make_user, now
):
    _, terms, _ = make_program()
    place_order(
        basket(camille),
        number="0",
        goods=Decimal(20),
        email=camille.email,
        now=now,
        address="1 rue des Lilas",
    )
    order = friend_orders(advocate, terms, basket, now, address="1 rue des Lilas")
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("to_check", "same_address")
    from wagtail_referrals.trust import review

    editor = make_user("editor")
    assert review(referral.pk, "approve", actor=editor, now=now + 15 * DAY) is not None
    assert review(referral.pk, "approve", actor=editor, now=now + 15 * DAY) is None
    rewards.settle(referral.pk, now=now + 15 * DAY)
    rewards.settle(referral.pk, now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")


def test_an_existing_customer_gets_and_brings_nothing(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program()
    place_order(basket(), number="0", goods=Decimal(20), email="LEA@example.com", now=now - 90 * DAY)
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    withdrawn = rewards.bind_person(claim, email="lea@example.com", now=now)
    assert [grant.reason for grant in withdrawn] == ["existing_customer"]
    order = place_order(made, number="1", goods=Decimal(100), email="lea@example.com", now=now)
    assert order.discount == 0
    assert Voucher.objects.get().void
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("refused", "existing_customer")


def test_an_order_after_the_window_is_not_attributed_and_says_why(advocate, make_program, basket, now):
    _, terms, _ = make_program(window_days=30)
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    place_order(made, number="1", goods=Decimal(100), email="lea@example.com", now=now + 31 * DAY)
    assert not Purchase.objects.exists()
    assert claim.timeline.filter(kind="claim_refused", data__reason="window").exists()


def test_a_claim_lapses_and_frees_the_budget_and_the_discount(advocate, make_program, basket, now):
    _, terms, _ = make_program(budget_amounts={"EUR": "100.00"})
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    assert Budget.objects.get().held == Decimal("15.00")
    rewards.sweep(now=now + 31 * DAY)
    claim.refresh_from_db()
    assert (claim.state, Budget.objects.get().held) == ("lapsed", 0)
    assert DiscountGrant.objects.get().state == "void"
    assert Voucher.objects.get().void


def test_a_used_up_budget_closes_to_newcomers_and_keeps_its_promises(
    advocate, camille, make_program, basket, now
):
    _, terms, _ = make_program(budget_amounts={"EUR": "20.00"})
    first = friend_orders(advocate, terms, basket, now, number="1", email="lea@example.com")
    second = friend_orders(advocate, terms, basket, now, number="2", email="tom@example.com")
    made = basket()
    assert rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now) is None
    assert TimelineEvent.objects.filter(kind="claim_refused", data__reason="budget").exists()
    for order in (first, second):
        deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("30.00")
    budget = Budget.objects.get()
    assert (budget.held, budget.spent) == (0, Decimal("50.00")), "two rewards of 15, two discounts of 10"


def test_a_friend_counts_once_in_the_budget_before_and_after_the_reward(advocate, make_program, basket, now):
    """Three friends are promised something, though the first two have used their discounts and wait."""
    _, terms, _ = make_program(budget_count=3, budget_amounts={"EUR": "1000.00"})

    def counted() -> list[tuple[str, Decimal, Decimal]]:
        return list(Budget.objects.order_by("currency").values_list("currency", "held", "spent"))

    orders = []
    for n in range(3):
        orders.append(
            friend_orders(advocate, terms, basket, now, number=str(n), email=f"friend{n}@example.com")
        )
        rewards.sweep(now=now)
    assert counted() == [("", 0, 3), ("EUR", Decimal("45.00"), Decimal("30.00"))]
    assert rewards.commit(visit=visit(advocate, terms, now), basket_reference="9", now=now) is None
    # One order never happened: its discount counts for nothing, and that friend is waited for and has the place.
    orders[0].cancelled = True
    orders[0].save()
    for order in orders[1:]:
        deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert counted() == [("", 1, 2), ("EUR", Decimal("15.00"), Decimal("50.00"))]
    # Until the discount that was given again on the 15th day ends.
    rewards.sweep(now=now + 44 * DAY)
    assert counted() == [("", 1, 2), ("EUR", Decimal("15.00"), Decimal("50.00"))]
    rewards.sweep(now=now + 46 * DAY)
    assert counted() == [("", 0, 2), ("EUR", 0, Decimal("50.00"))]


def test_a_cap_counts_places_and_never_gives_them_back(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program(cap_count=2, cap_period="year")
    orders = [
        friend_orders(advocate, terms, basket, now + n * DAY, number=str(n), email=f"friend{n}@example.com")
        for n in range(3)
    ]
    for n, order in enumerate(orders):
        deliver(order, now + n * DAY)
        rewards.sweep(now=now + n * DAY)
    rewards.sweep(now=now + 20 * DAY)
    assert credit.available(camille, "EUR") == Decimal("30.00")
    last = Referral.objects.get(purchases__reference="2")
    assert (last.state, last.reason) == ("complete", "cap")
    orders[0].cancelled = True
    orders[0].save()
    rewards.settle(Referral.objects.get(purchases__reference="0").pk, now=now + 21 * DAY)
    rewards.settle(last.pk, now=now + 21 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00"), "a clawback frees money, not places"


def test_a_referral_is_judged_by_its_own_terms(advocate, camille, make_program, basket, now):
    program, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    rule = program.rules.get(side="advocate")
    rule.amounts = {"EUR": "1.00"}
    program.rules.add(rule)
    program.save()
    from wagtail_referrals.programs import publish_terms

    assert publish_terms(program, now=now).number == 2
    program.delete()
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")


def test_cancelled_before_delivery_waits_again_and_gives_the_discount_again_once(
    advocate, camille, make_program, basket, now
):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    order.cancelled = True
    order.save()
    rewards.sweep(now=now + DAY)
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("waiting_order", "cancelled")
    assert list(DiscountGrant.objects.order_by("issue").values_list("issue", "state")) == [
        (0, "used"),
        (1, "issued"),
    ]
    made = basket()
    from wagtail_referrals import tracking

    tracking.link_basket(referral.claim, str(made.pk))
    again = place_order(made, number="2", goods=Decimal(100), email="lea@example.com", now=now + 2 * DAY)
    assert again.discount == Decimal("10.00")
    again.cancelled = True
    again.save()
    rewards.settle(referral.pk, now=now + 3 * DAY)
    assert DiscountGrant.objects.count() == 2


def test_a_typed_code(advocate, make_program, basket, now):
    make_program()
    made = basket()
    typed = rewards.typed_code(f" {code_of(advocate).lower()} ", basket_reference=str(made.pk), now=now)
    assert typed.outcome == "accepted"
    assert "10%" in typed.message
    assert Claim.objects.get().source == "code"
    for nonsense in ("", "x", "A" * 5000, "'; drop table", "ABCDEFGH", "\x00", "22222222"):
        assert rewards.typed_code(nonsense, basket_reference=str(made.pk), now=now).outcome == "unknown"


def test_a_guest_registers_later_and_the_referral_is_theirs(advocate, make_program, basket, make_user, now):
    _, terms, _ = make_program(
        [{"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}}]
    )
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    reward = Reward.objects.get()
    assert (reward.state, reward.reason) == ("waiting", "account")
    from wagtail_referrals.referrals import register_friend

    lea = make_user("lea")
    register_friend(lea, claim=None, now=now + 16 * DAY)
    rewards.sweep(now=now + 16 * DAY)
    assert credit.available(lea, "EUR") == Decimal("5.00")


def test_nobody_is_referred_twice_to_one_program(advocate, make_program, basket, make_user, now):
    from wagtail_referrals.people import advocate_for

    _, terms, _ = make_program(new_customers_only=False)
    lea = make_user("lea")
    noe = advocate_for(make_user("noe"))
    friend_orders(advocate, terms, basket, now, user=lea)
    second = friend_orders(noe, terms, basket, now + DAY, user=lea, number="2")
    assert second.discount == 0
    assert Referral.objects.get().advocate == advocate
    assert Purchase.objects.filter(referral__advocate=advocate).count() == 2


def test_deleting_people_keeps_the_books_and_removes_the_person(
    advocate, camille, make_program, basket, make_user, now
):
    _, terms, _ = make_program()
    lea = make_user("lea")
    order = friend_orders(advocate, terms, basket, now, user=lea)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    camille.delete()
    lea.delete()
    advocate.refresh_from_db()
    referral = Referral.objects.get()
    assert (advocate.user, advocate.public_name, advocate.email_hash) == (None, "", "")
    assert (referral.friend, referral.friend_email_hash, referral.claim.email_hash) == (None, "", "")
    rewards.settle(referral.pk, now=now + 16 * DAY)
    assert Reward.objects.get().posted == Decimal("15.00")
    Order.objects.update(cancelled=True)
    rewards.settle(referral.pk, now=now + 17 * DAY)
    assert Reward.objects.get().posted == 0
    from wagtail_referrals.credit.models import Account

    account = Account.objects.get()
    assert (account.user, account.balance, account.shortfall) == (None, 0, 0)


def test_orders_that_came_without_a_claim_are_nobodys(make_program, basket, now):
    make_program()
    place_order(basket(), number="1", goods=Decimal(100), email="lea@example.com", now=now)
    assert not Purchase.objects.exists()
    assert not TimelineEvent.objects.exists()


def test_a_failing_kind_is_tried_again_and_breaks_nothing(
    advocate, camille, make_program, basket, now, monkeypatch
):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    from wagtail_referrals.kinds import reward_kinds

    kind = reward_kinds.get("credit")

    def broken(posting):
        raise RuntimeError("the charity's API is down")

    monkeypatch.setattr(kind, "post", broken, raising=False)
    rewards.sweep(now=now + 15 * DAY)
    assert Reward.objects.get().state == "failed"
    monkeypatch.undo()
    rewards.sweep(now=now + 15 * DAY + timedelta(hours=2))
    assert credit.available(camille, "EUR") == Decimal("15.00")


def test_drafts_and_expired_programs_promise_nothing(make_program, advocate, now):
    from wagtail_referrals.programs import forget_open_terms, pick_terms

    _, terms, _ = make_program()
    assert pick_terms(site_id=None, now=now).terms_id == terms.pk
    Program.objects.update(expire_at=now)
    forget_open_terms()
    assert pick_terms(site_id=None, now=now) is None
    Program.objects.update(expire_at=None, live=False)
    forget_open_terms()
    assert pick_terms(site_id=None, now=now) is None


def test_giving_a_reward_asks_no_row_twice(
    advocate, make_program, basket, now, django_assert_max_num_queries
):
    """A sweep does this thousands of times: what was read under the locks is handed on to who writes it down."""
    _, terms, _ = make_program()
    deliver(friend_orders(advocate, terms, basket, now), now + 2 * DAY)
    rewards.sweep(now=now + 2 * DAY)
    referral = Referral.objects.get()
    with django_assert_max_num_queries(48) as queries:
        rewards.settle(referral.pk, now=now + 16 * DAY)
    assert Reward.objects.get().state == "given"
    read = [query["sql"] for query in queries.captured_queries]
    # The referral comes with its terms, its claim and its advocate; the advocate once more, to be locked.
    for table, times in (("referral", 1), ("terms", 0), ("claim", 1), ("advocate", 1)):
        rows = [sql for sql in read if sql.startswith(f'SELECT "wagtail_referrals_{table}"."id"')]
        assert len(rows) == times, rows
