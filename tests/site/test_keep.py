"""Keep the invitation by e-mail: what is stored and sent, what is not, and that nobody can tell."""

from __future__ import annotations

import html
import logging
import re
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter
from wagtail.models import Locale, Site

from tests.credit.test_concurrency import at_once, no_errors
from tests.site.conftest import BROWSER, publish
from wagtail_referrals import messages, people, rewards, tracking
from wagtail_referrals.messages import kept
from wagtail_referrals.messages.kept import MAILS_A_DAY
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.site import keep
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.tracking import leads
from wagtail_referrals.tracking.models import Claim, Lead, Visit

pytestmark = pytest.mark.usefixtures("alone")

EMAIL = "robin@friends.example"
AGREED = {"email": EMAIL, "mail": "on"}
SENT = "Check your inbox"


@pytest.fixture
def landing(db: None) -> LandingPage:
    page = LandingPage(title="Invitation", slug="invitation", keep_by_email=True)
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.save_revision().publish()
    return page


@pytest.fixture
def keep_url(link: str) -> str:
    return f"{link}keep/"


@pytest.fixture
def friend(terms: Any, landing: LandingPage, link: str, browser_client: Client) -> Client:
    """Somebody who has opened the link."""
    browser_client.get(link)
    return browser_client


def another(link: str, language: str = "en") -> Client:
    client = Client(headers={"user-agent": BROWSER, "accept-language": language})
    client.get(link)
    return client


def text_of(response: Any) -> str:
    return " ".join(html.unescape(response.content.decode()).split())


def address_of(name: str) -> str:
    """Where a link of the only mail leads, as its text says it: "open" or "remove"."""
    (message,) = mail.outbox
    links = re.findall(r"https?://\S+/r/kept/\S+", str(message.body))
    return next(each for each in links if each.endswith("/remove/") == (name == "remove"))


def path_of(url: str) -> str:
    root = Site.objects.get(is_default_site=True).root_url
    assert url.startswith(f"{root}/r/")
    return url.removeprefix(root)


# The form


def test_a_friend_is_offered_it_where_the_editor_wants_it(friend, landing, link, keep_url):
    soup = BeautifulSoup(friend.get(link).content, "html.parser")
    form = soup.select_one(".referrals-keep form")
    assert form is not None and form["action"] == keep_url and form["method"] == "post"
    boxes = form.select("input[type=checkbox]")
    assert [box["name"] for box in boxes] == ["mail", "reminder"]
    assert not any(box.has_attr("checked") for box in boxes), "consent is given, not taken"
    assert boxes[0].has_attr("required") and not boxes[1].has_attr("required")
    assert form.select_one("[name=csrfmiddlewaretoken]") and not form.select("[style], script")
    landing.keep_by_email = False
    landing.save_revision().publish()
    assert "referrals-keep" not in text_of(friend.get(link))
    assert friend.post(keep_url, AGREED).url == link and not Lead.objects.exists() and not mail.outbox


def test_the_form_costs_a_share_link_no_query(terms, landing, link, django_assert_num_queries):
    another(link)
    with django_assert_num_queries(1):
        another(link)


def test_others_are_not_offered_it(friend, link, make_user, advocate):
    for user in (make_user("robin"), advocate.user):
        client = Client(headers={"user-agent": BROWSER})
        client.force_login(user)
        assert "referrals-keep" not in text_of(client.get(link))
    assert "referrals-keep" not in text_of(friend.get("/r/ZZZZZZZZ/"))


def test_no_reminder_is_offered_where_it_would_come_too_late(landing, link, browser_client, keep_url):
    publish(window_days=3)
    browser_client.get(link)
    assert 'name="reminder"' not in browser_client.get(link).content.decode()
    browser_client.post(keep_url, AGREED | {"reminder": "on"})
    assert not Lead.objects.get().wants_reminders and "remind" not in Lead.objects.get().consent


