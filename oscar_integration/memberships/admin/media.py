"""The style of our pages: the engine's, and a little of our own."""

from __future__ import annotations

from django.forms import Media
from wagtail.admin.staticfiles import versioned_static


def css() -> Media:
    return Media(
        css={
            "all": [
                versioned_static("wagtail_referrals/admin/admin.css"),
                versioned_static("oscar_integration/memberships/admin.css"),
            ]
        }
    )
