"""Messages in the admin: what there is, whether it is sent, editors' own words, a test, what was sent."""

from __future__ import annotations

import json
import smtplib
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from wagtail.models import Site

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import (
    ADMIN,
    NOW,
    make_advocate,
    make_lead,
    make_program,
    make_referral,
    make_user,
    reads,
)
from wagtail_referrals.admin import message_form
from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message, MessageSwitch, MessageTemplate
from wagtail_referrals.programs.models import Program, Terms

pytestmark = pytest.mark.django_db

OVERVIEW = "/admin/referrals/messages/"
ADD = "/admin/referrals/messages/own/add/"
TEST = "/admin/referrals/messages/own/test/"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def rich(text: str) -> str:
    """As the editor's browser sends a paragraph."""
    block = {"key": "a", "text": text, "type": "unstyled", "depth": 0}
    block |= {"inlineStyleRanges": [], "entityRanges": [], "data": {}}
    return json.dumps({"blocks": [block], "entityMap": {}})


def form(kind: str = "reward_given", **values: Any) -> dict[str, str]:
    """What is sent for a message with an English text."""
    parts = values.pop("parts", [("heading", "{headline}"), ("paragraph", rich("Hello {name}, thanks"))])
    data = {
        "kind": kind,
        "name": "Ours",
        "program": "",
        "texts-TOTAL_FORMS": "1",
        "texts-INITIAL_FORMS": "0",
        "texts-MIN_NUM_FORMS": "0",
        "texts-MAX_NUM_FORMS": "1000",
        "texts-0-language": "en",
        "texts-0-audience": "",
        "texts-0-subject": "Thanks, {name}",
        "texts-0-preheader": "",
        "texts-0-ORDER": "1",
        "texts-0-id": "",
        "texts-0-body-count": str(len(parts)),
    } | values
    for index, (block, value) in enumerate(parts):
        name = f"texts-0-body-{index}"
        data |= {f"{name}-deleted": "", f"{name}-order": str(index), f"{name}-type": block, f"{name}-id": ""}
        inner = value.items() if isinstance(value, dict) else [("", value)]
        data |= {f"{name}-value{f'-{key}' if key else ''}": text for key, text in inner}
    return data


def written(admin: Client, **values: Any) -> MessageTemplate:
    answer = admin.post(ADD, form(**values) | {"action-publish": "1"})
    assert answer.status_code == 302, BeautifulSoup(answer.content, "html.parser").find_all(
        class_="error-message"
    )
    return MessageTemplate.objects.latest("pk")


def text_of(response: Any) -> str:
    return BeautifulSoup(response.content, "html.parser").get_text(" ", strip=True)


# What there is


def test_every_message_is_there_with_when_it_is_sent(admin: Client) -> None:
    page = text_of(admin.get(OVERVIEW))
    for kind in message_kinds:
        if kind.standard is not None:
            assert message_form.kind_label(kind.key) in page and str(kind.when) in page


def test_programs_cost_no_queries_each(admin: Client, django_assert_max_num_queries: Any) -> None:
    admin.get(OVERVIEW)
    with django_assert_max_num_queries(40) as few:
        admin.get(OVERVIEW)
    for number in range(3):
        make_program(name=f"Program {number}")
    with django_assert_max_num_queries(len(few)):
        admin.get(OVERVIEW)


def test_a_message_is_switched_off_and_on(admin: Client) -> None:
    switch = reverse("wagtail_referrals_messages_switch", args=["reward_given"])
    assert admin.post(switch, {"choice": "off"}).status_code == 302
    assert list(MessageSwitch.objects.values_list("kind", "program", "is_on")) == [
        ("reward_given", None, False)
    ]
    assert "is not sent" in text_of(admin.get(OVERVIEW))
    admin.post(switch, {"choice": "on"})
    assert MessageSwitch.objects.get().is_on