def test_the_form_alone_counts_a_visit_as_the_share_link_does(terms, landing, link, keep_url):
    client = Client(headers={"user-agent": BROWSER})
    response = client.get(f"{keep_url}?via=whatsapp")
    assert response.status_code == 200 and "Camille invites you" in text_of(response)
    assert Visit.objects.get().channel == "whatsapp" and "referral" in response.cookies
    assert SENT in text_of(client.post(keep_url, AGREED, follow=True))
    assert Visit.objects.count() == 1 and Claim.objects.get().visit == Visit.objects.get()


@pytest.mark.parametrize(
    "missing", [{"email": ""}, {"email": "robin"}, {"mail": ""}, {"email": f"{'a' * 300}@x.example"}]
)
def test_what_is_missing_is_said_and_nothing_kept(missing, friend, keep_url):
    response = friend.post(keep_url, AGREED | missing)
    soup = BeautifulSoup(response.content, "html.parser")
    (field,) = soup.select("[aria-invalid=true]")
    assert response.status_code == 200 and field["name"] == next(iter(missing))
    assert soup.find(id=str(field["aria-describedby"])) is not None and soup.select_one("[role=alert]")
    assert not Lead.objects.exists() and not Claim.objects.exists() and not mail.outbox


def test_a_form_of_another_site_does_nothing(friend, link, keep_url):
    strict = Client(enforce_csrf_checks=True, headers={"user-agent": BROWSER})
    strict.cookies = friend.cookies
    assert strict.post(keep_url, AGREED).status_code == 403 and not Lead.objects.exists()
    page = BeautifulSoup(strict.get(link).content, "html.parser")
    token = page.select_one(".referrals-keep [name=csrfmiddlewaretoken]")
    assert token is not None
    assert strict.post(keep_url, AGREED | {"csrfmiddlewaretoken": token["value"]}).status_code == 302


def test_in_the_preview_nothing_can_be_sent(terms, landing, admin_client):
    soup = BeautifulSoup(landing.make_preview_request(preview_mode="friend").content, "html.parser")
    assert soup.select(".referrals-keep button[disabled]")


# What becomes of it


def test_the_promise_is_saved_and_the_address_kept_with_what_was_agreed_to(friend, keep_url):
    response = friend.post(keep_url, AGREED | {"reminder": "on"})
    assert response.status_code == 302 and "@" not in response.url
    claim = Claim.objects.get()
    assert claim.visit == Visit.objects.get() and claim.state == Claim.State.OPEN and claim.discounts.exists()
    # Who orders may give another address.
    assert claim.email_hash == "" and claim.user is None
    lead = Lead.objects.get()
    assert (lead.claim, lead.email, lead.language, lead.wants_reminders) == (claim, EMAIL, "en", True)
    assert lead.consent.splitlines() == [
        "Yes, send me one e-mail with this invitation, and keep my address for it.",
        "Also remind me of it until it ends, with a few e-mails at most.",
    ]
    assert EMAIL not in f"{lead} {lead!r} {Message.objects.get()} {Message.objects.get().key}"


def test_one_mail_is_sent_as_real_mail(friend, keep_url, settings):
    friend.post(keep_url, AGREED)
    (sent,) = mail.outbox
    parsed = message_from_bytes(sent.message().as_bytes(), policy=policy.default)
    assert parsed["To"] == EMAIL and parsed["Subject"] == "Camille invites you: 10% off one order"
    assert parsed.get_content_type() == "multipart/alternative"
    plain, rich = parsed.iter_parts()
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    lead = Lead.objects.get()
    day = f"{timezone.localtime(lead.claim.expires_at):%b}"
    for part in (plain, rich):
        words = part.get_content()
        assert "Camille invites you" in words and "10% off one order" in words and day in words
        assert f"/r/kept/{lead.token}/" in words and f"/r/kept/{lead.token}/remove/" in words
        assert "camille@example.com" not in words
    assert parsed["List-Unsubscribe"].strip() == f"<{address_of('remove')}>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    message = Message.objects.get()
    assert (message.state, message.lead, message.user) == (Message.State.SENT, lead, None)


