"""A membership as a reward: given, prolonging what there is, given once, taken back, and what had been used of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Count
from django.utils import timezone, translation
from oscar.core.loading import get_model

from oscar_integration.memberships.kind import MembershipKind, plan_options
from oscar_integration.memberships.models import Membership, Period, Plan, PlanName
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import record_use
from tests.admin.conftest import admin
from tests.admin.test_program_form import errors_of, publish, start
from tests.books import assert_audit_clean
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place, refund
from tests.oscar_integration.shopping import create_order, make_product, make_program
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import people, referrals, rewards
from wagtail_referrals.kinds import Posting, objection_to, reward_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs import draft_data, friend_notes, parse, sentence
from wagtail_referrals.programs.models import Program, ProgramRule, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.referrals.timeline import event_words, events_of
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site.account import friends_of
from wagtail_referrals.tracking.models import Visit

__all__ = ["admin"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

DAY = timedelta(days=1)


@pytest.fixture
def camille(db: None) -> Any:
    return make_user("camille@example.com", "Camille")


@pytest.fixture
def advocate(camille: Any) -> Any:
    return people.advocate_for(camille)


@pytest.fixture
def day_pass(db: None) -> Plan:
    """For trying out: a day, once."""
    return make_plan("day-pass", "Day pass", period_unit="days", uses=1, is_trial=True, gift_only=True)


@pytest.fixture
def monthly(db: None) -> Plan:
    """A month, unlimited, which renews by itself."""
    return make_sold_plan("monthly", title="Monthly", renews=True)


def gives(
    plan: Plan, side: str = "advocate", trigger: str = "first_purchase", **values: Any
) -> dict[str, Any]:
    options = plan_options(plan, prolongs=values.pop("prolongs", True))
    return {"side": side, "trigger": trigger, "kind": "membership", "options": options} | values


def open_program(*rules: dict[str, Any], **values: Any) -> Any:
    return make_program(
        list(rules), **{"hold_days": 0, "hold_anchor": "paid", "new_customers_only": False} | values
    )


@pytest.fixture
def earn(advocate: Any) -> Callable[..., Reward]:
    """The advocate earns the plan with the order of a friend; the reward."""
    mat = make_product("MAT", "100.00", sent=False)
    count = iter(range(1, 100))

    def make(plan: Plan, **values: Any) -> Reward:
        terms = open_program(gives(plan, **values))
        email = f"friend{next(count)}@example.com"
        order = pay(create_order(claimed(advocate, terms, mat), email=email))
        rewards.settle(Referral.objects.get(purchases__reference=order.number).pk)
        return Reward.objects.latest("pk")

    return make


def settle_order(reward: Reward, status: str) -> None:
    """The order of the reward changes to this state, by whatever way."""
    assert reward.purchase is not None
    get_model("order", "Order").objects.filter(number=reward.purchase.reference).update(status=status)
    rewards.settle(reward.referral_id)
    reward.refresh_from_db()


def assert_one_period_each() -> None:
    """A reward says that it was given if, and only if, exactly one period of it is there."""
    held = Period.objects.filter(reward__isnull=False, taken_back_at=None).order_by()
    by_reward = dict(held.values_list("reward").annotate(Count("pk")))
    for reward in Reward.objects.filter(kind="membership"):
        assert by_reward.get(reward.pk, 0) == reward.posted, reward.pk
    assert_audit_clean()


def buy(plan: Plan, user: Any) -> Membership:
    """Ordered, paid, and seen to be paid."""
    pay(place(plan, user=user))
    settle(membership_of(user, plan).pk)
    return membership_of(user, plan)


def dates(membership: Membership) -> tuple[Any, Any]:
    return membership.starts_at, membership.ends_at


# Given and taken back


def test_it_runs_from_when_it_is_given(earn: Any, camille: Any, monthly: Plan) -> None:
    reward = earn(monthly)
    membership = membership_of(camille)
    assert (membership.state, membership.starts_at) == ("active", NOW)
    assert membership.ends_at == NOW.replace(month=4, hour=8), "at the same time of day, in Paris"
    period = Period.objects.get()
    assert (period.origin, period.kind, period.reward_id) == ("reward", "new", reward.pk)
    assert (reward.posted, reward.state) == (1, "given")
    assert_one_period_each()


def test_taken_back_and_given_again(earn: Any, camille: Any, monthly: Plan, clock: Any) -> None:
    reward = earn(monthly)
    clock.move_to(NOW + 3 * DAY)
    settle_order(reward, "Cancelled")
    assert (reward.posted, reward.state, reward.reason) == (0, "taken_back", "cancelled")
    membership = membership_of(camille)
    assert (membership.state, membership.ended_reason) == ("ended", "taken_back")
    assert membership.ends_at == NOW + 3 * DAY
    assert_one_period_each()
    clock.move_to(NOW + 5 * DAY)
    settle_order(reward, "Complete")
    assert reward.posted == 1
    again = Membership.objects.filter(user=camille).exclude(state="ended").get()
    assert again.starts_at == NOW + 5 * DAY
    assert_one_period_each()
    settle_order(reward, "Cancelled")
    settle_order(reward, "Cancelled")
    assert reward.posted == 0
    assert Period.objects.filter(taken_back_at=None).count() == 0
    assert_one_period_each()


def test_what_became_of_it_is_told_to_editors_and_customers(
    earn: Any, advocate: Any, camille: Any, monthly: Plan, clock: Any
) -> None:
    def told() -> list[str]:
        return [event_words(event) for event in events_of(reward.referral)]

    def read() -> tuple[list[str], list[str]]:
        (friend,) = friends_of(advocate, None).object_list
        return [reward.words for reward in friend.rewards], friend.why

    reward = earn(monthly)
    assert "Reward given to the referrer: a free “Monthly”." in told()
    assert read() == (["a free “Monthly”: given"], [])
    clock.move_to(NOW + 3 * DAY)
    settle_order(reward, "Cancelled")
    assert "Reward of the referrer taken back, a free “Monthly”: the order was cancelled." in told()
    given, why = read()
    assert (given, why[0]) == (["a free “Monthly”: taken back"], "The order was cancelled")
    kinds = list(Message.objects.filter(user=camille).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["reward_given", "reward_taken_back"]


def test_a_membership_that_is_refunded_takes_back_the_one_that_it_brought(
    advocate: Any,
    camille: Any,
    lea: Any,
    monthly: Plan,
    clock: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    """One refund, no word to anybody but Oscar: the friend's ends, and what the referrer used of theirs is noted."""
    terms = open_program(gives(monthly, trigger="buys_membership"))
    order = create_order(claimed(advocate, terms, monthly.product, user=lea), user=lea)
    with django_capture_on_commit_callbacks(execute=True):
        pay(order)
    rewards.sweep()
    assert (membership_of(lea).state, membership_of(camille).state) == ("active", "active")
    clock.move_to(NOW + 3 * DAY)
    with django_capture_on_commit_callbacks(execute=True):
        refund(order, "30.00", {order.lines.get(): 1})
    rewards.sweep()
    ended = {row.user: (row.state, row.ended_reason, row.ends_at) for row in Membership.objects.all()}
    assert ended == {
        lea: ("ended", "refunded", NOW + 3 * DAY),
        camille: ("ended", "taken_back", NOW + 3 * DAY),
    }
    period = Period.objects.get(membership__user=camille)
    assert (period.shortfall_uses, period.shortfall_days) == (0, 3)
    rewards.sweep()
    assert Period.objects.count() == 2
    assert_one_period_each()


