"""Arrivals through a share link, and the durable proof that a person came by one."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms

__all__ = ["Claim", "ClaimBasket", "Visit"]


class Visit(models.Model):
    """One arrival through a share link. Says nothing about who came: no address, no browser, no IP."""

    wagtail_reference_index_ignore = True

    advocate = models.ForeignKey(
        Advocate, on_delete=models.PROTECT, related_name="visits", verbose_name=_("referrer")
    )
    # The program that the visitor was shown; none was open when empty.
    terms = models.ForeignKey(Terms, null=True, on_delete=models.PROTECT, related_name="visits")
    channel = models.CharField(_("channel"), max_length=20, blank=True)
    language = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(_("date"), db_index=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Claim(models.Model):
    """Durable proof that a person came by a link or code, made at the first commitment.

    What was promised hangs on it: the terms, the hold on the budget, the friend's discount. It lapses at
    ``expires_at``.
    """

    wagtail_reference_index_ignore = True

    class Source(models.TextChoices):
        LINK = "link", _("link")
        CODE = "code", _("typed code")
        ATTACHED = "attached", _("passed on by the shop")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("invitation", "open")
        USED = "used", pgettext_lazy("invitation", "used")
        LAPSED = "lapsed", pgettext_lazy("invitation", "expired")
        REPLACED = "replaced", pgettext_lazy("invitation", "replaced by another invitation")

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # One visit commits at most once.
    visit = models.OneToOneField(Visit, null=True, on_delete=models.PROTECT, related_name="claim")
    advocate = models.ForeignKey(
        Advocate, on_delete=models.PROTECT, related_name="claims", verbose_name=_("referrer")
    )
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="claims")
    source = models.CharField(_("came by"), max_length=10, choices=Source.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    email_hash = models.CharField(max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OPEN)
    # What the open claim holds of the program's budget: {currency: amount as text}; "" counts friends.
    held = models.JSONField(default=dict, blank=True)
    language = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(_("date"))
    # Visit (or typing of the code) plus the window of the terms.
    expires_at = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("invitation saved")
        verbose_name_plural = _("invitations saved")
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["user", "-created_at"], name="referrals_claim_user"),
            models.Index(fields=["email_hash"], name="referrals_claim_email", condition=~Q(email_hash="")),
            models.Index(fields=["expires_at"], name="referrals_claim_open", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class ClaimBasket(models.Model):
    """Which claim a basket belongs to: the order's signal has no request, and a login merges baskets silently."""

    wagtail_reference_index_ignore = True

    basket_reference = models.CharField(max_length=64, unique=True)
    claim = models.ForeignKey(Claim, on_delete=models.CASCADE, related_name="baskets")
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        verbose_name = _("basket of an invitation")
        verbose_name_plural = _("baskets of invitations")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
