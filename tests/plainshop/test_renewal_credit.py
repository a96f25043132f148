"""What of a customer's credit pays renewals by itself: lot by lot, by the terms that each came from."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin.forms import values_of
from tests.books import assert_audit_clean
from tests.plainshop.models import Order
from tests.plainshop.shop import PlainShop
from tests.plainshop.test_chain import DAY, deliver, friend_orders
from wagtail_referrals import credit, rewards
from wagtail_referrals.programs import draft_data, parse, program_hints, publish_terms, sentence
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.programs.terms import content_hash
from wagtail_referrals.referrals import shop_renews
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site.offer import advocate_conditions, conditions

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture
def earn(advocate: Any, make_program: Any, basket: Any, now: Any) -> Any:
    """Credit for the advocate, from a program of its own that pays renewals or does not; the reward."""

    def make(amount: str, *, pays: bool, number: str, expires_days: int | None = None) -> Reward:
        rule = {
            "side": "advocate",
            "trigger": "first_purchase",
            "kind": "credit",
            "amounts": {"EUR": amount},
            "expires_days": expires_days,
        }
        _, terms, _ = make_program([rule], hold_days=0, credit_pays_renewals=pays)
        order = friend_orders(
            advocate, terms, basket, now, number=number, email=f"friend{number}@example.com"
        )
        deliver(order, now)
        rewards.sweep(now=now)
        reward = Reward.objects.latest("pk")
        assert reward.posted == D(amount)
        return reward

    return make


def paying(user: Any, now: Any) -> Decimal:
    found = rewards.renewal_credit(user, "EUR", now=now)
    assert found <= credit.available(user, "EUR", now=now)
    return found


def aside(user: Any, amount: str, number: str, now: Any) -> Any:
    return credit.reserve(
        user=user,
        currency="EUR",
        amount=D(amount),
        order_number=number,
        expires_at=now + timedelta(hours=1),
        now=now,
    )


def test_only_what_came_from_such_a_program_pays(camille: Any, earn: Any, now: Any) -> None:
    assert paying(camille, now) == 0
    earn("15.00", pays=False, number="1")
    assert paying(camille, now) == 0
    earn("10.00", pays=True, number="2")
    earn("7.00", pays=True, number="3")
    assert (paying(camille, now), credit.available(camille, "EUR", now=now)) == (D("17.00"), D("32.00"))
    assert rewards.renewal_credit(camille, "USD", now=now) == 0
    assert rewards.renewal_credit(AnonymousUser(), "EUR") == rewards.renewal_credit(None, "EUR") == 0


def test_what_has_expired_pays_nothing(camille: Any, earn: Any, now: Any) -> None:
    earn("10.00", pays=True, number="1", expires_days=10)
    earn("7.00", pays=True, number="2")
    end = now + 10 * DAY
    assert paying(camille, end - timedelta(seconds=1)) == D("17.00")
    assert paying(camille, end) == D("7.00"), "also before the sweep took it away"
    credit.expire(now=end)
    assert paying(camille, end) == D("7.00")


def test_what_is_set_aside_or_spent_pays_nothing(camille: Any, earn: Any, now: Any) -> None:
    earn("10.00", pays=True, number="1", expires_days=10)
    earn("20.00", pays=False, number="2")
    aside(camille, "4.00", "A", now)
    assert paying(camille, now) == D("6.00"), "from what expires soonest, which is that"
    credit.release(order_number="A", now=now)
    assert paying(camille, now) == D("10.00")
    aside(camille, "12.00", "B", now)
    assert paying(camille, now) == 0
    credit.capture(order_number="B", now=now)
    assert paying(camille, now) == 0
    assert credit.available(camille, "EUR", now=now) == D("18.00")


def test_what_staff_gave_pays_nothing_and_what_they_took_is_gone(camille: Any, earn: Any, now: Any) -> None:
    earn("10.00", pays=True, number="1", expires_days=10)
    credit.adjust(user=camille, currency="EUR", amount=D("50.00"), key="staff:1", now=now)
    assert paying(camille, now) == D("10.00")
    credit.adjust(user=camille, currency="EUR", amount=D("-3.00"), key="staff:2", now=now)
    assert paying(camille, now) == D("7.00")
    credit.grant(user=camille, currency="EUR", amount=D("5.00"), key="x", source="reward:none", now=now)
    assert paying(camille, now) == D("7.00"), "no reward of ours"


def test_what_is_owed_is_not_left(camille: Any, earn: Any, now: Any) -> None:
    first = earn("15.00", pays=True, number="1")
    aside(camille, "15.00", "A", now)
    credit.capture(order_number="A", now=now)
    Order.objects.filter(number="1").update(cancelled=True)
    rewards.settle(first.referral_id, now=now)
    assert credit.account_of(camille, "EUR").shortfall == D("15.00")
    earn("20.00", pays=True, number="2")
    assert paying(camille, now) == D("5.00"), "the rest of it paid what was owed"
    assert_audit_clean()


def test_the_terms_count_that_were_promised(camille: Any, earn: Any, now: Any) -> None:
    reward = earn("10.00", pays=True, number="1")
    program = reward.terms.program
    program.credit_pays_renewals = False
    program.save()
    publish_terms(program, now=now)
    assert paying(camille, now) == D("10.00")


def test_a_renewal_takes_only_what_pays_renewals(camille: Any, earn: Any, now: Any) -> None:
    earn("20.00", pays=False, number="1", expires_days=5)
    earn("10.00", pays=True, number="2")
    until = now + timedelta(hours=1)
    ask = {"user": camille, "currency": "EUR", "expires_at": until, "now": now}
    with pytest.raises(credit.InsufficientCredit) as refused:
        rewards.reserve_for_renewal(amount=D("10.01"), order_number="R", **ask)
    assert refused.value.available == D("10.00")
    assert credit.account_of(camille, "EUR").reserved == 0
    rewards.reserve_for_renewal(amount=D("6.00"), order_number="R", **ask)
    assert (paying(camille, now), credit.available(camille, "EUR", now=now)) == (D("4.00"), D("24.00"))
    again = rewards.reserve_for_renewal(amount=D("6.00"), order_number="R", **ask)
    assert again.key == "R:1", "what is set aside for it already stays"
    credit.capture(order_number="R", now=now)
    assert paying(camille, now) == D("4.00")
    assert credit.available(camille, "EUR", now=now) == D("24.00")
    assert_audit_clean()


def test_another_attempt_takes_it_again(camille: Any, earn: Any, now: Any) -> None:
    """Also where an attempt before it makes the ledger look closely."""
    earn("20.00", pays=False, number="1", expires_days=5)
    earn("10.00", pays=True, number="2")
    ask = {"user": camille, "currency": "EUR", "expires_at": now + DAY, "now": now, "order_number": "R"}
    rewards.reserve_for_renewal(amount=D("6.00"), **ask)
    credit.release(order_number="R", now=now)
    rewards.reserve_for_renewal(amount=D("8.00"), **ask)
    assert paying(camille, now) == D("2.00")


def test_it_is_asked_in_two_queries(camille: Any, earn: Any, now: Any) -> None:
    with CaptureQueriesContext(connection) as asked:
        paying_nothing = rewards.renewal_credit(camille, "EUR", now=now)
    assert (paying_nothing, len(asked)) == (0, 1)
    for number in range(6):
        earn("1.00", pays=number % 2 == 0, number=str(number))
    with CaptureQueriesContext(connection) as asked:
        found = rewards.renewal_credit(camille, "EUR", now=now)
    assert (found, len(asked)) == (D("3.00"), 2)


# The terms


def test_terms_that_say_nothing_of_it_are_what_they_were(make_program: Any) -> None:
    program, terms, data = make_program()
    assert "credit_pays_renewals" not in terms.data
    assert parse(terms).credit_pays_renewals is False
    assert content_hash(draft_data(program)) == terms.content_hash == content_hash(data)
    program.credit_pays_renewals = True
    newer = publish_terms(program)
    assert newer.pk != terms.pk and newer.data["credit_pays_renewals"] is True
    assert parse(newer).credit_pays_renewals is True
    program.credit_pays_renewals = False
    assert publish_terms(program).pk == terms.pk


PAYS = "The credit is used for membership renewals automatically, before the card is charged."


def test_the_sentence_says_it_where_there_is_credit(make_program: Any, now: Any) -> None:
    assert PAYS not in sentence(make_program()[2])
    assert sentence(make_program(credit_pays_renewals=True)[2]).endswith(PAYS)
    rule = {"side": "advocate", "trigger": "first_purchase", "kind": "free_shipping"}
    program, _, data = make_program([rule], credit_pays_renewals=True)
    assert PAYS not in sentence(data)
    hint = "No reward is credit: there is nothing that could pay a renewal."
    assert hint in program_hints(program, list(program.rules.all()))
    program.credit_pays_renewals = False
    assert hint not in program_hints(program, list(program.rules.all()))


def test_who_reads_the_offer_reads_it_where_the_shop_renews(make_program: Any, monkeypatch: Any) -> None:
    line = "When a membership of yours renews, your credit pays for it first."
    _, _, data = make_program(credit_pays_renewals=True)
    _, _, plain = make_program()
    assert shop_renews() is False, "this shop has no such method"
    assert line not in advocate_conditions(data)
    monkeypatch.setattr(PlainShop, "renews", lambda self: True, raising=False)
    assert line in advocate_conditions(data)
    assert line not in advocate_conditions(plain)
    assert line not in conditions(data), "the friend gets a discount"


@pytest.fixture
def editor(client: Any, make_user: Any) -> Any:
    client.force_login(make_user("alix", is_superuser=True, is_staff=True))
    return client


def test_the_form_asks_only_where_the_shop_renews(editor: Any, monkeypatch: Any, make_program: Any) -> None:
    path = reverse("wagtail_referrals_programs:add")
    ask = {"preset": "give_percent_get_credit"}
    assert "credit_pays_renewals" not in editor.get(path, ask).content.decode()
    assert "What the credit pays" not in editor.get(path, ask).content.decode()
    program, _, _ = make_program(credit_pays_renewals=True)
    edit = reverse("wagtail_referrals_programs:edit", args=[program.pk])
    assert 'name="credit_pays_renewals"' in editor.get(edit).content.decode(), "so that it can be taken back"
    monkeypatch.setattr(PlainShop, "renews", lambda self: True, raising=False)
    page = editor.get(path, ask).content.decode()
    assert 'name="credit_pays_renewals"' in page and "What the credit pays" in page


def test_what_is_not_asked_stays_off(editor: Any) -> None:
    path = reverse("wagtail_referrals_programs:add")
    values = values_of(editor.get(path, {"preset": "give_percent_get_credit"}).content.decode())
    response = editor.post(path, values | {"credit_pays_renewals": "on", "action-publish": "1"})
    assert response.status_code == 302
    assert "credit_pays_renewals" not in Terms.objects.get().data
