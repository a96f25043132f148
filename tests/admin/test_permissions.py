"""Who sees what: every address of ours, opened by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse
from wagtail.admin.menu import Menu, MenuItem, SubmenuMenuItem

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_lead, make_reward, make_user
from tests.audiences import NEVER_BOUGHT, make_audience
from tests.badges import make_badge
from tests.messages.sequences import make_sequence
from wagtail_referrals import credit
from wagtail_referrals.admin.groups import MODERATORS, ROLES, STOCK, grant_to_stock_groups
from wagtail_referrals.admin.menu import MARKETING_HOOK, ReferralsGroup, join_marketing_menu, marketing_item
from wagtail_referrals.credit.models import Account
from wagtail_referrals.messages.models import Message, MessageTemplate
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program
from wagtail_referrals.recognition.models import Featured
from wagtail_referrals.referrals import report_order

pytestmark = pytest.mark.django_db

NAMESPACES = {
    "wagtail_referrals_review",
    "wagtail_referrals_programs",
    "wagtail_referrals_audiences",
    "wagtail_referrals_badges",
    "wagtail_referrals_wall",
    "wagtail_referrals_referrals",
    "wagtail_referrals_requests",
    "wagtail_referrals_leads",
    "wagtail_referrals_templates",
    "wagtail_referrals_sent",
    "wagtail_referrals_sequences",
    "wagtail_referrals_advocates",
    "wagtail_referrals_rewards",
    "wagtail_referrals_accounts",
    "wagtail_referrals_entries",
    "wagtail_referrals_terms",
    "wagtail_referrals_shares",
    "wagtail_referrals_visits",
    "wagtail_referrals_claims",
    "wagtail_referrals_orders",
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
    template = MessageTemplate.objects.create(kind="reward_given", name="Camille’s")
    sequence = make_sequence({"name": "Camille’s"})
    revisions = {
        f"wagtail_referrals_{name}": row.save_revision().pk
        for name, row in (("audiences", audience), ("templates", template), ("sequences", sequence))
    }
    message = Message.objects.create(kind="reward_given", key="test:1", user=user, created_at=NOW)
    pks = {
        "wagtail_referrals_audiences": audience.pk,
        "wagtail_referrals_badges": make_badge("Camille’s").pk,
        "wagtail_referrals_templates": template.pk,
        "wagtail_referrals_sequences": sequence.pk,
        "wagtail_referrals_sent": message.pk,
        "wagtail_referrals_wall": Featured.objects.create(advocate=referral.advocate, created_at=NOW).pk,
        "wagtail_referrals_advocates": referral.advocate_id,
        "wagtail_referrals_referrals": referral.pk,
        "wagtail_referrals_requests": report_order(referral.advocate, "100").pk,
        "wagtail_referrals_leads": make_lead(referral.claim).pk,
        "wagtail_referrals_rewards": reward.pk,
        "wagtail_referrals_accounts": Account.objects.get().pk,
        "wagtail_referrals_terms": referral.terms_id,
    }
    found = {}
    for name, pattern in our_patterns():
        values = {
            "pk": pks.get(name.split(":")[0], program.pk),
            "revision_id": revisions.get(name.split(":")[0], revision.pk),
            "revision_id_a": "live",
            "revision_id_b": "latest",
            "reward_pk": reward.pk,
            "action_name": "approve",
            "key": "nothing",
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


def is_turned_away(response: Any, path: str) -> bool:
    if response.status_code == 403:
        return True
    # Wagtail leads people to its home page, with a message, or to the login.
    return response.status_code == 302 and not response["Location"].startswith(path)


def test_all_listings_are_walked(addresses: dict[str, str]) -> None:
    assert {name.split(":")[0] for name in addresses} == NAMESPACES | {"wagtail_referrals_summary"}
    assert len(addresses) > 40


def test_a_superuser_never_meets_an_error(addresses: dict[str, str], admin: Client) -> None:
    for name, path in addresses.items():
        response = admin.get(path)
        assert response.status_code in (200, 302, 404, 405), (name, response.status_code)
        if name.endswith(
            (":index", ":index_results", ":list", ":list_results", ":inspect", "summary", ":edit", ":add")
        ):
            # A message is written about something: the page of all of them asks about what.
            leads_on = ("wagtail_referrals_rewards:inspect", "wagtail_referrals_templates:add")
            assert response.status_code == 200 or name in leads_on, name


# Listings of records, which nobody writes by hand.
RECORDS = {
    "wagtail_referrals_referrals",
    "wagtail_referrals_requests",
    "wagtail_referrals_leads",
    "wagtail_referrals_sent",
    "wagtail_referrals_advocates",
    "wagtail_referrals_rewards",
    "wagtail_referrals_accounts",
    "wagtail_referrals_entries",
    "wagtail_referrals_terms",
    "wagtail_referrals_shares",
    "wagtail_referrals_visits",
    "wagtail_referrals_claims",
    "wagtail_referrals_orders",
}


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
    routes = {name for name in addresses if name.split(":")[0] in RECORDS}
    # An address that somebody left is deleted for who asks.
    own = {"review", "postpone", "retry", "decide", "state", "adjust", "compare", "delete"}
    assert {name.split(":")[1] for name in routes} == {"index", "index_results", "inspect", *own}


def menu_names(client: Client) -> set[str]:
    html = client.get("/admin/").content.decode()
    names = {registerable.menu_name for registerable in ReferralsGroup().registerables} | {"referral-reports"}
    return {name for name in names if f'"{name}"' in html}


def test_the_menu_shows_what_one_may_open(admin: Client, outsider: Client) -> None:
    assert len(menu_names(admin)) == len(ReferralsGroup().registerables) + 1
    assert menu_names(outsider) == set()
    assert '"marketing"' not in outsider.get("/admin/").content.decode()
    reader = signed_in(staff("reader@example.com", "view_referral", "view_summary"))
    assert menu_names(reader) == {"referral-referrals", "referral-reports"}


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


def test_each_group_is_given_its_own_while_none_has_any() -> None:
    for group in Group.objects.all():
        group.permissions.clear()
    Group.objects.filter(name__in=ROLES).delete()
    grant_to_stock_groups(using="default")
    for name, expected in STOCK.items():
        given = Group.objects.get(name=name).permissions.values_list("codename", flat=True)
        assert sorted(given) == sorted(expected)
    for name, expected in ROLES.items():
        given = Group.objects.get(name=name).permissions.values_list("codename", flat=True)
        # They open the admin by themselves.
        assert sorted(given) == sorted((*expected, "access_admin"))


def test_a_group_of_the_site_that_is_called_like_a_role_gains_nothing() -> None:
    for group in Group.objects.all():
        group.permissions.clear()
    Group.objects.filter(name__in=ROLES).delete()
    theirs = Group.objects.create(name="Referral finance")
    for _migrate in range(2):
        grant_to_stock_groups(using="default")
        assert not theirs.permissions.exists()
    others = Group.objects.filter(name__in=ROLES, permissions__codename="access_admin")
    assert set(others.values_list("name", flat=True)) == set(ROLES) - {theirs.name}


def test_a_role_that_could_not_open_the_admin_yet_is_made_later() -> None:
    """The right to do so comes with another app, which may be migrated after ours."""
    for group in Group.objects.all():
        group.permissions.clear()
    Group.objects.filter(name__in=ROLES).delete()
    opens = Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin")
    Permission.objects.filter(pk=opens.pk).delete()
    grant_to_stock_groups(using="default")
    assert not Group.objects.filter(name__in=ROLES).exists()
    opens.save()
    grant_to_stock_groups(using="default")
    assert Group.objects.get(name="Referral finance").permissions.filter(codename="access_admin").exists()


def test_what_was_taken_from_the_groups_is_not_given_again() -> None:
    editors = Group.objects.get(name="Editors")
    editors.permissions.set([])
    Group.objects.get(name="Referral finance").delete()
    grant_to_stock_groups(using="default")
    assert not editors.permissions.exists()
    assert not Group.objects.filter(name="Referral finance").exists()


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
