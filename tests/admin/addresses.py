"""Every address that our apps have in the admin, found in the URLs, each leading to rows that exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from wagtail.admin.views.bulk_action.registry import bulk_action_registry
from wagtail.contrib.settings.registry import registry as settings_registry
from wagtail.models import Site

from tests.admin.held import make_held
from tests.admin.rows import NOW, make_advocate, make_lead, make_program
from tests.audiences import NEVER_BOUGHT, make_audience
from tests.badges import make_badge
from tests.memberships.rows import give, make_plan
from tests.memberships.staff import make_renewal
from tests.messages.sequences import make_sequence
from wagtail_referrals import credit
from wagtail_referrals.credit.models import Account
from wagtail_referrals.messages.models import Message, MessageTemplate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.models import Featured
from wagtail_referrals.referrals import report_order

APPS: Final = ("wagtail_referrals", "wagtail_referrals_credit", "referral_memberships", "referral_feedback")
PACKAGES: Final = ("wagtail_referrals", "oscar_integration")
NAMES: Final = ("wagtail_referral", "referral")


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


def make_addresses() -> list[Address]:
    """All of them, and the rows to which they lead."""
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
