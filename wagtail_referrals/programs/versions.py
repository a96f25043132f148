"""The versions of programs: which of them is promised to newcomers, and who published them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from wagtail.models import ModelLogEntry

from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.programs.terms import content_hash, draft_data, live_programs

# The log tells of a publication right after the terms were written.
SOON: Final = timedelta(minutes=1)
# What Wagtail's log says of a publication, of one that is to come, and of one that came by itself.
PUBLISHED: Final = "wagtail.publish"
SCHEDULED: Final = "wagtail.publish.schedule"
CAME: Final = "wagtail.publish.scheduled"


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

    Of what came by itself on its day, the entry tells who scheduled it: its action is ``SCHEDULED``. What was published
    by code and programs that were deleted have none. One query.
    """
    wanted = [terms for terms in versions if terms.program_id is not None]
    entries: dict[str, list[ModelLogEntry]] = {}
    scheduled: dict[int, ModelLogEntry] = {}
    for entry in _told({str(terms.program_id) for terms in wanted}).order_by("timestamp", "pk"):
        if entry.action != SCHEDULED:
            entries.setdefault(entry.object_id, []).append(entry)
        elif entry.revision_id is not None and entry.user is not None:
            # The last one who did it, should it have been put off.
            scheduled[entry.revision_id] = entry
    found = {}
    for terms in wanted:
        for entry in entries.get(str(terms.program_id), ()):
            if not terms.created_at <= entry.timestamp <= terms.created_at + SOON:
                continue
            known = scheduled.get(entry.revision_id) if entry.action == CAME else entry
            if known is not None and known.user is not None:
                found[terms.pk] = known
                break
    return found


def scheduled_by(programs: Iterable[Program]) -> dict[str, Any]:
    """Who scheduled the version that waits for its day, by the program's primary key as text; without those of which
    it is not known. One query.
    """
    waiting = _told({str(program.pk) for program in programs}).filter(
        action=SCHEDULED, revision__approved_go_live_at__isnull=False
    )
    return {
        entry.object_id: entry.user for entry in waiting.order_by("timestamp", "pk") if entry.user is not None
    }


def _told(object_ids: set[str]) -> QuerySet[ModelLogEntry]:
    """What the log says of the publications of these programs."""
    rows: QuerySet[ModelLogEntry] = ModelLogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Program, for_concrete_model=False),
        object_id__in=object_ids,
        action__in=(PUBLISHED, SCHEDULED, CAME),
    )
    return rows.select_related("user")
