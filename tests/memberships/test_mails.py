"""What the mails to members say: both parts, with and without what may be missing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core import mail as outbox
from django.db import connection
from django.utils.translation import override

from oscar_integration.memberships import announcing, mails
from oscar_integration.memberships.kind import plan_options
from oscar_integration.memberships.models import Membership, Period, PlanName
from tests.memberships.renewing import open_bank
from tests.memberships.rows import NOW, give, make_plan
from tests.memberships.shopping import make_sold_plan
from tests.memberships.test_customer_page import pay_credit, reward_of
from tests.oscar_integration.shopping import make_program
from wagtail_referrals import messages
from wagtail_referrals.messages import compose
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.notices import tell_about_reward
from wagtail_referrals.rewards.models import Reward

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

PAGE = "http://localhost/en/memberships/"


@pytest.fixture(autouse=True)
def cards(settings: Any) -> None:
    """Everybody has a card, •••• 4242."""
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": "tests.memberships.renewing.Cards"}
    open_bank()


@pytest.fixture
def monthly(db: None) -> Any:
    """75.00 a month, "Monthly" and "Mensuel"."""
    plan = make_sold_plan(price="75.00", renews=True)
    PlanName.objects.create(plan=plan, language="en", name="Monthly")
    PlanName.objects.create(plan=plan, language="fr", name="Mensuel")
    return plan


@pytest.fixture
def write(lea: Any, monthly: Any) -> Any:
    """A mail of this kind, with what ``announcing`` writes: subject, and the lines of text and of HTML."""
    membership = give(lea, monthly)

    def compose_it(kind: str, language: str = "en", **data: Any) -> tuple[str, list[str], list[str]]:
        usual = {
            "renewal": 0,
            "membership": membership.pk,
            "plan": monthly.pk,
            "attempt": 1,
            "moment": (NOW + timedelta(days=31)).isoformat(),
            "currency": "EUR",
            "amount": "75.00",
            "credit": "20.00",
            "charge": "55.00",
            "card": "•••• 4242",
            "card_url": "/en/account/card/",
        }
        message = Message(kind=kind, user=lea, language=language, data=usual | data)
        with override("fr"):
            return read(compose(message, lea), language)

    return compose_it


def read(composed: Any, language: str = "en") -> tuple[str, list[str], list[str]]:
    soup = BeautifulSoup(composed.html, "html.parser")
    assert soup.html is not None and soup.html["lang"] == language
    # Below the dashes is what stands in each mail.
    text = [line for line in composed.text.partition("\n--\n")[0].splitlines() if line]
    # Addresses stand on a line of their own in the text, behind a button in the HTML.
    shown = [line.get_text(" ", strip=True) for line in soup.select(".card h1, .card p, .button a")]
    links = [led_to(str(link["href"])) for link in soup.select(".card a")]
    assert [line for line in text if "://" in line] == links
    assert [line for line in shown if not line] == []
    return composed.subject, text, shown


def led_to(url: str) -> str:
    """Where a link leads that goes by an address of ours."""
    _before, found, token = url.partition("/r/m/")
    return messages.follow(token.rstrip("/"))[1] if found else url


def test_a_renewal_is_announced_with_what_credit_pays_of_it(write: Any) -> None:
    subject, text, html = write(announcing.RENEWS)
    assert subject == "“Monthly” renews on April 10, 2026"
    assert text[:4] == [
        "Hello Léa,",
        "“Monthly” renews on April 10, 2026, for €75.00.",
        "€20.00 is paid with your referral credit, €55.00 is charged to your card ••••\N{NO-BREAK SPACE}4242.",
        "You need not do anything. If it should not go on, switch the renewal off on your page before that day: "
        "you keep what you have paid for.",
    ]
    assert html == [subject, *text[:4], "See your membership"]
    assert text[4:6] == ["See your membership", PAGE]


@pytest.mark.parametrize(
    ("credit", "charge", "card", "words"),
    [
        ("75.00", "0.00", "", "All of it is paid with your referral credit, and nothing is charged."),
        ("0.00", "75.00", "•••• 4242", "€75.00 is charged to your card ••••\N{NO-BREAK SPACE}4242."),
        ("0.00", "75.00", "", "€75.00 is charged to your card."),
    ],
)
def test_each_way_to_pay_is_said(write: Any, credit: str, charge: str, card: str, words: str) -> None:
    _subject, text, html = write(announcing.RENEWS, credit=credit, charge=charge, card=card)
    assert text[2] == words and html[3] == words


def test_what_became_dearer_is_announced_as_that(write: Any) -> None:
    _subject, text, _html = write(announcing.RENEWS, before="70.00")
    assert text[1] == "“Monthly” renews on April 10, 2026, for €75.00 instead of €70.00."


def test_a_renewal_is_confirmed(write: Any) -> None:
    subject, text, html = write(
        announcing.RENEWED, moment=(NOW + timedelta(days=61)).isoformat(), order="100123", card_url=""
    )
    assert subject == "“Monthly” was renewed"
    assert text[1:4] == [
        "“Monthly” was renewed for €75.00, and runs until May 10, 2026.",
        "€20.00 was paid with your referral credit, €55.00 was charged to your card ••••\N{NO-BREAK SPACE}4242.",
        "The order has the number 100123.",
    ]
    assert html[2:5] == text[1:4]


def test_a_declined_card_is_no_end_yet(write: Any) -> None:
    values = {"cause": "card", "refusal": "Your bank declined •••• 4242.", "next_at": NOW.isoformat()}
    subject, text, html = write(announcing.DECLINED, **values)
    assert subject == "“Monthly” is not paid yet"
    assert text[1:7] == [
        "we could not renew “Monthly” for €75.00, and nothing was charged.",
        "Your bank declined •••• 4242.",
        "Your access goes on until April 10, 2026.",
        "We try again on March 10, 2026: please see that your card can be charged then, or give us another one.",
        "Change the card",
        "http://localhost/en/account/card/",
    ]
    assert html[2:7] == [*text[1:5], "Change the card"]


def test_without_a_card_one_is_asked_for(write: Any) -> None:
    values = {"refusal": "There is no card that could be charged.", "next_at": NOW.isoformat()}
    _subject, text, _html = write(announcing.DECLINED, cause="no_card", card="", card_url="", **values)
    assert "We try again on March 10, 2026: please give us a card by then." in text
    assert text[-1] == PAGE


def test_what_is_the_shops_fault_asks_nothing_of_the_customer(write: Any) -> None:
    values = {"refusal": "The shop has no price for it.", "next_at": NOW.isoformat()}
    subject, text, _html = write(announcing.DECLINED, cause="shop", amount="", credit="", charge="", **values)
    assert subject == "“Monthly” is not renewed yet"
    assert text[1] == "we could not renew “Monthly”, and nothing was charged."
    assert "We try again on March 10, 2026. You need not do anything." in text
    assert "Change the card" not in text


def test_the_end_says_why_and_what_can_be_done(write: Any) -> None:
    subject, text, html = write(announcing.ENDED, cause="card", refusal="The card was declined.")
    assert subject == "“Monthly” has ended"
    assert text[1:6] == [
        "“Monthly” has ended: we could not renew it, and nothing was charged.",
        "The card was declined.",
        "You can have it again at any time: on your page there is what we offer.",
        "See what we offer",
        PAGE,
    ]
    assert html[2:] == [*text[1:4], "See what we offer"]


@pytest.mark.parametrize(
    "kind", [announcing.RENEWS, announcing.RENEWED, announcing.DECLINED, announcing.ENDED]
)
def test_nothing_that_is_missing_leaves_a_hole(write: Any, kind: str) -> None:
    missing = dict.fromkeys(("amount", "credit", "charge", "card", "card_url", "currency"), "")
    if kind != announcing.RENEWS:
        missing["moment"] = ""
    for part in write(kind, **missing):
        for line in [part] if isinstance(part, str) else part:
            for hole in ("None", "  ", " .", " ,", "“”", "for ,", "for .", "on ,", "until ."):
                assert hole not in line, line


def test_the_plan_is_called_as_the_reader_calls_it(write: Any) -> None:
    for kind in (announcing.RENEWS, announcing.RENEWED, announcing.DECLINED, announcing.ENDED):
        subject, _text, _html = write(kind, "fr")
        assert "Mensuel" in subject


# Rewards


def told(reward: Reward) -> tuple[str, list[str], list[str]]:
    """The mail about a reward that was given."""
    tell_about_reward(
        Reward, reward=reward, delta=Decimal("15.00" if reward.kind == "credit" else 1), now=NOW
    )
    message = Message.objects.latest("pk")
    assert message.data["reward"] == reward.pk and message.user is not None
    return read(compose(message, message.user))


def reward_with(user: Any, plan: Any, side: str = "friend") -> Reward:
    """One period of the plan, as the engine's reward gives it."""
    trigger = "arrives" if side == "friend" else "first_purchase"
    other = {"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}
    rule = {"side": side, "trigger": trigger, "kind": "membership", "options": plan_options(plan)}
    terms = make_program([rule, other] if side == "friend" else [other, rule])
    reward = reward_of(user, user if side == "friend" else None, terms, side=side)
    Reward.objects.filter(pk=reward.pk).update(kind="membership", currency="")
    give(user, plan, origin=Period.Origin.REWARD, reward_id=reward.pk)
    reward.refresh_from_db()
    return reward


def test_a_pass_that_was_given_says_until_when_and_where(lea: Any) -> None:
    trial = make_plan("trial", is_trial=True, uses=1, period_unit="days", period_length=30)
    subject, text, html = told(reward_with(lea, trial))
    assert subject == "Your reward: a free “Trial”"
    assert text[1:] == [
        "you came on the invitation of a friend. Your reward is there: a free “Trial”.",
        "You can use it once, until April 9, 2026.",
        "See your memberships",
        PAGE,
    ]
    assert html[2:] == text[1:4]


def test_a_month_that_was_given_says_until_when_it_runs_now(lea: Any, monthly: Any) -> None:
    give(lea, monthly)
    _subject, text, _html = told(reward_with(lea, monthly, side="advocate"))
    assert "It runs until May 10, 2026." in text and PAGE in text


def test_credit_says_which_renewal_it_pays(lea: Any, monthly: Any) -> None:
    give(lea, monthly)
    pay_credit(lea, "15.00", pays_renewals=True)
    _subject, text, html = told(reward_of(lea, None))
    words = "€15.00 of it pays your renewal on April 10, 2026."
    assert words in text and words in html
    assert "You can use it at checkout with your next order." not in text
    assert "See your friends and rewards" in text


def test_credit_of_who_has_no_renewal_is_for_the_next_order(lea: Any, monthly: Any) -> None:
    give(lea, monthly)
    Membership.objects.update(renews=False)
    pay_credit(lea, "15.00", pays_renewals=True)
    _subject, text, _html = told(reward_of(lea, None))
    assert "You can use it at checkout with your next order." in text


def test_a_mail_is_sent_also_where_that_cannot_be_read(lea: Any, monkeypatch: Any, caplog: Any) -> None:
    def fail(*arguments: Any) -> None:
        # PostgreSQL refuses whatever comes after this in the same transaction.
        connection.cursor().execute("SELECT a FROM no_table")

    monkeypatch.setattr(mails, "credit_use", fail)
    _subject, text, _html = told(reward_of(lea, None))
    assert "You can use it at checkout with your next order." in text
    assert "without what an app would add to it" in caplog.text
    assert lea.email not in caplog.text and outbox.outbox == []