def test_the_mail_is_in_the_language_of_the_page(terms, landing, link, keep_url):
    locale, _created = Locale.objects.get_or_create(language_code="fr")
    parent = landing.get_parent()
    if not parent.has_translation(locale):
        parent.copy_for_translation(locale)
    landing.copy_for_translation(locale).save_revision().publish()
    another(link, "fr").post(keep_url, AGREED)
    (sent,) = mail.outbox
    subject = sent.subject.replace("\u202f", " ").replace("\xa0", " ")
    assert subject.startswith("Camille vous invite") and "10 %" in subject
    assert 'lang="fr"' in str(sent.alternatives[0][0]) and Lead.objects.get().language == "fr"


def test_the_mail_leaves_after_the_answer(friend, keep_url, monkeypatch):
    delivered = []
    monkeypatch.setattr(keep.messages, "deliver", lambda keys: delivered.append(len(mail.outbox)))
    response = friend.post(keep_url, AGREED)
    # Closing the answer is the last thing that a server does.
    assert delivered == [0] and not mail.outbox and response.status_code == 302
    monkeypatch.undo()
    rewards.sweep()
    messages.deliver_pending()
    assert len(mail.outbox) == 1


def test_no_visitor_waits_for_the_mails_of_others(friend, keep_url, link, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(keep.messages, "deliver", lambda keys: None)
        another(link, "en").post(keep_url, AGREED | {"email": "somebody.else@example.com"})
    friend.post(keep_url, AGREED)
    assert [sent.to for sent in mail.outbox] == [[EMAIL]]
    messages.deliver_pending()
    assert len(mail.outbox) == 2


def test_a_mail_server_that_is_down_breaks_nothing_and_is_tried_again(friend, keep_url, settings, caplog):
    settings.EMAIL_BACKEND = "nowhere.Backend"
    assert friend.post(keep_url, AGREED).status_code == 302
    assert Message.objects.get().state == Message.State.PENDING
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    messages.deliver_pending(now=timezone.now() + timedelta(minutes=5))
    assert len(mail.outbox) == 1 and EMAIL not in caplog.text


def test_nothing_of_it_is_logged(friend, keep_url, caplog, link):
    with caplog.at_level(logging.DEBUG):
        friend.post(keep_url, AGREED)
        friend.post(keep_url, AGREED | {"email": "camille@example.com"})
        Client().get(path_of(address_of("open")))
        Client().post(path_of(address_of("remove")))
        rewards.sweep()
    logged = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("django.db")
    )
    assert "friends.example" not in logged and "camille@" not in logged


# Nobody can tell who is known


@pytest.mark.parametrize(
    "broken",
    [
        "wagtail_referrals.rewards.commit",
        "wagtail_referrals.people.email_rows_of",
        "wagtail_referrals.tracking.leads.Lead.objects.create",
    ],
)
def test_the_report_of_an_error_does_not_have_the_address(broken, friend, keep_url, caplog, monkeypatch):
    """Django mails what was posted to the admins, and services that collect errors keep it."""

    def fail(*args: Any, **values: Any) -> None:
        raise RuntimeError("the database is down")

    monkeypatch.setattr(broken, fail)
    friend.raise_request_exception = False
    assert friend.post(keep_url, AGREED).status_code == 500
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    report = ExceptionReporter(record.request, *record.exc_info)
    for text in (report.get_traceback_text(), report.get_traceback_html()):
        assert "the database is down" in text and EMAIL not in text


@pytest.fixture
def known(request: Any, make_user: Any, link: str) -> str:
    if request.param == "account":
        return str(make_user("chloe").email)
    if request.param == "variant of an account":
        make_user("chloe")
        return "Ch.Loe+shop@example.com"
    if request.param == "guest who ordered":
        people.remember_order("10001", "guest@example.com")
        return "guest@example.com"
    return EMAIL