def test_a_program_does_otherwise(admin: Client) -> None:
    program = make_program(name="Studio")
    switch = reverse("wagtail_referrals_messages_switch", args=["reward_given"])
    admin.post(switch, {"choice": "off", "program": program.pk})
    assert MessageSwitch.objects.get().program == program
    assert "“Studio” does not send it." in text_of(admin.get(OVERVIEW))
    admin.post(switch, {"choice": "as_all", "program": program.pk})
    assert not MessageSwitch.objects.exists()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("unheard_of", {"choice": "on"}),
        ("sequence", {"choice": "on"}),
        ("reward_given", {}),
        ("reward_given", {"choice": "on", "program": "x"}),
        ("reward_given", {"choice": "on", "program": "99"}),
    ],
)
def test_what_makes_no_sense_switches_nothing(admin: Client, kind: str, values: dict[str, str]) -> None:
    switch = reverse("wagtail_referrals_messages_switch", args=[kind])
    assert admin.post(switch, values).status_code == 400
    assert not MessageSwitch.objects.exists()


# Own words


def test_one_begins_with_the_standard_words(admin: Client) -> None:
    page = BeautifulSoup(admin.get(f"{ADD}?kind=invitation_kept").content, "html.parser")
    assert page.find("input", {"name": "kind"})["value"] == "invitation_kept"
    languages = [
        page.find("select", {"name": f"texts-{index}-language"}).find("option", selected=True)["value"]
        for index in range(2)
    ]
    assert languages == ["en", "fr"]
    assert page.find("input", {"name": "texts-0-subject"})["value"] == "{headline}"
    words = str(page)
    assert "you asked us to keep this invitation for you." in words
    assert "{day}" in words and "The last day of the invitation" in words


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "reward_given",
            ["{headline} = €15.00 for you", "{news} = thank you", "{button} = See your friends"],
        ),
        ("invitation_kept", ["{headline} = Camille invites you: €10.00 off one order"]),
        ("welcome", []),
    ],
)
def test_names_that_the_standard_words_bring_are_explained(admin: Client, kind: str, said: list[str]) -> None:
    page = text_of(admin.get(f"{ADD}?kind={kind}"))
    assert ("Keep them, or write in their place" in page) == bool(said)
    for words in said:
        assert words in page
    assert page.count(" = ") == len(said)


def test_they_are_explained_in_the_language_of_the_editor(admin: Client) -> None:
    reads(ADMIN, "fr")
    assert "{headline} = Pour vous" in text_of(admin.get(f"{ADD}?kind=reward_given"))


def test_nothing_is_written_about_nothing(admin: Client) -> None:
    assert admin.get(ADD)["Location"] == OVERVIEW


def test_a_step_is_asked_for_no_program(admin: Client) -> None:
    """Its sequence says that; also when the form comes back with what is wrong."""
    for response in (admin.get(f"{ADD}?kind=sequence"), admin.post(ADD, form("sequence", name=""))):
        field = BeautifulSoup(response.content, "html.parser").find(attrs={"name": "program"})
        assert field is not None and field.get("type") == "hidden"


def test_a_published_one_is_what_is_sent(admin: Client) -> None:
    template = written(admin)
    assert template.live
    page = text_of(admin.get(OVERVIEW))
    assert "Ours" in page and "published" in page


def test_what_is_mistyped_is_refused_where_it_stands(admin: Client) -> None:
    parts = [
        ("heading", "{a}"),
        ("paragraph", rich("Hello {b}")),
        ("button", {"label": "{c}", "target": "account", "page": ""}),
    ]
    answer = admin.post(ADD, form(parts=parts) | {"texts-0-subject": "{d}", "action-publish": "1"})
    assert answer.status_code == 200
    words = answer.content.decode()
    for name in "abcd":
        assert f"Nothing is put in place of {{{name}}}" in words
    assert not MessageTemplate.objects.exists()


def test_two_for_the_same_are_refused_in_words(admin: Client) -> None:
    first = written(admin)
    answer = admin.post(ADD, form(name="Others") | {"action-publish": "1"})
    assert "This message is sent in the words of “Ours” there." in answer.content.decode()
    # A draft takes nobody's place, and neither does one for a program.
    assert admin.post(ADD, form(name="Others")).status_code == 302
    program = make_program()
    assert written(admin, name="For one", program=str(program.pk)).live
    edit = reverse("wagtail_referrals_templates:edit", args=[first.pk])
    assert admin.get(edit).status_code == 200


def test_a_language_is_written_once(admin: Client) -> None:
    data = form()
    second = {
        name.replace("texts-0", "texts-1"): value
        for name, value in data.items()
        if name.startswith("texts-0")
    }
    answer = admin.post(ADD, data | second | {"texts-TOTAL_FORMS": "2", "action-publish": "1"})
    assert "There is a text in this language already." in answer.content.decode()


