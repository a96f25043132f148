"""What the listings show, find and cost."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin.rows import (
    NOW,
    make_advocate,
    make_program,
    make_purchase,
    make_referral,
    make_reward,
    make_user,
)
from wagtail_referrals import credit, people
from wagtail_referrals.admin import listing
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import forget_open_terms
from wagtail_referrals.programs.models import Budget, Program, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db

EVIL = '<script>alert("x")</script>'


def rows_of(response: Any) -> list[list[str]]:
    assert response.status_code == 200
    soup = BeautifulSoup(response.content, "html.parser")
    return [
        [" ".join(cell.get_text(" ", strip=True).split()) for cell in row.find_all("td")]
        for row in soup.select("table.listing tbody tr")
    ]


def first_cells(response: Any) -> list[str]:
    """Without the box to tick that may stand before."""
    return [next(cell for cell in row if cell) for row in rows_of(response)]


def fill(terms: Terms, numbers: range) -> None:
    """So many referrers, each with a friend, an order, a reward and credit; and so many programs."""
    for number in numbers:
        advocate = make_advocate(f"a{number}@example.com", f"Ada{number}")
        referral = make_referral(terms, advocate, make_user(f"f{number}@example.com", f"Fay{number}"))
        purchase = make_purchase(referral, f"order-{number}")
        make_reward(referral, "15.00", "15.00", purchase=purchase)
        credit.grant(user=advocate.user, currency="EUR", amount=purchase.eligible, key=f"k{number}", now=NOW)
        make_program(name=f"Program {number}", precedence=number + 1)


LISTINGS = ["programs:list", "referrals:index", "advocates:index", "rewards:index", "accounts:index"]
LISTINGS += ["entries:index", "terms:index"]


@pytest.mark.parametrize("name", LISTINGS)
def test_a_listing_costs_the_same_with_three_rows_and_with_a_full_page(
    admin: Client, terms: Terms, name: str
) -> None:
    path = reverse(f"wagtail_referrals_{name}")

    def cost(rows: int) -> int:
        admin.get(path)
        with CaptureQueriesContext(connection) as queries:
            assert len(rows_of(admin.get(path))) >= rows
        return len(queries)

    fill(terms, range(3))
    few = cost(3)
    fill(terms, range(3, 30))
    assert cost(20) == few
    assert few < 30


def test_programs_show_their_sentence_and_what_became_of_them(admin: Client) -> None:
    make_program(name="Open", precedence=1)
    make_program(name="Draft", live=False, precedence=2)
    later = make_program(name="Later", live=False, precedence=3, go_live_at=NOW.replace(year=2100))
    later.save_revision().publish()
    make_program(name="Over", live=False, precedence=4, expired=True)
    closed = make_program(name="Closed", precedence=5)
    Program.objects.filter(pk=closed.pk).update(live=False)
    full = make_program(name="Full", precedence=6, budget_count=2)
    Budget.objects.create(program_key=full.key, held=1, spent=1)
    # Its budget counts friends; another currency's is not used up by it.
    half = make_program(name="Half", precedence=7, budget_count=2)
    Budget.objects.create(program_key=half.key, held=1, spent=0)
    rows = rows_of(admin.get(reverse("wagtail_referrals_programs:list")))
    # Behind the handle to drag it, its name and its sentence.
    assert [row[3].split(" opens on")[0] for row in rows] == [
        "open",
        "draft",
        "opens later",
        "expired",
        "closed",
        "budget used up",
        "open",
    ]
    assert "the friend gets 10% off one order" in rows[0][2]


def test_only_open_programs_promise_something_new(admin: Client, terms: Terms) -> None:
    from wagtail_referrals.programs import open_terms

    forget_open_terms()
    assert [item.terms_id for item in open_terms(site_id=None, now=NOW)] == [terms.pk]


def test_the_summary_is_linked_above_the_programs(admin: Client) -> None:
    html = admin.get(reverse("wagtail_referrals_programs:list")).content.decode()
    assert reverse("wagtail_referrals_summary") in html


def test_programs_are_found_by_name(admin: Client) -> None:
    make_program(name="Spring")
    make_program(name="Autumn")
    found = first_cells(admin.get(reverse("wagtail_referrals_programs:list"), {"q": "autu"}))
    assert len(found) == 1
    assert found[0].startswith("Autumn")


@pytest.fixture
def three(terms: Terms) -> list[Referral]:
    camille, noe = make_advocate(), make_advocate("noe@example.com", "Noé")
    return [
        make_referral(
            terms, camille, make_user("lea@example.com", "Léa", "Petit"), state="to_check", moment=NOW
        ),
        make_referral(
            terms,
            camille,
            make_user("hugo@example.com", "Hugo"),
            state="rewarded",
            moment=NOW - timedelta(days=40),
        ),
        make_referral(terms, noe, None, friend_email_hash="x" * 64, moment=NOW - timedelta(days=1)),
    ]


FOUND = [
    ({}, ["Léa Petit", "guest", "Hugo"]),
    ({"state": "to_check"}, ["Léa Petit"]),
    ({"state": ["to_check", "rewarded"]}, ["Léa Petit", "Hugo"]),
    ({"created_at_from": "2026-11-01", "created_at_to": "2026-11-30"}, ["Léa Petit", "guest"]),
    ({"advocate": "camille"}, ["Léa Petit", "Hugo"]),
    ({"advocate": "noe@example.com"}, ["guest"]),
    ({"q": "petit"}, ["Léa Petit"]),
    ({"q": "léa petit"}, ["Léa Petit"]),
    ({"q": "camille"}, ["Léa Petit", "Hugo"]),
    ({"q": "order-7"}, ["Hugo"]),
    ({"q": "nobody"}, []),
    # What makes no sense finds nothing, in place of everything.
    ({"state": "bogus"}, []),
    ({"created_at_from": "soon"}, []),
    ({"program": "bogus"}, []),
    ({"program": "00000000-0000-0000-0000-000000000000"}, []),
]


@pytest.mark.parametrize(("query", "names"), FOUND)
def test_referrals_are_found(
    admin: Client, three: list[Referral], query: dict[str, Any], names: list[str]
) -> None:
    make_purchase(three[1], "order-7")
    response = admin.get(reverse("wagtail_referrals_referrals:index"), query)
    guest = f"guest (referral {three[2].pk})"
    assert first_cells(response) == [guest if name == "guest" else name for name in names]


def test_referrals_are_found_by_program_and_by_code(admin: Client, three: list[Referral]) -> None:
    path = reverse("wagtail_referrals_referrals:index")
    other = make_referral(
        Terms.objects.get(program=make_program("percentage_back")),
        three[2].advocate,
        make_user("jade@example.com", "Jade"),
    )
    assert first_cells(admin.get(path, {"program": str(other.program_key)})) == ["Jade"]
    code = people.code_of(three[0].advocate)
    assert first_cells(admin.get(path, {"q": code.lower()})) == ["Léa Petit", "Hugo"]


def test_names_are_only_text(admin: Client) -> None:
    program = make_program(name=EVIL)
    program.texts.update(headline=EVIL, introduction=EVIL, share_message=EVIL, small_print=EVIL)
    terms = Terms.objects.get(program_key=program.key)
    terms.data["texts"]["en"] = dict.fromkeys(terms.data["texts"]["en"], EVIL)
    Terms.objects.filter(pk=terms.pk).update(data=terms.data)
    advocate = make_advocate("evil@example.com", EVIL[:30])
    Advocate.objects.filter(pk=advocate.pk).update(public_name=EVIL[:40])
    referral = make_referral(terms, advocate, make_user("friend@example.com", EVIL[:30]), reason=EVIL[:40])
    make_purchase(referral, EVIL[:60])
    reward = make_reward(referral, "15.00", reason=EVIL[:40])
    credit.grant(user=advocate.user, currency="EUR", amount=reward.amount, key="k", now=NOW)
    paths = [reverse(f"wagtail_referrals_{name}") for name in LISTINGS]
    paths += [
        reverse("wagtail_referrals_programs:edit", args=[program.pk]),
        reverse("wagtail_referrals_referrals:inspect", args=[referral.pk]),
        reverse("wagtail_referrals_advocates:inspect", args=[advocate.pk]),
        reverse("wagtail_referrals_accounts:inspect", args=[Entry.objects.get().account_id]),
        reverse("wagtail_referrals_terms:inspect", args=[terms.pk]),
        reverse("wagtail_referrals_summary") + "?period=year",
    ]
    for path in paths:
        html = admin.get(path).content.decode()
        assert "<script>alert" not in html, path
        assert "alert(" in html, f"{path} does not show the name at all"


def test_referrers_show_what_they_brought(admin: Client, three: list[Referral]) -> None:
    camille = three[0].advocate
    credit.grant(
        user=camille.user, currency="EUR", amount=make_reward(three[1], "15").amount, key="k", now=NOW
    )
    rows = {row[0]: row for row in rows_of(admin.get(reverse("wagtail_referrals_advocates:index")))}
    assert rows["Camille"][1:6] == [people.code_of(camille), "2", "1", "€15.00", "active"]
    assert rows["Noé"][2:5] == ["1", "0", ""]


def test_what_was_done_to_a_referrer_is_in_the_sites_history(admin: Client, terms: Terms) -> None:
    """Records have no form, and Wagtail's report looks for one: it leads to their page instead."""
    advocate = make_advocate()
    admin.post(reverse("wagtail_referrals_advocates:state", args=[advocate.pk]), {"state": "paused"})
    history = admin.get(reverse("wagtailadmin_reports:site_history"))
    assert reverse("wagtail_referrals_advocates:inspect", args=[advocate.pk]) in history.content.decode()


