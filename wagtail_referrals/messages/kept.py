"""The invitation that a visitor asked to have by e-mail, and one reminder for who agreed to it.

They go to an address that anybody may have typed: few a day, whatever is asked for, and the reminder only where the
link of the first mail was opened, so that the mailbox is known to be theirs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from wagtail_referrals import people, tracking
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.notices import HEADLINE
from wagtail_referrals.messages.planning import planned, write_all
from wagtail_referrals.messages.surroundings import Closing, site_of
from wagtail_referrals.programs import friend_gets, parse
from wagtail_referrals.rewards.models import SweepRun
from wagtail_referrals.tracking.models import Claim, Lead

KIND: Final = "invitation_kept"
REMINDER: Final = "invitation_reminder"
# Sent to nobody: its key says that the owner of an address has had it removed.
REFUSED: Final = "invitation_refused"
# For so long nothing is sent to such an address, whoever types it.
REFUSED_DAYS: Final = 30
# How many mails an address is sent a day, all referrers together.
MAILS_A_DAY: Final = 3
# The reminder comes so many days before the invitation ends, and not on the day of the mail itself.
REMIND_DAYS: Final = 3
BATCH: Final = 500


def plan_invitation(lead: Lead, *, now: datetime | None = None) -> Message | None:
    """The mail, for the caller to ``deliver``, else the sweep sends it.

    ``None`` where the address has had enough of them today, which the keys hold at any concurrency, and where its owner
    wants none.
    """
    moment = now or timezone.now()
    if _is_refused(lead.email, moment):
        return None
    day = timezone.localtime(moment).date().isoformat()
    for number in range(MAILS_A_DAY):
        # The variants of a mailbox count as one.
        key = f"{KIND}:{people.email_key(lead.email)}:{day}:{number}"
        values = {"kind": KIND, "lead": lead, "language": lead.language}
        message, created = Message.objects.get_or_create(
            key=key, defaults={**values, "created_at": moment, "next_attempt_at": moment}
        )
        if created:
            return message
    return None


@sensitive_variables()
def refuse_invitations(email: str, *, now: datetime | None = None) -> None:
    """Who reads the mails to this address wants no more of them. What is remembered is a keyed hash."""
    moment = now or timezone.now()
    Message.objects.update_or_create(
        key=_refused_key(email),
        defaults={"kind": REFUSED, "state": Message.State.SENT, "created_at": moment},
    )


def _refused_key(email: str) -> str:
    return f"{REFUSED}:{people.email_key(email)}"


@sensitive_variables()
def _is_refused(email: str, now: datetime) -> bool:
    return Message.objects.filter(
        key=_refused_key(email), created_at__gt=now - timedelta(days=REFUSED_DAYS)
    ).exists()


def remind_with_the_sweep(sender: type[SweepRun], *, now: datetime, **kwargs: Any) -> None:
    forget_messages(now=now)
    remind(now=now)


def remind(*, now: datetime | None = None) -> int:
    """Plan the reminders that are due; their number. 1 query where there are none."""
    moment = now or timezone.now()
    reminded = Message.objects.filter(lead=OuterRef("pk"), kind=REMINDER)
    due = Lead.objects.filter(
        ~Exists(reminded),
        wants_reminders=True,
        opened_at__isnull=False,
        created_at__lt=moment - timedelta(days=1),
        claim__state=Claim.State.OPEN,
        claim__expires_at__range=(moment, moment + timedelta(days=REMIND_DAYS)),
    ).order_by("pk")
    messages = [
        planned(
            REMINDER,
            key=f"{REMINDER}:{lead.pk}",
            user=None,
            data={},
            lead=lead,
            language=lead.language,
            now=moment,
        )
        for lead in due[:BATCH]
    ]
    if messages:
        write_all(messages)
    return len(messages)


def forget_messages(*, now: datetime) -> None:
    """The keys name addresses as hashes: once those are removed, they are needed for the day's limit, or as long as
    their owner wants no mails.
    """
    Message.objects.filter(
        Q(kind__in=(KIND, REMINDER), lead=None, created_at__lt=now - timedelta(days=1))
        | Q(kind=REFUSED, created_at__lt=now - timedelta(days=REFUSED_DAYS))
    ).delete()


def is_due(message: Message, now: datetime) -> bool:
    """Is the address still there, and the invitation still good?"""
    return message.lead is not None and tracking.claim_is_open(message.lead.claim, now)


def context_of(message: Message) -> dict[str, Any]:
    """Who invites to what until when; the way back to it, and the way to have the address removed."""
    lead = message.lead
    site = site_of(message)
    root = site.root_url if site is not None else ""
    if lead is None:
        if "invited_by" not in message.data:
            return {}
        # For a preview.
        name, gift, ends_at = message.data["invited_by"], message.data["gift"], timezone.now()
        open_url = remove_url = root
    else:
        claim = lead.claim
        name, gift, ends_at = claim.advocate.public_name, friend_gets(parse(claim.terms)), claim.expires_at
        try:
            open_url = root + reverse("referrals:kept", args=[lead.token])
            remove_url = root + reverse("referrals:kept_remove", args=[lead.token])
        except NoReverseMatch:
            open_url = remove_url = root
    invites = gettext("%(name)s invites you") % {"name": people.invitation_name(name)}
    values = {
        "invites": invites,
        "gift": gift,
        "day": date_format(timezone.localtime(ends_at), "DATE_FORMAT"),
    }
    return {
        **values,
        "headline": _headline(message.kind, gift) % values,
        "about_url": open_url,
        "account_url": open_url,
        "remove_url": remove_url,
        "closing": Closing(
            words=gettext(
                "This address was given on %(site)s to keep an invitation. It is used for nothing else. Was it not "
                "you, or do you not need it any more?"
            )
            % {"site": (site.site_name if site is not None else "") or root},
            url=remove_url,
            label=gettext("Remove my address"),
        ),
    }


def _headline(kind: str, gift: str) -> str:
    if kind == REMINDER:
        if gift:
            return gettext("Until %(day)s: %(gift)s")
        return gettext("Your invitation is valid until %(day)s")
    return gettext("%(invites)s: %(gift)s") if gift else "%(invites)s"


def _sample() -> dict[str, Any]:
    return {"invited_by": "Camille", "gift": gettext("€10.00 off one order")}


PLACEHOLDERS: Final = {
    "headline": HEADLINE,
    "invites": _("Who invites, as “Camille invites you”"),
    "gift": _("What the friend gets; may be empty"),
    "day": _("The last day of the invitation"),
}


def register() -> None:
    message_kinds.register(
        MessageKind(
            KIND,
            _("the invitation that you asked us to keep"),
            _("At once, when a visitor of a landing page asks to have the invitation by e-mail."),
            Reader.VISITOR,
            Topic.INVITATIONS,
            Urgency.AT_ONCE,
            Standard(
                subject="{headline}",
                preheader="",
                heading="{invites}",
                paragraphs=("{greeting}", _("you asked us to keep this invitation for you.")),
                button=_("Open the invitation"),
                target="about",
            ),
            placeholders=PLACEHOLDERS,
            details="invitation",
            is_due=is_due,
            context=context_of,
            sample=_sample,
            may_come_again=True,
        )
    )
    message_kinds.register(
        MessageKind(
            REMINDER,
            _("your invitation is about to end"),
            _(
                "3 days before an invitation ends, once, to visitors who want a reminder and opened the first mail."
            ),
            Reader.VISITOR,
            Topic.INVITATIONS,
            Urgency.EXTRA,
            Standard(
                subject="{headline}",
                preheader="",
                heading=_("Your invitation is valid until {day}"),
                paragraphs=(
                    "{greeting}",
                    _(
                        "this is the reminder that you asked for: your invitation is about to end. There will be no "
                        "other one."
                    ),
                    "{invites}.",
                ),
                button=_("Open the invitation"),
                target="about",
            ),
            placeholders=PLACEHOLDERS,
            details="invitation",
            is_due=is_due,
            context=context_of,
            sample=_sample,
            may_come_again=True,
        )
    )