def posting(reward: Reward, amount: int, revision: int) -> Posting:
    rule = parse(reward.terms).rule(str(reward.rule_key))
    assert rule is not None
    return Posting(
        user=reward.user,
        currency=reward.currency,
        amount=Decimal(amount),
        key=f"reward:{reward.pk}:{revision}",
        source=f"reward:{reward.pk}",
        rule=rule,
        now=timezone.now(),
        expires_at=None,
    )


def test_the_same_key_twice_is_once(earn: Any, monthly: Plan) -> None:
    reward = earn(monthly)
    kind = reward_kinds.get("membership")
    kind.post(posting(reward, 1, 1))
    assert Period.objects.count() == 1
    kind.post(posting(reward, -1, 2))
    kind.post(posting(reward, -1, 2))
    assert Period.objects.get().taken_back_at is not None
    kind.post(posting(reward, 1, 1))
    assert Period.objects.get().taken_back_at is not None, "the first one is not given once more"
    kind.post(posting(reward, 1, 3))
    kind.post(posting(reward, -1, 2))
    assert Period.objects.filter(taken_back_at=None).count() == 1, "what came after stays"


def test_what_had_been_used_is_still_to_recover(earn: Any, camille: Any, clock: Any) -> None:
    reward = earn(make_plan("ten", uses=10))
    record_use(membership_of(camille), key="a", how="list", by=None)
    record_use(membership_of(camille), key="b", how="list", by=None)
    clock.move_to(NOW + DAY)
    settle_order(reward, "Cancelled")
    period = Period.objects.get()
    assert (period.shortfall_uses, period.shortfall_days) == (2, 0)
    assert_one_period_each()
    settle_order(reward, "Complete")
    settle_order(reward, "Cancelled")
    assert [row.shortfall_uses for row in Period.objects.order_by("pk")] == [2, 0]


