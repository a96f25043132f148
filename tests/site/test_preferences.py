"""What customers choose to be written about: in their account, and by the links of a mail without a login."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from tests.site.test_account import URL, text_of
from wagtail_referrals import messages
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message, MessageSwitch, Preferences

MAILS = f"{URL}settings/mails/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def camilles_browser(client, camille):
    client.force_login(camille)
    return client


def token(user: Any, topic: messages.Topic = messages.Topic.REWARDS) -> str:
    return messages.token_for(user, topic)


def boxes(response: Any) -> dict[str, bool]:
    soup = BeautifulSoup(response.content, "html.parser")
    return {str(box["value"]): box.has_attr("checked") for box in soup.select("input[name=wanted]")}


def rewards_kinds() -> set[str]:
    return {kind.key for kind in messages.refusable_kinds() if kind.topic == messages.Topic.REWARDS}


def test_everything_is_wanted_until_somebody_says_no(camilles_browser):
    found = boxes(camilles_browser.get(MAILS))
    assert set(found) == {kind.key for kind in messages.offered_kinds()} and all(found.values())
    assert not Preferences.objects.exists(), "looking writes nothing"
    assert "reward_given" in found


def test_what_cannot_be_refused_is_not_asked(camilles_browser):
    asked = set(boxes(camilles_browser.get(MAILS)))
    for kind in message_kinds:
        assert (kind.key in asked) <= kind.can_be_refused, kind.key
    assert "invitation_kept" not in asked


def test_what_editors_have_switched_off_is_nothing_to_choose(camilles_browser, camille):
    assert "share_it" not in boxes(camilles_browser.get(MAILS)), "off until an editor switches it on"
    MessageSwitch.objects.create(kind="share_it", is_on=True)
    MessageSwitch.objects.create(kind="reward_given", is_on=False)
    Preferences.objects.create(user=camille, unwanted=["reward_given"], changed_at=camille.date_joined)
    found = boxes(camilles_browser.get(MAILS))
    assert found["share_it"] and "reward_given" not in found
    camilles_browser.post(MAILS, {"wanted": list(found)})
    assert Preferences.objects.get().unwanted == ["reward_given"], "what was not asked stays as it was"


def test_readers_read_no_word_of_the_admin(camilles_browser):
    text = BeautifulSoup(camilles_browser.get(MAILS).content, "html.parser").get_text()
    assert "Tips and offers, a few days apart" in text and "sequence" not in text


def test_what_is_unticked_is_kept(camilles_browser, camille):
    response = camilles_browser.post(
        MAILS, {"wanted": ["reward_given"], "time_zone": "America/New_York"}, follow=True
    )
    assert "Saved." in text_of(response)
    kept = Preferences.objects.get(user=camille)
    assert "reward_given" not in kept.unwanted and "credit_expiring" in kept.unwanted
    assert (kept.wants_nothing, kept.time_zone, kept.channel) == (False, "America/New_York", "email")
    found = boxes(camilles_browser.get(MAILS))
    assert found["reward_given"] and not found["credit_expiring"]


@pytest.mark.parametrize(
    "data", [{"wanted": ["nothing_we_know"]}, {"time_zone": "Mars/Olympus"}, {"wanted": ["x\x00"]}]
)
def test_what_the_page_does_not_offer_is_refused(camilles_browser, data):
    assert camilles_browser.post(MAILS, data).status_code == 200
    assert not Preferences.objects.exists()


def test_what_is_refused_says_why(camilles_browser):
    response = camilles_browser.post(MAILS, {"time_zone": "Mars/Olympus"})
    alert = BeautifulSoup(response.content, "html.parser").select_one("[role=alert]")
    assert alert is not None and "Mars/Olympus is not one of the available choices" in alert.get_text()


def test_what_editors_switch_off_meanwhile_stands_in_the_way_of_nothing(camilles_browser):
    """The page was open for a while; what else was chosen on it is kept."""
    found = boxes(camilles_browser.get(MAILS))
    MessageSwitch.objects.create(kind="reward_given", is_on=False)
    response = camilles_browser.post(MAILS, {"wanted": set(found) - {"credit_expiring"}}, follow=True)
    assert "Saved." in text_of(response)
    assert Preferences.objects.get().unwanted == ["credit_expiring"]


def test_what_describes_a_field_is_there(camilles_browser, camille):
    for url in (MAILS, reverse("referrals:mails", args=[token(camille)])):
        page = BeautifulSoup(camilles_browser.get(url).content, "html.parser").main
        described = [
            name for field in page.select("[aria-describedby]") for name in field["aria-describedby"].split()
        ]
        assert described and [name for name in described if page.find(id=name) is None] == []


def test_nobody_else_reads_the_page_of_the_account(client):
    response = client.get(MAILS)
    assert response.status_code == 302 and "login" in response["Location"]


def test_the_settings_lead_to_it(camilles_browser):
    assert MAILS in camilles_browser.get(f"{URL}settings/").content.decode()


# By the links of a mail


def test_a_mail_program_unsubscribes_with_one_post(camille):
    """RFC 8058: no cookie, no CSRF token, and this body."""
    url = reverse("referrals:unsubscribe", args=[token(camille)])
    for _twice in range(2):
        response = Client(enforce_csrf_checks=True).post(url, {"List-Unsubscribe": "One-Click"})
        assert response.status_code == 200
    assert set(Preferences.objects.get(user=camille).unwanted) == rewards_kinds()
    assert not messages.wants_topic(camille, messages.Topic.REWARDS)


def test_looking_at_it_changes_nothing(client, camille):
    """What scans mails for dangers follows every link."""
    response = client.get(reverse("referrals:unsubscribe", args=[token(camille)]))
    assert "No more of them" in text_of(response)
    assert not Preferences.objects.exists()


def test_a_mistake_is_taken_back(client, camille):
    url = reverse("referrals:unsubscribe", args=[token(camille)])
    client.post(url)
    assert "That was a mistake" in text_of(client.get(url))
    response = client.post(url, {"again": "yes"})
    assert "We write to you again" in text_of(response)
    assert Preferences.objects.get(user=camille).unwanted == []


def test_a_way_back_that_leads_nowhere_is_not_offered(client, camille):
    """Who wants nothing at all wants nothing of this topic either, whatever is said about the topic."""
    Preferences.objects.create(user=camille, wants_nothing=True, changed_at=camille.date_joined)
    url = reverse("referrals:unsubscribe", args=[token(camille)])
    for response in (client.get(url), client.post(url)):
        text = text_of(response)
        assert "You get no more of these messages" in text and "That was a mistake" not in text
        assert "You have chosen that we write to you about none of this." in text
        assert reverse("referrals:mails", args=[token(camille)]) in response.content.decode()


def test_other_topics_stay(client, camille):
    Preferences.objects.create(user=camille, unwanted=["another_kind"], changed_at=camille.date_joined)
    client.post(reverse("referrals:unsubscribe", args=[token(camille)]))
    client.post(reverse("referrals:unsubscribe", args=[token(camille)]), {"again": "yes"})
    assert Preferences.objects.get(user=camille).unwanted == ["another_kind"]


def test_the_link_opens_the_choices_without_a_login_and_names_nobody(client, camille):
    response = client.get(reverse("referrals:mails", args=[token(camille)]))
    html = response.content.decode()
    assert boxes(response) and all(boxes(response).values())
    assert "Camille" not in html and "camille" not in html
    assert response["Referrer-Policy"] == "same-origin" and response["X-Robots-Tag"] == "noindex"
    assert "no-store" in response["Cache-Control"]


def test_choices_are_saved_by_the_link(client, camille):
    url = reverse("referrals:mails", args=[token(camille)])
    response = client.post(url, {"wants_nothing": "on"})
    assert "Saved." in text_of(response)
    kept = Preferences.objects.get(user=camille)
    assert kept.wants_nothing and "reward_given" in kept.unwanted


def test_the_form_of_the_link_needs_its_page(camille):
    """Only the one click of RFC 8058 comes without a token of the page."""
    url = reverse("referrals:mails", args=[token(camille)])
    assert Client(enforce_csrf_checks=True).post(url, {"wants_nothing": "on"}).status_code == 403


@pytest.mark.parametrize("name", ["mails", "unsubscribe"])
@pytest.mark.parametrize("bad", ["x", "WyIxIiwicmV3YXJkcyJd:1abc:xyz", "é"])
def test_a_link_that_is_not_ours_says_so(client, camille, name, bad):
    for response in (client.get(reverse(f"referrals:{name}", args=[bad])), client.post(f"/r/mails/{bad}/")):
        assert response.status_code == 200 and "This link does not work" in text_of(response)
    assert not Preferences.objects.exists()


def test_a_link_of_somebody_who_is_gone_says_the_same(client, camille):
    url = reverse("referrals:unsubscribe", args=[token(camille)])
    camille.delete()
    assert "This link does not work" in text_of(client.post(url))


def test_the_page_speaks_the_language_of_the_mails(client, camille):
    from wagtail_referrals import people

    advocate = people.advocate_for(camille)
    advocate.language = "fr"
    advocate.save()
    response = client.get(reverse("referrals:mails", args=[token(camille)]))
    assert response["Content-Language"] == "fr"


def test_a_message_knows_both_links(camille):
    message = Message(kind="reward_given", user=camille)
    assert messages.unsubscribe_path(message).endswith("/unsubscribe/")
    assert messages.preferences_path(message).startswith("/r/mails/")
    visitors = Message(kind="invitation_kept")
    assert (messages.unsubscribe_path(visitors), messages.preferences_path(visitors)) == ("", "")


def test_one_by_one_and_all_at_once_are_kept_apart(camille):
    """Who wants nothing, and then wants something again, has their choices as they were."""
    chosen = {"wanted": ["reward_given"], "offered": messages.offered_kinds(), "time_zone": ""}
    messages.save_preferences(camille, wants_nothing=True, **chosen)
    before = Preferences.objects.get(user=camille).unwanted
    messages.save_preferences(camille, wants_nothing=False, **chosen)
    kept = Preferences.objects.get(user=camille)
    assert (kept.unwanted, kept.wants_nothing) == (before, False)
