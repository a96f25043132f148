"""Whose friend, whose discount, whose reward: two people at one browser, one person with two addresses, and so on."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.plainshop.models import Order, Voucher
from tests.plainshop.shop import place_order
from tests.plainshop.test_chain import DAY, deliver, friend_orders, visit
from wagtail_referrals import credit, rewards
from wagtail_referrals.people import advocate_for, advocate_for_guest, code_of
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals import register_friend
from wagtail_referrals.referrals.models import Referral, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db

REGISTERS = [
    {"side": "friend", "trigger": "registers", "kind": "credit", "amounts": {"EUR": "5.00"}},
    {"side": "advocate", "trigger": "registers", "kind": "credit", "amounts": {"EUR": "3.00"}},
]


def registers(user, advocate, terms, now):
    claim = rewards.commit(visit=visit(advocate, terms, now), user=user, now=now)
    return register_friend(user, claim=claim, now=now)


def test_a_second_account_of_the_referrer_is_no_friend_although_it_orders_nothing(
    advocate, camille, make_program, make_user, now
):
    _, terms, _ = make_program(REGISTERS)
    second = make_user("second")
    second.email = "ca.mille+2@example.com"
    second.save()
    registers(second, advocate, terms, now)
    rewards.sweep(now=now + 30 * DAY)
    assert credit.available(second, "EUR") == credit.available(camille, "EUR") == 0
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("refused", "own_link")


def test_who_ordered_before_as_a_guest_is_not_new_by_registering(
    advocate, camille, make_program, make_user, basket, now
):
    _, terms, _ = make_program(REGISTERS)
    place_order(basket(), number="0", goods=Decimal(20), email="lea@example.com", now=now - 90 * DAY)
    lea = make_user("lea")
    registers(lea, advocate, terms, now)
    rewards.sweep(now=now + 30 * DAY)
    assert credit.available(lea, "EUR") == credit.available(camille, "EUR") == 0
    referral = Referral.objects.get()
    assert (referral.state, referral.reason) == ("refused", "existing_customer")


def test_who_is_new_gets_the_reward_for_registering(advocate, camille, make_program, make_user, basket, now):
    _, terms, _ = make_program(REGISTERS)
    lea = make_user("lea")
    registers(lea, advocate, terms, now)
    rewards.sweep(now=now)
    assert credit.available(lea, "EUR") == Decimal("5.00")
    # The friend's own first order changes nothing about that.
    order = place_order(basket(lea), number="1", goods=Decimal(20), email=lea.email, now=now + DAY)
    deliver(order, now + DAY)
    rewards.sweep(now=now + 30 * DAY)
    assert credit.available(lea, "EUR") == Decimal("5.00")
    assert credit.available(camille, "EUR") == Decimal("3.00")


def test_guest_who_registers_as_the_referrer_afterwards_is_found_out(make_program, basket, make_user, now):
    """A guest refers, orders by the own link with another address, and then opens one account for both."""
    _, terms, _ = make_program(new_customers_only=False)
    advocate = advocate_for_guest("camille@example.com")
    order = friend_orders(advocate, terms, basket, now, email="other@example.com")
    rewards.sweep(now=now)
    camille = make_user("camille")
    assert advocate_for(camille).pk == advocate.pk
    # As a shop does that links the order of the session, whatever its address.
    Referral.objects.update(friend=camille, next_check_at=now)
    deliver(order, now)
    rewards.sweep(now=now + 20 * DAY)
    assert credit.available(camille, "EUR") == 0
    assert Referral.objects.get().reason == "own_link"


def test_a_refusal_stays_when_the_address_is_changed_afterwards(
    advocate, camille, make_program, basket, make_user, now
):
    _, terms, _ = make_program()
    order = friend_orders(advocate, terms, basket, now, email="ca.mille@example.com")
    rewards.sweep(now=now)
    camille.email = "new@example.com"
    camille.save()
    deliver(order, now)
    rewards.sweep(now=now + 20 * DAY)
    assert Referral.objects.get().reason == "own_link"
    assert credit.available(camille, "EUR") == 0


def test_the_next_person_at_the_browser_does_not_take_a_customers_discount(
    advocate, make_program, basket, make_user, now
):
    """The cookie of the visit is still there when somebody else signs in."""
    _, terms, _ = make_program()
    came = visit(advocate, terms, now)
    lea, tom = make_user("lea"), make_user("tom")
    mine, theirs = basket(lea), basket(tom)
    claim = rewards.commit(visit=came, basket_reference=str(mine.pk), user=lea, now=now)
    assert rewards.commit(visit=came, basket_reference=str(theirs.pk), user=tom, now=now) is None
    claim.refresh_from_db()
    assert (claim.user, DiscountGrant.objects.get().user) == (lea, lea)
    assert place_order(theirs, number="1", goods=Decimal(100), email=tom.email, now=now).discount == 0
    assert place_order(mine, number="2", goods=Decimal(100), email=lea.email, now=now).discount == 10
    assert Referral.objects.get().friend == lea


def test_nor_when_the_first_one_has_only_registered(advocate, make_program, basket, make_user, now):
    _, terms, _ = make_program()
    came = visit(advocate, terms, now)
    lea, tom = make_user("lea"), make_user("tom")
    claim = rewards.commit(visit=came, user=lea, now=now)
    register_friend(lea, claim=claim, now=now)
    theirs = basket(tom)
    assert rewards.commit(visit=came, basket_reference=str(theirs.pk), user=tom, now=now) is None
    assert DiscountGrant.objects.get().user == lea


def test_the_address_of_a_guest_at_the_same_browser_withdraws_nothing(
    advocate, make_program, basket, make_user, now
):
    _, terms, _ = make_program()
    place_order(basket(), number="0", goods=Decimal(20), email="tom@example.com", now=now - 90 * DAY)
    came = visit(advocate, terms, now)
    lea = make_user("lea")
    rewards.commit(visit=came, user=lea, now=now)
    rewards.commit(visit=came, basket_reference=str(basket().pk), email="tom@example.com", now=now)
    assert DiscountGrant.objects.get().state == "issued"


def test_a_code_typed_after_the_click_is_the_last_touch(advocate, make_program, basket, make_user, now):
    """The basket was full before the click, so the older link commits only at checkout."""
    make_program()
    noe = advocate_for(make_user("noe"))
    terms = Program.objects.get().terms.get()
    clicked = visit(advocate, terms, now)
    made = basket()
    typed = rewards.typed_code(code_of(noe), basket_reference=str(made.pk), now=now + DAY)
    assert typed.outcome == "accepted"
    claim = rewards.commit(visit=clicked, basket_reference=str(made.pk), now=now + DAY + timedelta(minutes=5))
    assert claim.advocate == noe
    later = visit(advocate, terms, now + 2 * DAY)
    assert rewards.commit(visit=later, basket_reference=str(made.pk), now=now + 2 * DAY).advocate == advocate


def test_the_first_touch_is_the_first_although_it_commits_later(
    advocate, make_program, basket, make_user, now
):
    _, terms, _ = make_program(touch="first")
    noe = advocate_for(make_user("noe"))
    lea = make_user("lea")
    first, second = visit(advocate, terms, now), visit(noe, terms, now + DAY)
    assert rewards.commit(visit=second, user=lea, now=now + DAY).advocate == noe
    assert rewards.commit(visit=first, user=lea, now=now + 2 * DAY).advocate == advocate
    assert rewards.commit(visit=second, user=lea, now=now + 3 * DAY).advocate == advocate


def test_an_order_of_a_basket_whose_invitation_was_replaced_goes_to_the_new_one(
    advocate, make_program, basket, make_user, now
):
    """The newer invitation came on another device; a job places the order of the older basket."""
    _, terms, _ = make_program()
    noe = advocate_for(make_user("noe"))
    lea = make_user("lea")
    old = basket(lea)
    rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(old.pk), user=lea, now=now)
    rewards.commit(visit=visit(noe, terms, now + DAY), user=lea, now=now + DAY)
    assert list(Claim.objects.order_by("pk").values_list("state", flat=True)) == ["replaced", "open"]
    from wagtail_referrals.referrals import PurchaseSnapshot

    rewards.order_placed(
        PurchaseSnapshot(
            reference="1",
            placed_at=now + 2 * DAY,
            currency="EUR",
            eligible=Decimal(50),
            total=Decimal(50),
            was_customer=False,
        ),
        basket_reference=str(old.pk),
        user=lea,
        email=lea.email,
        now=now + 2 * DAY,
    )
    assert Referral.objects.get().advocate == noe


def test_rewards_of_a_guest_who_registers_late_are_paid(make_program, basket, make_user, now):
    """Nothing is watched any more when the referrer opens an account at last."""
    _, terms, _ = make_program()
    advocate = advocate_for_guest("camille@example.com")
    deliver(friend_orders(advocate, terms, basket, now), now)
    for days in (15, 179, 181):
        rewards.sweep(now=now + days * DAY)
    reward = Reward.objects.get()
    assert (reward.state, reward.reason) == ("waiting", "account")
    assert Referral.objects.get().next_check_at is None
    camille = make_user("camille")
    assert advocate_for(camille).pk == advocate.pk
    rewards.sweep(now=now + 400 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")


@pytest.mark.parametrize("address", ["ca.mille@example.com", "camille+x@example.com"])
def test_who_registers_with_a_variant_of_a_guests_address_gets_nothing_that_waits(
    address, make_program, basket, make_user, now
):
    """Some providers deliver these elsewhere, so the mail that proves an address proves nothing of the other."""
    _, terms, _ = make_program()
    advocate = advocate_for_guest("Camille@example.com")
    deliver(friend_orders(advocate, terms, basket, now), now)
    rewards.sweep(now=now + 15 * DAY)
    mallory = make_user("mallory")
    mallory.email = address
    mallory.save()
    assert advocate_for(mallory).pk != advocate.pk
    rewards.sweep(now=now + 16 * DAY)
    assert credit.available(mallory, "EUR") == 0
    # Nor does it keep the money from whom it waits for.
    camille = make_user("camille")
    assert advocate_for(camille).pk == advocate.pk
    rewards.sweep(now=now + 400 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")


def test_a_guest_with_a_variant_of_an_address_does_not_share_its_rewards():
    """Otherwise whoever came first would be paid for the friends of both."""
    first = advocate_for_guest("camille+x@example.com")
    advocate = advocate_for_guest("camille@example.com")
    assert advocate.pk != first.pk
    assert advocate.email_hash == first.email_hash
    assert advocate_for_guest("CAMILLE@example.com") == advocate


@pytest.mark.parametrize("address", ["le.a@example.com", "lea+x@example.com"])
def test_nor_does_a_friends_reward_go_to_a_variant_of_their_address(
    address, advocate, make_program, basket, make_user, now
):
    rules = [{"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}}]
    _, terms, _ = make_program(rules)
    deliver(friend_orders(advocate, terms, basket, now, email="lea@example.com"), now)
    rewards.sweep(now=now + 15 * DAY)
    mallory = make_user("mallory")
    mallory.email = address
    mallory.save()
    assert register_friend(mallory, claim=None, now=now + 16 * DAY) is None
    rewards.sweep(now=now + 16 * DAY)
    assert credit.available(mallory, "EUR") == 0
    lea = make_user("lea")
    register_friend(lea, claim=None, now=now + 17 * DAY)
    assert Referral.objects.get().friend == lea
    rewards.sweep(now=now + 17 * DAY)
    assert credit.available(lea, "EUR") == Decimal("5.00")


def test_a_guest_of_two_programs_registers_and_both_referrals_are_theirs(
    advocate, make_program, basket, make_user, now
):
    rules = [{"side": "friend", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}}]
    _, one, _ = make_program(rules, new_customers_only=False)
    _, two, _ = make_program(rules, new_customers_only=False)
    friend_orders(advocate, one, basket, now, number="1")
    friend_orders(advocate, two, basket, now, number="2")
    Order.objects.update(paid_at=now, shipped_at=now)
    rewards.sweep(now=now + 15 * DAY)
    lea = make_user("lea")
    register_friend(lea, claim=None, now=now + 16 * DAY)
    rewards.sweep(now=now + 16 * DAY)
    assert credit.available(lea, "EUR") == Decimal("10.00")


def test_a_person_with_two_guest_addresses_registers_without_an_error(
    advocate, make_program, basket, make_user, now
):
    """One referral became theirs by the order of the session; the other, by its address, is of the same program."""
    _, terms, _ = make_program(new_customers_only=False)
    friend_orders(advocate, terms, basket, now, number="1", email="other@example.com")
    friend_orders(advocate, terms, basket, now + DAY, number="2", email="lea@example.com")
    lea = make_user("lea")
    Referral.objects.filter(purchases__reference="1").update(friend=lea)
    found = register_friend(lea, claim=None, now=now + 2 * DAY)
    assert found == Referral.objects.get(purchases__reference="1")


def test_a_deleted_friend_leaves_no_hash_behind(advocate, make_program, basket, make_user, now):
    """Also one who was known as a guest first."""
    _, terms, _ = make_program()
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    rewards.bind_person(claim, email="lea@example.com", now=now)
    place_order(made, number="1", goods=Decimal(100), email="lea@example.com", now=now)
    lea = make_user("lea")
    register_friend(lea, claim=None, now=now + DAY)
    lea.delete()
    assert list(Claim.objects.values_list("user", "email_hash")) == [(None, "")]
    assert list(DiscountGrant.objects.values_list("user", "email_hash")) == [(None, "")]
    hashes = Referral.objects.values_list("friend", "friend_email_hash", "friend_exact_email_hash")
    assert list(hashes) == [(None, "", "")]


def test_a_refused_visitor_who_goes_on_shopping_is_refused_once(advocate, camille, make_program, basket, now):
    _, terms, _ = make_program()
    came = visit(advocate, terms, now)
    made = basket(camille)
    for _page in range(3):
        assert rewards.commit(visit=came, basket_reference=str(made.pk), user=camille, now=now) is None
    assert TimelineEvent.objects.filter(advocate=advocate, kind="claim_refused").count() == 1


@pytest.mark.parametrize("guest", [True, False])
def test_the_discount_that_an_order_used_says_whose_it_is(
    advocate, make_program, basket, make_user, now, guest
):
    """Another link was followed while the bank was asking; what is paid has the first one's discount."""
    _, terms, _ = make_program()
    noe = advocate_for(make_user("noe"))
    lea = None if guest else make_user("lea")
    made = basket(lea)
    first = rewards.commit(
        visit=visit(advocate, terms, now), basket_reference=str(made.pk), user=lea, now=now
    )
    code = first.discounts.get().code
    later = now + timedelta(minutes=5)
    rewards.commit(visit=visit(noe, terms, later), basket_reference=str(made.pk), user=lea, now=later)
    from wagtail_referrals.referrals import PurchaseSnapshot

    rewards.order_placed(
        PurchaseSnapshot(
            reference="1",
            placed_at=later,
            currency="EUR",
            eligible=Decimal(90),
            total=Decimal(90),
            was_customer=False,
        ),
        basket_reference=str(made.pk),
        user=lea,
        email="lea@example.com",
        discounts={code: Decimal(10)},
        now=later,
    )
    assert Referral.objects.get().advocate == advocate


