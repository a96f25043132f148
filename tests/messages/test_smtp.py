"""What a real mail server is sent, and what becomes of messages that it does not take."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from wagtail.models import Site

from tests.admin.rows import make_user
from tests.mail_server import Mailbox, hang_up
from tests.messages.made import make_message
from wagtail_referrals.messages import deliver_pending
from wagtail_referrals.messages.models import Message, Preferences, Suppression
from wagtail_referrals.site.settings import ReferralSettings

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_kinds")]

NOW = datetime(2027, 2, 12, 12, tzinfo=UTC)
State = Message.State
EMAIL = "camille@example.com"


@pytest.fixture
def camille() -> Any:
    return make_user(EMAIL, "Camille")


@pytest.fixture
def message(camille: Any) -> Message:
    """About a reward, in euros."""
    data = {"side": "advocate", "amount": "15.00", "currency": "EUR"}
    return make_message("a", camille, kind="reward_given", now=NOW, data=data)


def read() -> Message:
    return Message.objects.get(key="a")


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def test_a_real_mail(mailbox: Mailbox, message: Message) -> None:
    site = Site.objects.get(is_default_site=True)
    ReferralSettings.objects.create(
        site=site, sender_name="Anna of Studio Soufflé", sender_email="anna@example.com"
    )
    assert deliver_pending(now=NOW) == 1
    (envelope,) = mailbox.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("anna@example.com", [EMAIL])
    (mail,) = mailbox.mails()
    assert mail["From"] == "Anna of Studio Soufflé <anna@example.com>"
    assert (mail["To"], mail["Cc"], mail["Bcc"]) == (EMAIL, None, None)
    assert "€15.00" in mail["Subject"] and mail["Message-ID"] and mail["Date"]
    assert mail.get_content_type() == "multipart/alternative"
    plain, rich = (part for part in mail.iter_parts())
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    for part in (plain, rich):
        assert part.get_content_charset() == "utf-8" and "€15.00" in part.get_content()
    # Bytes of a line, as servers take them.
    assert max(map(len, bytes(envelope.content or b"").splitlines())) <= 998  # type: ignore[arg-type]
    assert read().state == State.SENT


def test_its_links_work(mailbox: Mailbox, message: Message) -> None:
    deliver_pending(now=NOW)
    (mail,) = mailbox.mails()
    plain, rich = (part.get_content() for part in mail.iter_parts())
    hrefs = [str(a["href"]) for a in BeautifulSoup(rich, "html.parser").find_all("a")]
    texts = re.findall(r"https?://\S+", plain)
    assert hrefs and texts
    for url in {*hrefs, *texts}:
        assert url.startswith(("http://", "https://")) and EMAIL not in url
        answer = Client().get(path_of(url), follow=True)
        assert answer.status_code == 200, url
    assert read().opened_at is not None


def test_one_post_is_enough_to_get_no_more_of_them(mailbox: Mailbox, message: Message, camille: Any) -> None:
    deliver_pending(now=NOW)
    (mail,) = mailbox.mails()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = mail["List-Unsubscribe"].strip()
    assert url.startswith("<http") and url.endswith(">")
    # As mail programs do it (RFC 8058): without a cookie, and without a token of a form.
    client = Client(enforce_csrf_checks=True)
    assert client.get(path_of(url[1:-1])).status_code == 200
    assert not Preferences.objects.exists(), "who only looks keeps all"
    answer = client.post(path_of(url[1:-1]), {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert "reward_given" in Preferences.objects.get(user=camille).unwanted
    make_message("b", camille, kind="reward_given", now=NOW, data=message.data)
    assert deliver_pending(now=NOW) == 0
    assert Message.objects.get(key="b").reason == "unwanted"
    assert len(mailbox.envelopes) == 1


def test_what_cannot_be_refused_does_not_offer_it(mailbox: Mailbox) -> None:
    make_message("b", now=NOW)
    deliver_pending(now=NOW)
    (mail,) = mailbox.mails()
    assert mail["List-Unsubscribe"] is None and mail["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize("where", ["at_rcpt", "at_data"])
def test_a_server_that_is_busy_is_asked_again(where: str, mailbox: Mailbox, message: Message) -> None:
    setattr(mailbox, where, lambda server, envelope: "451 4.3.0 Try again later")
    assert deliver_pending(now=NOW) == 0
    waiting = read()
    assert (waiting.state, waiting.next_attempt_at) == (State.PENDING, NOW + timedelta(minutes=2))
    setattr(mailbox, where, None)
    assert deliver_pending(now=NOW + timedelta(minutes=2)) == 1
    assert mailbox.recipients == [EMAIL] and not Suppression.objects.exists()


def test_nobody_has_this_address(
    mailbox: Mailbox, message: Message, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.at_rcpt = lambda server, envelope: f"550 5.1.1 <{EMAIL}> unknown"
    assert deliver_pending(now=NOW) == 0
    assert (read().state, read().reason) == (State.FAILED, "refused")
    assert Suppression.objects.get().reason == "bounced"
    assert EMAIL not in caplog.text
    mailbox.at_rcpt = None
    make_message("b", message.user, now=NOW)
    assert deliver_pending(now=NOW) == 0 and not mailbox.envelopes


def test_an_address_that_is_refused_for_another_reason(mailbox: Mailbox, message: Message) -> None:
    mailbox.at_rcpt = lambda server, envelope: "550 Not here"
    assert deliver_pending(now=NOW) == 0
    assert (read().state, read().reason) == (State.FAILED, "refused")
    assert not Suppression.objects.exists(), "it may be there another time"


@pytest.mark.parametrize(
    ("where", "answer"),
    [("at_rcpt", "550 5.7.1 Relaying denied"), ("at_data", "554 5.7.1 Looks like spam")],
)
def test_what_the_shop_can_mend_is_tried_again(
    where: str, answer: str, mailbox: Mailbox, message: Message
) -> None:
    setattr(mailbox, where, lambda server, envelope: answer)
    assert deliver_pending(now=NOW) == 0
    assert read().state == State.PENDING and not Suppression.objects.exists()


def test_a_server_that_hangs_up_before_the_text_is_asked_again(mailbox: Mailbox, message: Message) -> None:
    mailbox.at_rcpt = hang_up
    assert deliver_pending(now=NOW) == 0
    assert read().state == State.PENDING
    mailbox.at_rcpt = None
    assert deliver_pending(now=NOW + timedelta(minutes=2)) == 1
    assert mailbox.recipients == [EMAIL]


def test_a_server_that_hangs_up_with_the_whole_mail_may_have_it(mailbox: Mailbox, message: Message) -> None:
    mailbox.at_data = hang_up
    assert deliver_pending(now=NOW) == 0
    assert read().state == State.UNSURE
    mailbox.at_data = None
    assert deliver_pending(now=NOW + timedelta(days=1)) == 0, "never twice"
    assert not mailbox.envelopes


def test_no_server_at_all(mailbox: Mailbox, message: Message, settings: Any) -> None:
    settings.EMAIL_PORT = 1
    assert deliver_pending(now=NOW) == 0
    assert read().state == State.PENDING