def test_days_of_an_unlimited_one_are_still_to_recover(earn: Any, monthly: Plan, clock: Any) -> None:
    reward = earn(monthly)
    clock.move_to(NOW + 3 * DAY + timedelta(hours=1))
    settle_order(reward, "Cancelled")
    period = Period.objects.get()
    assert (period.shortfall_uses, period.shortfall_days) == (0, 4)


def test_what_was_not_begun_is_owed_by_nobody(earn: Any, camille: Any, monthly: Plan) -> None:
    give(camille, monthly)
    reward = earn(monthly)
    settle_order(reward, "Cancelled")
    period = Period.objects.get(reward=reward)
    assert (period.shortfall_uses, period.shortfall_days) == (0, 0)
    assert membership_of(camille).ends_at == NOW.replace(month=4, hour=8)


# Who has one already


def test_who_has_it_has_it_for_longer(earn: Any, camille: Any, monthly: Plan) -> None:
    pay(place(monthly, user=camille))
    reward = earn(monthly)
    membership = membership_of(camille)
    assert dates(membership) == (NOW, NOW.replace(month=5, hour=8))
    assert Period.objects.get(reward=reward).kind == "extension"
    settle_order(reward, "Cancelled")
    assert membership_of(camille).ends_at == NOW.replace(month=4, hour=8)
    assert_one_period_each()


def test_who_has_another_one_has_that_for_as_much_longer(earn: Any, camille: Any, monthly: Plan) -> None:
    yearly = make_plan("yearly", period_length=12)
    give(camille, yearly)
    reward = earn(monthly)
    membership = membership_of(camille)
    assert membership.plan == yearly
    assert dates(membership) == (NOW, NOW.replace(year=2027, month=4, hour=8))
    assert Period.objects.get(reward=reward).kind == "extension"
    assert_one_period_each()


def test_beside_the_other_where_the_rule_says_so(earn: Any, camille: Any, monthly: Plan) -> None:
    yearly = make_plan("yearly", period_length=12)
    give(camille, yearly)
    earn(monthly, prolongs=False)
    assert {row.plan for row in Membership.objects.filter(user=camille)} == {yearly, monthly}
    assert Membership.objects.get(plan=monthly).starts_at == NOW


def test_what_is_over_is_not_prolonged(earn: Any, camille: Any, monthly: Plan, clock: Any) -> None:
    """Also where nobody has noted its end so far."""
    week = make_plan("week", period_unit="days", period_length=7)
    old = give(camille, week)
    clock.move_to(NOW + 8 * DAY)
    assert Membership.objects.get(pk=old.pk).state == "active"
    earn(monthly)
    assert membership_of(camille, monthly).starts_at == NOW + 8 * DAY
    assert Period.objects.get(membership__plan=monthly).kind == "new"


def test_what_is_for_trying_out_prolongs_nothing(
    earn: Any, camille: Any, monthly: Plan, day_pass: Plan
) -> None:
    """Neither when it is given, nor when it is there."""
    give(camille, day_pass)
    earn(monthly)
    assert membership_of(camille, monthly).starts_at == NOW
    lea = make_user("lea@example.com")
    give(lea, monthly)
    friend_registers(open_program(gives(day_pass, "friend", "registers")), lea)
    assert membership_of(lea, day_pass).uses_left == 1


def test_who_is_unlimited_stays_so(earn: Any, camille: Any, monthly: Plan) -> None:
    give(camille, monthly)
    earn(make_plan("ten", uses=10))
    assert Period.objects.latest("pk").uses is None
    assert membership_of(camille).uses_left is None


