"""Who does not want a message, and why: asked before it is put together, and again right before it is handed over."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q, QuerySet

from wagtail_referrals.messages.kinds import message_kinds
from wagtail_referrals.messages.models import Message, MessageSwitch, Preferences
from wagtail_referrals.messages.suppressing import is_suppressed
from wagtail_referrals.messages.surroundings import program_of
from wagtail_referrals.people import email_of_account

SWITCHED_OFF: Final = "switched_off"
UNWANTED: Final = "unwanted"
SUPPRESSED: Final = "suppressed"


def reason_against(message: Message) -> str:
    """Why it is not to be sent: a key of ``reasons.REASONS``; "" where nothing is against it. At most 4 queries.

    Of a kind that nobody has registered, only the address is asked about.
    """
    kind = message_kinds.get(message.kind) if message.kind in message_kinds else None
    if kind is not None:
        if not is_on(message):
            return SWITCHED_OFF
        if kind.can_be_refused and message.user_id is not None:
            chosen = Preferences.objects.filter(user=message.user_id).first()
            if chosen is not None and (chosen.wants_nothing or kind.key in chosen.unwanted):
                return UNWANTED
    email = message.lead.email if message.lead is not None else email_of_account(message.user)
    return SUPPRESSED if is_suppressed(email) else ""


def is_on(message: Message) -> bool:
    """Do the editors have messages of this kind sent? What the program says counts, else what is said for all."""
    program = program_of(message)
    rows = MessageSwitch.objects.filter(Q(program=None) | Q(program=program), kind=message.kind)
    switches = {switch.program_id: switch.is_on for switch in rows}
    for_all = switches.get(None, message_kinds.get(message.kind).is_on)
    return switches.get(program.pk, for_all) if program is not None else for_all


def kinds_switched_on() -> set[str]:
    """The kinds that some program, or all, have sent. One query."""
    for_all: dict[str, bool] = {}
    somewhere: set[str] = set()
    rows: QuerySet[Any] = MessageSwitch.objects.values_list("kind", "program", "is_on")
    for kind, program, is_on in rows:
        if program is None:
            for_all[kind] = is_on
        elif is_on:
            somewhere.add(kind)
    return somewhere | {kind.key for kind in message_kinds if for_all.get(kind.key, kind.is_on)}
