"""Which programs are offered now. Asked at every share link, so cached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from wagtail.models import ModelLogEntry

from wagtail_referrals.programs import budget
from wagtail_referrals.programs.audiences import AudienceData, audience_data, in_audience
from wagtail_referrals.programs.models import Audience, Budget, Program
from wagtail_referrals.programs.terms import TermsData, live_programs, publish_terms

CACHE_KEY: Final = "wagtail_referrals.open_programs"
AUDIENCES_KEY: Final = "wagtail_referrals.audiences"
CACHE_SECONDS: Final = 60
# What Wagtail's log says of a program that was opened or closed.
_OPENED: Final = ("wagtail.publish", "wagtail.publish.scheduled")
_CLOSED: Final = ("wagtail.unpublish", "wagtail.unpublish.scheduled")


@dataclass(frozen=True)
class OpenTerms:
    terms_id: int
    program_key: str
    site_id: int | None
    go_live_at: datetime | None
    expire_at: datetime | None
    data: TermsData
    # Who may offer it; None: everybody.
    audience: AudienceData | None = None

    def is_open(self, now: datetime) -> bool:
        return (self.go_live_at is None or self.go_live_at <= now) and (
            self.expire_at is None or self.expire_at > now
        )


def forget_open_terms() -> None:
    """After a program or an audience was published, closed, deleted, or a budget changed sides."""
    cache.delete_many([CACHE_KEY, AUDIENCES_KEY])


def _read(now: datetime) -> list[OpenTerms]:
    programs = list(live_programs())
    budgets: dict[str, list[Budget]] = {}
    for row in Budget.objects.filter(program_key__in=[program.key for program in programs]):
        budgets.setdefault(str(row.program_key), []).append(row)
    found = []
    for program in programs:
        terms = publish_terms(program, now=now)
        data = TermsData.from_json(terms.data)
        if not budget.used_up(data, budgets.get(str(program.key), [])):
            found.append(
                OpenTerms(
                    terms_id=terms.pk,
                    program_key=str(program.key),
                    site_id=program.site_id,
                    go_live_at=program.go_live_at,
                    expire_at=program.expire_at,
                    data=data,
                    audience=audience_data(program.audience) if program.audience is not None else None,
                )
            )
    return found


def _open_anywhere(now: datetime) -> list[OpenTerms]:
    found: list[OpenTerms] | None = cache.get(CACHE_KEY)
    if found is None:
        found = _read(now)
        cache.set(CACHE_KEY, found, CACHE_SECONDS)
    return [item for item in found if item.is_open(now)]


def open_terms(*, site_id: int | None, now: datetime | None = None) -> list[OpenTerms]:
    """Programs that promise something new on this site now, in the editor's order."""
    return [item for item in _open_anywhere(now or timezone.now()) if item.site_id in (None, site_id)]


def was_closed(program_key: str, moment: datetime) -> bool:
    """Is it known that the program was not published at a moment of the past, or not within its dates?

    As Wagtail's log has it, and the version that was published then. What was published by code stands in no log, and
    a budget that was used up neither. Two queries.
    """
    program = Program.objects.filter(key=program_key).values_list("pk", flat=True).first()
    last = (
        ModelLogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Program),
            object_id=str(program),
            action__in=(*_OPENED, *_CLOSED),
            timestamp__lte=moment,
        )
        .select_related("revision")
        .order_by("-timestamp", "-pk")
        .first()
    )
    if last is None:
        return False
    if last.action in _CLOSED:
        return True
    published = last.revision.content if last.revision is not None else {}
    opens, closes = (parse_datetime(published.get(name) or "") for name in ("go_live_at", "expire_at"))
    return (opens is not None and opens > moment) or (closes is not None and closes <= moment)


def pick_terms(
    *,
    site_id: int | None,
    advocate_state: str = "active",
    user_id: Any = None,
    shown_terms_id: int | None = None,
    now: datetime | None = None,
) -> OpenTerms | None:
    """The first open program, in the editor's order, that this advocate may offer.

    ``user_id`` is the primary key of the advocate's account; ``None`` for a guest and for nobody in particular, whom
    only programs for everybody are for. ``shown_terms_id`` is what this advocate's friend was shown before: it is not
    asked again whether they may offer that. Asks the shop only where a program has an audience, and seldom: see
    ``in_audience``.
    """
    if advocate_state != "active":
        return None
    for offer in open_terms(site_id=site_id, now=now):
        if offer.terms_id == shown_terms_id or in_audience(offer.audience, user_id, now=now):
            return offer
    return None


def site_of_offer(
    *, advocate_state: str = "active", user_id: Any = None, now: datetime | None = None
) -> int | None:
    """For a link or code that brings nothing where it is used: key of the first site on which this advocate may offer
    something now. ``None`` where there is none. No query with warm caches.
    """
    if advocate_state != "active":
        return None
    for offer in _open_anywhere(now or timezone.now()):
        if offer.site_id is not None and in_audience(offer.audience, user_id, now=now):
            return offer.site_id
    return None


def in_audience_of(audience_id: Any, user_id: Any, *, now: datetime | None = None) -> bool:
    """Is the customer with this account in the published audience with this primary key? In one that is gone nobody is.

    No query with warm caches; never raises on account of the shop: see ``in_audience``.
    """
    found: dict[str, AudienceData] | None = cache.get(AUDIENCES_KEY)
    if found is None:
        found = {str(row.pk): audience_data(row) for row in Audience.objects.prefetch_related("rules")}
        cache.set(AUDIENCES_KEY, found, CACHE_SECONDS)
    data = found.get(str(audience_id))
    return data is not None and in_audience(data, user_id, now=now)
