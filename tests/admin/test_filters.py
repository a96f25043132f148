"""What the filters of the listings find. Dates are days of the site, and what makes no sense finds nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.rows import NOW, make_advocate, make_program, make_referral, make_reward, make_user
from tests.admin.test_listings import first_cells
from tests.badges import make_badge
from wagtail_referrals import credit
from wagtail_referrals.credit.models import Account
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.models import BadgeAward, Featured
from wagtail_referrals.referrals import REASONS as WORDS
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db


def found(client: Client, name: str, **query: Any) -> list[str]:
    """The first cells, and nothing in the address that means nothing."""
    path = reverse(f"wagtail_referrals_{name}:index")
    assert client.get(path, {**query, "export": "csv"}).status_code == 200, query
    return first_cells(client.get(path, query))


def nothing(client: Client, name: str, **query: Any) -> None:
    path = reverse(f"wagtail_referrals_{name}:index")
    assert first_cells(client.get(path, query)) == []
    assert client.get(path, {**query, "export": "csv"}).status_code == 400


# Referrals


@pytest.fixture
def referrals(terms: Terms) -> list[Referral]:
    camille = make_advocate()
    return [
        make_referral(terms, camille, make_user(f"{name}@example.com", name), **values)
        for name, values in (
            ("Ada", {"state": "refused", "reason": "own_link"}),
            ("Bea", {"state": "to_check", "reason": "same_address"}),
            ("Cleo", {"state": "to_check", "reason": "The shop's own words"}),
            ("Dora", {}),
        )
    ]


def test_referrals_by_reason(admin: Client, referrals: list[Referral]) -> None:
    assert found(admin, "referrals", reason="own_link") == ["Ada"]
    assert found(admin, "referrals", reason="same_address", state="to_check") == ["Bea"]
    assert found(admin, "referrals", reason="-") == ["Cleo"]
    nothing(admin, "referrals", reason="bogus")


def test_referrals_by_how_they_came(admin: Client, referrals: list[Referral]) -> None:
    ada, bea, cleo, _dora = referrals
    Visit.objects.filter(claim=ada.claim).update(channel="whatsapp")
    Claim.objects.filter(pk=bea.claim_id).update(source="code", visit=None)
    assert found(admin, "referrals", channel="whatsapp") == ["Ada"]
    assert sorted(found(admin, "referrals", channel="-")) == ["Bea", "Cleo", "Dora"]
    assert found(admin, "referrals", source="code") == ["Bea"]
    assert found(admin, "referrals", source=["code", "link"], channel="whatsapp") == ["Ada"]
    Claim.objects.filter(pk=cleo.claim_id).update(source="named")
    assert found(admin, "referrals", source="named") == ["Cleo"]
    nothing(admin, "referrals", channel="pigeon")


@pytest.mark.parametrize("bound", ["from", "to"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_days_that_nobody_can_reckon_with_find_nothing(
    admin: Client, referrals: list[Referral], bound: str, day: str
) -> None:
    for name, moment in (("referrals", "created_at"), ("referrals", "ordered_at"), ("orders", "placed_at")):
        nothing(admin, name, **{f"{moment}_{bound}": day})
    assert len(found(admin, "referrals", created_at_from="1900-01-01", created_at_to="2999-12-31")) == 4


def test_a_text_that_is_nobodys_name_finds_nothing(admin: Client, referrals: list[Referral]) -> None:
    """Each word is a condition, of which SQLite takes no more than a thousand."""
    for long in ("a " * 1500, "a" * 5000):
        for name in ("referrals", "advocates", "rewards", "accounts", "requests"):
            assert found(admin, name, q=long) == []
        assert found(admin, "referrals", advocate=long) == []
    assert len(found(admin, "referrals", advocate="camille " * 5)) == 4


def test_days_are_those_of_the_site(admin: Client, terms: Terms, settings: Any) -> None:
    """Half past midnight of 11 November in Paris, where the site is; the reader is in New York."""
    from wagtail.users.models import UserProfile

    settings.TIME_ZONE = "Europe/Paris"
    timezone.get_default_timezone.cache_clear()
    user = make_user("reader@example.com")
    profile = {"current_time_zone": "America/New_York", "user": admin_user()}
    UserProfile.objects.update_or_create(user=admin_user(), defaults=profile)
    make_referral(terms, make_advocate(), user, moment=datetime(2026, 11, 10, 23, 30, tzinfo=UTC))
    assert found(admin, "referrals", created_at_from="2026-11-11", created_at_to="2026-11-11") != []
    assert found(admin, "referrals", created_at_to="2026-11-10") == []


def admin_user() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(email="admin@example.com")


# Referrers


@pytest.fixture
def referrers(terms: Terms) -> dict[str, Advocate]:
    people = {name: make_advocate(f"{name}@example.com", name) for name in ("Ada", "Bea", "Cleo")}
    make_referral(terms, people["Ada"], make_user("f1@example.com"))
    make_referral(terms, people["Bea"], make_user("f2@example.com"), state="rewarded", qualified_at=NOW)
    return people


def test_referrers_by_what_they_brought(admin: Client, referrers: dict[str, Advocate]) -> None:
    assert found(admin, "advocates", brought="friends") == ["Bea", "Ada"]
    assert found(admin, "advocates", brought="ordered") == ["Bea"]
    assert found(admin, "advocates", brought="rewarded") == ["Bea"]
    assert found(admin, "advocates", brought="nobody") == ["Cleo"]
    nothing(admin, "advocates", brought="bogus")


def test_referrers_by_what_they_answered(admin: Client, referrers: dict[str, Advocate]) -> None:
    Featured.objects.create(advocate=referrers["Ada"], created_at=NOW, agreed_at=NOW)
    Featured.objects.create(advocate=referrers["Bea"], created_at=NOW, declined_at=NOW)
    Featured.objects.create(advocate=referrers["Cleo"], created_at=NOW)
    assert found(admin, "advocates", featured="agreed") == ["Ada"]
    assert found(admin, "advocates", featured="declined") == ["Bea"]
    assert found(admin, "advocates", featured="asked") == ["Cleo"]


def test_referrers_by_badge(admin: Client, referrers: dict[str, Advocate]) -> None:
    """Worn for its own criterion, or by a reward of a program; not once it was taken back."""
    badge = make_badge("Herald")
    for name, taken_back_at in (("Ada", None), ("Bea", NOW)):
        BadgeAward.objects.create(
            badge=badge, advocate=referrers[name], awarded_at=NOW, taken_back_at=taken_back_at
        )
    assert found(admin, "advocates", badge=badge.pk) == ["Ada"]
    terms = Terms.objects.get(program_key=make_program("percentage_back").key)
    rule = next(rule for rule in terms.data["rules"] if rule["side"] == "advocate")
    rule |= {"kind": "badge", "options": {"badge": badge.pk, "badge_names": {}, "badge_icon": "star"}}
    Terms.objects.filter(pk=terms.pk).update(data=terms.data)
    referral = make_referral(terms, referrers["Cleo"], make_user("f3@example.com"))
    make_reward(referral, "1", "1", kind="badge")
    assert found(admin, "advocates", badge=badge.pk) == ["Cleo", "Ada"]
    Reward.objects.update(posted=0)
    assert found(admin, "advocates", badge=badge.pk) == ["Ada"]


def test_referrers_by_state_and_day(admin: Client, referrers: dict[str, Advocate]) -> None:
    Advocate.objects.filter(pk=referrers["Ada"].pk).update(state="paused", created_at=NOW - timedelta(days=9))
    assert found(admin, "advocates", state="paused") == ["Ada"]
    assert found(admin, "advocates", created_at_to="2026-11-02") == ["Ada"]
    assert found(admin, "advocates", state=["paused", "active"], created_at_from="2026-11-02") == [
        "Cleo",
        "Bea",
    ]


# Rewards, credit, requests, terms


def test_rewards_by_reason_referrer_currency_and_day(admin: Client, referrals: list[Referral]) -> None:
    noe = make_advocate("noe@example.com", "Noé")
    other = make_referral(referrals[0].terms, noe, make_user("f9@example.com"))
    make_reward(referrals[0], "15", state="failed", reason="failed")
    make_reward(other, "20", "20", currency="USD", given_at=NOW - timedelta(days=3), due_at=NOW)
    assert found(admin, "rewards", state="failed") == ["Camille"]
    assert found(admin, "rewards", reason="failed") == ["Camille"]
    assert found(admin, "rewards", advocate="noe@example.com") == ["Noé"]
    assert found(admin, "rewards", currency="EUR") == ["Camille"]
    assert found(admin, "rewards", given_at_to="2026-11-08") == ["Noé"]
    assert found(admin, "rewards", due_at_from="2026-11-10", due_at_to="2026-11-10") == ["Noé"]
    nothing(admin, "rewards", currency="XXX")


def test_accounts_by_what_expires_and_is_set_aside(admin: Client) -> None:
    now = timezone.now()
    for name, days in (("Ada", 5), ("Bea", 60), ("Cleo", None)):
        credit.grant(
            user=make_user(f"{name}@example.com", name),
            currency="EUR",
            amount=Decimal(10),
            key=name,
            now=now,
            expires_at=now + timedelta(days=days) if days else None,
        )
    assert found(admin, "accounts", expiring="7") == ["Ada"]
    assert found(admin, "accounts", expiring="90") == ["Bea", "Ada"]
    assert found(admin, "accounts", set_aside="true") == []
    assert len(found(admin, "accounts", set_aside="false", currency="EUR")) == 3
    nothing(admin, "accounts", expiring="-1")


@pytest.mark.parametrize("number", ["9" * 23, "1e40", "-1e40", "0", "bogus"])
def test_movements_of_an_account_with_a_number_that_is_none(admin: Client, number: str) -> None:
    credit.grant(user=make_advocate().user, currency="EUR", amount=Decimal(5), key="1", source="test")
    nothing(admin, "entries", account=number)
    assert len(found(admin, "entries", account=Account.objects.get().pk)) == 1


def test_requests_by_reason_and_referrer(admin: Client) -> None:
    for number, reason in (("1", "denied"), ("2", "unanswered")):
        AttributionRequest.objects.create(
            kind="reported",
            advocate=make_advocate(f"a{number}@example.com", f"Ada{number}"),
            reference=number,
            state="refused",
            reason=reason,
            created_at=NOW,
        )
    assert found(admin, "requests", reason="denied") == ["1"]
    assert found(admin, "requests", advocate="a2@example.com") == ["2"]


def test_terms_in_force(admin: Client) -> None:
    make_program(name="Open")
    make_program(name="Closed", precedence=2)
    from wagtail_referrals.programs.models import Program

    Program.objects.filter(name="Closed").update(live=False)
    assert [name.split(" (")[0] for name in found(admin, "terms", in_force="true")] == ["Open"]
    assert [name.split(" (")[0] for name in found(admin, "terms", in_force="false")] == ["Closed"]


def test_every_reason_is_in_a_filter() -> None:
    """Of those that a row of one of these listings may have; the others are said of discounts and in answers."""
    from wagtail_referrals.admin import referrals, requests, rewards

    offered = {*referrals.REASONS, *rewards.REASONS, *requests.REASONS}
    assert offered <= set(WORDS)
    assert set(WORDS) - offered == {
        "program_closed",
        "waits",
        "lapsed",
        "replaced",
        "revoked",
        "other_person",
        "used",
        "order_stands",
    }
