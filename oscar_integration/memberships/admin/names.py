"""Under which names the admin's addresses are found."""

from typing import Final

PLANS: Final = "referral_memberships_plans"
MEMBERS: Final = "referral_memberships_members"
RENEWALS: Final = "referral_memberships_renewals"
OVERVIEW: Final = "referral_memberships_overview"
