"""Messages to people: one row each, with a key that makes a second one impossible."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from wagtail_referrals.referrals.models import Referral

__all__ = ["Message"]


class Message(models.Model):
    """A notice to one customer. SMTP cannot do exactly once: this is at most once, retried until it was handed over."""

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        PENDING = "pending", pgettext_lazy("message", "to be sent")
        SENDING = "sending", pgettext_lazy("message", "being sent")
        SENT = "sent", pgettext_lazy("message", "sent")
        FAILED = "failed", pgettext_lazy("message", "failed")

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(_("message"), max_length=40)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    referral = models.ForeignKey(Referral, null=True, on_delete=models.CASCADE, related_name="messages")
    language = models.CharField(max_length=20, blank=True)
    data = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(_("date"))
    next_attempt_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="referrals_message_due", condition=Q(state="pending")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
