"""Customers who refer, their codes, and by which addresses customers are known."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

__all__ = ["Advocate", "Backfill", "Code", "CustomerEmail"]


class Advocate(models.Model):
    """A customer who refers: by account, or, after a guest order, by the keyed hash of the e-mail address.

    Locked after Budget and before Reward. A deleted customer leaves a row without user, hash or name.
    """

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("referrer", "active")
        # By their own will, and back again by it; the other two are for staff to say.
        LEFT = "left", pgettext_lazy("referrer", "has left the program")
        PAUSED = "paused", pgettext_lazy("referrer", "paused")
        BLOCKED = "blocked", pgettext_lazy("referrer", "blocked")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    # Under the first, variants of one mailbox meet: it tells who refers themselves. Only who has the very address of
    # the second may have what waits for a guest.
    email_hash = models.CharField(max_length=64, blank=True, editable=False)
    exact_email_hash = models.CharField(max_length=64, blank=True, editable=False)
    public_name = models.CharField(
        _("name that friends see"),
        max_length=40,
        blank=True,
        help_text=_("Empty: friends read “A friend invites you”."),
    )
    # Set when the advocate has seen what friends will see; before that nothing is shared.
    name_confirmed_at = models.DateTimeField(null=True, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ACTIVE)
    # With the name that friends see; never without a word of theirs.
    in_leaderboards = models.BooleanField(_("in leaderboards"), default=False)
    language = models.CharField(_("language"), max_length=20, blank=True)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("referrer")
        verbose_name_plural = _("referrers")
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(
                fields=["exact_email_hash"],
                name="referrals_one_guest_advocate",
                condition=Q(user=None) & ~Q(exact_email_hash=""),
            ),
        ]

    def __str__(self) -> str:
        return self.public_name or f"{self._meta.verbose_name} {self.pk}"


class Code(models.Model):
    """A personal code, the same for all programs. ``text`` is upper case, from an alphabet without look-alikes."""

    wagtail_reference_index_ignore = True

    advocate = models.ForeignKey(
        Advocate, on_delete=models.PROTECT, related_name="codes", verbose_name=_("referrer")
    )
    text = models.CharField(_("code"), max_length=20, unique=True)
    is_active = models.BooleanField(_("in use"), default=True)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("code")
        verbose_name_plural = _("codes")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["advocate"], name="referrals_one_code_in_use", condition=Q(is_active=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class CustomerEmail(models.Model):
    """An address under which somebody is a customer: of an account, present or former, or of a guest order.

    Kept as the keyed hash of the normalised address. An order is named by the shop's number, as in Purchase.
    """

    wagtail_reference_index_ignore = True

    email_hash = models.CharField(max_length=64)
    # With which secret it was made, see hashing.key_id: under another one it says nothing.
    key_id = models.CharField(max_length=8)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    order_reference = models.CharField(max_length=128, null=True)

    class Meta:
        verbose_name = _("address of a customer")
        verbose_name_plural = _("addresses of customers")
        default_permissions = ()
        constraints = [
            # Also what finds the rows of a user who is deleted.
            models.UniqueConstraint(fields=["user", "email_hash"], name="referrals_email_of_user_once"),
            models.UniqueConstraint(fields=["order_reference"], name="referrals_email_of_order_once"),
            models.CheckConstraint(
                name="referrals_email_of_one",
                condition=Q(user=None, order_reference__isnull=False)
                | Q(user__isnull=False, order_reference=None),
            ),
        ]
        indexes = [models.Index(fields=["email_hash"], name="referrals_customer_email")]

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.pk}"


class Backfill(models.Model):
    """All accounts and guest orders are in CustomerEmail, under this secret: other comparisons are not needed."""

    wagtail_reference_index_ignore = True

    key_id = models.CharField(max_length=8, unique=True)
    completed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("writing down of addresses")
        verbose_name_plural = _("writings down of addresses")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.pk}"
