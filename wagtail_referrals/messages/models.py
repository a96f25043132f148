"""Messages to people: one row each, with a key that makes a second one impossible; the editors' words, who wants
which, and the sequences that plan them.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.fields import StreamField
from wagtail.models import DraftStateMixin, Orderable, PreviewableMixin, RevisionMixin

from wagtail_referrals.messages.body import BodyBlock
from wagtail_referrals.messages.choices import (
    channel_choices,
    condition_choices,
    kind_choices,
    moment_choices,
    start_choices,
)
from wagtail_referrals.programs.models import Audience, Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Lead

__all__ = [
    "Enrollment",
    "Message",
    "MessageSwitch",
    "MessageTemplate",
    "MessageText",
    "Preferences",
    "Sequence",
    "SequenceStep",
    "Suppression",
]


class MessageTemplate(DraftStateMixin, RevisionMixin, PreviewableMixin, ClusterableModel):
    """An editor's own words for one kind of message, or for a step of a sequence. What counts is the published row."""

    kind = models.CharField(_("message"), max_length=40, choices=kind_choices)
    name = models.CharField(_("name"), max_length=100, help_text=_("Only editors see it."))
    program = models.ForeignKey(
        Program,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("program"),
        help_text=_("Leave empty for every program that has no words of its own."),
    )

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def preview_modes(self) -> list[tuple[str, str]]:
        from wagtail_referrals.messages.previewing import modes_of

        return modes_of(self)

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        from wagtail_referrals.messages.previewing import draw

        return draw(self, mode_name)


class MessageText(Orderable):
    """The words in one language, and, with an audience, for those customers only."""

    template = ParentalKey(MessageTemplate, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(_("language"), max_length=20)
    audience = models.ForeignKey(
        Audience,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("for whom"),
        help_text=_("Leave empty for everybody who is in none of the audiences of the other texts."),
    )
    subject = models.CharField(_("subject"), max_length=150)
    preheader = models.CharField(
        _("preview line"),
        max_length=150,
        blank=True,
        help_text=_("Mail programs show it beside the subject, before the mail is opened."),
    )
    body = StreamField(BodyBlock(), verbose_name=_("text"))

    class Meta(Orderable.Meta):
        verbose_name = _("text")
        verbose_name_plural = _("texts")


class MessageSwitch(models.Model):
    """Whether one kind of message is sent: by one program, or, without a program, by all that say nothing else."""

    wagtail_reference_index_ignore = True

    kind = models.CharField(max_length=40)
    program = models.ForeignKey(Program, null=True, on_delete=models.CASCADE, related_name="+")
    is_on = models.BooleanField()

    class Meta:
        verbose_name = _("switch of a message")
        verbose_name_plural = _("switches of messages")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["kind", "program"], name="referrals_switch_once"),
            models.UniqueConstraint(
                fields=["kind"], name="referrals_switch_for_all_once", condition=Q(program=None)
            ),
        ]