def reopening(grant):
    grant.refresh_from_db()
    kinds = TimelineEvent.objects.filter(claim=grant.claim).order_by("pk").values_list("kind", flat=True)
    return grant.state, grant.reason, [kind for kind in kinds if kind.startswith("discount")]


@pytest.mark.parametrize("wrong", ["ca.mille+x@example.com", "old@example.com"])
def test_a_guest_who_corrects_the_address_has_the_discount_again(
    advocate, camille, make_program, basket, now, wrong
):
    _, terms, _ = make_program()
    place_order(basket(), number="0", goods=Decimal(20), email="old@example.com", now=now - 90 * DAY)
    made = basket()
    step = {"visit": visit(advocate, terms, now), "basket_reference": str(made.pk), "now": now}
    claim = rewards.commit(**step)
    grant = claim.discounts.get()
    codes = [grant.code]
    story = ["discount_issued"]
    # Also back and forth, and also by way of an address that was good before.
    for email in (wrong, "lea@example.com", wrong, "lea@example.com"):
        rewards.commit(**step, email=email)
        rewards.commit(**step, email=email)
        good = email == "lea@example.com"
        story.append("discount_reopened" if good else "discount_withdrawn")
        state, reason, told = reopening(grant)
        assert (state, bool(reason), told) == ("issued" if good else "void", not good, story)
        if good:
            codes.append(grant.code)
        alive = Voucher.objects.filter(void=False).values_list("code", flat=True)
        assert list(alive) == ([grant.code] if good else [])
    assert len(set(codes)) == 3
    order = place_order(made, number="1", goods=Decimal(100), email="lea@example.com", now=now)
    assert order.discount == 10
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert credit.available(camille, "EUR") == Decimal("15.00")
    # Used is used.
    rewards.bind_person(claim, email=wrong, now=now)
    rewards.bind_person(claim, email="zoe@example.com", now=now)
    assert reopening(grant)[0] == "used"


