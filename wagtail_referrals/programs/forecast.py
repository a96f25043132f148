"""What will be offered at a moment to come, as everything stands today: for editors who look ahead."""

from __future__ import annotations

from datetime import datetime

from django.contrib.contenttypes.models import ContentType
from wagtail.models import Revision

from wagtail_referrals.programs import budget
from wagtail_referrals.programs.models import Budget, Program
from wagtail_referrals.programs.terms import TermsData, draft_data


def terms_on(moment: datetime, *, site_id: int | None) -> list[TermsData]:
    """The programs for everybody that are open on this site at ``moment``, in the editor's order.

    What is published and scheduled now counts, with its dates; drafts do not. A budget that is used up stays so.
    """
    scheduled = _scheduled_by(moment)
    found = []
    for row in Program.objects.prefetch_related("rules", "texts").select_related("audience"):
        program = scheduled.get(str(row.pk)) or (row if row.live else None)
        if program is not None and _is_open(program, moment, site_id):
            found.append((program.precedence, row.pk, draft_data(program)))
    rows: dict[str, list[Budget]] = {}
    for held in Budget.objects.filter(program_key__in=[data.program_key for _order, _pk, data in found]):
        rows.setdefault(str(held.program_key), []).append(held)
    found.sort(key=lambda item: item[:2])
    return [data for _order, _pk, data in found if not budget.used_up(data, rows.get(data.program_key, []))]


def _scheduled_by(moment: datetime) -> dict[str, Program]:
    """The version of each program that will have been published by then, by primary key: the last one."""
    waiting = Revision.objects.filter(
        base_content_type=ContentType.objects.get_for_model(Program), approved_go_live_at__lte=moment
    ).order_by("approved_go_live_at", "pk")
    return {revision.object_id: revision.as_object() for revision in waiting}


def _is_open(program: Program, moment: datetime, site_id: int | None) -> bool:
    return (
        program.audience is None
        and program.site_id in (None, site_id)
        and (program.go_live_at is None or program.go_live_at <= moment)
        and (program.expire_at is None or program.expire_at > moment)
    )
