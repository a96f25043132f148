"""The review queue: what it shows, and that exactly what was seen is decided, once."""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import signed_in, staff
from tests.admin.held import LONG_AGO, hold, make_held
from tests.admin.rows import NOW, make_advocate, make_program, make_user
from wagtail_referrals import credit, rewards, trust
from wagtail_referrals.admin import review as queue
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import event_words, events_of
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards import settle
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.trust import postpone, review
from wagtail_referrals.trust.models import Decision

pytestmark = pytest.mark.django_db

INDEX = "/admin/referrals/review/"


@pytest.fixture
def advocate(terms: Terms) -> Advocate:
    return make_advocate()


@pytest.fixture
def three(terms: Terms, advocate: Advocate) -> list[Referral]:
    return [
        make_held(terms, advocate, name, reference=f"order-{name}", moment=LONG_AGO + timedelta(days=day))
        for day, name in enumerate(("Léa", "Tom", "Zoé"))
    ]


@pytest.fixture
def reviewer(db: None) -> Client:
    return signed_in(staff("reviewer@example.com", "view_referral", "review_referral"))


def soup_of(response: Any) -> BeautifulSoup:
    assert response.status_code == 200, response
    return BeautifulSoup(response.content, "html.parser")


def rows_of(client: Client, query: str = "") -> list[str]:
    table = soup_of(client.get(f"{INDEX}results/{query}")).find("table")
    if table is None:
        return []
    return [" ".join(row.get_text(" ", strip=True).split()) for row in table.find("tbody").find_all("tr")]


def ask(client: Client, action: str, query: str) -> BeautifulSoup:
    """The page that says what is about to be decided."""
    return soup_of(client.get(f"{INDEX}{action}/?{query}"))


def send(client: Client, page: BeautifulSoup, **values: str) -> str:
    """Press the button of that page; the text of what comes then."""
    form = page.find("form", id="w-editor-form")
    data = {field["name"]: field.get("value", "") for field in form.find_all("input") if field.get("name")}
    response = client.post(form["action"], data | values, follow=True)
    return " ".join(soup_of(response).get_text(" ", strip=True).split())


def ids(*referrals: Referral) -> str:
    return "&".join(f"id={referral.pk}" for referral in referrals)


def words(referral: Referral) -> list[str]:
    return list(referral.decisions.filter(check_key="reviewer").values_list("outcome", flat=True))


def balance(advocate: Advocate) -> Decimal:
    return credit.available(advocate.user, "EUR")


def test_each_row_says_what_held_it_what_is_at_stake_and_since_when(
    reviewer: Client, three: list[Referral]
) -> None:
    first = rows_of(reviewer)[0]
    assert first.startswith("Léa Camille")
    assert "Same address: the order goes to an address of the referrer (order order-Léa)" in first
    assert "Camille: €15.00 41 days" in first


def test_guests_are_told_apart_and_from_a_referrer_with_the_same_number(
    reviewer: Client, three: list[Referral]
) -> None:
    for referral in three[:2]:
        Referral.objects.filter(pk=referral.pk).update(friend=None, friend_email_hash=f"{referral.pk:064}")
    names = [f"guest (referral {referral.pk})" for referral in three[:2]]
    rows = rows_of(reviewer)[:2]
    assert [row.split(" Camille")[0] for row in rows] == names
    # On the page that asks before deciding, too.
    text = ask(reviewer, "approve", ids(*three[:2])).get_text(" ", strip=True)
    assert all(name in text for name in names)
    assert "@" not in " ".join([*rows, text])


def test_all_checks_that_object_are_told(reviewer: Client, three: list[Referral]) -> None:
    hold(three[0], check="shop_velocity", reason="five orders within an hour", moment=NOW)
    assert "shop_velocity: five orders within an hour" in rows_of(reviewer)[0].lower()


def test_who_waits_longest_comes_first_and_what_is_decided_is_gone(
    reviewer: Client, three: list[Referral]
) -> None:
    assert [row.split()[0] for row in rows_of(reviewer)] == ["Léa", "Tom", "Zoé"]
    review(three[0].pk, "approve", actor=None)
    assert [row.split()[0] for row in rows_of(reviewer)] == ["Tom", "Zoé"]