class Preferences(models.Model):
    """What one customer wants to be written about, and when. No row: everything, by the clock of the shop."""

    wagtail_reference_index_ignore = True

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Keys of kinds.
    unwanted = models.JSONField(default=list)
    wants_nothing = models.BooleanField(default=False)
    channel = models.CharField(max_length=20, choices=channel_choices, default="email")
    # As in the IANA database; "" for the shop's.
    time_zone = models.CharField(max_length=64, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("what a customer is written about")
        verbose_name_plural = _("what customers are written about")
        default_permissions = ()


class Suppression(models.Model):
    """An address to which nothing is sent any more, as the keyed hash of the very address."""

    wagtail_reference_index_ignore = True

    class Reason(models.TextChoices):
        BOUNCED = "bounced", _("mail came back")
        COMPLAINED = "complained", _("was reported as unwanted")
        REFUSED = "refused", _("wants no mails")

    email_key = models.CharField(max_length=64, unique=True)
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("address without mails")
        verbose_name_plural = _("addresses without mails")
        default_permissions = ("view", "delete")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Sequence(DraftStateMixin, RevisionMixin, ClusterableModel):
    """Messages one after the other, from something that happens until they are over or something stops them.

    What counts is the published row; who is on the way follows its steps as they are now.
    """

    key = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    name = models.CharField(_("name"), max_length=100, help_text=_("Only editors see it."))
    program = models.ForeignKey(
        Program,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("program"),
        help_text=_("Leave empty for the friends of every program."),
    )
    start = models.CharField(_("begins when"), max_length=40, choices=start_choices)
    goal = models.CharField(
        _("its aim"),
        max_length=40,
        blank=True,
        choices=condition_choices,
        help_text=_("Once that is so the sequence is over, and counts as a success."),
    )
    # Keys of conditions.
    stops = models.JSONField(_("ends without success when"), default=list, blank=True)

    class Meta:
        verbose_name = _("sequence")
        verbose_name_plural = _("sequences")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class SequenceStep(Orderable):
    """One message of a sequence. ``key`` names it for good: steps are moved and written anew."""

    class Unit(models.TextChoices):
        HOURS = "hours", _("hours")
        DAYS = "days", _("days")

    sequence = ParentalKey(Sequence, on_delete=models.CASCADE, related_name="steps")
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    delay = models.PositiveSmallIntegerField(
        _("how long"), default=0, validators=[MaxValueValidator(365)], help_text=_("0: at once.")
    )
    unit = models.CharField(_("in"), max_length=5, choices=Unit.choices, default=Unit.DAYS)
    moment = models.CharField(_("from when"), max_length=40, choices=moment_choices, default="start")
    condition = models.CharField(
        _("only if"),
        max_length=40,
        blank=True,
        choices=condition_choices,
        help_text=_("Asked when the message is due. Leave empty to send it anyway."),
    )
    # Whether the condition has to hold, or not to.
    is_negated = models.BooleanField(_("that is not so"), default=False)
    template = models.ForeignKey(
        MessageTemplate, on_delete=models.PROTECT, related_name="+", verbose_name=_("message")
    )

    class Meta(Orderable.Meta):
        verbose_name = _("step")
        verbose_name_plural = _("steps")


class Enrollment(models.Model):
    """One person on the way through one sequence."""

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        RUNNING = "running", pgettext_lazy("sequence", "on the way")
        REACHED = "reached", pgettext_lazy("sequence", "reached the aim")
        STOPPED = "stopped", pgettext_lazy("sequence", "stopped")
        FINISHED = "finished", pgettext_lazy("sequence", "at its end")

    # <key of the sequence>:<what it began with>, so that the same cause never begins it twice.
    key = models.CharField(max_length=120, unique=True)
    sequence = models.ForeignKey(Sequence, on_delete=models.CASCADE, related_name="enrollments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    lead = models.ForeignKey(Lead, null=True, on_delete=models.SET_NULL, related_name="+")
    referral = models.ForeignKey(Referral, null=True, on_delete=models.CASCADE, related_name="+")
    language = models.CharField(max_length=20, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RUNNING)
    # The condition that stopped it.
    reason = models.CharField(max_length=40, blank=True)
    # Keys of steps that were sent or passed over, each with when: {key: ISO 8601}; "sent": when the last message was.
    done = models.JSONField(default=dict)
    # The step that is next, as far as is known today.
    waits_for = models.UUIDField(null=True)
    # When to look again: never, once there is nothing more to come. After the aim messages may follow.
    next_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(_("since"))
    # When it reached the aim, was stopped, or had come to its end.
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("person in a sequence")
        verbose_name_plural = _("people in sequences")
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["next_at", "id"],
                name="referrals_enrollment_due",
                condition=Q(next_at__isnull=False),
            ),
            models.Index(fields=["sequence", "state", "waits_for"], name="referrals_enrollment_counts"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Message(models.Model):
    """A message to one person. SMTP cannot do exactly once: this is at most once, retried until it was handed over."""

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        PENDING = "pending", pgettext_lazy("message", "to be sent")
        # Put together by a worker, until ``claimed_until``; should that die, another one takes it.
        CLAIMED = "claimed", pgettext_lazy("message", "being prepared")
        # Being handed over: should the worker die now, nobody knows whether it went, and it is not sent again.
        SENDING = "sending", pgettext_lazy("message", "being sent")
        SENT = "sent", pgettext_lazy("message", "sent")
        UNSURE = "unsure", pgettext_lazy("message", "maybe sent")
        # ``reason`` says why in these two.
        DROPPED = "dropped", pgettext_lazy("message", "not sent")
        FAILED = "failed", pgettext_lazy("message", "failed")

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(_("message"), max_length=40)
    channel = models.CharField(_("way"), max_length=20, default="email")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    # To somebody who is no customer, at the address that they left. Once that is removed, it is sent to nobody.
    lead = models.ForeignKey(Lead, null=True, on_delete=models.SET_NULL, related_name="messages")
    referral = models.ForeignKey(Referral, null=True, on_delete=models.CASCADE, related_name="messages")
    enrollment = models.ForeignKey(Enrollment, null=True, on_delete=models.SET_NULL, related_name="messages")
    # The step of the sequence.
    step = models.UUIDField(null=True)
    language = models.CharField(max_length=20, blank=True)
    data = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(_("date"))
    next_attempt_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    # When a link in it was followed first.
    opened_at = models.DateTimeField(_("link followed"), null=True)

    class Meta:
        verbose_name = _("sent message")
        verbose_name_plural = _("sent messages")
        default_permissions = ("view", "change")
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"], name="referrals_message_due", condition=Q(state="pending")
            ),
            models.Index(
                fields=["claimed_until"],
                name="referrals_message_claimed",
                condition=Q(state__in=["claimed", "sending"]),
            ),
            # How many somebody was sent this week.
            models.Index(
                fields=["user", "sent_at"], name="referrals_message_week", condition=Q(state="sent")
            ),
            models.Index(fields=["created_at", "id"], name="referrals_message_created"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def recipient(self) -> Any:
        """The customer, or the visitor who left an address; ``None`` when both are gone."""
        return self.user or self.lead
