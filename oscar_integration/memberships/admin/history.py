"""What staff did to single memberships, in Wagtail's log: who, what, when and why."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.db.models.signals import pre_delete
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import LogFormatter, log
from wagtail.models import ModelLogEntry

from oscar_integration.memberships.models import Membership

GIVEN: Final = "referral_memberships.give"
ENDED: Final = "referral_memberships.end"
RENEWAL_ON: Final = "referral_memberships.renewal_on"
RENEWAL_OFF: Final = "referral_memberships.renewal_off"
RECOVERED: Final = "referral_memberships.recover"
TRIED: Final = "referral_memberships.try_again"
NOTE_LENGTH: Final = 500


class MembershipFormatter(LogFormatter):
    """What was done, and why where staff were asked."""

    def format_message(self, log_entry: Any) -> str:
        note = log_entry.data.get("note")
        if not note:
            return str(self.message)
        return gettext("%(what)s: %(note)s") % {"what": self.message, "note": note}


def _action(label: Any, message: Any) -> type[LogFormatter]:
    return type("Formatter", (MembershipFormatter,), {"label": label, "message": message})


FORMATTERS: Final = {
    GIVEN: _action(_("Give a membership"), _("Gave a membership")),
    ENDED: _action(_("End a membership"), _("Ended the membership")),
    RENEWAL_ON: _action(_("Switch the renewal on"), _("Switched the renewal on")),
    RENEWAL_OFF: _action(_("Switch the renewal off"), _("Switched the renewal off")),
    RECOVERED: _action(_("Settle what is still to recover"), _("Settled what was still to recover")),
    TRIED: _action(_("Try a renewal again"), _("Had the renewal tried again")),
}


def register_actions(actions: Any) -> None:
    for name, formatter in FORMATTERS.items():
        actions.register_action(name)(formatter)


def record(membership: Membership, action: str, *, actor: Any, note: str = "", **data: Any) -> None:
    """Write down what a member of staff did. ``note`` goes when the customer is deleted, the rest stays."""
    if note:
        data["note"] = note[:NOTE_LENGTH]
    log(membership, action, user=actor, data=data)


def history_of(membership_ids: list[int]) -> QuerySet[ModelLogEntry]:
    """What staff did to these memberships, the newest first."""
    rows: QuerySet[ModelLogEntry] = ModelLogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Membership, for_concrete_model=False),
        object_id__in=[str(pk) for pk in membership_ids],
        action__in=list(FORMATTERS),
    )
    return rows.order_by("-timestamp", "-pk")


def forget_notes(instance: Any, **kwargs: Any) -> None:
    """Before a customer is deleted: no note about them stays."""
    ids = list(Membership.objects.filter(user=instance).values_list("pk", flat=True))
    entries = [entry for entry in history_of(ids) if "note" in entry.data] if ids else []
    for entry in entries:
        entry.data = {name: value for name, value in entry.data.items() if name != "note"}
    if entries:
        ModelLogEntry.objects.bulk_update(entries, ["data"], batch_size=200)


def connect() -> None:
    """``forget_notes`` before a user is deleted."""
    from django.contrib.auth import get_user_model

    pre_delete.connect(forget_notes, sender=get_user_model(), dispatch_uid="referral_memberships.notes")
