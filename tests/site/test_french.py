"""What friends and referrers read, in French: nothing of ours is left in English."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.french import english_in
from tests.packaging.test_french import spaced
from tests.site.conftest import BROWSER
from tests.site.test_account import refer, reward
from wagtail_referrals import credit, messages, people
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

ACCOUNT = "/fr/account/refer-a-friend/"


@pytest.fixture
def browser() -> Client:
    return Client(headers={"user-agent": BROWSER, "accept-language": "fr"})


def french(response: Any) -> str:
    """The words of a page, which is French from top to bottom as far as it is ours."""
    assert response.status_code == 200
    assert english_in(response.content) == []
    soup = BeautifulSoup(response.content, "html.parser")
    return spaced(" ".join(soup.get_text(" ").split()))


def test_a_friend_is_invited_in_french(browser: Client, link: str, terms: Any) -> None:
    text = french(browser.get(link))
    assert "Camille vous invite" in text
    assert "Votre cadeau : 10 % de réduction sur une commande" in text
    assert "Pour une commande passée dans les 30 jours qui suivent votre arrivée par le lien." in text


def test_other_invitations_are_french(browser: Client, camille: Any, link: str, terms: Any) -> None:
    assert "Nous ne connaissons pas ce lien" in french(browser.get("/r/22222222/"))
    browser.force_login(camille)
    assert "C’est votre propre lien" in french(browser.get(link))
    Program.objects.update(live=False)
    french(browser.get(link))


def test_the_account_page_is_french(
    browser: Client, camille: Any, advocate: Any, terms: Any, make_user: Any
) -> None:
    browser.force_login(camille)
    for number, state in enumerate(Referral.State.values):
        referral = refer(
            advocate,
            terms,
            make_user(f"friend{number}"),
            state=state,
            reason="refunded",
            hold_until=timezone.now(),
        )
        reward(referral, state=Reward.State.values[number % len(Reward.State.values)])
    credit.grant(
        user=camille,
        currency="EUR",
        amount=Decimal(20),
        key="a",
        expires_at=timezone.now() + timedelta(days=9),
    )
    credit.claw_back(user=camille, currency="EUR", amount=Decimal(30), key="b")
    text = french(browser.get(ACCOUNT))
    assert "Reste à récupérer : 10,00 €." in text
    assert "dès que votre proche a passé une première commande" in text
    assert "Récompense donnée : 15,00 €" in french(browser.get(f"{ACCOUNT}friends/"))
    assert "Reste à récupérer : 10,00 €." in french(browser.get(f"{ACCOUNT}rewards/"))
    assert "Quitter le programme" in french(browser.get(f"{ACCOUNT}settings/"))


def test_the_account_page_is_french_before_anything_happened(
    browser: Client, camille: Any, terms: Any
) -> None:
    browser.force_login(camille)
    assert "Avant de partager votre lien pour la première fois" in french(browser.get(ACCOUNT))
    assert "sans adresse ni lien" in french(browser.post(ACCOUNT, {"public_name": "a@example.com"}))
    people.advocate_for(camille)
    Program.objects.update(live=False)
    french(browser.get(ACCOUNT))


def test_what_one_is_written_about_is_chosen_in_french(browser: Client, camille: Any, terms: Any) -> None:
    advocate = people.advocate_for(camille)
    advocate.language = "fr"
    advocate.save()
    token = messages.token_for(camille, messages.Topic.REWARDS)
    mails, unsubscribe = (
        reverse("referrals:mails", args=[token]),
        reverse("referrals:unsubscribe", args=[token]),
    )
    assert "Ne plus les recevoir" in french(browser.get(unsubscribe))
    assert "C’était une erreur" in french(browser.post(unsubscribe))
    french(browser.post(unsubscribe, {"again": "yes"}))
    assert "Rappels et conseils" in french(browser.get(mails))
    assert "Enregistré" in french(browser.post(mails, {"wants_nothing": "on"}))
    french(browser.get(unsubscribe))
    french(browser.get(reverse("referrals:mails", args=["x"])))
    browser.force_login(camille)
    assert "Rappels et conseils" in french(browser.get(f"{ACCOUNT}settings/mails/"))
