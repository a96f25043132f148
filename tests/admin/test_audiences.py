"""Writing an audience: form, live count, listing in words, deletion; and choosing one in a program."""

from __future__ import annotations

import html
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.rows import make_program, make_user
from tests.audiences import NEVER_BOUGHT, make_audience
from wagtail_referrals.programs import CustomerFact, customer_facts, parse
from wagtail_referrals.programs.models import Audience, Program, Terms

pytestmark = pytest.mark.django_db

ADD = "wagtail_referrals_audiences:add"
EDIT = "wagtail_referrals_audiences:edit"
COUNT = "wagtail_referrals_audiences:count"
LIST = "wagtail_referrals_audiences:list"
DELETE = "wagtail_referrals_audiences:delete"


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(BeautifulSoup(response.content, "html.parser").get_text(" ").split())


def rule(number: int, fact: str, **options: Any) -> dict[str, Any]:
    values = {"fact": fact, "ORDER": number + 1, "DELETE": "", "id": ""}
    values |= {f"option_{name}": value for name, value in options.items()}
    return {f"rules-{number}-{name}": value for name, value in values.items()}


def filled(client: Client, *rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    response = client.get(reverse(ADD))
    assert response.status_code == 200
    values = values_of(response.content.decode()) | {"name": "Members"} | changes
    for item in rules:
        values |= item
    return values | {"rules-TOTAL_FORMS": len(rules)}


def publish(client: Client, values: dict[str, Any]) -> Any:
    return client.post(reverse(ADD), {**values, "action-publish": "action-publish"})


@pytest.fixture
def vip() -> Group:
    return Group.objects.create(name="VIP")


@pytest.fixture
def customers(vip: Group) -> list[Any]:
    """Twelve in the group, the last of them without a name, and one who is not."""
    found = [make_user(f"c{number}@example.com", f"Customer{number}", "Name") for number in range(11)]
    found.append(make_user("nameless@example.com"))
    for user in found:
        user.groups.add(vip)
    return [*found, make_user("other@example.com", "Other")]


def test_one_is_written_and_published(admin: Client, vip: Group) -> None:
    values = filled(
        admin,
        rule(0, "orders", orders_at_least="2"),
        rule(1, "spent", spent_how="at_least", spent_amounts_EUR="100"),
        rule(2, "group", group=str(vip.pk)),
    )
    response = publish(admin, values)
    assert response.status_code == 302, response.content.decode()
    audience = Audience.objects.get()
    assert audience.live and audience.match == "all"
    assert [(row.fact, row.options) for row in audience.rules.all()] == [
        ("orders", {"orders_at_least": 2}),
        ("spent", {"spent_how": "at_least", "spent_amounts": {"EUR": "100.00"}}),
        ("group", {"group": str(vip.pk), "title": "VIP"}),
    ]
    page = admin.get(reverse(EDIT, args=[audience.pk])).content.decode()
    again = values_of(page)
    assert again["rules-0-option_orders_at_least"] == "2"
    assert again["rules-1-option_spent_amounts_EUR"] == "100.00"
    assert again["rules-2-option_group"] == str(vip.pk)
    assert "has spent at least €100.00" in html.unescape(page)
    again |= {"action-publish": "1", "rules-0-option_orders_at_least": "3"}
    assert admin.post(reverse(EDIT, args=[audience.pk]), again).status_code == 302
    assert Audience.objects.get().rules.all()[0].options == {"orders_at_least": 3}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (rule(0, ""), "This field is required."),
        (rule(0, "orders"), "Give a number of orders"),
        (rule(0, "orders", orders_at_least="3", orders_at_most="2"), "nobody can have that"),
        (rule(0, "orders", orders_at_least="0"), "greater than or equal to 1"),
        (rule(0, "spent", spent_how="at_least", spent_amounts_EUR="0"), "Give an amount above zero"),
        (rule(0, "last_order", last_order_how="within"), "This field is required."),
        (rule(0, "last_order", last_order_how="within", last_order_days="99999"), "less than or equal to"),
        (rule(0, "group", group="4711"), "Select a valid choice"),
        (rule(0, "bought_from", range=""), "This field is required."),
        (rule(0, "unheard of"), "Select a valid choice"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(admin: Client, broken: dict[str, Any], words: str) -> None:
    response = publish(admin, filled(admin, broken))
    assert response.status_code == 200
    assert words in text_of(response)
    assert not Audience.objects.exists()


def test_a_draft_may_be_incomplete_and_counts_for_nothing(admin: Client) -> None:
    assert admin.post(reverse(ADD), filled(admin, rule(0, "orders"))).status_code == 302
    audience = Audience.objects.get()
    assert not audience.live
    assert "A rule that is not complete is true of nobody." in text_of(
        admin.get(reverse(EDIT, args=[audience.pk]))
    )


def test_what_another_fact_asks_is_not_kept(admin: Client) -> None:
    values = filled(admin, rule(0, "friend", came="alone", orders_at_least="3"))
    assert publish(admin, values).status_code == 302
    assert Audience.objects.get().rules.get().options == {"came": "alone"}


def test_nothing_is_saved_by_itself(admin: Client) -> None:
    """Wagtail would publish half a number."""
    audience = make_audience(NEVER_BOUGHT)
    for path in (reverse(ADD), reverse(EDIT, args=[audience.pk])):
        response = admin.get(path)
        assert response.context["view"].autosave_enabled is False
        assert 'data-controller="w-autosave' not in response.content.decode()


# The live count


def count(client: Client, *rules: dict[str, Any], pk: int | None = None, **changes: Any) -> Any:
    values = {
        "name": "",
        "match": "all",
        "rules-TOTAL_FORMS": len(rules),
        "rules-INITIAL_FORMS": 0,
        "rules-MIN_NUM_FORMS": 0,
        "rules-MAX_NUM_FORMS": 1000,
    } | changes
    for item in rules:
        values |= item
    return client.post(reverse(COUNT, args=[pk] if pk else []), values)


def test_the_count_and_ten_customers(admin: Client, customers: list[Any], vip: Group) -> None:
    response = count(admin, rule(0, "group", group=str(vip.pk)))
    found = response.json()
    assert found["count"] == "12 customers"
    assert found["words"] == "A customer who is in the group “VIP”."
    assert found["samples"] == [
        f"customer {customers[11].pk}",
        *[f"Customer{number} Name" for number in range(10, 1, -1)],
    ]
    assert "example.com" not in response.content.decode()
    assert "no-store" in response["Cache-Control"] and "private" in response["Cache-Control"]


def test_a_name_that_is_an_address_is_not_shown(admin: Client, vip: Group) -> None:
    user = make_user("lea@example.com", "lea@example.com")
    user.groups.add(vip)
    found = count(admin, rule(0, "group", group=str(vip.pk))).json()
    assert found["samples"] == [f"customer {user.pk}"] and found["count"] == "1 customer"


def test_while_it_is_typed(admin: Client, customers: list[Any], vip: Group) -> None:
    everybody = get_user_model().objects.count()
    found = count(admin).json()
    assert found["count"] == f"{everybody} customers" and found["words"] == "Every customer."
    assert "every customer is in this audience" in found["hints"][0]
    half = count(admin, rule(0, "group")).json()
    assert half["count"] == "0 customers" and half["samples"] == []
    assert half["hints"] == ["A rule that is not complete is true of nobody."]
    none = count(admin, rule(0, "orders", orders_at_least="1")).json()
    assert none["hints"] == ["Nobody is in this audience at the moment."]
    deleted = rule(0, "group", group=str(vip.pk)) | {"rules-0-DELETE": "1"}
    assert count(admin, deleted).json()["count"] == f"{everybody} customers"
    either = [rule(0, "orders", orders_at_least="1"), rule(1, "group", group=str(vip.pk))]
    assert count(admin, *either).json()["count"] == "0 customers"
    assert count(admin, *either, match="any").json()["count"] == "12 customers"


def test_it_is_one_question_to_the_shop(
    admin: Client, customers: list[Any], vip: Group, django_assert_max_num_queries: Any
) -> None:
    from wagtail_referrals.admin.audiences import who_is_in
    from wagtail_referrals.programs import AudienceData, AudienceRuleData

    data = AudienceData("x", (AudienceRuleData("group", {"group": str(vip.pk)}),))
    superuser = get_user_model().objects.get(is_superuser=True)
    with django_assert_max_num_queries(1) as queries:
        assert who_is_in(data, superuser)["count"] == "12 customers"
    assert "COUNT(" in queries[0]["sql"], "a LIMIT alone makes PostgreSQL look for customers one by one"
    from wagtail_referrals.programs import program_audience_hints

    audience = make_audience(("group", {"group": str(vip.pk), "title": "VIP"}))
    with django_assert_max_num_queries(4) as queries:
        assert program_audience_hints(audience) == []
    asked = [query["sql"] for query in queries if "auth_user" in query["sql"]]
    assert len(asked) == 1 and "LIMIT" not in asked[0]


def test_large_numbers_are_grouped_as_the_language_does(admin: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("django.db.models.query.QuerySet.count", lambda self: 12345)
    from wagtail_referrals.admin.audiences import who_is_in
    from wagtail_referrals.programs import AudienceData

    nobody = make_user("nobody@example.com")
    assert who_is_in(AudienceData("x", ()), nobody)["count"] == "12,345 customers"


@pytest.mark.parametrize(("codenames", "named"), [((), 0), (("view_advocate",), 10)])
def test_names_are_for_who_may_see_customers(
    codenames: tuple[str, ...], named: int, customers: list[Any], vip: Group
) -> None:
    client = signed_in(staff("editor@example.com", "add_audience", *codenames))
    found = count(client, rule(0, "group", group=str(vip.pk))).json()
    assert found["count"] == "12 customers" and len(found["samples"]) == named
    page = text_of(client.get(reverse(ADD)))
    assert ("Customer5 Name" in page) is bool(named)


def test_counting_asks_for_the_permission_to_write(customers: list[Any], vip: Group) -> None:
    audience = make_audience(NEVER_BOUGHT)
    wanted = rule(0, "group", group=str(vip.pk))
    adds = signed_in(staff("adds@example.com", "add_audience"))
    changes = signed_in(staff("changes@example.com", "change_audience"))
    sees = signed_in(staff("sees@example.com", "view_advocate", "change_program"))
    assert count(adds, wanted).status_code == 200 and count(adds, wanted, pk=audience.pk).status_code != 200
    assert count(changes, wanted).status_code != 200
    assert count(changes, wanted, pk=audience.pk).status_code == 200
    assert count(sees, wanted).status_code != 200 and count(sees, wanted, pk=audience.pk).status_code != 200
    assert adds.get(reverse(COUNT)).status_code == 405
    assert count(Client(), wanted).status_code == 302


def test_a_form_that_was_tampered_with_is_refused(admin: Client) -> None:
    assert admin.post(reverse(COUNT), {"name": "x"}).status_code == 400
    assert count(admin, pk=4711).status_code != 200


class Unanswered(CustomerFact):
    key = "unanswered"
    label = "unanswered"

    def words(self, options: dict[str, Any]) -> str:
        return "is a riddle"

    def matching(self, options: dict[str, Any], asked: Any) -> Any:
        raise RuntimeError("the shop does not answer")


def test_a_shop_that_does_not_answer_leaves_the_form_open(admin: Client) -> None:
    customer_facts.register(Unanswered())
    try:
        audience = make_audience(("unanswered", {}))
        for response in (
            admin.get(reverse(EDIT, args=[audience.pk])),
            count(admin, rule(0, "unanswered")),
        ):
            assert response.status_code == 200
            assert "The customers cannot be counted at the moment." in response.content.decode()
        program = make_program(audience=audience)
        page = admin.get(reverse("wagtail_referrals_programs:edit", args=[program.pk]))
        assert "cannot be found out at the moment" in text_of(page)
    finally:
        customer_facts.unregister("unanswered")


# The listing, and deletion


def test_the_listing_says_it_in_words_and_names_the_programs(admin: Client) -> None:
    used = make_audience(NEVER_BOUGHT, name="New ones")
    make_audience(name="All", live=False)
    make_program(name="Welcome", audience=used)
    text = text_of(admin.get(reverse(LIST)))
    assert "A customer who has never placed an order." in text and "Every customer." in text
    assert "Welcome" in text and "New ones" in text


def test_the_listing_does_not_ask_for_each(admin: Client, django_assert_max_num_queries: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(reverse(LIST)).status_code == 200
        return len(captured)

    make_program(name="P", audience=make_audience(NEVER_BOUGHT, name="A"))
    queries()
    few = queries()
    for number in range(5):
        make_program(name=f"P{number}", audience=make_audience(NEVER_BOUGHT, name=f"A{number}"))
    assert queries() == few


def in_a_draft(audience: Audience) -> Program:
    program = make_program(name="Later")
    program.audience = audience
    program.save_revision()
    program.refresh_from_db()
    assert program.audience is None
    return program


@pytest.mark.parametrize("where", ["published", "draft"])
def test_one_in_use_is_not_deleted_and_says_why(admin: Client, where: str) -> None:
    audience = make_audience(NEVER_BOUGHT)
    if where == "published":
        make_program(name="Later", audience=audience)
    else:
        in_a_draft(audience)
    path = reverse(DELETE, args=[audience.pk])
    bulk = reverse("wagtail_bulk_action", args=["wagtail_referrals", "audience", "delete"])
    for response in (admin.get(path, follow=True), admin.post(path, follow=True)):
        assert "“Members” cannot be deleted: the program “Later” is for it." in text_of(response)
    assert admin.post(f"{bulk}?id={audience.pk}").status_code in (302, 403)
    assert Audience.objects.exists()


def test_one_that_nobody_needs_is_deleted(admin: Client) -> None:
    audience = make_audience(NEVER_BOUGHT)
    assert admin.post(reverse(DELETE, args=[audience.pk])).status_code == 302
    assert not Audience.objects.exists()


def test_unpublishing_one_in_use_says_what_that_does(admin: Client) -> None:
    audience = make_audience(NEVER_BOUGHT)
    make_program(name="Welcome", audience=audience)
    response = admin.post(reverse("wagtail_referrals_audiences:unpublish", args=[audience.pk]), follow=True)
    assert "nobody may offer the program “Welcome”" in text_of(response)
    assert not Audience.objects.get().live


# In a program


def program_values(client: Client, **changes: Any) -> dict[str, Any]:
    page = client.get(reverse("wagtail_referrals_programs:add"), {"preset": "give_percent_get_credit"})
    return values_of(page.content.decode()) | changes


def test_a_program_is_published_for_an_audience(admin: Client) -> None:
    audience = make_audience(NEVER_BOUGHT)
    values = program_values(admin)
    assert values["audience"] == ""
    values |= {"audience": str(audience.pk), "action-publish": "1"}
    response = admin.post(reverse("wagtail_referrals_programs:add"), values)
    assert response.status_code == 302
    assert Program.objects.get().audience == audience
    assert parse(Terms.objects.get()).audience == "Members"


def test_it_offers_what_is_published_and_what_was_chosen(admin: Client) -> None:
    live, draft = make_audience(name="Live"), make_audience(name="Draft", live=False)
    program = make_program(audience=None)

    def offered() -> list[str]:
        page = admin.get(reverse("wagtail_referrals_programs:edit", args=[program.pk]))
        soup = BeautifulSoup(page.content, "html.parser")
        return [option.text for option in soup.select("select[name=audience] option")]

    assert offered() == ["Everybody", "Live"]
    Program.objects.update(audience=draft)
    assert offered() == ["Everybody", "Draft", "Live"]
    assert live.name == "Live"


@pytest.mark.parametrize(
    ("audience", "hint"),
    [
        ({"live": False}, "“Members” is not published: until it is, nobody may offer this program."),
        ({}, "“Members” has no rules: everybody may offer this program."),
        ({"rules": [("group", {"group": "0", "title": "x"})]}, "Nobody is in “Members” at the moment"),
        ({"rules": [NEVER_BOUGHT]}, ""),
    ],
)
def test_the_sentence_and_the_hints_are_those_of_the_audience(
    admin: Client, audience: dict[str, Any], hint: str
) -> None:
    values = dict(audience)
    made = make_audience(*values.pop("rules", []), **values)
    program = make_program(audience=made)
    found = admin.post(
        reverse("wagtail_referrals_programs:sentence", args=[program.pk]),
        values_of(admin.get(reverse("wagtail_referrals_programs:edit", args=[program.pk])).content.decode()),
    ).json()
    assert found["sentence"].startswith("When one of your customers in “Members” refers a friend")
    hints = [text for text in found["hints"] if "Members" in text]
    assert [text.startswith(hint) for text in hints] == ([True] if hint else [])


def test_editors_write_audiences_and_moderators_publish_them() -> None:
    found = {}
    for name in ("Editors", "Moderators"):
        user = make_user(f"{name}@example.com")
        user.groups.add(Group.objects.get(name=name))
        found[name] = {
            codename
            for codename in ("add_audience", "change_audience", "publish_audience", "delete_audience")
            if user.has_perm(f"wagtail_referrals.{codename}")
        }
    assert found["Editors"] == {"add_audience", "change_audience"}
    assert found["Moderators"] == {"add_audience", "change_audience", "publish_audience"}