def test_found_by_friend_referrer_order_and_check(
    reviewer: Client, three: list[Referral], terms: Terms
) -> None:
    hold(make_held(terms, make_advocate("kim@example.com", "Kim"), "Noa"), check="own_email", reason="review")
    assert [row.split()[0] for row in rows_of(reviewer, "?q=order-Tom")] == ["Tom"]
    assert [row.split()[0] for row in rows_of(reviewer, "?q=Zoé")] == ["Zoé"]
    assert [row.split()[0] for row in rows_of(reviewer, "?advocate=Kim")] == ["Noa"]
    assert [row.split()[0] for row in rows_of(reviewer, "?check=own_email")] == ["Noa"]
    assert len(rows_of(reviewer, "?check=same_address")) == 4
    assert rows_of(reviewer, "?check=no_such_check") == []


def test_approving_pays_and_leaves_the_queue(
    reviewer: Client, three: list[Referral], advocate: Advocate
) -> None:
    page = ask(reviewer, "approve", ids(three[0], three[2]))
    text = page.get_text(" ", strip=True)
    assert "You are about to approve 2 referrals." in text
    assert "€30.00" in text
    assert "2 referrals were approved." in send(reviewer, page, note="Flatmates")
    assert balance(advocate) == Decimal("30.00")
    assert [words(referral) for referral in three] == [["approve"], [], ["approve"]]
    assert [row.split()[0] for row in rows_of(reviewer)] == ["Tom"]
    told = events_of(three[0])
    assert "Approved by a member of staff. Flatmates" in [event_words(event) for event in told]


def test_refusing_needs_a_reason_and_keeps_what_was_seen(
    reviewer: Client, three: list[Referral], advocate: Advocate
) -> None:
    page = ask(reviewer, "refuse", ids(three[0]))
    form = page.find("form", id="w-editor-form")
    data = {field["name"]: field.get("value", "") for field in form.find_all("input") if field.get("name")}
    again = soup_of(reviewer.post(form["action"], data | {"note": " "}))
    assert "Say why: it is kept in the timeline." in again.get_text(" ", strip=True)
    assert "Léa" in again.find("div", class_="referral-decide").get_text()
    assert words(three[0]) == []
    assert "1 referral was refused." in send(reviewer, again, note="The same person")
    assert words(three[0]) == ["refuse"]
    assert balance(advocate) == 0


def test_asked_later_is_hidden_until_then_and_found_by_a_filter(
    reviewer: Client, three: list[Referral]
) -> None:
    page = ask(reviewer, "postpone", ids(three[1]))
    assert "1 referral will be asked about later." in send(
        reviewer, page, until="2026-11-20", note="Holidays"
    )
    assert [row.split()[0] for row in rows_of(reviewer)] == ["Léa", "Zoé"]
    later = rows_of(reviewer, "?when=later")
    assert [row.split()[0] for row in later] == ["Tom"]
    assert "11/20/2026" in later[0]
    # It can be decided before.
    assert "1 referral was approved." in send(reviewer, ask(reviewer, "approve", "id=all&when=later"))
    assert words(three[1]) == ["approve"]
    assert words(three[0]) == []


def test_an_empty_list_leads_to_what_is_asked_about_later(reviewer: Client, three: list[Referral]) -> None:
    empty = "Nothing is to be checked."
    for referral in three:
        postpone(referral.pk, NOW.date() + timedelta(days=9), actor=None)
    page = soup_of(reviewer.get(INDEX))
    assert empty in page.get_text(" ", strip=True)
    link = page.find("a", string="3 are to be asked about later")
    assert link is not None
    assert [row.split()[0] for row in rows_of(reviewer, str(link["href"]))] == ["Léa", "Tom", "Zoé"]
    for referral in three[:2]:
        review(referral.pk, "approve", actor=None)
    assert "1 is to be asked about later" in reviewer.get(INDEX).content.decode()
    review(three[2].pk, "approve", actor=None)
    assert "asked about later" not in reviewer.get(INDEX).content.decode()


@pytest.mark.parametrize("day", ["2026-11-11", "2026-11-01", "2206-11-20", "soon", ""])
def test_later_is_a_day_within_a_year(reviewer: Client, three: list[Referral], day: str) -> None:
    send(reviewer, ask(reviewer, "postpone", ids(three[1])), until=day)
    three[1].refresh_from_db()
    assert three[1].postponed_until is None