def test_who_has_a_pass_gets_as_many_uses_as_are_given(earn: Any, camille: Any) -> None:
    give(camille, make_plan("ten", uses=10))
    earn(make_plan("one", period_unit="days", uses=1))
    assert membership_of(camille).uses_left == 11


def test_of_several_the_one_that_renews_is_prolonged(earn: Any, camille: Any, monthly: Plan) -> None:
    give(camille, make_plan("yearly", period_length=12))
    pay(place(monthly, user=camille))
    earn(make_plan("week", period_unit="days", period_length=7))
    assert Period.objects.latest("pk").membership == membership_of(camille, monthly)


# Renewal


def test_what_was_earned_does_not_renew_until_it_was_bought(earn: Any, camille: Any, monthly: Plan) -> None:
    earn(monthly)
    membership = membership_of(camille)
    assert membership.renews is False
    assert membership.access_until == membership.ends_at, "no time of grace: nothing is to be paid"
    place(monthly, user=camille)
    settle(membership.pk)
    assert membership_of(camille).renews is False, "ordered, but not paid"
    assert buy(monthly, camille).renews is True


def test_what_was_bought_and_switched_off_stays_off(earn: Any, camille: Any, monthly: Plan) -> None:
    buy(monthly, camille)
    Membership.objects.update(renews=False)
    earn(monthly)
    assert buy(monthly, camille).renews is False


# Given once


def test_what_is_for_trying_out_is_given_once(advocate: Any, day_pass: Plan, earn: Any, camille: Any) -> None:
    first, second = earn(day_pass), earn(day_pass)
    assert (first.posted, second.posted) == (1, 0)
    assert (second.state, second.reason) == ("refused", "had_already")
    told = [event_words(event) for event in events_of(second.referral)]
    assert "No reward for the referrer: it is given once to each customer, and was given before." in told
    assert Period.objects.count() == 1
    assert_one_period_each()
    rewards.settle(second.referral_id)
    assert_one_period_each()


def test_also_where_it_was_bought_or_is_over(earn: Any, camille: Any, clock: Any) -> None:
    trial = make_sold_plan("trial", is_trial=True, period_unit="days", uses=1)
    pay(place(trial, user=camille))
    clock.move_to(NOW + 30 * DAY)
    assert earn(trial).reason == "had_already"


def test_an_order_that_was_never_paid_is_no_trial(earn: Any, camille: Any) -> None:
    trial = make_sold_plan("trial", is_trial=True, period_unit="days", uses=1)
    place(trial, user=camille)
    assert earn(trial).posted == 1


def test_the_same_reward_may_give_it_again(earn: Any, day_pass: Plan, clock: Any) -> None:
    reward = earn(day_pass)
    clock.move_to(NOW + timedelta(hours=2))
    settle_order(reward, "Cancelled")
    assert Period.objects.get().starts_at == NOW
    settle_order(reward, "Complete")
    assert (reward.posted, reward.state) == (1, "given")
    assert_one_period_each()


# The friend


def friend_registers(terms: Any, lea: Any) -> Referral:
    visit = Visit.objects.create(
        advocate=people.advocate_for(make_user("zoe@example.com")), terms=terms, created_at=timezone.now()
    )
    claim = rewards.commit(visit=visit, user=lea)
    referral = referrals.register_friend(lea, claim=claim)
    rewards.settle(referral.pk)
    return referral


@pytest.mark.parametrize("trigger", ["arrives", "registers"])
def test_a_friend_with_an_account_has_it_at_once(lea: Any, day_pass: Plan, trigger: str) -> None:
    friend_registers(open_program(gives(day_pass, "friend", trigger), hold_days=30), lea)
    membership = membership_of(lea)
    assert (membership.state, membership.plan, membership.uses_left) == ("active", day_pass, 1)
    assert_one_period_each()


def test_a_guest_waits_for_an_account(advocate: Any, day_pass: Plan) -> None:
    terms = open_program(gives(day_pass, "friend", "arrives"))
    mat = make_product("MAT", "100.00", sent=False)
    pay(create_order(claimed(advocate, terms, mat), email="lea@example.com"))
    referral = Referral.objects.get()
    rewards.settle(referral.pk)
    reward = Reward.objects.get()
    assert (reward.state, reward.reason, reward.posted) == ("waiting", "account", 0)
    assert not Membership.objects.exists()
    lea = make_user("lea@example.com")
    referrals.register_friend(lea, claim=None)
    rewards.settle(referral.pk)
    assert membership_of(lea).state == "active"
    assert_one_period_each()


