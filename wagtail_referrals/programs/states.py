"""What has become of a program, for people who look at a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from wagtail.models import Revision

from wagtail_referrals.programs import budget
from wagtail_referrals.programs.models import Budget, Program
from wagtail_referrals.programs.terms import draft_data


class ProgramState(models.TextChoices):
    """Only ``OPEN`` promises anything new; what was promised is kept in every state."""

    DRAFT = "draft", pgettext_lazy("program", "draft")
    SCHEDULED = "scheduled", pgettext_lazy("program", "opens later")
    OPEN = "open", pgettext_lazy("program", "open")
    USED_UP = "used_up", pgettext_lazy("program", "budget used up")
    EXPIRED = "expired", pgettext_lazy("program", "expired")
    CLOSED = "closed", pgettext_lazy("program", "closed")


def program_states(programs: Iterable[Program], *, now: datetime | None = None) -> dict[int, ProgramState]:
    """The state of each by primary key. One query, if their rules and texts are prefetched; two where one has a day."""
    moment = now or timezone.now()
    items = list(programs)
    to_come = [program for program in items if program.go_live_at is not None and program.go_live_at > moment]
    scheduled = _scheduled(to_come) if to_come else set()
    rows: dict[str, list[Budget]] = {}
    for row in Budget.objects.filter(program_key__in=[program.key for program in items]):
        rows.setdefault(str(row.program_key), []).append(row)
    return {
        program.pk: _state(program, rows.get(str(program.key), []), moment, program.pk in scheduled)
        for program in items
    }


def _scheduled(programs: Iterable[Program]) -> set[int]:
    """Those of programs with a day to come that open on it: a day that was only saved opens nothing."""
    published = {program.pk for program in programs if program.live}
    waiting = Revision.objects.filter(
        base_content_type=ContentType.objects.get_for_model(Program),
        object_id__in=[str(program.pk) for program in programs],
        approved_go_live_at__isnull=False,
    )
    return published | {int(pk) for pk in waiting.values_list("object_id", flat=True)}


def _state(program: Program, budgets: list[Budget], now: datetime, is_scheduled: bool) -> ProgramState:
    if program.expired or (program.live and program.expire_at is not None and program.expire_at <= now):
        return ProgramState.EXPIRED
    if is_scheduled:
        return ProgramState.SCHEDULED
    if not program.live:
        return ProgramState.CLOSED if program.first_published_at else ProgramState.DRAFT
    if budget.used_up(draft_data(program), budgets):
        return ProgramState.USED_UP
    return ProgramState.OPEN
