"""The versions of programs: which of them is promised to newcomers, and who published them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from wagtail.models import ModelLogEntry

from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.programs.terms import content_hash, draft_data, live_programs

# The log tells of a publication right after the terms were written.
SOON: Final = timedelta(minutes=1)


def versions_in_force(program_keys: Iterable[Any]) -> set[int]:
    """Ids of the terms that these programs promise now: one for each that is published. Three queries.

    It is not always the newest: going back to an earlier wording is that earlier version again.
    """
    keys = {str(key) for key in program_keys}
    wanted = {
        str(program.key): content_hash(draft_data(program))
        for program in live_programs()
        if str(program.key) in keys
    }
    rows = Terms.objects.filter(program_key__in=wanted, content_hash__in=wanted.values())
    return {
        pk
        for pk, key, digest in rows.values_list("pk", "program_key", "content_hash")
        if wanted[str(key)] == digest
    }


def publishers(versions: Iterable[Terms]) -> dict[int, ModelLogEntry]:
    """The entry of Wagtail's log that tells who published each of these, by id; without those it does not tell of.

    Scheduled publications and programs that were deleted have none. One query.
    """
    wanted = [terms for terms in versions if terms.program_id is not None]
    entries: dict[str, list[ModelLogEntry]] = {}
    rows = ModelLogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Program, for_concrete_model=False),
        object_id__in={str(terms.program_id) for terms in wanted},
        action="wagtail.publish",
        user__isnull=False,
    )
    for entry in rows.select_related("user").order_by("timestamp", "pk"):
        entries.setdefault(entry.object_id, []).append(entry)
    found = {}
    for terms in wanted:
        for entry in entries.get(str(terms.program_id), ()):
            if terms.created_at <= entry.timestamp <= terms.created_at + SOON:
                found[terms.pk] = entry
                break
    return found
