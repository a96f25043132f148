"""Who sees what of memberships: every address of their admin, opened by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from oscar_integration.memberships.admin.groups import grant_to_stock_groups
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from tests.admin.test_permissions import is_turned_away
from tests.memberships.rows import give, make_user
from tests.memberships.staff import MEMBERS, OVERVIEW, PLANS, RENEWALS, administrator, make_renewal, reader

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

NAME = "Zéphyrine"
PERMISSIONS = (
    "add_plan",
    "change_plan",
    "delete_plan",
    "view_plan",
    "view_membership",
    "add_membership",
    "change_membership",
    "record_use",
    "view_overview",
    "view_renewal",
)


def our_patterns() -> Iterator[tuple[str, URLPattern]]:
    """Every route of the admin that is named for memberships."""

    def walk(resolver: Any, namespaces: tuple[str, ...]) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
                yield from walk(pattern, inner)
                continue
            name = ":".join([*namespaces, pattern.name or ""])
            if name.startswith("referral_memberships"):
                yield name, pattern

    yield from walk(get_resolver(), ())


@pytest.fixture
def addresses(plan: Plan) -> dict[str, str]:
    """Name and path of every route, with rows that exist."""
    Plan.objects.update(renews=True, name=f"{NAME}’s")
    membership = give(make_user("z@example.com", NAME), Plan.objects.get())
    Membership.objects.update(renews=True)
    period = membership.periods.get()
    pks = {
        PLANS: membership.plan_id,
        MEMBERS: membership.pk,
        f"{MEMBERS}:recovered": period.pk,
        RENEWALS: make_renewal(membership, "past_due").pk,
    }
    found = {}
    for name, pattern in our_patterns():
        names = set(pattern.pattern.regex.groupindex) | set(getattr(pattern.pattern, "converters", {}))
        assert names <= {"pk"}, name
        pk = pks.get(name) or pks.get(name.split(":")[0]) or 1
        found[name] = reverse(name, args=[pk] if names else [])
    return found


def answers(client: Client, path: str) -> list[Any]:
    """To opening, sending a form, and asking for an export."""
    return [client.get(path), client.get(path, {"export": "csv"}), client.post(path)]


def state() -> Any:
    """Everything that an address could change."""
    return [list(model.objects.order_by("pk").values()) for model in (Plan, Membership, Period, Renewal)]


def opened(client: Client, addresses: dict[str, str]) -> set[str]:
    """The names of the addresses that answer with a page to this person; nothing may be changed by looking."""
    found = set()
    for name, path in addresses.items():
        response = client.get(path)
        assert response.status_code in (200, 302, 403, 404, 405), (name, response.status_code)
        if response.status_code == 200:
            found.add(name)
    return found


def test_all_addresses_are_walked(addresses: dict[str, str]) -> None:
    assert {name.split(":")[0] for name in addresses} >= {PLANS, MEMBERS, RENEWALS, OVERVIEW}
    assert {f"{MEMBERS}:{name}" for name in ("add", "end", "renewal", "recovered")} <= set(addresses)
    assert len(addresses) > 20


def test_nobody_gets_to_the_login(addresses: dict[str, str]) -> None:
    for name, path in addresses.items():
        for response in answers(Client(), path):
            assert response.status_code == 302, name
            assert "/login/" in response["Location"], name


def test_an_editor_of_pages_sees_and_changes_nothing(addresses: dict[str, str]) -> None:
    before, client, seen = state(), reader(), []
    for name, path in addresses.items():
        for response in answers(client, path):
            if not is_turned_away(response, path) and response.status_code not in (404, 405):
                seen.append((name, response.status_code))
            assert NAME not in response.content.decode(errors="ignore"), name
    assert seen == []
    assert state() == before
    html = client.get("/admin/").content.decode()
    assert '"memberships"' not in html


def test_a_superuser_never_meets_an_error(addresses: dict[str, str]) -> None:
    found = opened(administrator(), addresses)
    pages = {f"{PLANS}:{name}" for name in ("list", "add", "edit", "delete")}
    pages |= {f"{MEMBERS}:{name}" for name in ("index", "index_results", "inspect", "add", "end")}
    pages |= {f"{RENEWALS}:index", f"{RENEWALS}:index_results", OVERVIEW}
    # A plan that somebody has is not deleted: it leads back with the reason.
    assert pages - {f"{PLANS}:delete"} <= found


OPENED = {
    "add_plan": {f"{PLANS}:list", f"{PLANS}:list_results", f"{PLANS}:add"},
    "change_plan": {f"{PLANS}:list", f"{PLANS}:list_results", f"{PLANS}:edit", f"{PLANS}:history"},
    "delete_plan": {f"{PLANS}:list", f"{PLANS}:list_results"},
    "view_plan": {f"{PLANS}:list", f"{PLANS}:list_results"},
    "view_membership": {f"{MEMBERS}:{name}" for name in ("index", "index_results", "inspect")},
    "add_membership": {f"{MEMBERS}:{name}" for name in ("index", "index_results", "inspect", "add")},
    "change_membership": {f"{MEMBERS}:{name}" for name in ("index", "index_results", "inspect", "end")},
    "view_overview": {OVERVIEW},
    "view_renewal": {f"{RENEWALS}:index", f"{RENEWALS}:index_results"},
}


@pytest.mark.parametrize("codename", PERMISSIONS)
def test_a_permission_opens_its_own_pages_only(addresses: dict[str, str], codename: str) -> None:
    before = state()
    found = opened(reader(codename), addresses)
    if codename == "record_use":
        # The desk is another's: nothing of ours.
        assert not [name for name in found if name.split(":")[0] in (PLANS, MEMBERS, RENEWALS, OVERVIEW)]
    else:
        minor = {
            name
            for name in found
            if name.startswith(PLANS) and name.split(":")[1] in ("usage", "history", "history_results")
        }
        assert found - minor == OPENED[codename] - minor
    assert state() == before


@pytest.mark.parametrize("codename", [name for name in PERMISSIONS if not name.endswith("_membership")])
def test_what_staff_did_with_members_stays_theirs(addresses: dict[str, str], codename: str) -> None:
    """Wagtail's report of all that was done shows what somebody has any right of the same kind for."""
    administrator().post(addresses[f"{MEMBERS}:end"], {"note": "Rude to the teacher"})
    report = reverse("wagtailadmin_reports:site_history")
    client = reader(codename)
    for response in (client.get(report), client.get(report, {"export": "csv"})):
        text = b"".join(response) if response.streaming else response.content
        assert b"Rude" not in text
        assert f"no. {Membership.objects.get().pk}".encode() not in text
    looks_after = reader("view_membership", email="looks-after@example.com").get(report)
    assert "Ended the membership: Rude to the teacher" in looks_after.content.decode()


