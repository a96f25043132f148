"""What one side is owed by one rule on one occasion, and the discounts that were handed over."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from wagtail_referrals.kinds import Side, reward_kind_choices
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.tracking.models import Claim

__all__ = ["DiscountGrant", "Reward", "SweepRun"]


class Reward(models.Model):
    """Owed by (terms, rule key) to one side of a referral on one occasion.

    ``amount`` is what the last verdict says it is worth, ``posted`` what was handed over. Settle bumps ``revision``
    under this row's lock and posts the difference with the key ``reward:<id>:<revision>``.
    """

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("reward", "waiting")
        TO_CHECK = "to_check", _("to check")
        GIVEN = "given", pgettext_lazy("reward", "given")
        REDUCED = "reduced", pgettext_lazy("reward", "partly taken back")
        TAKEN_BACK = "taken_back", pgettext_lazy("reward", "taken back")
        REFUSED = "refused", pgettext_lazy("reward", "refused")
        FAILED = "failed", pgettext_lazy("reward", "failed, will be tried again")

    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="rewards")
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="rewards")
    rule_key = models.UUIDField()
    side = models.CharField(_("who"), max_length=10, choices=Side.choices)
    # "arrival", "registration", "purchase:<id>", "tier:<n>"
    occasion = models.CharField(max_length=40)
    tier = models.PositiveSmallIntegerField(null=True)
    advocate = models.ForeignKey(
        Advocate, on_delete=models.PROTECT, related_name="rewards", verbose_name=_("referrer")
    )
    purchase = models.ForeignKey(Purchase, null=True, on_delete=models.PROTECT, related_name="rewards")
    kind = models.CharField(_("reward"), max_length=40, choices=reward_kind_choices)
    # Who gets it; empty until a guest registers, and once the customer has been deleted.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    currency = models.CharField(_("currency"), max_length=12)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2, default=0)
    posted = models.DecimalField(pgettext_lazy("amount", "given"), max_digits=12, decimal_places=2, default=0)
    revision = models.PositiveIntegerField(default=0)
    # Place under the advocate's cap: number ``slot`` of ``slot_period`` ("2026", "2026-11", "ever"). Never given back.
    slot = models.PositiveIntegerField(null=True)
    slot_period = models.CharField(max_length=7, blank=True)
    # Place under the cap for one friend, in the order in which the friend's orders qualified.
    friend_slot = models.PositiveIntegerField(null=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.WAITING)
    reason = models.CharField(max_length=40, blank=True)
    due_at = models.DateTimeField(_("due"), null=True)
    given_at = models.DateTimeField(_("given on"), null=True)
    created_at = models.DateTimeField(_("date"), db_index=True)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        default_permissions = ("view",)
        # Wagtail translates the names of permissions where it lists them.
        permissions = [("retry_reward", gettext_noop("Can try to give rewards again"))]
        constraints = [
            models.UniqueConstraint(
                fields=["referral", "rule_key", "side", "occasion"],
                name="referrals_reward_once",
                condition=Q(tier__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["advocate", "rule_key", "tier"],
                name="referrals_tier_once",
                condition=Q(tier__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["advocate", "rule_key", "slot_period", "slot"],
                name="referrals_slot_once",
                condition=Q(slot__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["referral", "rule_key", "friend_slot"],
                name="referrals_friend_slot_once",
                condition=Q(friend_slot__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(posted__gte=0, amount__gte=0), name="referrals_reward_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["advocate", "-created_at"], name="referrals_reward_advocate"),
            # For the figures of a day.
            models.Index(
                fields=["given_at"], name="referrals_reward_given", condition=Q(given_at__isnull=False)
            ),
            # What is still owed, and what went wrong: few of all.
            models.Index(
                fields=["state", "-created_at"],
                name="referrals_reward_open",
                condition=Q(state__in=["waiting", "to_check", "failed"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class DiscountGrant(models.Model):
    """A personal single-use discount: the friend's, from the claim; or a reward that is a discount.

    A revoked one stays revoked here, whatever the shop's own voucher row says.
    """

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        OFFERED = "offered", pgettext_lazy("discount", "offered")
        ISSUED = "issued", pgettext_lazy("discount", "in the basket")
        USED = "used", pgettext_lazy("discount", "used")
        VOID = "void", pgettext_lazy("discount", "withdrawn")

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    claim = models.ForeignKey(Claim, null=True, on_delete=models.PROTECT, related_name="discounts")
    reward = models.OneToOneField(Reward, null=True, on_delete=models.PROTECT, related_name="discount")
    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="+")
    rule_key = models.UUIDField()
    # 0, and 1 when an order was cancelled before it shipped: given again, once.
    issue = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(_("discount"), max_length=40, choices=reward_kind_choices)
    # Bound to the claim until the person is known, then to the account or to the hash of the guest's e-mail.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    email_hash = models.CharField(max_length=64, blank=True)
    # Under which the shop knows it.
    code = models.CharField(max_length=128, blank=True, db_index=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.OFFERED)
    reason = models.CharField(max_length=40, blank=True)
    used_reference = models.CharField(_("order"), max_length=128, blank=True)
    used_amount = models.DecimalField(_("discount"), max_digits=12, decimal_places=2, null=True)
    used_currency = models.CharField(max_length=12, blank=True)
    created_at = models.DateTimeField(_("date"))
    expires_at = models.DateTimeField(_("until"), null=True)

    class Meta:
        verbose_name = _("discount")
        verbose_name_plural = _("discounts")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["claim", "rule_key", "issue"],
                name="referrals_discount_once",
                condition=Q(claim__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(claim__isnull=False) | Q(reward__isnull=False),
                name="referrals_discount_has_cause",
            ),
            models.CheckConstraint(condition=Q(issue__lte=1), name="referrals_again_once"),
        ]
        indexes = [
            # Whose reward paid for a part of an order that has changed?
            models.Index(
                fields=["used_reference"],
                name="referrals_discount_order",
                condition=Q(reward__isnull=False) & ~Q(used_reference=""),
            ),
            # For the figures of a day: what was saved in its orders?
            models.Index(
                fields=["used_reference"],
                name="referrals_discount_used",
                condition=Q(claim__isnull=False) & ~Q(used_reference=""),
            ),
            models.Index(
                fields=["user"],
                name="referrals_discount_to_use",
                condition=Q(state__in=["offered", "issued"]),
            ),
            # What was promised while the shop gave no discounts; nothing otherwise.
            models.Index(
                fields=["created_at"], name="referrals_discount_waits", condition=Q(state="offered")
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class SweepRun(models.Model):
    """When the sweep ran and what it did: people must be able to see that it runs at all."""

    wagtail_reference_index_ignore = True

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    settled = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("run of the sweep")
        verbose_name_plural = _("runs of the sweep")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
