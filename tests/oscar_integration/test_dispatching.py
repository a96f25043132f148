"""Our messages by Oscar's Dispatcher, where a shop wants that, and its own mails left alone."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from oscar.core.loading import get_model
from wagtail.models import Site

from wagtail_referrals import messages
from wagtail_referrals.messages.models import Message
from wagtail_referrals.site.settings import ReferralSettings

Email = get_model("communication", "Email")
pytestmark = pytest.mark.django_db

BY_OSCAR = {"MESSAGES_BY_OSCAR": True}


@pytest.fixture
def reward_mail(make_customer):
    """A planned message about a reward to a customer."""
    user = make_customer("friend@example.com")
    data = {"side": "friend", "amount": "15.00", "currency": "EUR"}
    moment = timezone.now() - timedelta(minutes=1)
    return Message.objects.create(
        key="reward:1:1", kind="reward_given", user=user, data=data, created_at=moment, next_attempt_at=moment
    )


def deliver(message: Message, **times: Any) -> Any:
    """Hand it over in the middle of a day; the one mail."""
    noon = timezone.localtime().replace(hour=12, minute=0) + timedelta(days=1)
    messages.deliver_pending(now=noon)
    message.refresh_from_db()
    assert message.state == Message.State.SENT
    (sent,) = mail.outbox
    return sent


def test_by_default_oscar_knows_nothing_of_it(reward_mail):
    sent = deliver(reward_mail)
    assert sent.to == ["friend@example.com"]
    assert not Email.objects.exists()


def test_with_the_setting_it_is_one_of_the_customers_mails(reward_mail, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {**getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {}), **BY_OSCAR}
    sent = deliver(reward_mail)
    kept = Email.objects.get()
    assert kept.user == reward_mail.user and kept.subject == sent.subject
    assert kept.body_text == sent.body and "<html" in kept.body_html


def test_headers_and_both_parts_are_the_same_either_way(reward_mail, settings):
    first = deliver(reward_mail)
    mail.outbox.clear()
    Message.objects.update(state=Message.State.PENDING)
    settings.WAGTAIL_REFERRALS_OSCAR = {**getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {}), **BY_OSCAR}
    second = deliver(reward_mail)
    assert (first.subject, first.body) == (second.subject, second.body)
    assert first.extra_headers.keys() == second.extra_headers.keys()
    assert "List-Unsubscribe" in second.extra_headers
    assert [kind for _html, kind in second.alternatives] == ["text/html"]


def test_the_sender_is_the_sites_else_oscars(reward_mail, settings):
    settings.OSCAR_FROM_EMAIL = "shop@example.com"
    settings.WAGTAIL_REFERRALS_OSCAR = {**getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {}), **BY_OSCAR}
    assert deliver(reward_mail).from_email == "shop@example.com"
    mail.outbox.clear()
    Message.objects.update(state=Message.State.PENDING)
    site = Site.objects.get(is_default_site=True)
    ReferralSettings.objects.create(site=site, sender_name="Anna", sender_email="anna@example.com")
    assert deliver(reward_mail).from_email == "Anna <anna@example.com>"


def test_no_log_names_the_customer(reward_mail, settings, caplog):
    settings.WAGTAIL_REFERRALS_OSCAR = {**getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {}), **BY_OSCAR}
    with caplog.at_level(logging.DEBUG):
        deliver(reward_mail)
    assert "friend@example.com" not in caplog.text
