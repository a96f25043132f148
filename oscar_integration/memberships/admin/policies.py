"""Who may do what with memberships in the admin. Plans are written as other snippets are; records are looked at."""

from __future__ import annotations

from typing import Final

from django.db.models import Model

from oscar_integration.memberships.models import Membership, Renewal
from wagtail_referrals.admin.policies import LimitedPolicy
from wagtail_referrals.wagtail_versions import register_permission_policy

VIEW_MEMBERS: Final = "referral_memberships.view_membership"
# To give one; to end one, to switch its renewal, to settle what is still to recover, to try a renewal again.
ADD_MEMBERS: Final = "referral_memberships.add_membership"
CHANGE_MEMBERS: Final = "referral_memberships.change_membership"
VIEW_RENEWALS: Final = "referral_memberships.view_renewal"
OVERVIEW: Final = "referral_memberships.view_overview"

LIMITS: Final[dict[type[Model], tuple[str, ...]]] = {
    Membership: ("view", "add", "change"),
    Renewal: ("view",),
}

POLICIES: Final = {model: LimitedPolicy(model, actions) for model, actions in LIMITS.items()}


def register_policies() -> None:
    """Must run before anything asks for the policy of one of these models."""
    for model, policy in POLICIES.items():
        register_permission_policy(model, policy)
