"""The editor's order of programs: of several that are open the first one that a customer may offer is offered."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from wagtail_referrals.programs.models import Program
from wagtail_referrals.programs.open import forget_open_terms, open_terms


def move_program(program_id: int, position: int) -> None:
    """Put a program at this place among all of them, counted from 0; beyond the last place it becomes the last.

    Numbers are given anew where they are not in that order: they may be any, and the same more than once.
    """
    with transaction.atomic():
        # Locked in an order that moving does not change: two who drag at once wait for each other, in one direction.
        rows = sorted(
            Program.objects.select_for_update(no_key=True).order_by("pk"),
            key=lambda row: (row.precedence, row.pk),
        )
        moved = next((row for row in rows if row.pk == program_id), None)
        if moved is None:
            return
        rows.remove(moved)
        rows.insert(max(position, 0), moved)
        for number, row in enumerate(rows, start=1):
            if row.precedence != number:
                Program.objects.filter(pk=row.pk).update(precedence=number)
        transaction.on_commit(forget_open_terms)


def last_place() -> int:
    """The number behind those of all programs."""
    return (Program.objects.aggregate(last=Max("precedence"))["last"] or 0) + 1


def place_of_new(program: Any) -> int:
    """Where a new program belongs: what is for some customers stands before what is for everybody, else none of them
    would be offered it; what is for everybody comes last.
    """
    audiences = list(Program.objects.order_by("precedence", "pk").values_list("audience", flat=True))
    return audiences.index(None) if program.audience is not None and None in audiences else len(audiences)


def order_hints(program: Any, saved: Any) -> list[str]:
    """Does an open program for everybody stand before this one, so that nobody is offered it?

    ``program`` as it is being written, ``saved`` the row as it stands, unsaved for a new one.
    """
    if saved.pk is None and program.audience is not None:
        return []
    for_all = [
        offer.program_key
        for offer in open_terms(site_id=program.site_id)
        if offer.audience is None or offer.audience.is_everybody
    ]
    before = Program.objects.filter(key__in=for_all).exclude(pk=saved.pk).order_by("precedence", "pk").first()
    if before is None:
        return []
    if saved.pk is not None and (before.precedence, before.pk) > (saved.precedence, saved.pk):
        return []
    return [
        gettext(
            "“%(program)s” stands before this one and is for everybody: as long as it is open, nobody offers this one. "
            "Drag this one above it in the list of programs."
        )
        % {"program": before.name}
    ]
