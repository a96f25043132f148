"""What checks and reviewers decided about a referral."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from wagtail_referrals.referrals.models import Purchase, Referral

__all__ = ["Decision"]


class Decision(models.Model):
    """A check's or a reviewer's word. A reviewer's latest word overrides the checks.

    A check speaks once about a referral (``purchase`` empty) or once about each purchase; a reviewer, always about the
    whole referral.
    """

    wagtail_reference_index_ignore = True

    class Outcome(models.TextChoices):
        PASS = "pass", pgettext_lazy("check", "in order")
        HOLD = "hold", _("to check")
        REFUSE = "refuse", pgettext_lazy("check", "refused")
        APPROVE = "approve", pgettext_lazy("check", "approved")

    referral = models.ForeignKey(Referral, on_delete=models.CASCADE, related_name="decisions")
    purchase = models.ForeignKey(Purchase, null=True, on_delete=models.CASCADE, related_name="decisions")
    # Key of the check, or "reviewer".
    check_key = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=40, blank=True)
    data = models.JSONField(default=dict)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        default_permissions = ("view",)
        ordering = ["created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["referral", "check_key"],
                name="referrals_check_once",
                condition=Q(purchase__isnull=True) & ~Q(check_key="reviewer"),
            ),
            models.UniqueConstraint(
                fields=["referral", "purchase", "check_key"],
                name="referrals_check_once_each",
                condition=Q(purchase__isnull=False) & ~Q(check_key="reviewer"),
            ),
        ]
        # Wagtail translates the names of permissions where it lists them.
        permissions = [("review_referral", gettext_noop("Can approve and refuse referrals"))]

    def __str__(self) -> str:
        return f"{self.check_key}: {self.outcome}"