@pytest.fixture
def midnight(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The day passes between the form, which was right, and what is written."""
    nearly = datetime(2026, 11, 11, 23, 59, tzinfo=timezone.get_default_timezone())
    with time_machine.travel(nearly, tick=False) as clock:

        def too_late(*args: Any, **kwargs: Any) -> Any:
            clock.shift(timedelta(minutes=2))
            return trust.postpone_all(*args, **kwargs)

        monkeypatch.setattr(queue, "postpone_all", too_late)
        yield clock


def test_a_day_that_begins_while_it_is_written_is_asked_for_again(
    reviewer: Client, three: list[Referral], midnight: Any
) -> None:
    page = ask(reviewer, "postpone", ids(three[0]))
    told = send(reviewer, page, until="2026-11-12")
    assert "Choose a day after today." in told
    assert "put 1 referral off" in told, "what was selected is still on the page"
    three[0].refresh_from_db()
    assert three[0].postponed_until is None


def test_so_it_is_on_the_page_of_one_referral(reviewer: Client, three: list[Referral], midnight: Any) -> None:
    path = reverse("wagtail_referrals_referrals:inspect", args=[three[0].pk])
    action, data = later_form(reviewer, path)
    told = reviewer.post(action, data | {"until": "2026-11-12"}, follow=True)
    assert "Choose a day after today." in told.content.decode()
    three[0].refresh_from_db()
    assert three[0].postponed_until is None


# Exactly what was seen


def test_all_means_all_that_the_filter_of_the_screen_finds(
    reviewer: Client, three: list[Referral], terms: Terms
) -> None:
    other = make_held(terms, make_advocate("kim@example.com", "Kim"), "Noa")
    page = ask(reviewer, "approve", "id=all&advocate=Camille")
    assert "approve 3 referrals" in page.get_text(" ", strip=True)
    assert "3 referrals were approved." in send(reviewer, page)
    assert words(other) == []


def test_what_comes_after_the_page_was_drawn_is_not_decided(
    reviewer: Client, three: list[Referral], terms: Terms, advocate: Advocate
) -> None:
    page = ask(reviewer, "approve", "id=all")
    late = make_held(terms, advocate, "Noa")
    assert "3 referrals were approved." in send(reviewer, page)
    assert words(late) == []
    assert [row.split()[0] for row in rows_of(reviewer)] == ["Noa"]


@pytest.mark.parametrize(
    "query", ["check=bogus", "created_at_from=never", "stat=to_check", "program=bogus", "when=never", "q=%00"]
)
def test_a_filter_that_makes_no_sense_decides_about_nothing(
    reviewer: Client, three: list[Referral], query: str
) -> None:
    response = reviewer.get(f"{INDEX}approve/?id=all&{query}", follow=True)
    assert response.redirect_chain
    assert "Nothing was decided" in response.content.decode()
    assert reviewer.get(f"{INDEX}?export=csv&{query}").status_code == 400


def test_what_somebody_else_decided_meanwhile_is_skipped_and_counted(
    reviewer: Client, admin: Client, three: list[Referral], advocate: Advocate
) -> None:
    page = ask(reviewer, "approve", "id=all")
    send(admin, ask(admin, "refuse", ids(three[1])), note="The same person")
    told = send(reviewer, page)
    assert "2 referrals were approved." in told
    assert "1 had been decided by somebody else, and was left as it is." in told
    assert words(three[1]) == ["refuse"]
    assert balance(advocate) == Decimal("30.00")
    # The same page sent twice: nothing more.
    assert "3 had been decided by somebody else" in send(reviewer, page)
    assert Entry.objects.count() == 2


def test_a_new_objection_is_not_approved_unseen(
    reviewer: Client, three: list[Referral], advocate: Advocate
) -> None:
    page = ask(reviewer, "approve", "id=all")
    hold(three[0], check="shop_velocity", reason="five orders within an hour", moment=NOW)
    told = send(reviewer, page)
    assert "2 referrals were approved." in told
    assert "1 has changed since you saw it, and was not decided: look again." in told
    assert words(three[0]) == []


def test_more_at_stake_is_not_approved_unseen(reviewer: Client, three: list[Referral]) -> None:
    page = ask(reviewer, "approve", ids(three[0]))
    Reward.objects.filter(referral=three[0]).update(amount=Decimal("150.00"))
    assert "1 has changed since you saw it" in send(reviewer, page)
    assert words(three[0]) == []


def test_a_sweep_in_between_changes_nothing_that_was_seen(reviewer: Client, three: list[Referral]) -> None:
    page = ask(reviewer, "approve", "id=all")
    settle(three[0].pk)
    assert "3 referrals were approved." in send(reviewer, page)


@pytest.mark.parametrize("seen", ["", "1:abc", "x" * 50])
def test_only_what_a_page_of_ours_said_is_decided(reviewer: Client, three: list[Referral], seen: str) -> None:
    page = ask(reviewer, "approve", "id=all")
    assert "That page was too old. Nothing was decided" in send(reviewer, page, seen=seen)
    assert words(three[0]) == []


def test_a_big_bulk_has_a_bound_that_is_said(
    reviewer: Client, three: list[Referral], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST", 2)
    page = ask(reviewer, "approve", "id=all")
    text = page.get_text(" ", strip=True)
    assert "approve 2 referrals" in text
    assert "Not more than 2 are decided at once: 1 more stays in the list." in text
    assert "2 referrals were approved." in send(reviewer, page)
    assert [row.split()[0] for row in rows_of(reviewer)] == ["Zoé"]


def test_nobody_waits_for_more_than_some_seconds(
    reviewer: Client, three: list[Referral], advocate: Advocate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided stays decided; the sweep does the rest."""
    monkeypatch.setattr(queue, "PATIENCE", -1)
    told = send(reviewer, ask(reviewer, "approve", "id=all"))
    assert "3 referrals were approved." in told
    assert "What follows from it for 3 of them is done at the next run of the sweep." in told
    assert balance(advocate) == 0
    assert rows_of(reviewer) == []
    rewards.sweep()
    assert balance(advocate) == Decimal("45.00")


def test_one_that_cannot_be_settled_keeps_nobody_from_theirs(
    reviewer: Client, three: list[Referral], advocate: Advocate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(pk: int) -> Any:
        if pk == three[0].pk:
            raise RuntimeError("out of order")
        return settle(pk)

    monkeypatch.setattr(queue, "settle", broken)
    told = send(reviewer, ask(reviewer, "approve", "id=all"))
    assert "What follows from it for 1 of them" in told
    assert balance(advocate) == Decimal("30.00")
    monkeypatch.undo()
    rewards.sweep()
    assert balance(advocate) == Decimal("45.00")


def test_few_queries_however_many_rows(reviewer: Client, three: list[Referral], terms: Terms) -> None:
    def queries(path: str) -> int:
        reviewer.get(path)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert reviewer.get(path).status_code == 200
        return len(captured)

    few, few_asked = queries(INDEX), queries(f"{INDEX}approve/?id=all")
    for number in range(5):
        hold(make_held(terms, make_advocate(f"kim{number}@example.com", "Kim"), "Noa"), check="own_email")
    assert queries(INDEX) == few <= 30
    assert queries(f"{INDEX}approve/?id=all") == few_asked <= 30


def test_a_download_has_the_checks_and_the_stakes(reviewer: Client, three: list[Referral]) -> None:
    response = reviewer.get(f"{INDEX}?export=csv&q=order-Tom")
    text = b"".join(response.streaming_content).decode()
    assert "Same address" in text
    assert "€15.00" in text
    assert "Tom" in text
    assert "Zoé" not in text


def test_who_may_not_review_sees_no_queue(three: list[Referral]) -> None:
    for codenames in (("view_referral",), ("review_referral",), ("view_reward", "view_summary")):
        client = signed_in(staff(f"{codenames[0]}@example.com", *codenames))
        for path in (
            INDEX,
            f"{INDEX}results/",
            f"{INDEX}approve/?id=all",
            f"{INDEX}refuse/",
            f"{INDEX}postpone/",
        ):
            for response in (client.get(path), client.post(path, {"note": "x"})):
                assert response.status_code == 302, path
                assert response["Location"] == "/admin/", path


# On the page of one referral


def later_form(client: Client, path: str) -> tuple[str, dict[str, str]]:
    """Where "Ask later" leads to, and what goes with it."""
    form = soup_of(client.get(path)).select_one("form.referral-later")
    assert form is not None
    assert form.select("label[for=referral-later-note] ~ input[name=note]")
    return str(form["action"]), {field["name"]: field.get("value", "") for field in form.find_all("input")}


def test_the_page_of_a_referral_asks_later(reviewer: Client, three: list[Referral]) -> None:
    path = reverse("wagtail_referrals_referrals:inspect", args=[three[0].pk])
    action, data = later_form(reviewer, path)
    response = reviewer.post(action, data | {"until": "2026-11-20", "note": "I ask Camille"}, follow=True)
    assert "1 referral will be asked about later." in response.content.decode()
    assert "Somebody wants to be asked on Nov. 20, 2026" in " ".join(response.content.decode().split())
    three[0].refresh_from_db()
    assert three[0].postponed_until is not None
    hold(three[0], check="shop_velocity", reason="review", moment=NOW)
    assert "on Nov. 20, 2026. I ask Camille" in " ".join(response.content.decode().split())
    response = reviewer.post(action, data | {"until": "2026-11-25"}, follow=True)
    assert "1 has changed since you saw it" in response.content.decode()


def test_a_reward_that_failed_is_tried_again(
    terms: Terms, advocate: Advocate, monkeypatch: pytest.MonkeyPatch
) -> None:
    referral = make_held(terms, advocate)
    review(referral.pk, "approve", actor=None)

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[settle.__module__], "_hand_over", broken)
        settle(referral.pk)
        reward = Reward.objects.get()
        assert reward.state == Reward.State.FAILED
        assert not rewards.retry(reward.pk)
    reader = signed_in(staff("reader@example.com", "view_referral"))
    finance = signed_in(staff("finance@example.com", "view_referral", "retry_reward"))
    page = reverse("wagtail_referrals_referrals:inspect", args=[referral.pk])
    path = reverse("wagtail_referrals_referrals:retry", args=[referral.pk, reward.pk])
    assert path not in reader.get(page).content.decode()
    assert path in finance.get(page).content.decode()
    assert reader.post(path)["Location"] == "/admin/"
    assert balance(advocate) == 0
    assert finance.get(path).status_code == 405
    assert "It worked this time." in finance.post(path, follow=True).content.decode()
    assert balance(advocate) == Decimal("15.00")
    assert "has not failed" in finance.post(path, follow=True).content.decode()
    assert balance(advocate) == Decimal("15.00")
    tries = [event for event in events_of(referral) if event.kind == "reward_retry"]
    assert [event.actor.email if event.actor else "" for event in tries] == ["", "finance@example.com"]
    assert event_words(tries[0]) == "A member of staff had the reward of the referrer tried again."


# The menu


def menu_of(client: Client) -> str:
    return client.get("/admin/").content.decode()


def test_the_menu_says_how_much_waits(reviewer: Client, three: list[Referral]) -> None:
    postpone(three[0].pk, NOW.date() + timedelta(days=9), actor=None)
    assert "To check (2)" in menu_of(reviewer)
    send(reviewer, ask(reviewer, "approve", ids(three[1])))
    assert "To check (1)" in menu_of(reviewer)
    send(reviewer, ask(reviewer, "approve", ids(three[2])))
    html = menu_of(reviewer)
    assert "To check" in html
    assert "To check (" not in html


def test_the_number_is_counted_once_a_minute(reviewer: Client, three: list[Referral]) -> None:
    def counting() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "To check (3)" in reviewer.get("/admin/account/").content.decode()
        return sum("to_check" in query["sql"] and "COUNT" in query["sql"] for query in captured)

    cache.clear()
    assert [counting(), counting()] == [1, 0]


def test_a_menu_without_numbers_is_still_a_menu(
    reviewer: Client, three: list[Referral], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("the cache is down")

    monkeypatch.setattr("wagtail_referrals.admin.counts.cache.get", broken)
    html = menu_of(reviewer)
    assert "To check" in html
    assert "To check (" not in html


# At once


@pytest.fixture
def several(transactional_db: None) -> tuple[Advocate, list[Referral]]:
    program = make_program()
    terms = Terms.objects.get(program_key=program.key)
    advocate = make_advocate()
    return advocate, [make_held(terms, advocate, f"Friend {number}") for number in range(6)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_editors_at_once_decide_each_referral_once_and_pay_once(
    several: tuple[Advocate, list[Referral]],
) -> None:
    """Four editors with the same page open: two approve, one refuses, one puts off; a sweep runs beside them."""
    advocate, referrals = several
    pages = []
    for number, (action, values) in enumerate(
        (
            ("approve", {}),
            ("approve", {"note": "Flatmates"}),
            ("refuse", {"note": "The same person"}),
            ("postpone", {"until": "2026-11-20"}),
        )
    ):
        user = make_user(f"editor{number}@example.com", is_superuser=True, is_staff=True)
        client = signed_in(user)
        pages.append((client, ask(client, action, "id=all"), values))
    barrier = threading.Barrier(len(pages) + 1)
    told: list[str] = []
    errors: list[Exception] = []

    def run(job: Any) -> None:
        try:
            barrier.wait(timeout=30)
            told.append(job() or "")
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    jobs = [lambda page=page: send(page[0], page[1], **page[2]) for page in pages]
    jobs.append(lambda: str(rewards.sweep()))
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs: a deadlock?"
    assert not errors, errors

    rewards.sweep()
    reviews = Decision.objects.filter(check_key="reviewer")
    assert reviews.values("referral").distinct().count() == reviews.count() == len(referrals)
    approved = reviews.filter(outcome="approve").count()
    assert balance(advocate) == approved * Decimal("15.00")
    assert Entry.objects.count() == approved
    assert Reward.objects.filter(posted__gt=0).count() == approved
