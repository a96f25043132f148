"""Who may open what: every address that our apps have in the admin, with every role and with nobody.

The addresses are found, the rights are written down here: one that is added later and has no line in ``RIGHTS`` fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.admin.addresses import APPS, Address, make_addresses
from tests.admin.conftest import signed_in, staff
from tests.admin.rows import make_user
from wagtail_referrals.admin.groups import ROLES

pytestmark = pytest.mark.django_db

# Each is enough by itself; one with several codenames needs them all.
Rights = tuple[str, ...]

# Nobody's page may tell these.
SECRETS: Final = ("Camille", "Léa", "camille@example.com")


# The rights


def snippet(namespace: str, model: str, **others: Rights) -> dict[str, Rights]:
    """The addresses that Wagtail gives every snippet."""
    seen = (f"add_{model}", f"change_{model}", f"delete_{model}", f"view_{model}")
    return {
        f"{namespace}:{name}": rights
        for name, rights in (
            {
                "list": seen,
                "list_results": seen,
                "add": (f"add_{model}",),
                "edit": (f"change_{model}",),
                "delete": (f"delete_{model}",),
                "usage": (f"change_{model}",),
                "history": seen[:3],
                "history_results": seen[:3],
            }
            | others
        ).items()
    }


def drafts(model: str) -> dict[str, Rights]:
    return {
        "revisions_revert": (f"change_{model}",),
        "revisions_compare": (f"change_{model}",),
        "revisions_unschedule": (f"publish_{model}",),
        "unpublish": (f"publish_{model}",),
    }


def listing(namespace: str, *names: str, rights: Rights) -> dict[str, Rights]:
    return {f"{namespace}:{name}": rights for name in ("index", "index_results", *names)}


# Whoever opens the admin.
EVERYBODY: Final = ("",)
# Not even a superuser: there is nothing that could be done there.
NOBODY: Final[Rights] = ()
REVIEWS: Final = ("view_referral review_referral",)
SEQUENCES: Final = tuple(f"{action}_sequence" for action in ("add", "change", "delete", "view", "publish"))
MEMBERS: Final = ("view_membership", "add_membership", "change_membership")

RIGHTS: Final[dict[str, Rights]] = {
    **snippet(
        "wagtail_referrals_programs",
        "program",
        **drafts("program"),
        reorder=("publish_program",),
        copy=("add_program change_program",),
        preview_on_add=("add_program",),
        preview_on_edit=("change_program",),
        revisions_view=("change_program",),
        lock=("lock_program",),
        unlock=("unlock_program",),
        # Who may approve is a matter of the workflow's task; without one, these lead to the form, which asks.
        workflow_action=EVERYBODY,
        collect_workflow_action_data=EVERYBODY,
        workflow_preview=NOBODY,
        confirm_workflow_cancellation=("change_program",),
        workflow_history=("change_program",),
        workflow_history_detail=("change_program",),
        sentence=("add_program",),
        sentence_pk=("change_program",),
        replay=("add_program",),
        replay_pk=("change_program",),
    ),
    **snippet(
        "wagtail_referrals_audiences",
        "audience",
        **drafts("audience"),
        count=("add_audience",),
        count_pk=("change_audience",),
    ),
    **snippet("wagtail_referrals_badges", "badge"),
    **snippet(
        "wagtail_referrals_templates",
        "messagetemplate",
        **drafts("messagetemplate"),
        copy=("add_messagetemplate change_messagetemplate",),
        preview_on_add=("add_messagetemplate",),
        preview_on_edit=("change_messagetemplate",),
        revisions_view=("change_messagetemplate",),
        test=("add_messagetemplate",),
        test_pk=("change_messagetemplate",),
    ),
    "wagtail_referrals_messages": (
        "add_messagetemplate",
        "change_messagetemplate",
        "delete_messagetemplate",
        "view_messagetemplate",
    ),
    "wagtail_referrals_messages_switch": ("publish_messagetemplate",),
    **listing("wagtail_referrals_sent", "inspect", rights=("view_message", "change_message")),
    "wagtail_referrals_sent:retry": ("view_message change_message",),
    **snippet("wagtail_referrals_wall", "featured"),
    **snippet(
        "wagtail_referrals_sequences",
        "sequence",
        **drafts("sequence"),
        words=("add_sequence",),
        words_pk=("change_sequence",),
        start=("add_sequence",),
        preview=SEQUENCES,
        people=SEQUENCES,
    ),
    **listing("wagtail_referrals_review", "approve", "refuse", "postpone", rights=REVIEWS),
    **listing("wagtail_referrals_referrals", "inspect", rights=("view_referral",)),
    "wagtail_referrals_referrals:review": REVIEWS,
    "wagtail_referrals_referrals:postpone": REVIEWS,
    "wagtail_referrals_referrals:retry": ("view_referral retry_reward",),
    **listing("wagtail_referrals_requests", "inspect", rights=("view_attributionrequest",)),
    "wagtail_referrals_requests:decide": ("view_attributionrequest review_referral",),
    **listing("wagtail_referrals_leads", "inspect", rights=("view_lead", "delete_lead")),
    "wagtail_referrals_leads:delete": ("delete_lead",),
    **listing("wagtail_referrals_advocates", "inspect", rights=("view_advocate", "change_advocate")),
    "wagtail_referrals_advocates:state": ("change_advocate",),
    **listing("wagtail_referrals_rewards", "inspect", rights=("view_reward",)),
    "wagtail_referrals_rewards:retry": ("view_reward view_referral retry_reward",),
    **listing("wagtail_referrals_accounts", "inspect", rights=("view_account",)),
    "wagtail_referrals_accounts:adjust": ("view_account adjust_account",),
    **listing("wagtail_referrals_entries", rights=("view_entry",)),
    **listing("wagtail_referrals_terms", "inspect", "compare", rights=("view_terms",)),
    # The rows behind figures.
    **listing("wagtail_referrals_shares", rights=("view_share",)),
    **listing("wagtail_referrals_visits", rights=("view_visit",)),
    **listing("wagtail_referrals_claims", rights=("view_claim",)),
    **listing("wagtail_referrals_orders", rights=("view_purchase",)),
    # Figures.
    "wagtail_referrals_summary": ("view_summary",),
    "wagtail_referrals_top": ("view_summary",),
    "wagtail_referrals_cohorts": ("view_summary",),
    "wagtail_referrals_credit_report": ("view_summary",),
    "wagtail_referrals_health": ("view_summary",),
    "referral_feedback": ("view_feedbacksubmission",),
    # What the shop sells: for pages too, so for every editor.
    **{
        f"referrals_{what}_chooser:{name}": EVERYBODY
        for what in ("product", "range")
        for name in ("choose", "choose_results", "chosen", "chosen_multiple")
    },
    # Memberships.
    **snippet("referral_memberships_plans", "plan", words=("add_plan", "change_plan")),
    **listing("referral_memberships_members", "inspect", rights=MEMBERS),
    "referral_memberships_members:add": ("add_membership",),
    "referral_memberships_members:end": ("change_membership",),
    "referral_memberships_members:renewal": ("change_membership",),
    "referral_memberships_members:recovered": ("change_membership",),
    **listing("referral_memberships_renewals", rights=("view_renewal",)),
    "referral_memberships_renewals:try": ("change_membership",),
    "referral_memberships_checkin": ("record_use",),
    "referral_memberships_checkin_record": ("record_use",),
    "referral_memberships_checkin_undo": ("record_use",),
    "referral_memberships_overview": ("view_overview",),
    # Wagtail's own addresses for our models.
    **{
        f"bulk:{model}:delete": NOBODY
        for model in ("program", "audience", "badge", "featured", "plan", "messagetemplate", "sequence")
    },
    "settings:referralsettings": ("change_referralsettings",),
}


# What is asked there


@pytest.fixture
def addresses(db: None) -> list[Address]:
    return make_addresses()


def answer(client: Client, method: str, path: str) -> Any:
    """What comes, without what it would have changed."""
    with transaction.atomic():
        response = client.get(path) if method == "get" else client.post(path)
        transaction.set_rollback(True)
    return response


def turned_away(response: Any) -> bool:
    """Wagtail leads people to its home page, with a message, or to the login."""
    if response.status_code == 403:
        return True
    return response.status_code == 302 and (
        response["Location"] == reverse("wagtailadmin_home") or "/login/" in response["Location"]
    )


def may_open(address: Address, codenames: Iterable[str]) -> bool:
    return any(set(right.split()) <= set(codenames) for right in RIGHTS[address.name])


def answers(client: Client, address: Address) -> Iterator[tuple[str, Any]]:
    """To looking, to asking for a file, and to sending a form. What is not a method there answers to nobody."""
    for method, path in (
        ("get", address.path),
        ("get", f"{address.path}{'&' if '?' in address.path else '?'}export=csv"),
        ("post", address.path),
    ):
        response = answer(client, method, path)
        if response.status_code != 405:
            yield f"{method} {path}", response


def text_of(response: Any) -> str:
    if response.streaming:
        return b"".join(response.streaming_content).decode(errors="ignore")
    return str(response.content.decode(errors="ignore"))


def walk(client: Client, addresses: list[Address], codenames: Iterable[str]) -> list[str]:
    """What is open and should not be, or is shut and should be open."""
    wrong = []
    for address in addresses:
        expected = may_open(address, codenames)
        for asked, response in answers(client, address):
            if response.status_code >= 500:
                wrong.append(f"{address}: {asked} fails")
            elif turned_away(response) is expected:
                wrong.append(
                    f"{address}: {asked} is {'shut' if expected else 'open'}: {response.status_code}"
                )
            elif not expected and any(secret in text_of(response) for secret in SECRETS):
                wrong.append(f"{address}: {asked} tells who somebody is")
    return wrong


def test_every_address_has_its_rights(addresses: list[Address]) -> None:
    known = {address.name for address in addresses}
    assert len(known) > 100
    assert sorted(known - set(RIGHTS)) == [], "Who may open these? Write it into RIGHTS."
    assert sorted(set(RIGHTS) - known) == [], "These are gone: take them out of RIGHTS."


@pytest.mark.one_database
def test_nobody_gets_to_the_login(addresses: list[Address]) -> None:
    wrong = [
        f"{address}: {asked}"
        for address in addresses
        for asked, response in answers(Client(), address)
        if response.status_code != 302 or "/login/" not in response["Location"]
    ]
    assert wrong == []


@pytest.mark.one_database
def test_a_customer_gets_nowhere(addresses: list[Address]) -> None:
    """Signed in to the shop, without a right to the admin."""
    client = signed_in(make_user("customer@example.com"))
    wrong = [
        f"{address}: {asked}"
        for address in addresses
        for asked, response in answers(client, address)
        if not turned_away(response)
    ]
    assert wrong == []


@pytest.mark.one_database
def test_an_editor_of_pages_gets_nowhere(addresses: list[Address], outsider: Client) -> None:
    assert walk(outsider, addresses, ()) == []


@pytest.mark.one_database
@pytest.mark.parametrize("role", [*ROLES, "Editors", "Moderators"])
def test_a_role_opens_what_it_is_for(addresses: list[Address], role: str) -> None:
    """As these groups come with the installation, of all our apps."""
    group = Group.objects.get(name=role)
    user = make_user("staff@example.com")
    user.groups.add(group)
    codenames = group.permissions.filter(content_type__app_label__in=APPS).values_list("codename", flat=True)
    assert walk(signed_in(user), addresses, set(codenames)) == []


def every_right() -> list[str]:
    return sorted({right for rights in RIGHTS.values() for right in rights if right})


def test_a_right_opens_its_own_addresses(addresses: list[Address]) -> None:
    for right in every_right():
        client = signed_in(staff(f"{right}@example.com", *right.split()))
        mine = [address for address in addresses if right in RIGHTS[address.name]]
        assert walk(client, mine, right.split()) == [], right


@pytest.mark.one_database
def test_all_the_other_rights_together_do_not_open_an_address(addresses: list[Address]) -> None:
    every = {codename for right in every_right() for codename in right.split()}
    clients: dict[frozenset[str], Client] = {}
    for address in addresses:
        if RIGHTS[address.name] == EVERYBODY:
            continue
        others = frozenset(every.difference(*(right.split() for right in RIGHTS[address.name])))
        if others not in clients:
            clients[others] = signed_in(staff(f"staff{len(clients)}@example.com", *others))
        assert walk(clients[others], [address], others) == []


def test_a_superuser_opens_all(addresses: list[Address], admin: Client) -> None:
    every = {codename for right in every_right() for codename in right.split()}
    assert walk(admin, addresses, every) == []
