"""What the mails say, in the language of who gets them."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.utils.translation import override
from wagtail.models import Site

from tests.packaging.test_french import a_rule, faults, spaced
from wagtail_referrals.messages import compose
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs import kept_gift
from wagtail_referrals.site.settings import ReferralSettings

pytestmark = pytest.mark.django_db


def mail(kind: str, language: str = "fr", first_name: str = "Camille", **data: Any) -> tuple[str, str, str]:
    """Subject, text and the words of the HTML of a mail that is composed while somebody reads English."""
    user = get_user_model()(email="camille@example.com", first_name=first_name)
    message = Message(kind=kind, user=user, language=language, data=data)
    with override("en"):
        composed = compose(message, user)
    soup = BeautifulSoup(composed.html, "html.parser")
    assert soup.html is not None and soup.html["lang"] == language
    return composed.subject, composed.text, soup.get_text("\n", strip=True)


def gift(kind: str) -> dict[str, Any]:
    with override("en"):
        return kept_gift(a_rule("advocate", "first_purchase", kind), "EUR")


FIFTEEN = {"amount": "15.00", "currency": "EUR"}


def test_a_reward_is_announced_in_french() -> None:
    subject, text, html = mail("reward_given", side="advocate", **FIFTEEN)
    assert spaced(subject) == "Pour vous : 15,00 €"
    for words in (spaced(text), spaced(html)):
        assert "Bonjour Camille,\n" in words
        assert "merci d’avoir parrainé un proche. Votre récompense est arrivée : 15,00 €." in words
        assert "Vous pouvez l’utiliser au moment de payer votre prochaine commande." in words


def test_a_friend_is_thanked_for_coming() -> None:
    _subject, text, _html = mail("reward_given", side="friend", first_name="", **FIFTEEN)
    assert "Bonjour,\n" in text
    assert "vous avez suivi l’invitation d’un proche." in text


def test_a_personal_discount_comes_with_its_code() -> None:
    subject, text, html = mail(
        "reward_given", side="advocate", gift=gift("discount_percent"), code="REF-AB12-CD34-EF56"
    )
    assert spaced(subject) == "Pour vous : 10 % de réduction sur une commande"
    assert "Votre code personnel : REF-AB12-CD34-EF56" in spaced(text)
    # On a line of its own, where a phone does not break it.
    assert "Votre code\nREF-AB12-CD34-EF56" in html


def test_a_reward_that_was_taken_back_is_explained_in_french() -> None:
    subject, text, _html = mail("reward_taken_back", side="advocate", reason="refunded", **FIFTEEN)
    assert spaced(subject) == "Récompense reprise : 15,00 €"
    assert "nous avons repris une récompense (15,00 €) : la commande a été remboursée." in spaced(text)


@pytest.mark.parametrize("kind", ["reward_given", "reward_taken_back"])
@pytest.mark.parametrize("reason", ["cancelled", "partly_refunded", "below_minimum", "reviewer"])
@pytest.mark.parametrize("given", ["discount_fixed", "free_shipping"])
def test_no_mail_is_badly_set(kind: str, reason: str, given: str) -> None:
    for side in ("friend", "advocate"):
        for part in mail(kind, side=side, reason=reason, gift=gift(given)):
            lines = [line for line in part.splitlines() if "://" not in line]
            assert [line for line in lines if faults(line)] == []


def test_others_read_it_in_english() -> None:
    subject, text, _html = mail("reward_given", "en", side="advocate", gift=gift("free_shipping"))
    assert subject == "Free delivery of one order for you"
    assert "Your reward is there: free delivery of one order." in text


def test_what_is_taken_back_is_explained_to_the_one_who_reads() -> None:
    _subject, text, html = mail(
        "reward_taken_back", language="en", side="advocate", reason="existing_customer", **FIFTEEN
    )
    for words in (text, html):
        assert "your friend has ordered before" in words


def test_the_site_says_whom_mails_are_from(settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Shop <hello@shop.example>"
    user = get_user_model()(email="camille@example.com")
    message = Message(kind="reward_given", user=user, language="en", data={"side": "advocate", **FIFTEEN})
    assert compose(message, user).sender == ""
    ReferralSettings.objects.create(
        site=Site.objects.get(is_default_site=True), sender_name="Anna", sender_email="anna@shop.example"
    )
    assert compose(message, user).sender == "Anna <anna@shop.example>"