@pytest.mark.parametrize(
    "known", ["account", "variant of an account", "guest who ordered", "new"], indirect=True
)
def test_the_answer_is_the_same_for_all(known, friend, keep_url):
    response = friend.post(keep_url, AGREED | {"email": known})
    page = friend.get(response.url)
    expected = Client(headers={"user-agent": BROWSER, "accept-language": "en"}).get(f"{keep_url}sent/")
    assert response.status_code == 302 and page.content == expected.content and SENT in text_of(page)
    # The promise is saved for whoever it is; an order is judged when it comes.
    assert Claim.objects.count() == 1
    assert Lead.objects.count() == len(mail.outbox) == (1 if known == EMAIL else 0)


def test_a_shop_that_cannot_say_costs_the_mail_not_the_page(friend, keep_url, monkeypatch):
    def fail(*args: Any, **kwargs: Any) -> bool:
        raise RuntimeError("the shop is down")

    monkeypatch.setattr(type(keep.get_shop()), "was_customer", fail)
    assert friend.post(keep_url, AGREED).status_code == 302
    assert not Lead.objects.exists() and not mail.outbox


def test_the_same_address_again_is_one_row_and_few_mails(friend, keep_url):
    for _number in range(MAILS_A_DAY + 2):
        response = friend.post(keep_url, AGREED)
        assert SENT in text_of(friend.get(response.url))
    assert Lead.objects.count() == Claim.objects.count() == 1
    assert len(mail.outbox) == MAILS_A_DAY
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        friend.post(keep_url, AGREED)
    assert len(mail.outbox) == MAILS_A_DAY + 1


def test_the_limit_of_an_address_holds_over_all_referrers_and_spellings(
    terms, landing, link, make_user, keep_url
):
    other = people.share_path(people.code_of(people.advocate_for(make_user("dana"))))
    for number in range(MAILS_A_DAY + 1):
        each = (link, other)[number % 2]
        another(each).post(f"{each}keep/", AGREED | {"email": f"Ro.bin+{number}@friends.example"})
    assert len(mail.outbox) == MAILS_A_DAY
    # An address to which nothing is sent is not kept.
    assert Lead.objects.count() == MAILS_A_DAY


def test_the_limit_outlives_the_address(friend, keep_url, link):
    for _number in range(MAILS_A_DAY):
        friend.post(keep_url, AGREED)
    Client().post(reverse("referrals:kept_remove", args=[Lead.objects.get().token]))
    another(link).post(keep_url, AGREED)
    assert len(mail.outbox) == MAILS_A_DAY and not Lead.objects.exists()


def test_the_limit_of_a_referrer(terms, landing, link, keep_url, monkeypatch):
    monkeypatch.setattr(leads, "ADDRESSES_A_DAY", 3)
    for number in range(5):
        client = another(link)
        response = client.post(keep_url, AGREED | {"email": f"a{number}@friends.example"})
        assert SENT in text_of(client.get(response.url))
    assert Lead.objects.count() == len(mail.outbox) == 3 and Claim.objects.count() == 5
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        another(link).post(keep_url, AGREED | {"email": "b@friends.example"})
    assert Lead.objects.count() == 4