def test_each_mode_of_the_preview(admin: Client) -> None:
    template = written(admin)
    url = reverse("wagtail_referrals_templates:preview_on_edit", args=[template.pk])
    text = template.texts.get()
    data = form() | {"texts-INITIAL_FORMS": "1", "texts-0-id": str(text.pk)}
    assert admin.post(url, data).json()["is_valid"]
    known = admin.get(f"{url}?mode=en:known").content.decode()
    assert "Hello Camille, thanks" in known and 'class="card"' in known
    assert "Hello, thanks" in admin.get(f"{url}?mode=en:unknown").content.decode()
    assert "Hello Camille, thanks\n\n--" in admin.get(f"{url}?mode=en:plain").content.decode()
    assert [mode for mode, _label in template.preview_modes] == ["en:known", "en:unknown", "en:plain"]


# How long it is


def long_parts() -> list[tuple[str, str]]:
    """A mail of more than 102 kB."""
    return [("paragraph", rich("Hello {name}, " + "thanks " * 750)) for _number in range(20)]


CUT = "kB. Gmail shows the first 102 kB"


def test_who_writes_a_mail_that_is_too_long_is_told(admin: Client) -> None:
    data = form(parts=long_parts())
    answer = admin.post(TEST, data | {"test-language": "en"}).json()
    assert answer["good"] and answer["words"].startswith("Sent to admin@example.com. The mail (English) has ")
    assert CUT in answer["words"]
    published = admin.post(ADD, data | {"action-publish": "1"}, follow=True)
    assert text_of(published).count(CUT) == 1
    template = MessageTemplate.objects.get()
    edit = reverse("wagtail_referrals_templates:edit", args=[template.pk])
    assert text_of(admin.get(edit)).count(CUT) == 1
    # What is said in the form needs no message beside it.
    rows = {"texts-INITIAL_FORMS": "1", "texts-0-id": str(template.texts.get().pk)}
    assert text_of(admin.post(edit, data | rows, follow=True)).count(CUT) == 1


def test_of_a_mail_that_is_short_enough_nothing_is_said(admin: Client) -> None:
    assert "kB" not in admin.post(TEST, form() | {"test-language": "en"}).json()["words"]
    template = written(admin)
    page = text_of(admin.get(reverse("wagtail_referrals_templates:edit", args=[template.pk])))
    assert "kB" not in page


def test_a_draft_with_gaps_is_shown(admin: Client) -> None:
    parts = [
        ("heading", ""),
        ("paragraph", rich("")),
        ("button", {"label": "", "target": "account", "page": ""}),
    ]
    assert admin.post(ADD, form(parts=parts) | {"texts-0-subject": ""}).status_code == 302
    template = MessageTemplate.objects.get()
    assert admin.get(reverse("wagtail_referrals_templates:edit", args=[template.pk])).status_code == 200


# A test


def test_a_test_goes_to_the_editor_alone(admin: Client) -> None:
    answer = admin.post(TEST, form() | {"test-language": "en"}).json()
    assert answer["good"]
    (sent,) = mail.outbox
    assert sent.to == ["admin@example.com"] and sent.subject == "Thanks, Camille"
    assert "Hello Camille, thanks" in sent.body
    assert not MessageTemplate.objects.exists() and not Message.objects.exists()


