"""Names of programs by key, also of those that were deleted since; and which programs name an audience."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext

from wagtail_referrals.programs.models import Audience, Program, Terms


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


def program_audiences(keys: Iterable[str]) -> dict[str, str]:
    """The name of the audience that each of these programs is for, "" for everybody, by the program's key.

    Of a deleted program it is that of its last terms. One query, two where one was deleted.
    """
    wanted = set(keys)
    names = {
        str(key): name or ""
        for key, name in Program.objects.filter(key__in=wanted).values_list("key", "audience__name")
    }
    if deleted := wanted - set(names):
        terms = Terms.objects.filter(program_key__in=deleted).order_by("program_key", "number")
        names |= {
            str(key): str(name or "") for key, name in terms.values_list("program_key", "data__audience")
        }
    return names


def program_choices() -> list[tuple[str, str]]:
    """Key and name of every program, in the editor's order. One query."""
    programs = Program.objects.order_by("precedence", "pk")
    return [(str(program.key), program.name or gettext("(without a name)")) for program in programs]


def audience_choices() -> list[tuple[str, str]]:
    """Primary key, as a text, and name of every audience. One query."""
    return [(str(audience.pk), str(audience)) for audience in Audience.objects.order_by("name", "pk")]


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
