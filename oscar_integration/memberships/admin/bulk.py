"""Plans are not deleted in bulk."""

from __future__ import annotations

from oscar_integration.memberships.models import Plan
from wagtail_referrals.admin.bulk import NoBulkDeletion


class NoBulkDeletionOfPlans(NoBulkDeletion):
    models = [Plan]