def test_what_stands_in_the_way_is_said(
    admin: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def said(data: dict[str, str]) -> str:
        answer = admin.post(TEST, data).json()
        assert not answer["good"]
        return str(answer["words"])

    assert "no text in this language" in said(form(parts=[]))
    assert "Something in the form is wrong" in said(form(parts=[("heading", "{x}")]))
    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", _refuse)
    assert "did not take it" in said(form())
    assert "admin@example.com" not in caplog.text
    monkeypatch.setattr(message_form, "MOST_TESTS", 0)
    assert "Wait a little" in said(form())
    user = staff("nobody@example.com", "add_messagetemplate")
    user.email = ""
    user.save()
    answer = signed_in(user).post(TEST, form()).json()
    assert "has no e-mail address" in answer["words"]
    assert mail.outbox == []


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise smtplib.SMTPServerDisconnected("please run connect() first")


# What was sent


def sent(**values: Any) -> Message:
    number = Message.objects.count()
    data = {"side": "advocate", "amount": "15.00", "currency": "EUR"}
    values = {"kind": "reward_given", "language": "en", "data": data, "created_at": NOW} | values
    return Message.objects.create(key=f"test:{number}", **values)


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille", "Moreau")


LIST = "/admin/referrals/messages/sent/"


def test_the_listing_says_what_became_of_each(admin: Client, camille: Any) -> None:
    sent(user=camille, state="dropped", reason="unwanted")
    page = text_of(admin.get(LIST))
    for words in ("Your reward is there", "Camille Moreau", "not sent", "The reader does not want it"):
        assert words in page
    assert "Camille Moreau" not in text_of(admin.get(f"{LIST}?state=failed"))
    assert "Camille Moreau" in text_of(admin.get(f"{LIST}?q=moreau"))


def test_names_are_for_who_may_see_referrals(camille: Any) -> None:
    message = sent(user=camille, state="sent")
    client = signed_in(staff("some@example.com", "view_message"))
    for url in (LIST, f"{LIST}?q=moreau", f"{LIST}inspect/{message.pk}/"):
        page = client.get(url).content.decode()
        assert "Moreau" not in page.replace("q=moreau", "") and "Camille" not in page
    assert "customer" in client.get(LIST).content.decode()
    assert "Moreau" not in b"".join(client.get(f"{LIST}?export=csv").streaming_content).decode()
    # Nor are they found out by looking for them.
    assert f"inspect/{message.pk}/" not in client.get(f"{LIST}?q=moreau").content.decode()


def test_addresses_are_for_who_may_see_them() -> None:
    make_program()
    lead = make_lead(make_referral(Terms.objects.get(), make_advocate()).claim)
    sent(kind="invitation_kept", lead=lead, state="sent")
    client = signed_in(staff("some@example.com", "view_message", "view_referral"))
    assert lead.email not in client.get(LIST).content.decode()
    other = signed_in(staff("other@example.com", "view_message", "view_referral", "view_lead"))
    assert lead.email in other.get(LIST).content.decode()


def test_a_message_is_shown_as_it_would_be_written_now(admin: Client, camille: Any) -> None:
    message = sent(user=camille, state="sent", sent_at=NOW)
    page = BeautifulSoup(admin.get(f"{LIST}inspect/{message.pk}/").content, "html.parser")
    shown = page.find("iframe")
    assert "Hello Camille," in shown["srcdoc"] and "/r/m/" not in shown["srcdoc"]
    assert shown.has_attr("sandbox")
    assert "what was sent is not kept" in page.get_text()
    message.refresh_from_db()
    assert message.opened_at is None


def test_what_failed_is_sent_again(
    admin: Client, camille: Any, django_capture_on_commit_callbacks: Any
) -> None:
    message = sent(user=camille, state="failed", reason="not_taken", attempts=8, next_attempt_at=NOW)
    assert "Send again" in admin.get(f"{LIST}inspect/{message.pk}/").content.decode()
    with django_capture_on_commit_callbacks() as callbacks:
        admin.post(f"{LIST}retry/{message.pk}/")
    message.refresh_from_db()
    assert (message.state, message.reason, message.attempts) == ("pending", "", 0)
    assert callbacks
    assert "It has not failed" in text_of(admin.post(f"{LIST}retry/{message.pk}/", follow=True))


def test_a_language_has_a_name(admin: Client, camille: Any) -> None:
    message = Message.objects.create(kind="gone", key="k", user=camille, created_at=NOW, language="fr")
    page = BeautifulSoup(admin.get(f"{LIST}inspect/{message.pk}/").content, "html.parser")
    assert "Français" in [fact.get_text() for fact in page.select(".referral-facts dd")]


def test_who_only_looks_sends_nothing_again(camille: Any) -> None:
    message = sent(user=camille, state="failed", reason="not_taken")
    client = signed_in(staff("some@example.com", "view_message"))
    assert "Send again" not in client.get(f"{LIST}inspect/{message.pk}/").content.decode()
    client.post(f"{LIST}retry/{message.pk}/")
    message.refresh_from_db()
    assert message.state == "failed"


def test_the_page_leads_nowhere_else() -> None:
    """Without a site and without a program the page is there all the same."""
    Program.objects.all().delete()
    Site.objects.all().delete()
    client = signed_in(staff("some@example.com", "change_messagetemplate"))
    assert client.get(OVERVIEW).status_code == 200
