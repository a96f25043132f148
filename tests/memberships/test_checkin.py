"""The desk in the admin: codes, names, the list of who may come, today's visits."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oscar_integration.memberships.codes import spaced
from oscar_integration.memberships.models import Membership, Plan, Renewal, Use
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import record_use, undo_use
from tests.memberships.rows import NOW, give, make_plan, make_user
from wagtail_referrals import people
from wagtail_referrals.admin import listing

pytestmark = pytest.mark.django_db

DESK = "/admin/memberships/check-in/"
RECORD = DESK + "record/"
UNDO = DESK + "undo/"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def clock(settings: Any) -> Iterator[Any]:
    # Who is logged in stays so, however far the clock moves.
    settings.SESSION_COOKIE_AGE = 10**8
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def staff(email: str, *permissions: str) -> Client:
    """Someone with access to the admin and these permissions of ours."""
    group = Group.objects.create(name=email)
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    ours = Permission.objects.filter(content_type__app_label="referral_memberships", codename__in=permissions)
    assert ours.count() == len(permissions)
    group.permissions.add(*ours)
    user = make_user(email, email.split("@")[0].title())
    user.groups.add(group)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def desk(db: None) -> Client:
    return staff("dominique@example.com", "record_use")


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille", "Laurent")


@pytest.fixture
def friends_pass() -> Plan:
    return make_plan("friend", name="Friend's pass", uses=1)


def text_of(answer: Any) -> str:
    """What one reads on the page."""
    html = re.sub(r"<(script|style|svg).*?</\1>", "", answer.content.decode(), flags=re.S)
    text = re.sub(r"<[^>]+>", " ", html.split('class="referral-checkin">')[1])
    text = text.replace("&#x27;", "'").replace("&quot;", '"')
    return " ".join(text.split())


def typed(desk: Client, text: str, token: Any = None, **values: Any) -> Any:
    """Typed or scanned into the field, and Enter."""
    return desk.post(DESK, {"text": text, "token": token or uuid4(), **values})


def pressed(desk: Client, membership: Membership, token: Any = None, **values: Any) -> Any:
    return desk.post(RECORD, {"membership": membership.pk, "token": token or uuid4(), **values})


def followed(desk: Client, answer: Any) -> str:
    assert answer.status_code == 302, answer.content.decode()[:500]
    return text_of(desk.get(answer["Location"]))


# By code


def test_a_code_is_a_visit(desk: Client, camille: Any, friends_pass: Plan) -> None:
    membership = give(camille, friends_pass)
    answer = typed(desk, f" {membership.code[:4]}-{membership.code[4:].lower()}\n")
    use = Use.objects.get()
    assert (use.membership, use.how, use.used_at) == (membership, "code", NOW)
    assert use.recorded_by is not None and use.recorded_by.email == "dominique@example.com"
    assert answer["Location"] == f"{DESK}?done={use.pk}"
    text = followed(desk, answer)
    assert text.startswith("Camille Laurent, Friend's pass: visit recorded, 0 left.")
    assert "by Dominique Undo" in text


@pytest.mark.parametrize(("uses", "words"), [(None, "visit recorded."), (2, "visit recorded, 1 left.")])
def test_what_is_left_is_said(desk: Client, camille: Any, uses: int | None, words: str) -> None:
    membership = give(camille, make_plan(name="Monthly", uses=uses))
    assert f"Camille Laurent, Monthly: {words}" in followed(desk, typed(desk, membership.code))


def test_the_same_form_twice_is_one_visit(desk: Client, camille: Any) -> None:
    membership = give(camille, make_plan(uses=10))
    token = uuid4()
    first, second = typed(desk, membership.code, token), typed(desk, membership.code, token)
    assert first["Location"] == second["Location"]
    assert Use.objects.count() == 1
    # Whoever goes back to that form and types another code has another visit.
    other = give(make_user("lea@example.com"), Plan.objects.get())
    typed(desk, other.code, token)
    assert Use.objects.count() == 2


def test_a_code_that_comes_again_at_once_is_asked_about(desk: Client, camille: Any, clock: Any) -> None:
    membership = give(camille, make_plan(name="Ten", uses=10))
    typed(desk, membership.code)
    clock.shift(timedelta(minutes=14))
    answer = typed(desk, membership.code)
    assert answer.status_code == 200
    text = text_of(answer)
    assert "Camille Laurent, Ten A visit was recorded at" in text
    assert "Record another visit" in text
    assert Use.objects.count() == 1
    values = dict(re.findall(r'name="(token|membership|how)" value="(\w+)"', answer.content.decode()))
    desk.post(RECORD, values)
    assert Use.objects.latest("pk").how == "code"
    assert Use.objects.count() == 2
    clock.shift(timedelta(minutes=16))
    typed(desk, membership.code)
    assert Use.objects.count() == 3


def test_an_undone_visit_is_not_asked_about(desk: Client, camille: Any) -> None:
    membership = give(camille, make_plan(uses=10))
    typed(desk, membership.code)
    desk.post(UNDO, {"use": Use.objects.get().pk})
    assert typed(desk, membership.code).status_code == 302


# Why not


def no_visit(desk: Client, membership: Membership) -> str:
    """What the desk reads about this code; no visit is recorded."""
    before = Use.objects.count()
    answer = typed(desk, membership.code)
    assert answer.status_code == 200
    assert Use.objects.count() == before
    text = text_of(answer)
    by_button = text_of(pressed(desk, membership))
    assert by_button.split("Code, name")[0] == text.split("Code, name")[0]
    return text


def test_no_uses_left(desk: Client, camille: Any, friends_pass: Plan) -> None:
    membership = give(camille, friends_pass)
    record_use(membership, key="k", how="list", by=None)
    assert "Camille Laurent, Friend's pass No uses are left." in no_visit(desk, membership)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (timedelta(minutes=1), "It ended today: its time was over."),
        (DAY, "It ended yesterday: its time was over."),
        (2 * DAY, "It ended on April 10, 2026: its time was over."),
    ],
)
def test_ended(desk: Client, camille: Any, clock: Any, after: timedelta, words: str) -> None:
    membership = give(camille, make_plan(name="Monthly"))
    assert membership.ends_at is not None
    clock.move_to(membership.ends_at + after)
    assert f"Camille Laurent, Monthly {words}" in no_visit(desk, membership)
    settle(membership.pk)
    assert f"Camille Laurent, Monthly {words}" in no_visit(desk, membership)


def test_ended_by_staff(desk: Client, camille: Any, clock: Any) -> None:
    membership = give(camille, make_plan(name="Monthly"))
    clock.shift(HOUR)
    take_back(membership.periods.get(), Membership.Reason.STAFF, now=NOW + HOUR)
    assert "It ended today: ended by staff." in no_visit(desk, membership)


def test_not_begun(desk: Client, camille: Any) -> None:
    plan = make_plan()
    assert "It has not begun: it runs from March 12, 2026." in no_visit(
        desk, give(camille, plan, counts_from=NOW + 2 * DAY)
    )
    unpaid = give(make_user("lea@example.com", "Léa"), plan, counts_from=None)
    assert "It has not begun: its order is not paid yet." in no_visit(desk, unpaid)
    assert "It has not begun: its order is not paid yet." in text_of(typed(desk, "lea@example.com"))
    guest = give(None, plan, counts_from=None)
    assert "the customer has no account yet" in no_visit(desk, guest)


def test_cancelled_before_it_began(desk: Client, camille: Any) -> None:
    membership = give(camille, make_plan(), counts_from=None)
    take_back(membership.periods.get(), Membership.Reason.CANCELLED, now=NOW)
    assert "It has ended: the order was cancelled." in no_visit(desk, membership)


def test_the_customer_was_deleted(desk: Client, camille: Any) -> None:
    membership = give(camille, make_plan(name="Monthly"))
    camille.delete()
    settle(membership.pk)
    assert "deleted customer, Monthly" in no_visit(desk, membership)


def test_in_grace_the_visit_is_recorded_and_the_payment_mentioned(
    desk: Client, camille: Any, clock: Any
) -> None:
    membership = give(camille, make_plan(name="Monthly", renews=True, grace_days=7))
    assert membership.ends_at is not None
    Renewal.objects.create(
        membership=membership,
        number=1,
        due_at=membership.ends_at,
        state=Renewal.State.PAST_DUE,
        attempt=1,
        next_attempt_at=membership.ends_at + DAY,
        created_at=NOW,
    )
    clock.move_to(membership.ends_at + HOUR)
    settle(membership.pk)
    page = text_of(desk.get(DESK))
    assert "payment is due" in page and "04/17/2026" in page
    text = followed(desk, typed(desk, membership.code))
    assert "Camille Laurent, Monthly: visit recorded." in text
    assert "A payment is due: the card was declined. The access goes on until April 17, 2026." in text


def test_an_unknown_code(desk: Client) -> None:
    assert "No membership has the code K7Q2 9XMB." in text_of(typed(desk, "k7q29xmb"))
    invites = people.code_of(people.advocate_for(make_user("camille@example.com", "Camille")))
    assert f"{spaced(invites)} is a code for inviting friends" in text_of(typed(desk, invites))
    text = text_of(typed(desk, "<b>Zoé"))
    assert "No member is called “&lt;b&gt;Zoé”, and it is no code." in text
    assert typed(desk, "  ")["Location"] == DESK


# By name


def test_what_no_name_can_have_finds_nobody(desk: Client, camille: Any, friends_pass: Plan) -> None:
    """A scanner may send it; PostgreSQL refuses it."""
    give(camille, friends_pass)
    answer = typed(desk, "cam\0ille")
    assert answer.status_code == 200
    assert "is called" in text_of(answer)
    assert not listing.advocates_like("cam\0ille").exists()


def test_a_name_shows_whom_it_may_be(desk: Client, camille: Any, friends_pass: Plan) -> None:
    give(camille, friends_pass)
    give(make_user("laurent@example.com", "Laurent", "Petit"), friends_pass)
    give(make_user("lea@example.com", "Léa"), friends_pass)
    text = text_of(typed(desk, "laurent"))
    assert "Whom it may be" in text
    # By their last names; with the address, which tells who is who.
    assert re.search(r"Camille Laurent .*camille@example\.com.*Laurent Petit .*laurent@example\.com", text)
    assert "Léa" not in text
    assert "Camille Laurent" in text_of(typed(desk, "camille laurent"))
    assert "Camille Laurent" in text_of(typed(desk, "CAMILLE@example.com"))
    assert not Use.objects.exists()


def test_a_name_that_could_be_a_code(desk: Client, friends_pass: Plan) -> None:
    give(make_user("bertrand@example.com", "Bertrand", "Roux"), friends_pass)
    assert "Bertrand Roux" in text_of(typed(desk, "Bertrand"))


def test_a_name_also_shows_why_there_is_no_button(
    desk: Client, camille: Any, friends_pass: Plan, clock: Any
) -> None:
    """Of each plan what is open, or else what was last."""
    monthly = make_plan("monthly", name="Monthly")
    first = give(camille, friends_pass)
    record_use(first, key="1", how="list", by=None)
    give(camille, monthly)
    clock.shift(40 * DAY)
    settle(Membership.objects.get(plan=monthly).pk)
    give(camille, monthly, now=NOW + 40 * DAY)
    answer = typed(desk, "camille")
    text = text_of(answer)
    assert answer.content.decode().count("Record a visit") == 1
    assert text.index("Record a visit") < text.index("No uses are left.")
    assert "It ended" not in text
    # An undone visit opens the pass before the last one: of passes that one is shown, and no other.
    second = give(camille, friends_pass, now=NOW + 40 * DAY)
    last = record_use(second, key="2", how="list", by=None)
    third = give(camille, friends_pass, now=NOW + 40 * DAY)
    record_use(third, key="3", how="list", by=None)
    assert text_of(typed(desk, "camille")).count("No uses are left.") == 1
    undo_use(last, None)
    answer = typed(desk, "camille")
    assert "No uses are left." not in text_of(answer)
    assert answer.content.decode().count("Record a visit") == 2


def test_many_of_one_name(desk: Client, friends_pass: Plan) -> None:
    for number in range(26):
        give(make_user(f"martin{number}@example.com", "Martin", f"M{number:02}"), friends_pass)
    text = text_of(typed(desk, "martin"))
    assert "The first 25 are shown." in text
    assert "M24" in text and "M25" not in text
    assert "The first" not in text_of(typed(desk, "martin24"))


# The list


def test_who_may_come(desk: Client, camille: Any, friends_pass: Plan, clock: Any) -> None:
    monthly = make_plan("monthly", name="Monthly")
    give(camille, friends_pass)
    lea = give(make_user("lea@example.com", "Léa", "Aubert"), monthly)
    used_up = give(make_user("zoe@example.com", "Zoé", "Used"), friends_pass)
    record_use(used_up, key="1", how="list", by=None)
    record_use(lea, key="2", how="list", by=None)
    clock.shift(HOUR)
    text = text_of(desk.get(DESK)).split("Today's visits")[0]
    assert "Zoé" not in text and "camille@example.com" not in text
    assert re.search(
        r"Léa Aubert .*Monthly any number 04/10/2026 today, .*Camille Laurent .* 1 04/10/2026 ", text
    )
    undo_use(Use.objects.get(key="2"), None)
    assert "today" not in text_of(desk.get(DESK)).split("Today's visits")[0]
    text = text_of(desk.get(DESK, {"plan": monthly.pk})).split("Today's visits")[0]
    assert "Léa" in text and "Camille" not in text
    # The filter stays when something was recorded from the list.
    answer = pressed(desk, lea, plan=monthly.pk)
    assert answer["Location"].startswith(f"{DESK}?plan={monthly.pk}&done=")
    assert Use.objects.latest("pk").how == "list"
    for nonsense in ("x", "9" * 30, "987654"):
        assert "No membership of this plan is open." in text_of(desk.get(DESK, {"plan": nonsense}))
    clock.shift(40 * DAY)
    assert "No membership is open." in text_of(desk.get(DESK))


def test_the_list_has_pages_and_a_constant_number_of_queries(desk: Client, friends_pass: Plan) -> None:
    def fill(first: int, last: int) -> None:
        for number in range(first, last):
            user = make_user(f"member{number}@example.com", "Member", f"Number{number:03}")
            membership = give(user, friends_pass if number % 2 else make_plan(f"plan{number}"))
            if number % 3 == 0 and number % 2 == 0:
                record_use(membership, key=str(number), how="list", by=None)

    fill(0, 3)
    desk.get(DESK)
    with CaptureQueriesContext(connection) as few:
        desk.get(DESK)
    fill(3, 60)
    with CaptureQueriesContext(connection) as many:
        answer = desk.get(DESK)
    assert len(many) == len(few)
    text = text_of(answer)
    assert "Page 1 of 2" in text and "Number049" in text and "Number050" not in text
    text = text_of(desk.get(DESK, {"p": 2}))
    assert "Number050" in text and "Number049" not in text
    with CaptureQueriesContext(connection) as few:
        typed(desk, "member1@example.com")
    with CaptureQueriesContext(connection) as many:
        typed(desk, "number04")
    # A whole address is looked up by itself first.
    assert len(many) <= len(few)


# Today, and undoing


def test_todays_visits(desk: Client, camille: Any, clock: Any, settings: Any) -> None:
    membership = give(camille, make_plan(name="Monthly"))
    clock.move_to(NOW + DAY)
    for number, hours in enumerate((-24, -1, 0)):
        record_use(membership, key=str(number), how="list", by=None, now=NOW + DAY + hours * HOUR)
    text = text_of(desk.get(DESK)).split("Today's visits ")[1]
    assert text.startswith("2 visits")
    assert text.count("Camille Laurent Monthly from the list") == 2
    desk.post(UNDO, {"use": Use.objects.latest("pk").pk})
    text = text_of(desk.get(DESK)).split("Today's visits ")[1]
    assert text.startswith("1 visit ")
    assert text.count("undone") == 1 and text.count("from the list") == 1
    clock.move_to(NOW + 2 * DAY)
    assert "Nobody has come yet." in text_of(desk.get(DESK))


def test_today_is_a_day_at_the_desk(desk: Client, camille: Any, clock: Any, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Paris"
    membership = give(camille, make_plan())
    # 23:30 and 00:30 in Paris.
    midnight = NOW.replace(hour=23, minute=0)
    record_use(membership, key="1", how="list", by=None, now=midnight - HOUR / 2)
    record_use(membership, key="2", how="list", by=None, now=midnight + HOUR / 2)
    clock.move_to(midnight + HOUR)
    assert text_of(desk.get(DESK)).split("Today's visits ")[1].startswith("1 visit ")


def test_undone_and_said(desk: Client, camille: Any, friends_pass: Plan, clock: Any) -> None:
    membership = give(camille, friends_pass)
    typed(desk, membership.code)
    use = Use.objects.get()
    text = followed(desk, desk.post(UNDO, {"use": use.pk}))
    assert text.startswith("Camille Laurent, Friend's pass: visit undone, 1 left.")
    use.refresh_from_db()
    assert use.undone_by is not None and use.undone_by.email == "dominique@example.com"
    # Again, and by somebody else.
    other = staff("alix@example.com", "record_use")
    assert other.post(UNDO, {"use": use.pk}).status_code == 302
    use.refresh_from_db()
    assert use.undone_by.email == "dominique@example.com"
    # What cannot be had again is said.
    typed(desk, membership.code)
    clock.shift(40 * DAY)
    last = Use.objects.latest("pk")
    assert "The membership has ended all the same." in followed(desk, other.post(UNDO, {"use": last.pk}))


def test_an_old_or_invented_address_says_nothing_wrong(desk: Client, camille: Any) -> None:
    for done in ("", "x", "-1", "9" * 30, "4711"):
        answer = desk.get(DESK, {"done": done})
        assert answer.status_code == 200
        assert "checkin-result" not in answer.content.decode()


# Who may


def test_only_who_may_record(camille: Any, db: None) -> None:
    membership = give(camille, make_plan())
    editor = staff("editor@example.com", "view_membership", "change_membership", "view_overview")
    customer = Client()
    customer.force_login(camille)
    for client, place in ((editor, "/admin/"), (customer, "/admin/login/"), (Client(), "/admin/login/")):
        for answer in (
            client.get(DESK),
            typed(client, membership.code),
            pressed(client, membership),
            client.post(UNDO, {"use": 1}),
        ):
            assert answer.status_code == 302
            assert answer["Location"].split("?")[0] == place
    assert not Use.objects.exists()


def test_the_desk_sees_nothing_else_of_ours(desk: Client) -> None:
    menu = desk.get(reverse("wagtailadmin_home")).content.decode()
    assert DESK in menu
    ours = set(re.findall(r"/admin/(?:referrals|memberships|snippets)/[\w/-]*", menu))
    assert ours == {DESK}
    for name in ("members:index", "renewals:index", "plans:list"):
        assert desk.get(reverse(f"referral_memberships_{name}")).status_code == 302
    assert desk.get(reverse("referral_memberships_overview")).status_code == 302
    editor = staff("editor@example.com", "view_membership")
    assert DESK not in editor.get(reverse("wagtailadmin_home")).content.decode()


def test_who_may_look_at_members_gets_there(camille: Any) -> None:
    membership = give(camille, make_plan())
    link = reverse("referral_memberships_members:inspect", args=[membership.pk])
    assert link not in staff("dominique@example.com", "record_use").get(DESK).content.decode()
    assert link in staff("alix@example.com", "record_use", "view_membership").get(DESK).content.decode()


def test_forms_that_were_tampered_with(desk: Client, camille: Any) -> None:
    membership = give(camille, make_plan())
    assert typed(desk, membership.code, token="x").status_code == 400
    assert pressed(desk, membership, token="x").status_code == 400
    for pk in ("", "x", "9" * 30):
        assert desk.post(RECORD, {"membership": pk, "token": uuid4()}).status_code == 400
        assert desk.post(UNDO, {"use": pk}).status_code == 400
    # What is not found is looked for in the visitor's language next.
    for answer in (
        desk.post(RECORD, {"membership": 4711, "token": uuid4()}, follow=True),
        desk.post(UNDO, {"use": 4711}, follow=True),
    ):
        assert answer.status_code == 404
    assert desk.get(RECORD).status_code == desk.get(UNDO).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = desk.cookies
    assert typed(strict, membership.code).status_code == 403
    assert pressed(strict, membership).status_code == 403
    assert not Use.objects.exists()


def test_no_address_in_urls_and_logs(desk: Client, camille: Any, caplog: Any) -> None:
    membership = give(camille, make_plan())
    with caplog.at_level(logging.DEBUG):
        page = typed(desk, "camille@example.com")
        answer = typed(desk, membership.code)
        followed(desk, answer)
    urls = " ".join(re.findall(r'(?:href|action|src)="([^"]*)"', page.content.decode()))
    assert "camille" not in urls + answer["Location"]
    records = [record for record in caplog.records if not record.name.startswith("django.db")]
    assert "camille" not in " ".join(record.getMessage() for record in records).lower()