def test_a_code_is_judged_for_the_address_of_the_guest(advocate, camille, make_program, basket, now):
    make_program()
    made = basket()
    step = {"basket_reference": str(made.pk), "now": now}
    assert rewards.typed_code(code_of(advocate), **step, email=camille.email).outcome == "refused"
    assert rewards.typed_code(code_of(advocate), **step, email=camille.email).outcome == "refused"
    assert rewards.typed_code(code_of(advocate), **step).outcome == "refused", (
        "nobody is known: nothing changes"
    )
    assert rewards.typed_code(code_of(advocate), **step, email="lea@example.com").outcome == "accepted"
    assert DiscountGrant.objects.get().state == "issued"


@pytest.mark.parametrize("case", ["revoked", "lapsed", "over", "other_account", "guest_of_account", "paying"])
def test_what_is_not_given_again(advocate, make_program, basket, make_user, now, monkeypatch, case):
    _, terms, _ = make_program()
    made = basket()
    claim = rewards.commit(visit=visit(advocate, terms, now), basket_reference=str(made.pk), now=now)
    if case in ("other_account", "guest_of_account"):
        rewards.bind_person(claim, user=make_user("lea"), now=now)
    rewards.bind_person(claim, email="camille@example.com", now=now)
    grant = claim.discounts.get()
    assert grant.reason == "own_link"
    person = {"email": "zoe@example.com"}
    if case == "revoked":
        DiscountGrant.objects.update(reason="revoked")
    elif case == "lapsed":
        Claim.objects.update(state="lapsed")
    elif case == "over":
        now += 31 * DAY
    elif case == "other_account":
        person = {"user": make_user("tom")}
    elif case == "paying":
        monkeypatch.setattr("tests.plainshop.shop.PlainShop.void_discount", lambda self, code: True)
    rewards.bind_person(claim, now=now, **person)
    assert reopening(grant)[0] == "void"
    assert not Voucher.objects.filter(void=False).exists()
