"""Which templates the shopper's pages stand in.

A site that ships ``wagtail_referrals/base.html`` or ``wagtail_referrals/account_base.html`` puts our pages into its own
layout; they must have the blocks ``title``, ``extrahead`` and ``content``. Otherwise the pages stand alone.
"""

from __future__ import annotations

from typing import Any

from django.template.loader import select_template

BASES = ("wagtail_referrals/base.html", "wagtail_referrals/default_base.html")
ACCOUNT_BASES = (
    "wagtail_referrals/account_base.html",
    "wagtail_referrals/base.html",
    "wagtail_referrals/default_base.html",
)


def layout_context() -> dict[str, Any]:
    """``referrals_base``: what a public page of ours extends."""
    return {"referrals_base": select_template(BASES)}


def account_layout_context() -> dict[str, Any]:
    """``referrals_base``: what a page in the customer's account extends."""
    return {"referrals_base": select_template(ACCOUNT_BASES)}