def test_a_referrer_is_paused_and_blocked(admin: Client, terms: Terms) -> None:
    advocate = make_advocate()
    code = people.code_of(advocate)
    assert people.find_code(code).advocate_state == "active"
    path = reverse("wagtail_referrals_advocates:state", args=[advocate.pk])
    for state in ("paused", "blocked", "active"):
        assert admin.post(path, {"state": state}).status_code == 302
        # The share link notices at once, although it reads a cached answer.
        assert people.find_code(code).advocate_state == state
    assert admin.post(path, {"state": "king"}).status_code == 400
    assert admin.get(path).status_code == 405


def test_who_left_by_their_own_will_comes_back_by_it_alone(admin: Client, terms: Terms) -> None:
    advocate = make_advocate()
    path = reverse("wagtail_referrals_advocates:state", args=[advocate.pk])
    inspect = reverse("wagtail_referrals_advocates:inspect", args=[advocate.pk])
    assert admin.post(path, {"state": "left"}).status_code == 400
    people.leave_program(advocate)
    page = admin.get(inspect).content.decode()
    assert "has left the program" in page and "Let them refer again" not in page and "Block" in page
    assert admin.post(path, {"state": "active"}).status_code == 400
    advocate.refresh_from_db()
    assert advocate.state == "left"


