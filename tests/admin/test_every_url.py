"""Who may open what: every address that our apps have in the admin, with every role and with nobody.

The addresses are found, the rights are written down here: one that is added later and has no line in ``RIGHTS`` fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from wagtail.admin.views.bulk_action.registry import bulk_action_registry
from wagtail.contrib.settings.registry import registry as settings_registry
from wagtail.models import Site

from tests.admin.conftest import signed_in, staff
from tests.admin.held import make_held
from tests.admin.rows import NOW, make_advocate, make_lead, make_program, make_user
from tests.audiences import NEVER_BOUGHT, make_audience
from tests.badges import make_badge
from tests.memberships.rows import give, make_plan
from tests.memberships.staff import make_renewal
from tests.messages.sequences import make_sequence
from wagtail_referrals import credit
from wagtail_referrals.admin.groups import ROLES
from wagtail_referrals.credit.models import Account
from wagtail_referrals.messages.models import Message, MessageTemplate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.models import Featured
from wagtail_referrals.referrals import report_order

pytestmark = pytest.mark.django_db

# Each is enough by itself; one with several codenames needs them all.
Rights = tuple[str, ...]

APPS: Final = ("wagtail_referrals", "wagtail_referrals_credit", "referral_memberships", "referral_feedback")
PACKAGES: Final = ("wagtail_referrals", "oscar_integration")
NAMES: Final = ("wagtail_referral", "referral")
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


# The addresses


@dataclass(frozen=True)
class Address:
    name: str
    path: str

    def __str__(self) -> str:
        return self.name


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """Every route below the admin that is ours: by its name, by its path, or by the module of its view."""

    def walk(
        resolver: Any, namespaces: tuple[str, ...], prefix: str
    ) -> Iterator[tuple[tuple[str, ...], str, URLPattern]]:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
                yield from walk(pattern, inner, path)
            else:
                yield namespaces, path, pattern

    for namespaces, path, pattern in walk(get_resolver(), (), ""):
        names = [*namespaces, pattern.name or ""]
        view = getattr(pattern.callback, "view_class", pattern.callback)
        ours = (
            any(name.startswith(NAMES) for name in names)
            or path.startswith(("admin/referrals/", "admin/memberships/"))
            or view.__module__.split(".")[0] in PACKAGES
        )
        if path.startswith("admin/") and ours:
            yield ":".join(names), pattern


@pytest.fixture
def addresses(db: None) -> list[Address]:
    """All of them, leading to rows that exist."""
    program = make_program()
    terms = Terms.objects.get(program_key=program.key)
    referral = make_held(terms, make_advocate())
    reward = referral.rewards.get()
    user = referral.advocate.user
    credit.grant(user=user, currency="EUR", amount=reward.amount, key="test:1", source="")
    audience = make_audience(NEVER_BOUGHT, name="Camille’s")
    plan = make_plan(title="Camille’s", renews=True)
    membership = give(user, plan)
    sequence = make_sequence({"name": "Camille’s"})
    template = MessageTemplate.objects.create(kind="reward_given", name="Camille’s")
    revisions = {
        "programs": program.save_revision().pk,
        "audiences": audience.save_revision().pk,
        "templates": template.save_revision().pk,
        "sequences": sequence.save_revision().pk,
    }
    keys: dict[str, Any] = {
        "wagtail_referrals_programs": program.pk,
        "wagtail_referrals_audiences": audience.pk,
        "wagtail_referrals_badges": make_badge("Camille’s").pk,
        "wagtail_referrals_templates": template.pk,
        "wagtail_referrals_sent": Message.objects.create(
            kind="reward_given", key="test:1", user=user, created_at=NOW, state="failed"
        ).pk,
        "wagtail_referrals_sequences": sequence.pk,
        "wagtail_referrals_wall": Featured.objects.create(advocate=referral.advocate, created_at=NOW).pk,
        "wagtail_referrals_advocates": referral.advocate_id,
        "wagtail_referrals_referrals": referral.pk,
        "wagtail_referrals_requests": report_order(referral.advocate, "100").pk,
        "wagtail_referrals_leads": make_lead(referral.claim).pk,
        "wagtail_referrals_rewards": reward.pk,
        "wagtail_referrals_accounts": Account.objects.get().pk,
        "wagtail_referrals_terms": referral.terms_id,
        "referral_memberships_plans": plan.pk,
        "referral_memberships_members": membership.pk,
        "referral_memberships_members:recovered": membership.periods.get().pk,
        "referral_memberships_renewals": make_renewal(membership, "past_due").pk,
    }
    found = []
    for name, pattern in patterns():
        kind = name.split(":")[0]
        values = {
            "pk": keys.get(name) or keys.get(kind) or 1,
            "reward_pk": reward.pk,
            "revision_id": revisions.get(kind.removeprefix("wagtail_referrals_"), 1),
            "revision_id_a": "live",
            "revision_id_b": "latest",
            "action_name": "approve",
            "kind": "reward_given",
            "key": "friends_to_members",
            "task_state_id": 1,
            "task_id": 1,
            "workflow_state_id": 1,
        }
        wanted = set(pattern.pattern.regex.groupindex) | set(getattr(pattern.pattern, "converters", {}))
        assert wanted <= set(values), f"{name} asks for more than this test knows: {wanted - set(values)}"
        path = reverse(name, kwargs={key: values[key] for key in wanted})
        if any(address.name == name for address in found):
            # The second one with this name is about a row, the first about a new one.
            name += "_pk"
        found.append(Address(name, path))
    rows = {
        "program": program,
        "audience": audience,
        "plan": plan,
        "messagetemplate": template,
        "sequence": sequence,
    }
    found += list(shared_addresses(rows))
    return found


def shared_addresses(rows: dict[str, Any]) -> Iterator[Address]:
    """Wagtail's own addresses that are there for each model: bulk actions and settings."""
    for model in apps.get_models():
        app_label, model_name = model._meta.app_label, model._meta.model_name or ""
        if app_label not in APPS:
            continue
        for action in bulk_action_registry.get_bulk_actions_for_model(app_label, model_name):
            path = reverse("wagtail_bulk_action", args=[app_label, model_name, action.action_type])
            row = rows.get(model_name) or model._default_manager.first()
            yield Address(f"bulk:{model_name}:{action.action_type}", f"{path}?id={row.pk if row else 1}")
    site = Site.objects.get(is_default_site=True)
    for model in settings_registry:
        if model._meta.app_label in APPS:
            for name, args in (
                ("edit", [model._meta.app_label, model._meta.model_name]),
                ("edit", [model._meta.app_label, model._meta.model_name, site.pk]),
            ):
                path = reverse(f"wagtailsettings:{name}", args=args)
                yield Address(f"settings:{model._meta.model_name}", path)


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


def test_nobody_gets_to_the_login(addresses: list[Address]) -> None:
    wrong = [
        f"{address}: {asked}"
        for address in addresses
        for asked, response in answers(Client(), address)
        if response.status_code != 302 or "/login/" not in response["Location"]
    ]
    assert wrong == []


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


def test_an_editor_of_pages_gets_nowhere(addresses: list[Address], outsider: Client) -> None:
    assert walk(outsider, addresses, ()) == []


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
