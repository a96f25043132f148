"""The admin, for an editor who reads French: nothing of ours is left in English."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from wagtail.users.models import UserProfile

from tests.admin.conftest import signed_in
from tests.admin.rows import (
    NOW,
    make_advocate,
    make_discount,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from tests.french import english_in
from wagtail_referrals import credit
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.ready_made import ready_sequences, write_ready
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db


def test_english_is_seen() -> None:
    page = b"<p>Solde</p><p>Balance</p><p title='Which friends count'>Camille</p><script>'Balance'</script>"
    assert english_in(page) == ["Balance", "Which friends count"]


@pytest.fixture
def editor(db: None) -> Client:
    user = make_user("redaction@example.com", "Maëlle", is_superuser=True, is_staff=True)
    UserProfile.objects.create(user=user, preferred_language="fr")
    return signed_in(user)


@pytest.fixture
def program(db: None) -> Program:
    """Named by an editor who writes French."""
    return make_program(name="Parrainage d’automne", texts=[])


@pytest.fixture
def history(program: Program, terms: Terms) -> Referral:
    """Something in every listing, with every state that rewards and referrals can be in."""
    advocate = make_advocate()
    first = None
    for number, state in enumerate(Referral.State.values):
        referral = make_referral(
            terms,
            advocate,
            make_user(f"friend{number}@example.com", "Léa"),
            state=state,
            reason="hold" if state == Referral.State.WAITING_PERIOD else "review",
            hold_until=NOW + timedelta(days=14),
        )
        first = first or referral
    assert first is not None
    observed = {
        "paid_at": NOW.isoformat(),
        "shipped_at": NOW.isoformat(),
        "cancelled": True,
        "refunded": "5.00",
    }
    purchase = make_purchase(first, "100012", observed=observed, was_customer=True)
    make_discount(first, purchase, "10.00")
    for number, state in enumerate(Reward.State.values):
        make_reward(first, "15.00", state=state, reason="refunded", occasion=f"tier:{number}", due_at=NOW)
    credit.grant(user=advocate.user, currency="EUR", amount=Decimal(20), key="a", now=NOW)
    credit.reserve(
        user=advocate.user,
        currency="EUR",
        amount=Decimal(5),
        order_number="100013",
        expires_at=NOW + timedelta(hours=1),
        now=NOW,
    )
    credit.claw_back(user=advocate.user, currency="EUR", amount=Decimal(30), key="b", now=NOW)
    make_program("credit_for_both", live=False, name="Pour les deux", texts=[])
    return first


LISTINGS = [
    "wagtail_referrals_programs:list",
    "wagtail_referrals_programs:add",
    "wagtail_referrals_referrals:index",
    "wagtail_referrals_advocates:index",
    "wagtail_referrals_rewards:index",
    "wagtail_referrals_accounts:index",
    "wagtail_referrals_entries:index",
    "wagtail_referrals_terms:index",
    "wagtail_referrals_summary",
    "wagtail_referrals_messages",
    "wagtail_referrals_templates:list",
    "wagtail_referrals_sent:index",
    "wagtail_referrals_sequences:list",
    "wagtail_referrals_sequences:add",
]


@pytest.mark.parametrize("name", LISTINGS)
def test_listings_are_french(editor: Client, history: Referral, name: str) -> None:
    response = editor.get(reverse(name))
    assert response.status_code == 200
    assert 'lang="fr"' in response.content.decode()
    assert english_in(response.content) == []


def test_pages_of_records_are_french(editor: Client, history: Referral) -> None:
    account = credit.account_of(history.advocate.user, "EUR")
    assert account is not None
    pages = [
        reverse("wagtail_referrals_referrals:inspect", args=[history.pk]),
        reverse("wagtail_referrals_advocates:inspect", args=[history.advocate_id]),
        reverse("wagtail_referrals_accounts:inspect", args=[account.pk]),
        reverse("wagtail_referrals_terms:inspect", args=[history.terms_id]),
        *(
            reverse("wagtail_referrals_referrals:inspect", args=[referral.pk])
            for referral in Referral.objects.exclude(pk=history.pk)
        ),
    ]
    for page in pages:
        response = editor.get(page)
        assert response.status_code == 200
        assert english_in(response.content) == [], page


def test_the_form_of_a_program_is_french(editor: Client, program: Program) -> None:
    for page in (
        reverse("wagtail_referrals_programs:edit", args=[program.pk]),
        reverse("wagtail_referrals_programs:add") + "?preset=credit_for_both",
        reverse("wagtail_referrals_programs:add") + "?preset=empty",
    ):
        response = editor.get(page)
        assert response.status_code == 200
        assert english_in(response.content) == [], page


def test_messages_are_written_in_french(editor: Client, history: Referral) -> None:
    add = reverse("wagtail_referrals_templates:add")
    sent = Message.objects.create(
        kind="reward_given",
        key="test:1",
        user=history.advocate.user,
        state="failed",
        reason="not_taken",
        created_at=NOW,
        language="fr",
        data={"side": "advocate", "amount": "15.00", "currency": "EUR"},
    )
    pages = [f"{add}?kind={kind.key}" for kind in message_kinds]
    for page in (*pages, reverse("wagtail_referrals_sent:inspect", args=[sent.pk])):
        response = editor.get(page)
        assert response.status_code == 200
        # Its first text is the English one.
        assert english_in(without_texts(response.content, "en")) == [], page


def without_texts(html: bytes, language: str) -> bytes:
    """A form without the fields of the text in this language, which is what an editor has written."""
    soup = BeautifulSoup(html, "html.parser")
    for row in soup.select("[data-inline-panel-child]"):
        chosen = row.select_one("select[name$=-language] option[selected]")
        if chosen is not None and chosen["value"] == language:
            row.decompose()
    return soup.encode()


def test_sequences_are_french(editor: Client, program: Program) -> None:
    with override("fr"):
        sequence = write_ready(next(iter(ready_sequences)).key)
    pages = [reverse("wagtail_referrals_sequences:add") + "?empty=1"]
    pages += [
        reverse(f"wagtail_referrals_sequences:{name}", args=[sequence.pk])
        for name in ("edit", "preview", "people")
    ]
    for page in pages:
        response = editor.get(page)
        assert response.status_code == 200
        assert english_in(response.content) == [], page


def test_a_form_that_is_refused_says_so_in_french(editor: Client) -> None:
    url = reverse("wagtail_referrals_programs:add") + "?preset=empty"
    form = BeautifulSoup(editor.get(url).content, "html.parser").find("form", id="w-editor-form")
    assert form is not None
    data = {
        field["name"]: field.get("value", "")
        for field in form.find_all("input")
        if field.get("name") and field.get("type") != "checkbox" and "__prefix__" not in field["name"]
    }
    data |= {
        "name": "Essai",
        "rules-TOTAL_FORMS": "1",
        "rules-0-side": "friend",
        "rules-0-trigger": "nth_referral",
        "rules-0-kind": "credit",
        "rules-0-ORDER": "1",
        "action-publish": "action-publish",
    }
    response = editor.post(url, data)
    text = BeautifulSoup(response.content, "html.parser").get_text(" ")
    assert "Indiquez un montant supérieur à zéro" in text
    assert "ne convient pas pour le filleul" in text
    assert english_in(response.content) == []


def test_names_of_permissions_are_french(editor: Client) -> None:
    group = Group.objects.create(name="Parrainages")
    response = editor.get(reverse("wagtailusers_groups:edit", args=[group.pk]))
    text = " ".join(BeautifulSoup(response.content, "html.parser").get_text(" ").split())
    assert "Peut voir la synthèse des parrainages" in text
    assert "Peut approuver et refuser des parrainages" in text
    # Django calls its own four so, in English for every model, and Wagtail reads them aloud.
    djangos = re.compile("Can (add|change|delete|view) ")
    assert [words for words in english_in(response.content) if not djangos.match(words)] == []