def test_rewards_are_filtered(admin: Client, three: list[Referral]) -> None:
    make_reward(three[0], "15.00", state=Reward.State.TO_CHECK)
    make_reward(three[1], "15.00", "15.00")
    path = reverse("wagtail_referrals_rewards:index")
    assert len(rows_of(admin.get(path))) == 2
    rows = rows_of(admin.get(path, {"state": "to_check"}))
    assert [row[2:6] for row in rows] == [["€15.00 of referral credit", "€15.00", "€0.00", "to check"]]
    assert rows_of(admin.get(path, {"side": "friend"})) == []
    assert rows_of(admin.get(path, {"kind": "bogus"})) == []


def test_movements_and_accounts_show_the_books(admin: Client, terms: Terms) -> None:
    user = make_advocate().user
    amount = make_reward(make_referral(terms, people.find_advocate(user)), "15").amount
    credit.grant(user=user, currency="EUR", amount=amount, key="k1", source="reward:1", now=NOW)
    credit.claw_back(user=user, currency="EUR", amount=amount * 2, key="k2", source="reward:1", now=NOW)
    [row] = rows_of(admin.get(reverse("wagtail_referrals_accounts:index")))
    assert row == ["Camille", "EUR", "€0.00", "€0.00", "€15.00"]
    path = reverse("wagtail_referrals_accounts:index")
    assert len(rows_of(admin.get(path, {"shortfall": "true"}))) == 1
    assert rows_of(admin.get(path, {"shortfall": "false"})) == []
    kinds = [row[2] for row in rows_of(admin.get(reverse("wagtail_referrals_entries:index")))]
    assert sorted(set(kinds)) == ["given", "taken back"]
    [given] = rows_of(admin.get(reverse("wagtail_referrals_entries:index"), {"kind": "grant"}))
    assert given[3] == "+€15.00"