# In an order in which each still has something to do.
ACTIONS: list[tuple[str, dict[str, str]]] = [
    (f"{RENEWALS}:try", {}),
    (f"{MEMBERS}:recovered", {}),
    (f"{MEMBERS}:renewal", {"on": "0"}),
    (f"{MEMBERS}:end", {"note": "x"}),
]


@pytest.mark.parametrize("may", [False, True])
def test_only_who_looks_after_members_acts_on_them(addresses: dict[str, str], may: bool) -> None:
    Period.objects.update(shortfall_uses=1)
    others = ("view_membership", "view_renewal", "add_membership", "change_plan", "record_use")
    client = reader("change_membership") if may else reader(*others)
    for name, values in ACTIONS:
        before = state()
        response = client.post(addresses[name], values)
        assert may or is_turned_away(response, addresses[name]), name
        assert (state() != before) is may, name


def test_only_who_gives_gives(addresses: dict[str, str]) -> None:
    user = make_user("lea@example.com", "Léa")
    values = {
        "customer": str(user.pk),
        "plan": str(Plan.objects.get().pk),
        "note": "x",
        "token": "7f1c6a0e-3d0b-4a55-9d5c-2f5f6a1f0c11",
    }
    path = addresses[f"{MEMBERS}:add"]
    client = reader("view_membership", "change_membership", "view_renewal")
    assert is_turned_away(client.post(path, values), path)
    # Nor are customers looked for by it.
    assert "lea@" not in client.post(path, {"find": "1", "q": "lea"}).content.decode()
    assert not Membership.objects.filter(user=user).exists()
    reader("view_membership", "add_membership", email="gives@example.com").post(path, values)
    assert Membership.objects.filter(user=user).exists()


def test_records_have_no_form_not_even_for_a_superuser(addresses: dict[str, str]) -> None:
    names = {name for name in addresses if name.split(":")[0] in (MEMBERS, RENEWALS)}
    assert {name.split(":")[1] for name in names} == {
        "index", "index_results", "inspect", "add", "end", "renewal", "recovered", "try",
    }  # fmt: skip


def menu_names(client: Client) -> set[str]:
    html = client.get("/admin/").content.decode()
    names = {"membership-plans", "membership-members", "membership-renewals", "membership-overview"}
    return {name for name in names if f'"{name}"' in html}


def test_the_menu_shows_what_one_may_open() -> None:
    assert len(menu_names(administrator())) == 4
    client = reader("view_membership", "view_overview")
    assert menu_names(client) == {"membership-members", "membership-overview"}
    # Beside referrals, in the Marketing menu.
    html = client.get("/admin/").content.decode()
    assert html.index('"marketing"') < html.index('"memberships"') < html.index('"membership-members"')


def test_all_permissions_can_be_given_in_wagtail(plan: Plan) -> None:
    group = Group.objects.create(name="Desk")
    page = BeautifulSoup(
        administrator().get(reverse("wagtailusers_groups:edit", args=[group.pk])).content, "html.parser"
    )
    labels = {str(box["value"]) for box in page.find_all("input", attrs={"name": "permissions"})}
    from django.contrib.auth.models import Permission

    ours = Permission.objects.filter(content_type__app_label="referral_memberships", codename__in=PERMISSIONS)
    missing = {permission.codename for permission in ours if str(permission.pk) not in labels}
    # Plans have no page to look at: who may change them sees them.
    assert missing <= {"view_plan"}


def test_wagtails_own_groups_can_work_from_the_start() -> None:
    editor, moderator = make_user("editor@example.com"), make_user("moderator@example.com")
    editor.groups.add(Group.objects.get(name="Editors"))
    moderator.groups.add(Group.objects.get(name="Moderators"))
    ours = "referral_memberships"
    assert editor.has_perms(
        [f"{ours}.{name}" for name in ("change_plan", "view_membership", "view_overview")]
    )
    assert not editor.has_perm(f"{ours}.change_membership")
    assert moderator.has_perms([f"{ours}.change_membership", f"{ours}.delete_plan"])
    # Giving memberships away is giving money away.
    assert not moderator.has_perm(f"{ours}.add_membership")


def test_what_was_taken_from_the_groups_is_not_given_again() -> None:
    editors = Group.objects.get(name="Editors")
    editors.permissions.set([])
    grant_to_stock_groups(using="default")
    assert not editors.permissions.exists()
