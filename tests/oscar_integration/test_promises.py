"""What was promised stands, whatever becomes of the program meanwhile: with the real admin, at every stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_integration import attach_claim
from tests.admin.conftest import signed_in
from tests.admin.rows import make_program, make_user
from tests.admin.test_program_form import edit
from tests.books import assert_audit_clean
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals import credit, rewards, tracking
from wagtail_referrals.programs import heal_terms, pick_terms
from wagtail_referrals.programs.models import Budget, Program, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db

D = Decimal
DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
Order = get_model("order", "Order")


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def admin(clock: Any, db: None, settings: Any) -> Client:
    """An editor who stays signed in: sessions end sooner than waiting periods."""
    settings.SESSION_COOKIE_AGE = int(timedelta(days=400).total_seconds())
    return signed_in(make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True))


@pytest.fixture
def program(clock: Any, db: None) -> Program:
    """10 % off for the friend, 15.00 for the referrer, both budgets limited."""
    return make_program(budget_amounts={"EUR": "500.00"}, budget_count=50)


# What an editor does


def path(name: str, program: Program) -> str:
    return reverse(f"wagtail_referrals_programs:{name}", args=[program.pk])


def change(admin: Client, program: Program) -> None:
    """Everything less, and later."""
    response = edit(
        admin,
        program,
        **{
            "rules-0-percent": "1",
            "rules-1-amounts_EUR": "2.00",
            "rules-1-minimum_spend_EUR": "5000",
            "hold_days": "300",
            "window_days": "1",
            "cap_count": "1",
            "friend_cap_count": "1",
            "clawback_days": "1",
            "budget_count": "1",
            "action-publish": "action-publish",
        },
    )
    assert response.status_code == 302, response.context["form"].errors
    assert Terms.objects.count() == 2


def remove_rules(admin: Client, program: Program) -> None:
    response = edit(
        admin, program, **{"rules-0-DELETE": "1", "rules-1-DELETE": "1", "action-publish": "action-publish"}
    )
    assert response.status_code == 302, response.context["form"].errors
    assert Terms.objects.latest("number").data["rules"] == []


def unpublish(admin: Client, program: Program) -> None:
    assert admin.post(path("unpublish", program)).status_code == 302
    assert not Program.objects.get().live


def expire(admin: Client, program: Program) -> None:
    program.expire_at = datetime.now(UTC) - timedelta(seconds=1)
    program.save_revision().publish()


def delete(admin: Client, program: Program) -> None:
    assert admin.post(path("delete", program)).status_code == 302
    assert not Program.objects.exists()


def change_and_delete(admin: Client, program: Program) -> None:
    change(admin, program)
    delete(admin, program)


# What the friend does, step by step


class Friend:
    def __init__(self, advocate: Any, program: Program, mat: Any, clock: Any) -> None:
        self.advocate, self.mat, self.clock = advocate, mat, clock
        self.terms = Terms.objects.get(program=program)
        self.visit: Any = None
        self.basket: Any = None
        self.order: Any = None

    def follows_the_link(self) -> None:
        self.visit = Visit.objects.create(
            advocate=self.advocate, terms=self.terms, created_at=datetime.now(UTC)
        )

    def fills_the_basket(self) -> None:
        self.basket = fill_basket(self.mat)
        assert attach_claim(self.basket, tracking.token_for(self.visit)) is not None

    def orders(self) -> None:
        self.order = create_order(self.basket, email="lea@example.com")

    def receives_it(self) -> None:
        Order.objects.filter(pk=self.order.pk).update(status="Complete")
        rewards.sweep()

    def keeps_it(self) -> None:
        self.clock.shift(20 * DAY)
        rewards.sweep()


STEPS = (
    Friend.follows_the_link,
    Friend.fills_the_basket,
    Friend.orders,
    Friend.receives_it,
    Friend.keeps_it,
)
EDITS = (change, remove_rules, unpublish, expire, delete, change_and_delete)


@pytest.mark.parametrize("stage", range(1, len(STEPS) + 1), ids=lambda stage: STEPS[stage - 1].__name__)
@pytest.mark.parametrize("act", EDITS, ids=lambda act: act.__name__)
def test_what_was_promised_is_given(
    admin: Client,
    program: Program,
    advocate: Any,
    camille: Any,
    mat: Any,
    clock: Any,
    act: Callable[[Client, Program], None],
    stage: int,
) -> None:
    friend = Friend(advocate, program, mat, clock)
    for step in STEPS[:stage]:
        step(friend)
    act(admin, program)
    rewards.sweep()
    heal_terms()
    for step in STEPS[stage:]:
        step(friend)
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.used_amount, grant.terms_id) == ("used", D("10.00"), friend.terms.pk)
    referral = Referral.objects.get()
    assert (referral.state, referral.terms_id) == ("rewarded", friend.terms.pk)
    assert credit.available(camille, "EUR") == D("15.00")
    assert dict(Budget.objects.values_list("currency", "spent")) == {"": 1, "EUR": 25}
    assert not Budget.objects.filter(held__gt=0)
    assert_audit_clean()
    # Its own days of clawback too, not those of today.
    clock.shift(30 * DAY)
    Order.objects.update(status="Cancelled")
    rewards.settle(referral.pk)
    assert credit.available(camille, "EUR") == 0
    assert Reward.objects.get().state == "taken_back"


@pytest.mark.parametrize("act", [unpublish, expire, delete], ids=lambda act: act.__name__)
def test_nobody_new_is_invited(
    admin: Client, program: Program, advocate: Any, act: Callable[[Client, Program], None]
) -> None:
    assert pick_terms(site_id=None, advocate_state=advocate.state) is not None
    act(admin, program)
    assert pick_terms(site_id=None, advocate_state=advocate.state) is None


def test_a_promise_that_was_not_taken_up_is_free_again_though_the_program_is_gone(
    admin: Client, program: Program, advocate: Any, mat: Any, clock: Any
) -> None:
    friend = Friend(advocate, program, mat, clock)
    friend.follows_the_link()
    friend.fills_the_basket()
    assert dict(Budget.objects.values_list("currency", "held")) == {"": 1, "EUR": 15}
    delete(admin, program)
    clock.shift(31 * DAY)
    rewards.sweep()
    assert Claim.objects.get().state == "lapsed"
    assert not Budget.objects.filter(held__gt=0)
    assert_audit_clean()


# A reward that expires


def test_a_reward_expires_when_the_terms_of_its_friend_say(
    admin: Client, advocate: Any, camille: Any, mat: Any, clock: Any
) -> None:
    program = make_program()
    response = edit(admin, program, **{"rules-1-expires_days": "60", "action-publish": "action-publish"})
    assert response.status_code == 302
    friend = Friend.__new__(Friend)
    friend.advocate, friend.mat, friend.clock = advocate, mat, clock
    friend.terms = Terms.objects.latest("number")
    for step in STEPS[:4]:
        step(friend)
    response = edit(admin, program, **{"rules-1-expires_days": "1", "action-publish": "action-publish"})
    assert response.status_code == 302
    friend.keeps_it()
    assert credit.available(camille, "EUR") == D("15.00")
    clock.shift(59 * DAY)
    rewards.sweep()
    assert credit.available(camille, "EUR") == D("15.00")
    clock.shift(2 * DAY)
    rewards.sweep()
    assert credit.available(camille, "EUR") == 0
    assert Reward.objects.get().state == "given", "it was given; that it ran out is in the ledger"
    # What has run out is not owed again: a refund now takes nothing from anybody.
    Order.objects.update(status="Cancelled")
    rewards.settle(Referral.objects.get().pk)
    account = credit.account_of(camille, "EUR")
    assert account is not None
    assert (account.balance, account.reserved, account.shortfall) == (0, 0, 0)
    assert_audit_clean()
