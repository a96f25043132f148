"""Names of programs by key, also of those that were deleted since; and which programs name an audience."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext

from wagtail_referrals.programs.models import Program, Terms


def program_names() -> dict[str, str]:
    """The name of every program that ever was published, or exists, by its key. Two queries."""
    names = {
        str(key): str(name or "")
        for key, name in Terms.objects.order_by("program_key", "number").values_list(
            "program_key", "data__name"
        )
    }
    names.update((str(key), name) for key, name in Program.objects.values_list("key", "name"))
    return {key: name or gettext("(without a name)") for key, name in names.items()}


def programs_naming(audiences: Iterable[Any]) -> dict[Any, list[Any]]:
    """The programs that name each of these audiences, also in a draft, by the audience's primary key. One query."""
    found: dict[Any, list[Any]] = {audience.pk: [] for audience in audiences}
    for program in Program.objects.select_related("latest_revision").order_by("precedence", "pk"):
        named = {program.audience_id}
        if program.latest_revision is not None:
            named.add(program.latest_revision.content.get("audience"))
        for pk in named & set(found):
            found[pk].append(program)
    return found
