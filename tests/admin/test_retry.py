"""Rewards that failed: several are tried again at once, and none is given twice."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.admin.conftest import signed_in, staff
from tests.admin.held import LONG_AGO, make_held
from tests.admin.rows import make_advocate, make_program, make_user
from wagtail_referrals import credit, rewards
from wagtail_referrals.admin import rewards as listing
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral, TimelineEvent
from wagtail_referrals.rewards import settle
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.trust import review

pytestmark = pytest.mark.django_db

INDEX = "/admin/referrals/rewards/"
RIGHTS = ("view_reward", "view_referral", "retry_reward")


@contextmanager
def broken() -> Iterator[None]:
    """Nothing can be given."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of order")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[settle.__module__], "_hand_over", refuse)
        yield


def fail(referral: Referral) -> Reward:
    """The referral's reward, which could not be given."""
    review(referral.pk, "approve", actor=None)
    with broken():
        settle(referral.pk)
    reward = referral.rewards.get()
    assert reward.state == Reward.State.FAILED
    return reward


@pytest.fixture
def advocate(terms: Terms) -> Advocate:
    return make_advocate()


@pytest.fixture
def three(terms: Terms, advocate: Advocate) -> list[Reward]:
    return [
        fail(make_held(terms, advocate, name, moment=LONG_AGO + timedelta(days=day)))
        for day, name in enumerate(("Léa", "Tom", "Zoé"))
    ]


@pytest.fixture
def finance(db: None) -> Client:
    return signed_in(staff("finance@example.com", *RIGHTS))


def soup_of(response: Any) -> BeautifulSoup:
    assert response.status_code == 200, response
    return BeautifulSoup(response.content, "html.parser")


def text_of(page: BeautifulSoup) -> str:
    return " ".join(page.get_text(" ", strip=True).split())


def ask(client: Client, query: str) -> BeautifulSoup:
    return soup_of(client.get(f"{INDEX}retry/?{query}", follow=True))


def send(client: Client, page: BeautifulSoup) -> str:
    form = page.find("form", id="w-editor-form")
    data = {field["name"]: field.get("value", "") for field in form.find_all("input") if field.get("name")}
    return text_of(soup_of(client.post(form["action"], data, follow=True)))


def ids(*found: Reward) -> str:
    return "&".join(f"id={reward.pk}" for reward in found)


def states() -> list[str]:
    return list(Reward.objects.order_by("pk").values_list("state", flat=True))


def balance(advocate: Advocate) -> Decimal:
    return credit.available(advocate.user, "EUR")


def test_those_that_were_ticked_are_tried_again(
    finance: Client, three: list[Reward], advocate: Advocate
) -> None:
    page = ask(finance, ids(three[0], three[2]))
    text = text_of(page)
    assert "tried again" in text
    assert "2 rewards" in text
    assert text.count("€15.00") >= 2
    assert states() == ["failed"] * 3, "nothing is done by looking"
    assert "It worked this time for 2 rewards." in send(finance, page)
    assert states() == ["given", "failed", "given"]
    assert balance(advocate) == Decimal("30.00")
    tries = TimelineEvent.objects.filter(kind="reward_retry")
    assert [event.actor.email for event in tries] == ["finance@example.com"] * 2
    # The same page once more.
    assert "2 have not failed, or were given meanwhile." in send(finance, page)
    assert balance(advocate) == Decimal("30.00")


def test_all_means_all_that_the_filter_of_the_screen_finds(
    finance: Client, three: list[Reward], terms: Terms
) -> None:
    other = fail(make_held(terms, make_advocate("kim@example.com", "Kim"), "Noa"))
    page = ask(finance, "id=all&advocate=Camille")
    assert "3 rewards tried again" in text_of(page)
    assert "It worked this time for 3 rewards." in send(finance, page)
    other.refresh_from_db()
    assert other.state == Reward.State.FAILED


@pytest.mark.parametrize("query", ["state=bogus", "created_at_from=never", "stat=failed", "q=%00"])
def test_a_filter_that_makes_no_sense_tries_nothing(finance: Client, three: list[Reward], query: str) -> None:
    assert "Nothing was tried:" in text_of(ask(finance, f"id=all&{query}"))


def test_what_has_not_failed_is_left_alone_and_said(finance: Client, three: list[Reward]) -> None:
    rewards.retry(three[0].pk)
    page = ask(finance, ids(*three))
    assert "1 of those selected has not failed, and is left as it is." in text_of(page)
    rewards.retry(three[1].pk)
    told = send(finance, page)
    assert "It worked this time for 1 reward." in told
    assert "1 has not failed, or was given meanwhile." in told
    assert "None of these has failed, or they were given meanwhile." in text_of(ask(finance, ids(*three)))
    assert "None of these has failed" in text_of(ask(finance, "id=0&id=x"))


