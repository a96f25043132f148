"""The first friend brings credit, the third a thing, the fifth a badge: one program, numbers that stay."""

from __future__ import annotations

import html
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.core import mail
from django.db import connection  # noqa: F401  (asked for by the mark below)
from django.utils import timezone, translation

from tests.badges import make_badge
from tests.books import assert_audit_clean
from tests.plainshop.models import Order, Voucher
from tests.plainshop.test_chain import DAY, deliver, friend_orders
from tests.plainshop.test_concurrency import at_once
from wagtail_referrals import credit, messages, rewards
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import draft_data, parse, presets, rule_gets, sentence
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.recognition import badges_of
from wagtail_referrals.recognition.kind import badge_options
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward

pytestmark = pytest.mark.django_db
D = Decimal
URL = "/account/refer-a-friend/"


def milestone(occurrence: int, kind: str, **values: object) -> dict[str, object]:
    return {
        "side": "advocate",
        "trigger": "nth_referral",
        "occurrence": occurrence,
        "kind": kind,
        **values,
    }


@pytest.fixture
def badge(db):
    return make_badge()


@pytest.fixture
def rules(badge):
    return [
        milestone(1, "credit", amounts={"EUR": "10.00"}),
        milestone(3, "free_shipping"),
        milestone(5, "badge", options=badge_options(badge)),
    ]


@pytest.fixture
def friends(advocate, basket, now):
    """Friends number first to last, whose orders are delivered one hour after the other, and what was due given."""

    def come(terms, first: int, last: int) -> None:
        for number in range(first, last + 1):
            order = friend_orders(
                advocate, terms, basket, now, number=str(number), email=f"friend{number}@example.com"
            )
            deliver(order, now + number * DAY / 24)
            rewards.sweep(now=now + number * DAY / 24)
        rewards.sweep(now=now + 20 * DAY)

    return come


def given() -> dict[int, tuple[str, Decimal]]:
    return {reward.tier: (reward.kind, reward.posted) for reward in Reward.objects.order_by("tier")}


def ordinals() -> dict[str, int | None]:
    return dict(Referral.objects.order_by("pk").values_list("purchases__reference", "ordinal"))


def text_of(client, language: str = "en", page: str = "") -> str:
    soup = BeautifulSoup(client.get(URL + page, headers={"accept-language": language}).content, "html.parser")
    return html.unescape(soup.get_text(" ", strip=True))


def test_each_milestone_brings_its_own(make_program, rules, friends, camille, now):
    _, terms, data = make_program(rules, cap_count=10)
    words = sentence(data)
    assert (
        "Once the friend is number 3 of those who have ordered, your customer gets free delivery of one order"
        in words
    )
    assert "your customer gets the badge “Ambassador”, 14 days after delivery." in words, (
        "no cap: once is once"
    )
    friends(terms, 1, 2)
    assert given() == {1: ("credit", D(10))}
    friends(terms, 3, 4)
    assert given() == {1: ("credit", D(10)), 3: ("free_shipping", D(1))}
    assert DiscountGrant.objects.get(state="issued").code == Voucher.objects.get().code
    assert badges_of(camille) == []
    friends(terms, 5, 6)
    assert given()[5] == ("badge", D(1)) and len(given()) == 3
    assert credit.available(camille, "EUR") == D(10)
    (worn,) = badges_of(camille)
    assert (worn.name, worn.icon, worn.picture, worn.since) == ("Ambassador", "leaf", None, now + 20 * DAY)
    messages.deliver_pending(now=now + 20 * DAY)
    assert sorted(sent.subject for sent in mail.outbox) == [
        "Free delivery of one order for you",
        "Your reward: the badge “Ambassador”",
        "€10.00 for you",
    ]
    assert_audit_clean()


def test_numbers_stay_when_an_order_goes_back(make_program, rules, friends, camille, now):
    _, terms, _ = make_program(rules)
    friends(terms, 1, 3)
    Order.objects.filter(number="1").update(cancelled=True)
    for referral in Referral.objects.all():
        rewards.settle(referral.pk, now=now + 21 * DAY)
    # The first friend's credit is gone, nobody else becomes the first, and the third stays the third.
    assert ordinals() == {"1": 1, "2": 2, "3": 3}
    assert given() == {1: ("credit", D(0)), 3: ("free_shipping", D(1))}
    assert credit.available(camille, "EUR") == 0
    friends(terms, 4, 5)
    assert ordinals() == {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5}
    assert given()[5] == ("badge", D(1))
    Order.objects.filter(number="1").update(cancelled=False)
    rewards.settle(Referral.objects.order_by("pk").first().pk, now=now + 22 * DAY)
    assert given()[1] == ("credit", D(10))
    assert_audit_clean()


def test_a_badge_is_taken_off_with_its_order(make_program, badge, friends, camille, now):
    _, terms, _ = make_program([milestone(1, "badge", options=badge_options(badge))])
    friends(terms, 1, 1)
    assert [worn.name for worn in badges_of(camille)] == ["Ambassador"]
    Order.objects.update(cancelled=True)
    rewards.settle(Referral.objects.get().pk, now=now + 21 * DAY)
    assert badges_of(camille) == []