@pytest.mark.parametrize("address", ["new ones", "the same", "a customer's"])
def test_a_script_does_not_use_up_the_budget(address, landing, link, keep_url, advocate, monkeypatch):
    """It has a fresh browser each time, and whatever address: each promise holds a part of the budget."""
    terms = publish(budget_count=4)
    monkeypatch.setattr(leads, "INVITATIONS_A_DAY", 3)
    monkeypatch.setattr(leads, "ADDRESSES_A_DAY", 2)
    clients = [another(link) for _number in range(6)]
    for number, client in enumerate(clients):
        email = {"new ones": f"a{number}@friends.example", "the same": EMAIL}.get(
            address, advocate.user.email
        )
        assert SENT in text_of(client.post(keep_url, AGREED | {"email": email}, follow=True))
    assert Claim.objects.count() == 3
    assert Budget.objects.get(program_key=terms.program_key).held == 3
    # Who came back to what was saved is not kept from it, nor who orders.
    assert SENT in text_of(clients[0].post(keep_url, AGREED, follow=True))
    made = rewards.commit(visit=Visit.objects.latest("pk"), basket_reference="1")
    assert made is not None and Claim.objects.count() == 4


def test_robots_get_the_answer_and_nothing_else(friend, keep_url):
    response = friend.post(keep_url, AGREED, headers={"user-agent": "Googlebot/2.1"})
    assert response.status_code == 302 and not Claim.objects.exists() and not mail.outbox


def test_without_a_cookie_nothing_is_promised(terms, landing, link, keep_url):
    client = Client(headers={"user-agent": BROWSER})
    assert client.post(keep_url, AGREED).url == link
    assert not Claim.objects.exists() and not Lead.objects.exists()


@pytest.mark.parametrize("state", [Advocate.State.BLOCKED, Advocate.State.PAUSED])
def test_the_link_of_who_may_not_refer_sends_nothing(state, friend, keep_url, advocate):
    Advocate.objects.update(state=state)
    people.forget_code(advocate)
    client = Client(headers={"user-agent": BROWSER})
    assert client.get(keep_url).status_code == 302
    assert client.post(keep_url, AGREED).status_code == 302 and not mail.outbox and not Lead.objects.exists()


# The links of the mail


def test_the_link_brings_the_invitation_into_another_browser(friend, keep_url, link):
    friend.post(keep_url, AGREED)
    elsewhere = Client(headers={"user-agent": BROWSER, "accept-language": "en"})
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        response = elsewhere.get(path_of(address_of("open")))
        assert response.url == link and response.headers["Referrer-Policy"] == "same-origin"
        page = elsewhere.get(response.url)
        assert "10% off one order" in text_of(page)
        claim = Claim.objects.get()
        # It is that promise, not a new one: with its own last day.
        assert Visit.objects.count() == 1
        assert rewards.commit(visit=Visit.objects.get(), basket_reference="7") == claim
        assert page.context["invitation"].expires_at.date() == claim.expires_at.date()
    assert Lead.objects.get().opened_at is not None


def test_who_only_looks_at_the_mail_opens_nothing(friend, keep_url):
    friend.post(keep_url, AGREED)
    path = path_of(address_of("open"))
    for headers in ({"user-agent": "Googlebot/2.1"}, {"user-agent": BROWSER, "sec-purpose": "prefetch"}):
        assert "referral" not in Client(headers=headers).get(path).cookies
    assert "referral" not in Client(headers={"user-agent": BROWSER}).head(path).cookies
    assert Lead.objects.get().opened_at is None


def test_an_invitation_that_is_over_is_not_restored(friend, keep_url, link):
    friend.post(keep_url, AGREED)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        response = Client(headers={"user-agent": BROWSER}).get(path_of(address_of("open")))
    assert response.url == link and "referral" not in response.cookies


