"""The comparison of two walks complains of what it should, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oldshop_pages.comparing import complaints
from tests.oldshop_pages.differences import ADOPTED, ADOPTED_COSTS, WITH_PROGRAM, WITH_PROGRAM_COSTS

SHOP_QUERY = 'SELECT "order_order"."id" FROM "order_order" WHERE "order_order"."number" = \'W1\''
OUR_QUERY = 'SELECT 1 AS "a" FROM "wagtail_referrals_claim" LIMIT 1'
TAB = '\n    <li class="nav-item"><a href="/en/account/refer-a-friend/" class="nav-link">Refer a friend</a></li>\n\n'


def answer(**values: Any) -> dict[str, Any]:
    return {
        "visitor": "customer",
        "language": "en",
        "request": "GET /en/catalogue/",
        "status": 200,
        "headers": {"Vary": "Cookie", "Content-Length": "9"},
        "cookies": {},
        "body": "<h1>Profil</h1>\n<p>Wool</p>\n",
        "queries": [SHOP_QUERY],
        "mails": [],
    } | values


def told(after: dict[str, Any], before: dict[str, Any] | None = None) -> list[str]:
    same = {name: after[name] for name in ("visitor", "language", "request")}
    return complaints(answer(**same) if before is None else before, after, ADOPTED, ADOPTED_COSTS)


def test_the_same_is_the_same() -> None:
    assert told(answer()) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"status": 302}, "status 200 -> 302"),
        ({"headers": {"Vary": "Cookie, Accept-Language"}}, "headers"),
        ({"cookies": {"referral": "1"}}, "cookies"),
        ({"mails": [{"subject": "You have a friend"}]}, "mails"),
        ({"body": "<h1>Profil</h1>\n<p>Yarn</p>\n"}, "+ <p>Yarn</p>"),
        ({"body": "<h1>Profil</h1>\n\n<p>Wool</p>\n"}, "+ "),
        ({"body": "<h1>Compte</h1>\n<p>Wool</p>\n"}, "- <h1>Profil</h1>"),
        ({"queries": [SHOP_QUERY, OUR_QUERY]}, "1 statements more, not 0"),
        ({"queries": [SHOP_QUERY, SHOP_QUERY]}, "1 more of SELECT"),
        ({"queries": [OUR_QUERY.replace("_claim", "_visit").replace("wagtail", "shop")]}, "1 more of SELECT"),
    ],
)
def test_what_changed_is_named(change: dict[str, Any], complaint: str) -> None:
    assert complaint in "\n".join(told(answer(**change)))


def test_words_of_wagtail_are_known_in_french_only() -> None:
    assert told(answer(language="fr", body="<h1>Compte</h1>\n<p>Wool</p>\n")) == []
    assert told(answer(language="fr", body="<h1>Compte</h1>\n<p>Yarn</p>\n")) != []


def test_values_and_transactions_are_no_statements() -> None:
    other = SHOP_QUERY.replace("W1", "W2")
    assert (
        told(answer(queries=["BEGIN", 'SAVEPOINT "s1_x2"', other, 'RELEASE SAVEPOINT "s1_x2"', "COMMIT"]))
        == []
    )


def test_what_is_added_must_be_there_and_nothing_else() -> None:
    request = {"request": "GET /en/accounts/profile/"}
    before = answer(**request)
    with_tab = answer(**request, body=before["body"].replace("\n<p>", f"\n{TAB}<p>"))
    without_it = answer(**request)
    and_more = answer(**request, body=with_tab["body"] + "<p>Tell your friends</p>\n")
    tell = [
        complaints(before, after, WITH_PROGRAM, WITH_PROGRAM_COSTS)
        for after in (with_tab, without_it, and_more)
    ]
    assert tell[0] == []
    assert tell[1] == ["customer, en: GET /en/accounts/profile/: what should be added is not there"]
    assert tell[2] == ["customer, en: GET /en/accounts/profile/: + <p>Tell your friends</p>"]


def test_an_unknown_address_leads_to_one_with_a_language() -> None:
    request = {"request": "GET /nothing/"}
    before = answer(**request, status=404)
    there = answer(**request, status=302, headers={"Location": "/en/nothing/"})
    elsewhere = answer(**request, status=302, headers={"Location": "/en/"})
    assert complaints(before, there, ADOPTED, ADOPTED_COSTS) == []
    assert complaints(before, elsewhere, ADOPTED, ADOPTED_COSTS) != []
