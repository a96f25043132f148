"""What Wagtail's own groups may do with feedback from the start."""

from __future__ import annotations

from typing import Any, Final

from wagtail_referrals.admin.groups import grant_once

APP: Final = "referral_feedback"
READ: Final = "view_feedbacksubmission"
STOCK: Final = {"Editors": (READ,), "Moderators": (READ,)}


def grant_to_stock_groups(*, using: str, **kwargs: Any) -> None:
    """A receiver of ``post_migrate``."""
    grant_once(STOCK, apps=(APP,), using=using)