def test_a_badge_keeps_the_name_under_which_it_was_promised(make_program, badge, friends, camille):
    _, terms, _ = make_program([milestone(1, "badge", options=badge_options(badge))])
    friends(terms, 1, 1)
    badge.names.all().delete()
    badge.delete()
    with translation.override("fr"):
        assert [(worn.name, worn.icon) for worn in badges_of(camille)] == [("Ambassadrice", "leaf")]
        assert "Ambassadrice" in rule_gets(parse(terms).rules[0])
    with translation.override("de"):
        assert [worn.name for worn in badges_of(camille)] == ["Ambassador"]


def test_the_customer_sees_how_far_they_are(make_program, rules, friends, camille, advocate, client):
    _, terms, _ = make_program(rules)
    Advocate.objects.update(name_confirmed_at=timezone.now())
    client.force_login(camille)
    text = text_of(client)
    assert "Once 1 more friend has ordered, you get €10.00 of referral credit. 0 of 1 friend" in text
    friends(terms, 1, 1)
    text = text_of(client)
    assert "Once 2 more friends have ordered, you get free delivery of one order. 1 of 3 friends" in text
    assert (
        "Friend 1 €10.00 of referral credit given Friend 3 free delivery of one order 2 friends to go" in text
    )
    assert "Your badges" not in text_of(client, page="rewards/") and "once your friend is" not in text
    bar = BeautifulSoup(client.get(URL).content, "html.parser").find("progress")
    assert (bar["max"], bar["value"], bar.text) == ("3", "1", "1 of 3 friends")
    assert bar["aria-labelledby"] == "milestones-next"
    friends(terms, 2, 5)
    text = text_of(client)
    assert "Your milestones Friend 1" in text, "no goal is left"
    assert "Your badges Ambassador since" in text_of(client, page="rewards/")


def test_a_milestone_that_came_too_late_is_not_shown(make_program, friends, camille, client, advocate):
    program, terms, _ = make_program([milestone(5, "free_shipping")])
    Advocate.objects.update(name_confirmed_at=timezone.now())
    friends(terms, 1, 2)
    from wagtail_referrals.programs import publish_terms
    from wagtail_referrals.programs.models import ProgramRule

    program.rules.add(ProgramRule(**milestone(1, "credit", amounts={"EUR": "10.00"})))
    program.save()
    publish_terms(program)
    client.force_login(camille)
    text = text_of(client)
    assert "2 of 5 friends" in text and "Friend 1" not in text


def test_a_program_without_milestones_shows_none_and_asks_nothing(
    make_program, camille, advocate, client, django_assert_max_num_queries
):
    make_program()
    client.force_login(camille)
    assert "milestones" not in text_of(client)
    from wagtail_referrals.programs import pick_terms
    from wagtail_referrals.site.milestones import milestones_of

    data = pick_terms(site_id=None, advocate_state="active", user_id=camille.pk).data
    with django_assert_max_num_queries(0):
        assert milestones_of(advocate, data) is None


def test_the_ready_made_program_takes_the_badge_of_the_shop(db):
    words = sentence(draft_data(presets.get("milestones").build()))
    assert "is the first who has ordered, your customer gets €10.00" in words
    assert "number 3 of those who have ordered, your customer gets free delivery" in words
    assert "number 5 of those who have ordered, your customer gets €50.00" in words
    make_badge()
    assert "your customer gets the badge “Ambassador”" in sentence(
        draft_data(presets.get("milestones").build())
    )


def test_a_friend_holds_the_dearest_milestone_of_the_budget(make_program, advocate, basket, now):
    _, terms, _ = make_program(
        [
            milestone(1, "credit", amounts={"EUR": "10.00"}),
            milestone(3, "credit", amounts={"EUR": "30.00"}),
            {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "5.00"}},
        ],
        budget_amounts={"EUR": "500.00"},
    )
    order = friend_orders(advocate, terms, basket, now)
    assert Budget.objects.get().held == D(35)
    deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    budget = Budget.objects.get()
    assert (budget.held, budget.spent) == (0, D(15))
    assert_audit_clean()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_friends_who_qualify_at_once_each_have_a_number(make_program, rules, advocate, basket, camille, now):
    _, terms, _ = make_program(rules)
    for number in range(6):
        friend_orders(advocate, terms, basket, now, number=str(number), email=f"friend{number}@example.com")
    Order.objects.update(paid_at=now, shipped_at=now)
    ids = list(Referral.objects.values_list("pk", flat=True))
    at_once(*[lambda pk=pk: rewards.settle(pk, now=now + 15 * DAY) for pk in ids * 2])
    assert sorted(Referral.objects.values_list("ordinal", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert given() == {1: ("credit", D(10)), 3: ("free_shipping", D(1)), 5: ("badge", D(1))}
    assert Voucher.objects.count() == 1 and credit.available(camille, "EUR") == D(10)
    assert_audit_clean()
