"""What a shop, an editor and the clock do to a referral that is on its way."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop, place_order
from tests.plainshop.test_chain import DAY, deliver, friend_orders, visit
from wagtail_referrals import credit, rewards
from wagtail_referrals.kinds import reward_kinds, triggers
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.referrals import register_friend
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

PAID_ONCE = [{"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}]
EVERY_ORDER = [
    {"side": "advocate", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}
]


def test_what_was_given_stays_although_a_later_order_is_to_be_checked(
    advocate, camille, make_program, basket, make_user, now
):
    """A friend sends the second order to the referrer: a present, or a fraud. Nothing more is given before a look."""
    _, terms, _ = make_program(EVERY_ORDER)
    place_order(
        basket(camille),
        number="0",
        goods=Decimal(20),
        email=camille.email,
        now=now,
        address="1 rue des Lilas",
    )
    lea = make_user("lea")
    deliver(friend_orders(advocate, terms, basket, now, user=lea, email=lea.email), now)
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    second = place_order(
        basket(lea),
        number="2",
        goods=Decimal(80),
        email=lea.email,
        now=now + 16 * DAY,
        address="1 rue des Lilas",
    )
    deliver(second, now + 16 * DAY)
    rewards.sweep(now=now + 40 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    assert sorted(Reward.objects.values_list("state", flat=True)) == ["given", "to_check"]
    assert Referral.objects.get().state == "to_check", "a person must find it"
    assert list(Message.objects.values_list("kind", flat=True)) == ["reward_given"]
    # A refund still counts meanwhile.
    Order.objects.filter(number="1").update(cancelled=True)
    rewards.settle(Referral.objects.get().pk, now=now + 41 * DAY)
    assert credit.available(camille, "EUR") == 0


def test_one_thing_that_always_fails_does_not_stop_the_sweep(
    advocate, camille, make_program, basket, now, monkeypatch
):
    _, terms, _ = make_program()
    lapsed = rewards.commit(visit=visit(advocate, terms, now - 20 * DAY), now=now - 20 * DAY)
    also_lapsed = rewards.commit(visit=visit(advocate, terms, now - 19 * DAY), now=now - 19 * DAY)
    deliver(friend_orders(advocate, terms, basket, now), now)
    broken_code = lapsed.discounts.get().code
    void = PlainShop.void_discount

    def void_discount(self, code):
        if code == broken_code:
            raise RuntimeError("this voucher is cursed")
        void(self, code)

    monkeypatch.setattr(PlainShop, "void_discount", void_discount)
    monkeypatch.setattr("wagtail_referrals.programs.terms.publish_terms", lambda *args, **kwargs: 1 / 0)
    run = rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    assert run.finished_at is not None
    assert run.failed
    lapsed.refresh_from_db()
    also_lapsed.refresh_from_db()
    assert (lapsed.state, also_lapsed.state) == ("open", "lapsed")


def test_a_shop_that_cannot_tell_the_facts_of_one_order_does_not_stop_the_others(
    advocate, camille, make_program, basket, now, monkeypatch
):
    _, terms, _ = make_program()
    for number in "12":
        deliver(
            friend_orders(advocate, terms, basket, now, number=number, email=f"f{number}@example.com"), now
        )
    facts = PlainShop.facts

    def broken(self, references):
        if "1" in references:
            raise RuntimeError("order 1 is broken")
        return facts(self, references)

    monkeypatch.setattr(PlainShop, "facts", broken)
    run = rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    assert (run.settled, run.failed) == (1, 1)
    assert Referral.objects.get(purchases__reference="1").next_check_at > now + 15 * DAY


def test_after_the_days_of_clawback_an_order_that_disappears_changes_nothing(
    advocate, camille, make_program, basket, make_user, now
):
    """Paid at payment, never sent, cancelled a year later: neither taken back, nor does the next order become first."""
    _, terms, _ = make_program(PAID_ONCE, hold_anchor="paid")
    lea = make_user("lea")
    first = friend_orders(advocate, terms, basket, now, user=lea, email=lea.email)
    Order.objects.update(paid_at=now)
    second = place_order(basket(lea), number="2", goods=Decimal(50), email=lea.email, now=now + 5 * DAY)
    Order.objects.update(paid_at=now + 5 * DAY)
    rewards.sweep(now=now + 20 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    Order.objects.filter(pk=first.pk).update(cancelled=True)
    rewards.settle(Referral.objects.get().pk, now=now + 183 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    assert Reward.objects.get(posted=15).purchase.reference == "1"
    assert second.number == "2"


@pytest.mark.parametrize("registry", [reward_kinds, triggers])
def test_a_kind_that_is_gone_for_a_deployment_takes_nothing_back(
    advocate, camille, make_program, basket, now, registry, monkeypatch
):
    _, terms, _ = make_program(
        [
            *PAID_ONCE,
            {
                "side": "advocate",
                "trigger": "every_purchase",
                "kind": "credit_percent",
                "percent": Decimal(10),
            },
        ]
    )
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("25.00")
    gone = "credit" if registry is reward_kinds else "first_purchase"
    monkeypatch.setattr(
        registry, "_items", {key: item for key, item in registry._items.items() if key != gone}
    )
    order.refunded = Decimal(50)
    order.save()
    run = rewards.sweep(now=now + 17 * DAY)
    assert run.failed == 0
    assert credit.available(camille, "EUR") == Decimal("20.00"), "the other rule's reward goes on"
    monkeypatch.undo()
    rewards.sweep(now=now + 19 * DAY)
    assert credit.available(camille, "EUR") == Decimal("20.00")


def test_the_promise_stays_held_after_the_reward_for_registering(
    advocate, camille, make_program, basket, make_user, now
):
    _, terms, _ = make_program(
        [
            *PAID_ONCE,
            {"side": "advocate", "trigger": "registers", "kind": "credit", "amounts": {"EUR": "5.00"}},
        ],
        budget_amounts={"EUR": "100.00"},
        hold_days=0,
    )
    lea = make_user("lea")
    claim = rewards.commit(visit=visit(advocate, terms, now), user=lea, now=now)
    register_friend(lea, claim=claim, now=now)

    def counted():
        return Budget.objects.values_list("held", "spent").get()

    rewards.sweep(now=now)
    assert counted() == (Decimal("15.00"), Decimal("5.00"))
    rewards.sweep(now=now + 31 * DAY)
    assert counted() == (0, Decimal("5.00"))


def test_the_discount_comes_again_also_after_the_reward_for_registering(
    advocate, make_program, basket, make_user, now
):
    _, terms, _ = make_program(
        [
            {"side": "friend", "trigger": "arrives", "kind": "discount_percent", "percent": Decimal(10)},
            {"side": "advocate", "trigger": "registers", "kind": "credit", "amounts": {"EUR": "5.00"}},
        ],
        hold_days=0,
    )
    lea = make_user("lea")
    made = basket(lea)
    claim = rewards.commit(
        visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=lea, now=now
    )
    register_friend(lea, claim=claim, now=now)
    order = place_order(made, number="1", goods=Decimal(100), email=lea.email, now=now)
    rewards.sweep(now=now)
    order.cancelled = True
    order.save()
    rewards.sweep(now=now + 2 * DAY)
    assert list(DiscountGrant.objects.order_by("issue").values_list("state", flat=True)) == ["used", "issued"]


def test_an_order_with_the_discount_that_was_given_again_counts(
    advocate, camille, make_program, basket, make_user, now
):
    """Ordered on day 25, cancelled by the shop on day 28, ordered again on day 35 with the discount given again."""
    _, terms, _ = make_program()
    lea = make_user("lea")
    made = basket(lea)
    rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=lea, now=now)
    order = place_order(made, number="1", goods=Decimal(100), email=lea.email, now=now + 25 * DAY)
    order.cancelled = True
    order.save()
    rewards.sweep(now=now + 28 * DAY)
    rewards.sweep(now=now + 31 * DAY)
    assert Referral.objects.get().state == "waiting_order"
    again = place_order(basket(lea), number="2", goods=Decimal(100), email=lea.email, now=now + 35 * DAY)
    assert again.discount == Decimal("10.00")
    deliver(again, now + 35 * DAY)
    rewards.sweep(now=now + 50 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")


def test_who_waits_for_the_discount_given_again_is_let_go_at_its_end(
    advocate, make_program, basket, make_user, now
):
    _, terms, _ = make_program()
    lea = make_user("lea")
    made = basket(lea)
    rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=lea, now=now)
    Order.objects.filter(
        pk=place_order(made, number="1", goods=Decimal(100), email=lea.email, now=now + 25 * DAY).pk
    ).update(cancelled=True)
    for days in (28, 31, 59):
        rewards.sweep(now=now + days * DAY)
    referral = Referral.objects.get()
    assert referral.state == "expired"
    assert DiscountGrant.objects.get(issue=1).state == "void"


def test_an_order_that_is_sent_long_after_it_was_placed_is_still_seen(
    advocate, camille, make_program, basket, now
):
    """Made to order, with a short time of clawback, in a shop that says nothing when it sends."""
    _, terms, _ = make_program(PAID_ONCE, clawback_days=0)
    friend_orders(advocate, terms, basket, now)
    for days in range(1, 25):
        rewards.sweep(now=now + days * DAY)
    Order.objects.update(paid_at=now, shipped_at=now + 25 * DAY)
    for days in range(26, 45):
        rewards.sweep(now=now + days * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")


def test_an_order_that_comes_in_time_counts_although_the_sweep_was_faster(
    advocate, make_program, basket, make_user, now
):
    """Placed in the last second; noted after the sweep let the invitation go, e.g. by a webhook or a repair."""
    from wagtail_referrals.referrals import PurchaseSnapshot

    _, terms, _ = make_program()
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    rewards.sweep(now=claim.expires_at + timedelta(seconds=1))
    assert Claim.objects.get().state == "lapsed"
    rewards.order_placed(
        PurchaseSnapshot(
            reference="1",
            placed_at=claim.expires_at,
            currency="EUR",
            eligible=Decimal(50),
            total=Decimal(50),
            was_customer=False,
        ),
        basket_reference=str(made.pk),
        email="lea@example.com",
        now=claim.expires_at + timedelta(seconds=2),
    )
    assert Referral.objects.get().claim == claim


def test_an_order_that_comes_back_to_life_takes_the_second_discount_away(
    advocate, make_program, basket, make_user, now
):
    """The shop cancelled it for want of a payment, and the payment came."""
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now)
    order.cancelled = True
    order.save()
    rewards.sweep(now=now + DAY)
    assert DiscountGrant.objects.get(issue=1).state == "issued"
    order.cancelled = False
    order.save()
    rewards.sweep(now=now + 3 * DAY)
    assert DiscountGrant.objects.get(issue=1).state == "void"
    assert DiscountGrant.objects.get(issue=0).state == "used"


def test_a_second_discount_of_the_same_person_ends_with_the_first_order(
    advocate, make_program, basket, make_user, now
):
    """Two browsers, two invitations to one program, one address, both ready to pay."""
    _, terms, _ = make_program(budget_count=10)
    made = [basket(), basket()]
    for one in made:
        claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(one.pk), now=now)
        assert rewards.bind_person(claim, email="lea@example.com", now=now) == []
    first = place_order(made[0], number="1", goods=Decimal(100), email="lea@example.com", now=now)
    assert first.discount == Decimal("10.00")
    rewards.sweep(now=now)
    second = place_order(made[1], number="2", goods=Decimal(100), email="lea@example.com", now=now + DAY)
    assert second.discount == 0
    assert sorted(DiscountGrant.objects.values_list("state", "reason")) == [("used", ""), ("void", "used")]
    assert sorted(Claim.objects.values_list("state", flat=True)) == ["replaced", "used"]
    assert Budget.objects.values_list("held", "spent").get() == (0, 1)


def test_a_discount_that_is_given_again_has_its_whole_time(advocate, make_program, basket, now):
    """Cancelled after delivery by mistake, and put right when the first voucher would have ended."""
    _, terms, _ = make_program(
        [
            {
                "side": "advocate",
                "trigger": "first_purchase",
                "kind": "discount_percent",
                "percent": Decimal(20),
                "expires_days": 30,
            }
        ]
    )
    order = friend_orders(advocate, terms, basket, now)
    order.paid_at = order.shipped_at = now
    order.save()
    rewards.sweep(now=now + 15 * DAY)
    grant = DiscountGrant.objects.get(reward__isnull=False)
    assert (grant.state, grant.expires_at) == ("issued", now + 45 * DAY)
    for day, cancelled in ((16, True), (60, False)):
        order.cancelled = cancelled
        order.save()
        rewards.settle(Referral.objects.get().pk, now=now + day * DAY)
    grant.refresh_from_db()
    assert (grant.state, grant.expires_at) == ("issued", now + 90 * DAY)
