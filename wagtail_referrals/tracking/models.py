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
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

__all__ = ["Claim", "ClaimBasket", "Lead", "RemovedVisits", "Share", "Visit"]


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
    # The landing page that was shown; none where the link led on. No constraint and no index: a page is deleted
    # without looking through millions of visits.
    page = models.ForeignKey(
        BASE_PAGE_MODEL_NAME,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=_("page"),
    )
    created_at = models.DateTimeField(_("date"), db_index=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class RemovedVisits(models.Model):
    """How many visits by an advocate's link are no longer there, see ``insights.fold_visits``."""

    wagtail_reference_index_ignore = True

    # As visits do, they keep the advocate from giving way to another, see people.adopt_guest.
    advocate = models.ForeignKey(
        Advocate, on_delete=models.PROTECT, related_name="removed_visits", verbose_name=_("referrer")
    )
    channel = models.CharField(_("channel"), max_length=20, blank=True)
    number = models.PositiveIntegerField(_("number"), default=0)

    class Meta:
        verbose_name = _("number of removed visits")
        verbose_name_plural = _("numbers of removed visits")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["advocate", "channel"], name="referrals_removed_visits_once")
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Share(models.Model):
    """One time that an advocate passed the link on. Nothing says to whom."""

    wagtail_reference_index_ignore = True

    # Unlike a visit it does not keep a guest from becoming a customer who has shared already, see people.adopt_guest.
    advocate = models.ForeignKey(
        Advocate, on_delete=models.CASCADE, related_name="shares", verbose_name=_("referrer")
    )
    # What the link offered then; no program was open when empty.
    terms = models.ForeignKey(Terms, null=True, on_delete=models.PROTECT, related_name="shares")
    channel = models.CharField(_("channel"), max_length=20)
    language = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField(_("date"))

    class Meta:
        verbose_name = _("time that a link was shared")
        verbose_name_plural = _("times that links were shared")
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["advocate", "-created_at"], name="referrals_shares_of"),
            # For listings; with the advocate, people are counted without a look at the rows.
            models.Index(fields=["created_at", "advocate"], name="referrals_shares_by_date"),
        ]

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
        NAMED = "named", _("named by the friend at checkout")
        REPORTED = "reported", _("reported by the referrer")

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
            # For the figures of a day.
            models.Index(fields=["created_at"], name="referrals_claim_created"),
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


class Lead(models.Model):
    """An address that a visitor left, to be sent their invitation: the only one of a non-customer that we keep.

    Removed when its owner asks, when they become a customer, and some days after the invitation is over: see leads.py.
    """

    wagtail_reference_index_ignore = True

    # In the links of the mail. Whoever has it can come back to the invitation, and remove the address.
    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    claim = models.ForeignKey(Claim, on_delete=models.CASCADE, related_name="leads")
    email = models.EmailField(_("e-mail address"))
    language = models.CharField(_("language"), max_length=20, blank=True)
    # The very words that were agreed to, a line for each; when, is ``created_at``.
    consent = models.TextField(_("agreed to"))
    # Also to a reminder, not only to the one mail that was asked for.
    wants_reminders = models.BooleanField(_("agreed to a reminder"), default=False)
    created_at = models.DateTimeField(_("date"))
    # When the link in the mail was followed first: the mailbox is theirs.
    opened_at = models.DateTimeField(_("opened"), null=True)

    class Meta:
        verbose_name = _("address left with an invitation")
        verbose_name_plural = _("addresses left with an invitation")
        default_permissions = ("view", "delete")
        constraints = [
            # Somebody who mistyped gives another one; the same one twice is one.
            models.UniqueConstraint(fields=["claim", "email"], name="referrals_lead_once"),
        ]
        indexes = [models.Index(fields=["created_at"], name="referrals_lead_created")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
