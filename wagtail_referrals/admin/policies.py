"""Who may do what in the admin. Records are looked at; nobody adds, changes or deletes them by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from django.db.models import Model
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_referrals.credit.models import Account, Entry
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Lead, Share, Visit
from wagtail_referrals.wagtail_versions import register_permission_policy

REVIEW: Final = "wagtail_referrals.review_referral"
RETRY: Final = "wagtail_referrals.retry_reward"
SUMMARY: Final = "wagtail_referrals.view_summary"


class LimitedPolicy(ModelPermissionPolicy):
    """Django's permissions, of which only ``actions`` exist: not even a superuser adds a movement of the ledger."""

    def __init__(self, model: type[Model], actions: Collection[str]) -> None:
        super().__init__(model)
        self.actions = frozenset(actions)

    def user_has_permission(self, user: Any, action: str) -> bool:
        return action in self.actions and super().user_has_permission(user, action)

    def users_with_any_permission(self, actions: Iterable[str]) -> Any:
        allowed = self.actions.intersection(actions)
        if not allowed:
            return super().users_with_any_permission(()).none()
        return super().users_with_any_permission(allowed)


LIMITS: Final[dict[type[Model], tuple[str, ...]]] = {
    Account: ("view", "adjust"),
    Entry: ("view",),
    Advocate: ("view", "change"),
    Referral: ("view",),
    AttributionRequest: ("view",),
    Purchase: ("view",),
    Reward: ("view",),
    Share: ("view",),
    Visit: ("view",),
    Claim: ("view",),
    # Whose it is may ask staff, too, to have it deleted.
    Lead: ("view", "delete"),
    Terms: ("view",),
    # Sending one again that failed.
    Message: ("view", "change"),
}


POLICIES: Final = {model: LimitedPolicy(model, actions) for model, actions in LIMITS.items()}


def register_policies() -> None:
    """Must run before anything asks for the policy of one of these models."""
    for model, policy in POLICIES.items():
        register_permission_policy(model, policy)