def test_what_fails_again_is_said(finance: Client, three: list[Reward], advocate: Advocate) -> None:
    with broken():
        told = send(finance, ask(finance, "id=all&state=failed"))
    assert "3 failed again, and are tried again by themselves." in told
    assert balance(advocate) == 0


def test_one_that_cannot_even_be_tried_does_not_keep_the_others(
    finance: Client, three: list[Reward], monkeypatch: pytest.MonkeyPatch
) -> None:
    def retry(pk: int, **kwargs: Any) -> bool:
        if pk == three[1].pk:
            raise RuntimeError("the shop does not answer")
        return rewards.retry(pk, **kwargs)

    monkeypatch.setattr(listing, "retry", retry)
    told = send(finance, ask(finance, ids(*three)))
    assert "It worked this time for 2 rewards." in told
    assert "1 failed again, and is tried again by itself." in told


def test_there_is_an_end_to_what_is_done_at_once(
    finance: Client, three: list[Reward], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PATIENCE", -1)
    assert "For 3 there was no time" in send(finance, ask(finance, "id=all"))
    monkeypatch.undo()
    monkeypatch.setattr(listing, "MOST", 2)
    page = ask(finance, "id=all")
    assert "Not more than 2 are tried at once: 1 more stays in the list." in text_of(page)
    assert "It worked this time for 2 rewards." in send(finance, page)


@pytest.mark.parametrize("seen", ["", "x", ",", "99999999999999999999", "0"])
def test_a_form_that_names_nothing_tries_nothing(finance: Client, three: list[Reward], seen: str) -> None:
    assert finance.post(f"{INDEX}retry/", {"seen": seen}).status_code == 302
    assert states() == ["failed"] * len(states())


def test_boxes_stand_beside_what_has_failed_only(finance: Client, three: list[Reward]) -> None:
    rewards.retry(three[0].pk)
    page = soup_of(finance.get(INDEX))
    boxes = {box["data-object-id"] for box in page.select("tbody input[data-bulk-action-checkbox]")}
    assert boxes == {str(reward.pk) for reward in three[1:]}
    for box in page.select("tbody input[data-bulk-action-checkbox]"):
        assert page.find(id=box["aria-describedby"])
    assert page.select_one("[data-bulk-action-button]")["href"] == f"{INDEX}retry/"
    # Each row has as many cells as the others, and as the heading.
    assert len({len(row.find_all(["td", "th"])) for row in page.select("table.listing tr")}) == 1
    for reward in three:
        rewards.retry(reward.pk)
    assert not soup_of(finance.get(INDEX)).select("table input[type=checkbox]"), "nothing has failed"


@pytest.mark.parametrize("missing", RIGHTS)
def test_who_may_not_try_one_may_not_try_several(three: list[Reward], missing: str) -> None:
    rights = [right for right in RIGHTS if right != missing]
    client = signed_in(staff("somebody@example.com", *rights))
    path = f"{INDEX}retry/"
    for response in (
        client.get(f"{path}?{ids(*three)}"),
        client.post(path, {"seen": str(three[0].pk)}),
    ):
        assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert states() == ["failed"] * 3
    if missing != "view_reward":
        page = soup_of(client.get(INDEX))
        assert not page.select("[data-bulk-action-checkbox], [data-bulk-action-button]")


def test_asking_costs_the_same_for_many(finance: Client, three: list[Reward], terms: Terms) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            ask(finance, "id=all&state=failed")
        return len(captured)

    ask(finance, "id=all&state=failed")
    before = queries()
    for number in range(4):
        fail(make_held(terms, make_advocate(f"kim{number}@example.com", "Kim"), "Noa"))
    assert queries() == before <= 30


# At once


@pytest.fixture
def failed(transactional_db: None) -> tuple[Advocate, list[Reward]]:
    program = make_program()
    terms = Terms.objects.get(program_key=program.key)
    advocate = make_advocate()
    return advocate, [fail(make_held(terms, advocate, f"Friend {number}")) for number in range(6)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_two_people_at_once_give_each_reward_once(failed: tuple[Advocate, list[Reward]]) -> None:
    """Both with the same page open, while a sweep runs beside them."""
    advocate, found = failed
    pages = []
    for number in range(2):
        user = make_user(f"finance{number}@example.com", is_superuser=True, is_staff=True)
        client = signed_in(user)
        pages.append((client, ask(client, "id=all&state=failed")))
    barrier = threading.Barrier(len(pages) + 1)
    errors: list[Exception] = []

    def run(job: Any) -> None:
        try:
            barrier.wait(timeout=30)
            job()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    jobs = [lambda page=page: send(*page) for page in pages]
    jobs.append(rewards.sweep)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs: a deadlock?"
    assert not errors, errors
    assert set(Reward.objects.values_list("state", flat=True)) == {Reward.State.GIVEN}
    assert balance(advocate) == len(found) * Decimal("15.00")
    assert Entry.objects.count() == len(found)