# What the terms keep


def test_what_was_promised_is_given(earn: Any, camille: Any, monthly: Plan, clock: Any) -> None:
    """The plan was changed since."""
    rule = gives(monthly)
    Plan.objects.update(period_length=2, uses=3)
    terms = open_program(rule)
    mat = make_product("OTHER", "10.00", sent=False)
    order = pay(create_order(claimed(people.advocate_for(camille), terms, mat), email="zoe@example.com"))
    rewards.settle(Referral.objects.get(purchases__reference=order.number).pk)
    membership = membership_of(camille)
    assert (membership.ends_at, membership.uses_left) == (NOW.replace(month=4, hour=8), None)


def test_a_plan_that_is_gone_fails_and_harms_nothing_else(
    advocate: Any, camille: Any, monthly: Plan, caplog: Any
) -> None:
    terms = open_program(
        gives(monthly),
        {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}},
    )
    mat = make_product("MAT", "100.00", sent=False)
    pay(create_order(claimed(advocate, terms, mat), email="lea@example.com"))
    monthly.delete()
    rewards.settle(Referral.objects.get().pk)
    states = dict(Reward.objects.values_list("kind", "state"))
    assert states == {"membership": "failed", "credit": "given"}


def test_words(monthly: Plan) -> None:
    PlanName.objects.create(plan=monthly, language="fr", name="Abonnement mensuel")
    data = parse(open_program(gives(monthly)))
    assert "your customer gets a free “Monthly”" in sentence(data)
    Plan.objects.update(name="Other")
    PlanName.objects.all().delete()
    kind = reward_kinds.get("membership")
    with translation.override("fr"):
        assert "Abonnement mensuel" in kind.words(data.rules[0], "EUR")


# What the editor writes


def form_values(client: Any, plan: Any, **changes: Any) -> dict[str, Any]:
    values = start(client, **{"rules-1-kind": "membership"})
    return (
        values | {"rules-1-option_gift_plan": str(plan), "rules-1-option_gift_plan_prolongs": "on"} | changes
    )


def test_the_form_keeps_the_plan_as_it_is(admin: Any, day_pass: Plan) -> None:
    response = publish(admin, form_values(admin, day_pass.pk))
    assert response.status_code == 302, errors_of(response)
    assert parse(Terms.objects.get()).rules[1].options == {
        "gift_plan": day_pass.pk,
        "gift_plan_names": {"en": "Day pass"},
        "gift_plan_period": {"length": 1, "unit": "days", "uses": 1},
        "gift_plan_prolongs": True,
    }


def test_it_can_be_given_beside_another_one(admin: Any, day_pass: Plan) -> None:
    values = form_values(admin, day_pass.pk)
    del values["rules-1-option_gift_plan_prolongs"]
    assert publish(admin, values).status_code == 302
    assert parse(Terms.objects.get()).rules[1].options["gift_plan_prolongs"] is False


def test_no_plan_chosen_cannot_be_published(admin: Any, day_pass: Plan) -> None:
    assert "Say which plan." in errors_of(publish(admin, form_values(admin, "")))
    assert not Terms.objects.exists()


def test_a_shop_without_plans_is_told(admin: Any) -> None:
    words = "There is no plan yet: make one under “Plans” first."
    objection = objection_to(MembershipKind())
    assert objection is not None and objection.forbids and objection.words == words
    page = publish(admin, form_values(admin, ""))
    assert words in errors_of(page)
    make_plan()
    assert objection_to(MembershipKind()) is None


def test_what_is_gone_is_promised_to_nobody_new(day_pass: Plan) -> None:
    open_program(gives(day_pass))
    program = Program.objects.get()
    assert len(draft_data(program).rules) == 1
    day_pass.delete()
    assert draft_data(program).rules == ()


def test_the_editor_reads_that_a_guest_has_to_wait(day_pass: Plan) -> None:
    rules = [ProgramRule(**gives(day_pass, "friend", "arrives"))]
    assert friend_notes(rules) == ["The friend gets the membership once they have an account."]