def test_the_address_is_removed_by_one_button_and_never_by_looking(friend, keep_url):
    friend.post(keep_url, AGREED)
    path = path_of(address_of("remove"))
    page = Client().get(path)
    assert Lead.objects.count() == 1 and "Remove my address" in text_of(page) and EMAIL not in text_of(page)
    # As the mail program does it: no cookie, no token of the form.
    done = Client(enforce_csrf_checks=True).post(path, {"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200 and "Your address is removed" in text_of(done)
    assert not Lead.objects.exists() and Claim.objects.get().state == Claim.State.OPEN
    assert Client().post(path).status_code == 200 and "Your address is removed" in text_of(Client().get(path))
    assert path_of(address_of("open")) and Client().get(path_of(address_of("open"))).url == "/r/"


def test_who_had_it_removed_is_left_alone_for_a_month(friend, keep_url, link, make_user):
    """Whoever types the address, with whosever invitation, and however it is written."""
    other = people.share_path(people.code_of(people.advocate_for(make_user("dana"))))
    friend.post(keep_url, AGREED)
    remove = path_of(address_of("remove"))
    another(other).post(f"{other}keep/", AGREED | {"email": EMAIL.upper()})
    assert Lead.objects.count() == 2
    assert "30 days" in text_of(Client().post(remove))
    assert not Lead.objects.exists(), "all of it is gone, not only what this mail was about"
    mail.outbox.clear()
    with time_machine.travel(timezone.now() + timedelta(days=27)):
        rewards.sweep()
        for each in (link, other):
            client = another(each)
            answer = client.post(f"{each}keep/", AGREED | {"email": "Ro.bin+2@friends.example"}, follow=True)
            assert SENT in text_of(answer)
        assert not mail.outbox and not Lead.objects.exists()
        assert EMAIL not in str(list(Message.objects.values()))
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        rewards.sweep()
        assert not Message.objects.exists()
        another(link).post(keep_url, AGREED)
        assert len(mail.outbox) == 1


@pytest.mark.parametrize("name", ["kept", "kept_remove"])
def test_an_unknown_token_says_nothing(name, terms):
    path = reverse(f"referrals:{name}", args=["11111111-1111-4111-8111-111111111111"])
    response = Client().get(path)
    assert response.status_code in (200, 302) and "referral" not in response.cookies


@pytest.mark.parametrize("name", ["keep", "sent", "open", "remove"])
def test_the_pages_are_for_one_visitor_and_no_search_engine(name, friend, keep_url):
    friend.post(keep_url, AGREED)
    path = {"keep": keep_url, "sent": f"{keep_url}sent/"}.get(name) or path_of(address_of(name))
    response = friend.get(path)
    cache_control = response.headers["Cache-Control"]
    assert "private" in cache_control and "no-store" in cache_control
    assert response.headers["X-Robots-Tag"] == "noindex"


# Forgetting


def kept_lead(friend: Client, keep_url: str, **values: Any) -> Lead:
    friend.post(keep_url, AGREED | values)
    return Lead.objects.get()


@pytest.mark.parametrize("state", [Claim.State.USED, Claim.State.REPLACED])
def test_an_address_goes_when_its_invitation_was_used_or_replaced(state, friend, keep_url):
    kept_lead(friend, keep_url)
    rewards.sweep()
    assert Lead.objects.exists()
    Claim.objects.update(state=state)
    rewards.sweep()
    assert not Lead.objects.exists()


def test_an_address_goes_thirty_days_after_the_invitation_is_over(friend, keep_url):
    lead = kept_lead(friend, keep_url)
    rewards.sweep(now=lead.claim.expires_at + timedelta(days=29, hours=23))
    assert Lead.objects.exists() and Claim.objects.get().state == Claim.State.LAPSED
    rewards.sweep(now=lead.claim.expires_at + timedelta(days=30, minutes=1))
    assert not Lead.objects.exists()


@pytest.mark.parametrize("how", ["account", "order"])
def test_an_address_goes_when_its_owner_becomes_a_customer(how, friend, keep_url, monkeypatch):
    monkeypatch.setattr(leads, "BATCH", 1)
    first = kept_lead(friend, keep_url)
    Lead.objects.create(
        claim=first.claim, email="else@friends.example", consent="x", created_at=timezone.now()
    )
    if how == "account":
        get_user_model().objects.create_user("else", "ELSE@friends.example", "x")
    else:
        people.remember_order("10002", "el.se@friends.example")
    rewards.sweep()
    assert list(Lead.objects.all()) == [first]


def test_an_address_goes_with_the_account_of_its_owner(friend, keep_url):
    kept_lead(friend, keep_url)
    user = get_user_model().objects.create_user("robin", EMAIL, "x")
    user.delete()
    assert not Lead.objects.exists()


def test_the_hash_of_a_removed_address_goes_after_a_day(friend, keep_url):
    lead = kept_lead(friend, keep_url)
    lead.delete()
    rewards.sweep()
    assert Message.objects.count() == 1
    rewards.sweep(now=timezone.now() + timedelta(days=1, minutes=1))
    assert not Message.objects.exists()


def test_what_waits_to_be_sent_is_not_sent_once_the_address_is_gone(friend, keep_url, monkeypatch):
    monkeypatch.setattr(keep.messages, "deliver", lambda keys: None)
    kept_lead(friend, keep_url).delete()
    monkeypatch.undo()
    messages.deliver_pending()
    assert not mail.outbox and Message.objects.get().state == Message.State.FAILED


# The reminder


def reminded_at(days_before: float) -> int:
    moment = Lead.objects.get().claim.expires_at - timedelta(days=days_before)
    mail.outbox.clear()
    with time_machine.travel(moment):
        rewards.sweep()
        messages.deliver_pending()
    return len(mail.outbox)


def test_one_reminder_for_who_agreed_and_opened_the_first_mail(friend, keep_url):
    kept_lead(friend, keep_url, reminder="on")
    assert reminded_at(2.9) == 0, "the mailbox is not known to be theirs"
    Lead.objects.update(opened_at=timezone.now())
    assert reminded_at(3.1) == 0
    assert reminded_at(2.9) == 1
    (sent,) = mail.outbox
    assert sent.subject.startswith("Until ") and "10% off one order" in sent.subject
    assert "There will be no other one." in str(sent.body) and "/remove/" in str(sent.body)
    assert "List-Unsubscribe" in sent.message()
    assert reminded_at(2.8) == 0


def test_who_was_reminded_stands_in_nobodys_way(friend, keep_url, monkeypatch):
    monkeypatch.setattr(kept, "BATCH", 1)
    lead = kept_lead(friend, keep_url, reminder="on")
    other = Lead.objects.create(
        claim=lead.claim, email="else@friends.example", wants_reminders=True, created_at=lead.created_at
    )
    Lead.objects.update(opened_at=timezone.now())
    assert other.pk > lead.pk
    moment = lead.claim.expires_at - timedelta(days=1)
    with time_machine.travel(moment):
        assert [messages.remind() for _number in range(3)] == [1, 1, 0]


def test_no_reminder_without_consent_or_for_what_is_over(friend, keep_url):
    kept_lead(friend, keep_url)
    Lead.objects.update(opened_at=timezone.now())
    assert reminded_at(2.9) == 0
    Lead.objects.update(wants_reminders=True)
    Claim.objects.update(state=Claim.State.LAPSED)
    assert reminded_at(2.9) == 0 and reminded_at(-1) == 0


def test_the_reminders_cost_one_query_where_there_are_none(db, django_assert_num_queries):
    with django_assert_num_queries(1):
        messages.remind()


# At once


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_many_at_once_send_no_more_than_one_after_the_other(landing, link, keep_url, monkeypatch):
    publish()
    monkeypatch.setattr(leads, "ADDRESSES_A_DAY", 5)
    clients = [another(link) for _number in range(16)]

    def same(number: int) -> int:
        return clients[number].post(keep_url, AGREED).status_code

    def different(number: int) -> int:
        return clients[number].post(keep_url, AGREED | {"email": f"a{number}@friends.example"}).status_code

    results = at_once(same)
    no_errors(results)
    assert set(results) == {302} and len(mail.outbox) == MAILS_A_DAY
    results = at_once(different)
    no_errors(results)
    assert set(results) == {302} and Lead.objects.count() == 5 == tracking.leads.ADDRESSES_A_DAY
