"""Who sees what: every address of ours, opened by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import make_reward, make_user
from tests.audiences import NEVER_BOUGHT, make_audience
from tests.badges import make_badge
from wagtail_referrals import credit
from wagtail_referrals.admin.groups import MODERATORS, grant_to_stock_groups
from wagtail_referrals.admin.menu import MARKETING_HOOK, ReferralsGroup, join_marketing_menu, marketing_item
from wagtail_referrals.credit.models import Account
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program

pytestmark = pytest.mark.django_db

NAMESPACES = {
    "wagtail_referrals_programs",
    "wagtail_referrals_audiences",
    "wagtail_referrals_badges",
    "wagtail_referrals_referrals",
    "wagtail_referrals_advocates",
    "wagtail_referrals_rewards",
    "wagtail_referrals_accounts",
    "wagtail_referrals_entries",
    "wagtail_referrals_terms",
}


def our_patterns() -> Iterator[tuple[str, URLPattern]]:
    """Every route that the admin has under a namespace of ours, with its full name."""

    def walk(resolver: Any, namespaces: tuple[str, ...]) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
                yield from walk(pattern, inner)
            elif any(name.startswith("wagtail_referrals") for name in namespaces):
                yield ":".join([*namespaces, pattern.name]), pattern
            elif pattern.name == "wagtail_referrals_summary":
                yield pattern.name, pattern

    yield from walk(get_resolver(), ())


@pytest.fixture
def addresses(referral: Any) -> dict[str, str]:
    """Name and path of every route, filled with rows that exist where that is possible."""
    reward = make_reward(referral, "15.00")
    user = referral.advocate.user
    credit.grant(user=user, currency="EUR", amount=reward.amount, key="test:1", source="")
    program = Program.objects.get()
    revision = program.save_revision()
    audience = make_audience(NEVER_BOUGHT, name="Camille’s")
    of_audience = audience.save_revision()
    pks = {
        "wagtail_referrals_audiences": audience.pk,
        "wagtail_referrals_badges": make_badge("Camille’s").pk,
        "wagtail_referrals_advocates": referral.advocate_id,
        "wagtail_referrals_referrals": referral.pk,
        "wagtail_referrals_rewards": reward.pk,
        "wagtail_referrals_accounts": Account.objects.get().pk,
        "wagtail_referrals_terms": referral.terms_id,
    }
    found = {}
    for name, pattern in our_patterns():
        values = {
            "pk": pks.get(name.split(":")[0], program.pk),
            "revision_id": (of_audience if "audiences" in name else revision).pk,
            "revision_id_a": "live",
            "revision_id_b": "latest",
            "action_name": "approve",
            "task_state_id": 1,
            "task_id": 1,
            "workflow_state_id": 1,
        }
        names = set(pattern.pattern.regex.groupindex) | set(getattr(pattern.pattern, "converters", {}))
        try:
            found[name] = reverse(name, kwargs={key: values[key] for key in names})
        except NoReverseMatch:
            found[name] = reverse(name, args=[values[key] for key in names])
    return found


def answers(client: Client, path: str) -> list[Any]:
    """To opening, sending a form, and asking for an export."""
    return [client.get(path), client.get(path, {"export": "csv"}), client.post(path)]


def is_turned_away(response: Any, path: str) -> bool:
    if response.status_code == 403:
        return True
    # Wagtail leads people to its home page, with a message, or to the login.
    return response.status_code == 302 and not response["Location"].startswith(path)


def test_all_listings_are_walked(addresses: dict[str, str]) -> None:
    assert {name.split(":")[0] for name in addresses} == NAMESPACES | {"wagtail_referrals_summary"}
    assert len(addresses) > 40


def test_nobody_gets_to_the_login(addresses: dict[str, str]) -> None:
    for name, path in addresses.items():
        for response in answers(Client(), path):
            assert response.status_code == 302, name
            assert "/login/" in response["Location"], name


def test_an_editor_without_permission_sees_nothing(addresses: dict[str, str], outsider: Client) -> None:
    seen = []
    for name, path in addresses.items():
        for response in answers(outsider, path):
            if not is_turned_away(response, path) and response.status_code not in (404, 405):
                seen.append((name, response.status_code))
            assert "Camille" not in response.content.decode(errors="ignore"), name
    assert seen == []


def test_a_superuser_never_meets_an_error(addresses: dict[str, str], admin: Client) -> None:
    for name, path in addresses.items():
        response = admin.get(path)
        assert response.status_code in (200, 302, 404, 405), (name, response.status_code)
        if name.endswith(
            (":index", ":index_results", ":list", ":list_results", ":inspect", "summary", ":edit", ":add")
        ):
            assert response.status_code == 200 or name == "wagtail_referrals_rewards:inspect", name


# What the smallest group that may see a listing may see of the others.
READERS = {
    "view_referral": "wagtail_referrals_referrals",
    "view_advocate": "wagtail_referrals_advocates",
    "view_reward": "wagtail_referrals_rewards",
    "view_account": "wagtail_referrals_accounts",
    "view_entry": "wagtail_referrals_entries",
    "view_terms": "wagtail_referrals_terms",
}


@pytest.mark.parametrize("codename", READERS)
def test_a_reader_sees_their_own_listing_only(addresses: dict[str, str], codename: str) -> None:
    client = signed_in(staff("reader@example.com", codename))
    for name, path in addresses.items():
        if not name.endswith(":index") and name != "wagtail_referrals_summary":
            continue
        response = client.get(path)
        expected = name == f"{READERS[codename]}:index"
        assert (response.status_code == 200) is expected, name


def test_the_summary_asks_for_its_own_permission(addresses: dict[str, str]) -> None:
    path = addresses["wagtail_referrals_summary"]
    others = [*MODERATORS]
    others.remove("view_summary")
    assert is_turned_away(signed_in(staff("others@example.com", *others)).get(path), path)
    assert signed_in(staff("summary@example.com", "view_summary")).get(path).status_code == 200


def test_a_reader_does_not_review_or_block(referral: Any, addresses: dict[str, str]) -> None:
    client = signed_in(staff("reader@example.com", "view_referral", "view_advocate"))
    for name, data in (
        ("wagtail_referrals_referrals:review", {"outcome": "approve", "seen": "0"}),
        ("wagtail_referrals_advocates:state", {"state": "blocked"}),
    ):
        assert is_turned_away(client.post(addresses[name], data), addresses[name])
    referral.refresh_from_db()
    assert not referral.decisions.exists()
    assert referral.advocate.state == Advocate.State.ACTIVE
    page = client.get(addresses["wagtail_referrals_advocates:inspect"]).content.decode()
    assert addresses["wagtail_referrals_advocates:state"] not in page


def test_records_have_no_form_not_even_for_a_superuser(addresses: dict[str, str]) -> None:
    routes = {name for name in addresses if name.split(":")[0] in READERS.values()}
    own = {"review", "state", "adjust", "compare"}
    assert {name.split(":")[1] for name in routes} == {"index", "index_results", "inspect", *own}


def menu_names(client: Client) -> set[str]:
    html = client.get("/admin/").content.decode()
    names = {registerable.menu_name for registerable in ReferralsGroup().registerables} | {"referral-summary"}
    return {name for name in names if f'"{name}"' in html}


def test_the_menu_shows_what_one_may_open(admin: Client, outsider: Client) -> None:
    assert len(menu_names(admin)) == 10
    assert menu_names(outsider) == set()
    assert '"marketing"' not in outsider.get("/admin/").content.decode()
    reader = signed_in(staff("reader@example.com", "view_referral", "view_summary"))
    assert menu_names(reader) == {"referral-referrals", "referral-summary"}


def test_wagtails_own_groups_can_work_from_the_start() -> None:
    editor, moderator = make_user("editor@example.com"), make_user("moderator@example.com")
    editor.groups.add(Group.objects.get(name="Editors"))
    moderator.groups.add(Group.objects.get(name="Moderators"))
    assert editor.has_perms(["wagtail_referrals.add_program", "wagtail_referrals.view_summary"])
    assert not editor.has_perm("wagtail_referrals.publish_program")
    assert not editor.has_perm("wagtail_referrals_credit.view_account")
    assert moderator.has_perms(["wagtail_referrals.publish_program", "wagtail_referrals.review_referral"])
    # Correcting credit is giving money away.
    assert not moderator.has_perm("wagtail_referrals_credit.adjust_account")


def test_what_was_taken_from_the_groups_is_not_given_again() -> None:
    editors = Group.objects.get(name="Editors")
    editors.permissions.set([])
    grant_to_stock_groups(using="default")
    assert not editors.permissions.exists()


def test_a_marketing_menu_that_exists_is_joined() -> None:
    for hook in (MARKETING_HOOK, "register_other_marketing_item"):
        menu = Menu(register_hook_name=hook, items=[MenuItem("Mails", "/m/")])
        theirs = SubmenuMenuItem("Marketing", menu, name="marketing")
        ours = marketing_item()
        for _request in range(2):
            items = [ours, theirs]
            join_marketing_menu(None, items)
            assert items == [theirs]
            names = [item.name for item in theirs.menu.registered_menu_items]
            assert names.count("referrals") == 1
            assert "mails" in names