def test_a_listing_counts_and_shows_only_the_first_rows(
    admin: Client, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are: with all of them counted, the page would take longer for each."""
    monkeypatch.setattr(listing, "MOST_ROWS", 50)
    monkeypatch.setattr(listing, "MOST_KEYS", 20)
    advocate = make_advocate()
    for number in range(60):
        make_referral(terms, advocate, make_user(f"f{number}@example.com", f"Fay{number}"))
    index = reverse("wagtail_referrals_referrals:index")

    with CaptureQueriesContext(connection) as queries:
        first = admin.get(index)

    assert "The first 50 of more. To see others, filter or search." in first.text
    counts = [query["sql"] for query in queries if query["sql"].startswith("SELECT COUNT")]
    assert any("LIMIT 51" in sql for sql in counts if "_referral" in sql), counts
    assert len(rows_of(first)) == 25
    # There is no third page.
    assert rows_of(admin.get(index, {"p": 3})) == rows_of(admin.get(index, {"p": 2}))

    found = admin.get(index, {"q": advocate.codes.get().text})
    assert "There are more than 50 matches" in found.text
    few = admin.get(index, {"q": "Fay7"})
    assert "There is 1 match" in few.text
    assert "more than" not in few.text
    # Files have all of them.
    file = b"".join(admin.get(index, {"export": "csv"}).streaming_content).decode()  # type: ignore[attr-defined]
    assert len(file.strip().splitlines()) == 61


def test_rows_of_a_page_are_chosen_without_what_is_shown_with_them(
    admin: Client, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it, PostgreSQL would read the customers of all rows to sort them."""
    monkeypatch.setattr(listing, "MOST_KEYS", 2)
    advocate = make_advocate()
    for number in range(4):
        moment = NOW + timedelta(minutes=number % 2)
        make_referral(terms, advocate, make_user(f"f{number}@example.com", f"Fay{number}"), moment=moment)
    with CaptureQueriesContext(connection) as queries:
        found = rows_of(admin.get(reverse("wagtail_referrals_referrals:index")))
    # The newest first, and of those alike the last that was added.
    assert [re.findall(r"Fay\d", " ".join(row))[0] for row in found] == ["Fay3", "Fay1", "Fay2", "Fay0"]
    chosen = [query["sql"] for query in queries if query["sql"].endswith("LIMIT 4")]
    assert len(chosen) == 1
    assert "JOIN" not in chosen[0]


def test_a_name_that_many_have_finds_friends_and_referrers(
    admin: Client, terms: Terms, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many to be asked for by their keys."""
    monkeypatch.setattr(listing, "MOST_KEYS", 1)
    sam, robin = make_advocate("s@example.com", "Sam"), make_advocate("r@example.com", "Robin")
    for number, (advocate, name) in enumerate(
        [(sam, "Ann"), (robin, "Sam"), (robin, "Samuel"), (robin, "Bo")]
    ):
        make_referral(terms, advocate, make_user(f"f{number}@example.com", name))
    index = reverse("wagtail_referrals_referrals:index")
    assert len(rows_of(admin.get(index, {"q": "sam"}))) == 3
    assert len(rows_of(admin.get(index, {"q": "robin"}))) == 3
    referrers = reverse("wagtail_referrals_advocates:index")
    assert len(rows_of(admin.get(referrers, {"q": "sam"}))) == 1


@pytest.mark.parametrize("name", ["referrals", "rewards", "accounts", "advocates", "review"])
def test_what_is_exact_is_found_without_looking_through_all_customers(
    admin: Client, referral: Referral, name: str
) -> None:
    """A whole address and a code: where there are a million customers, a part of a name takes a second."""
    address = referral.friend.email if name == "referrals" else referral.advocate.user.email  # type: ignore[union-attr]
    for text in (address, address.upper(), referral.advocate.codes.get().text):
        with CaptureQueriesContext(connection) as queries:
            response = admin.get(reverse(f"wagtail_referrals_{name}:index"), {"q": text})
        assert response.status_code == 200
        looked = [query["sql"] for query in queries if re.search(r'auth_user"\."\w+"\S* LIKE ', query["sql"])]
        assert not looked, looked
        if name == "referrals":
            assert len(rows_of(response)) == 1
