""" "What it would have cost": from the form as it is typed to a page that an editor reads."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.rows import NOW, make_advocate, make_referral, make_user
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db

REPLAY = "wagtail_referrals_programs:replay"


def make_rewarded(terms: Terms, advocate: Advocate, number: int, eligible: str = "100.00") -> Referral:
    """A friend who ordered and whose order was delivered long ago, with what was given for it."""
    moment = NOW - timedelta(days=100 - number)
    friend = make_user(f"friend{number}@example.com", f"Friend {number}")
    referral = make_referral(
        terms, advocate, friend, state="rewarded", moment=moment, qualified_at=moment, ordinal=number
    )
    purchase = Purchase.objects.create(
        reference=f"10{number}",
        referral=referral,
        placed_at=moment,
        currency="EUR",
        eligible=Decimal(eligible),
        total=Decimal(eligible),
        watch_until=moment + timedelta(days=180),
        observed={"paid_at": moment.isoformat(), "shipped_at": moment.isoformat()},
    )
    for rule in terms.data["rules"]:
        if rule["side"] == "advocate":
            Reward.objects.create(
                referral=referral,
                terms=terms,
                rule_key=rule["key"],
                side="advocate",
                advocate=advocate,
                purchase=purchase,
                occasion=f"purchase:{purchase.pk}",
                kind=rule["kind"],
                user=advocate.user,
                currency="EUR",
                amount=Decimal(15),
                posted=Decimal(15),
                state=Reward.State.GIVEN,
                given_at=moment + timedelta(days=30),
                created_at=moment,
            )
    return referral


@pytest.fixture
def friends(terms: Terms) -> list[Referral]:
    advocate = make_advocate()
    return [make_rewarded(terms, advocate, number) for number in (1, 2, 3)]


def typed(client: Client, program: Program, **changes: str) -> dict[str, Any]:
    url = reverse("wagtail_referrals_programs:edit", args=[program.pk])
    return values_of(client.get(url).content.decode()) | changes


def amount_field(values: dict[str, Any]) -> str:
    return next(name for name, value in values.items() if "-amounts" in name and value in ("15.00", "15"))


def page_of(response: Any) -> BeautifulSoup:
    assert response.status_code == 200, response.content[:500]
    return BeautifulSoup(response.content, "html.parser")


def text_of(soup: BeautifulSoup) -> str:
    main = soup.select_one("main")
    assert main is not None
    return main.get_text(" ", strip=True)


def figures(soup: BeautifulSoup) -> dict[str, str]:
    boxes = [box.select("dt, dd") for box in soup.select(".referral-figure")]
    return {box[0].get_text(strip=True): box[1].get_text(strip=True) for box in boxes}


def table(soup: BeautifulSoup, heading: str) -> list[list[str]]:
    """The cells of the table below this heading."""
    rows = soup.select(f"[aria-labelledby={heading}] tbody tr")
    assert rows, heading
    return [[cell.get_text(" ", strip=True) for cell in row.select("th, td")] for row in rows]


def test_nothing_changes_while_nothing_is_changed(admin: Client, program: Program, friends: list) -> None:
    soup = page_of(admin.get(reverse(REPLAY, args=[program.pk])))
    assert figures(soup) == {
        "Referrals looked at": "3",
        "Came out differently": "0",
        "Friends whose order counts": "3",
    }
    assert table(soup, "referral-replay-cost") == [
        ["All rewards and discounts", "€45.00", "€45.00", "±0"],
        ["For each friend whose order counts", "€15.00", "€15.00", ""],
    ]
    assert soup.find(id="referral-replay-different") is None


def test_the_form_is_judged_as_it_is_typed(admin: Client, program: Program, friends: list) -> None:
    values = typed(admin, program)
    values |= {amount_field(values): "20.00", "cap_count": "2"}
    soup = page_of(admin.post(reverse(REPLAY, args=[program.pk]), values))
    assert table(soup, "referral-replay-cost") == [
        ["All rewards and discounts", "€45.00", "€40.00", "− €5.00"],
        ["For each friend whose order counts", "€15.00", "€13.33", ""],
    ]
    assert table(soup, "referral-replay-rewards") == [
        ["Referral credit", "Your customer", "3 rewards €45.00", "2 rewards €40.00", "−1 − €5.00"]
    ]
    different = table(soup, "referral-replay-different")
    assert [row[2:] for row in different] == [
        ["nothing", "Your customer: the referrer has reached the most rewards in this period"],
        ["Your customer: €20.00", "Your customer: the reward is another one, or comes to another amount"],
        ["Your customer: €20.00", "Your customer: the reward is another one, or comes to another amount"],
    ]


def test_nothing_is_written(admin: Client, program: Program, friends: list) -> None:
    values = typed(admin, program)
    with CaptureQueriesContext(connection) as queries:
        page_of(admin.post(reverse(REPLAY, args=[program.pk]), values | {amount_field(values): "20.00"}))
    writes = [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert writes == []
    # A user who is no superuser costs two more: their rights are read.
    assert len(queries) <= 28
    assert Program.objects.get().rules.get(side="advocate").amounts == {"EUR": "15.00"}


def test_as_many_queries_for_many(admin: Client, program: Program, terms: Terms, friends: list) -> None:
    url = reverse(REPLAY, args=[program.pk])
    admin.get(url)
    with CaptureQueriesContext(connection) as few:
        admin.get(url)
    advocate = make_advocate("alix@example.com", "Alix")
    for number in range(4, 14):
        make_rewarded(terms, advocate, number)
    with CaptureQueriesContext(connection) as many:
        admin.get(url)
    assert len(many) == len(few)


def test_a_new_program_is_judged_over_the_friends_of_another(
    admin: Client, program: Program, friends: list
) -> None:
    values = values_of(
        admin.get(reverse("wagtail_referrals_programs:add"), {"preset": "percentage_back"}).content.decode()
    )
    soup = page_of(admin.post(reverse(REPLAY), values))
    assert "its friends are judged as if they had come by this one" in text_of(soup)
    assert figures(soup)["Came out differently"] == "3"
    hidden = {field["name"] for field in soup.select("form.referral-summary__form input[type=hidden]")}
    assert set(values) - {"csrfmiddlewaretoken"} <= hidden


def test_without_a_friend_there_is_nothing_to_judge(admin: Client, program: Program) -> None:
    assert "there is nothing to judge" in text_of(page_of(admin.get(reverse(REPLAY, args=[program.pk]))))


def test_friends_of_no_program_are_refused(admin: Client, program: Program, friends: list) -> None:
    url = reverse(REPLAY, args=[program.pk])
    assert admin.get(url, {"replay-friends-of": "nonsense"}).status_code == 400


def test_single_referrals_are_for_those_who_may_see_them(program: Program, friends: list) -> None:
    client = signed_in(staff("writer@example.com", "change_program"))
    values = typed(client, program)
    soup = page_of(client.post(reverse(REPLAY, args=[program.pk]), values | {amount_field(values): "20.00"}))
    assert figures(soup)["Came out differently"] == "3"
    assert soup.find(id="referral-replay-different") is None
    assert "You may not see single referrals" in text_of(soup)


def test_big_shops_are_told_what_was_left_out(
    admin: Client, terms: Terms, program: Program, friends: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rewarded(terms, make_advocate("alix@example.com", "Alix"), 4)
    monkeypatch.setattr("wagtail_referrals.admin.replay.NUMBERS", (2, 3, 4))
    url = reverse(REPLAY, args=[program.pk])
    soup = page_of(admin.get(url))
    assert figures(soup)["Referrals looked at"] == "1"
    assert "Of 4: all friends of the referrers who brought the newest ones." in text_of(soup)
    assert "More can be chosen above" in text_of(soup)
    chosen = soup.select_one("#referral-replay-number option[selected]")
    assert chosen is not None
    assert chosen["value"] == "2"
    soup = page_of(admin.get(url, {"replay-number": "4"}))
    assert figures(soup)["Referrals looked at"] == "4"
    assert "All that there are" in text_of(soup)
    assert "They came from" in text_of(soup)
    for number in ("5", "x", "-1"):
        assert admin.get(url, {"replay-number": number}).status_code == 400


def test_a_number_that_was_chosen_stays_with_what_is_typed(
    admin: Client, program: Program, friends: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wagtail_referrals.admin.replay.NUMBERS", (1, 2))
    values = typed(admin, program) | {"replay-number": "2"}
    soup = page_of(admin.post(reverse(REPLAY, args=[program.pk]), values))
    assert [field["value"] for field in soup.select("[name=replay-number] [selected]")] == ["2"]
    assert not soup.select("input[type=hidden][name=replay-number]")
    button = soup.select_one("button[data-controller=w-progress]")
    assert button is not None
    assert button["data-w-progress-active-value"] == "Calculating…"


def test_a_small_shop_has_no_number_to_choose(admin: Client, program: Program, friends: list) -> None:
    soup = page_of(admin.get(reverse(REPLAY, args=[program.pk])))
    assert not soup.select("[name=replay-number]")


def test_the_form_leads_there(admin: Client, program: Program) -> None:
    html = admin.get(reverse("wagtail_referrals_programs:edit", args=[program.pk])).content.decode()
    button = BeautifulSoup(html, "html.parser").select_one('[data-action="referral-program#replay"]')
    assert button is not None
    assert button["data-referral-program-replay-param"] == reverse(REPLAY, args=[program.pk])
