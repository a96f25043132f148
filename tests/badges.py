"""A badge with a name in each language."""

from __future__ import annotations

from typing import Any

from wagtail_referrals.recognition.models import Badge, BadgeName


def make_badge(name: str = "Ambassador", french: str = "Ambassadrice", **values: Any) -> Badge:
    badge = Badge(**{"icon": "leaf"} | values)
    badge.names = [BadgeName(language="en", name=name), BadgeName(language="fr", name=french)]
    badge.save()
    return badge
