"""Advocate + friend + terms, the friend's purchases, and the timeline that explains what became of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import Claim

__all__ = ["AttributionRequest", "Purchase", "Referral", "TimelineEvent"]

# Kinds of events that say how much of a reward was taken back.
TAKES_BACK = ("reward_reduced", "reward_taken_back")


class Referral(models.Model):
    """An advocate's friend, once known. Locked first of all.

    ``state``, ``reason`` and ``hold_until`` are settle's last verdict, kept for lists; nothing is decided from them.
    """

    wagtail_reference_index_ignore = True

    class State(models.TextChoices):
        WAITING_ORDER = "waiting_order", _("waiting for an order")
        WAITING_PAYMENT = "waiting_payment", _("waiting for payment or delivery")
        WAITING_PERIOD = "waiting_period", _("waiting period")
        TO_CHECK = "to_check", _("to check")
        REWARDED = "rewarded", pgettext_lazy("referral", "rewarded")
        COMPLETE = "complete", pgettext_lazy("referral", "complete, without a reward")
        REFUSED = "refused", pgettext_lazy("referral", "refused")
        TAKEN_BACK = "taken_back", pgettext_lazy("referral", "taken back")
        EXPIRED = "expired", pgettext_lazy("referral", "expired")

    terms = models.ForeignKey(Terms, on_delete=models.PROTECT, related_name="referrals")
    # Copied from the terms: a friend is referred once to a program, whatever its version.
    program_key = models.UUIDField()
    advocate = models.ForeignKey(
        Advocate, on_delete=models.PROTECT, related_name="referrals", verbose_name=_("referrer")
    )
    claim = models.OneToOneField(Claim, on_delete=models.PROTECT, related_name="referral")
    friend = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("friend"),
    )
    # Of a guest's address; the second of the very address, which an account must have to take the referral over.
    friend_email_hash = models.CharField(max_length=64, blank=True)
    friend_exact_email_hash = models.CharField(max_length=64, blank=True)
    # When the friend agreed that the advocate reads their first name; until then it is masked.
    name_agreed_at = models.DateTimeField(null=True)
    registered_at = models.DateTimeField(_("registered"), null=True)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.WAITING_ORDER)
    # Code of the reason, see referrals/reasons.py.
    reason = models.CharField(max_length=40, blank=True)
    # When the friend's first purchase qualified: position in caps and milestones.
    qualified_at = models.DateTimeField(_("qualified"), null=True)
    # Number among the advocate's qualified referrals of this program. Never given back, never renumbered.
    ordinal = models.PositiveIntegerField(null=True)
    hold_until = models.DateTimeField(_("waiting until"), null=True)
    # What counts against the program's budget: {currency: amount as text}; "" counts the friend.
    spent = models.JSONField(default=dict)
    # Goes up whenever something may have changed: tells a sweep that what it read beforehand is old.
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("date"))
    next_check_at = models.DateTimeField(null=True)
    # A reviewer wants to be asked again then, not before.
    postponed_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        default_permissions = ("view",)
        # Wagtail translates the names of permissions where it lists them.
        permissions = [("view_summary", gettext_noop("Can see the referral summary"))]
        constraints = [
            models.UniqueConstraint(
                fields=["program_key", "friend"],
                name="referrals_one_per_friend",
                condition=Q(friend__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["program_key", "friend_email_hash"],
                name="referrals_one_per_guest",
                condition=Q(friend__isnull=True) & ~Q(friend_email_hash=""),
            ),
            models.UniqueConstraint(
                fields=["advocate", "program_key", "ordinal"],
                name="referrals_ordinal_once",
                condition=Q(ordinal__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"], name="referrals_due", condition=Q(next_check_at__isnull=False)
            ),
            models.Index(fields=["advocate", "-created_at"], name="referrals_of_advocate"),
            # For listings; with the advocate, people are counted without a look at the rows.
            models.Index(fields=["created_at", "advocate"], name="referrals_by_date"),
            models.Index(fields=["created_at"], name="referrals_to_check", condition=Q(state="to_check")),
            # Those that are not over are few, and staff look for them.
            models.Index(
                fields=["state", "-created_at"],
                name="referrals_open",
                condition=Q(state__in=["waiting_order", "waiting_payment", "waiting_period"]),
            ),
            # For the figures of a day.
            models.Index(
                fields=["registered_at"],
                name="referrals_registered",
                condition=Q(registered_at__isnull=False),
            ),
            models.Index(
                fields=["qualified_at"], name="referrals_qualified", condition=Q(qualified_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Purchase(models.Model):
    """A shop's order as the engine sees it.

    What is true at the moment of ordering is frozen here. Only paid, shipped, cancelled and refunded are read again,
    through the shop's ``facts``; the last reading is kept in ``observed`` for people to read.
    """

    wagtail_reference_index_ignore = True

    # The shop's order number. Unique: a purchase belongs to at most one referral.
    reference = models.CharField(_("order"), max_length=128, unique=True)
    referral = models.ForeignKey(Referral, on_delete=models.PROTECT, related_name="purchases")
    placed_at = models.DateTimeField(_("date"))
    currency = models.CharField(_("currency"), max_length=12)
    # Goods with tax after discounts, without delivery: what percentages and minimum spends count.
    eligible = models.DecimalField(_("order value"), max_digits=12, decimal_places=2)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2)
    # The friend had ordered before, with this account or this e-mail address.
    was_customer = models.BooleanField(default=False)
    lines = models.JSONField(default=list)
    observed = models.JSONField(default=dict)
    # After that, only an explicit call looks again.
    watch_until = models.DateTimeField()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        default_permissions = ("view",)
        ordering = ["placed_at", "pk"]
        # For the figures of a day.
        indexes = [models.Index(fields=["placed_at"], name="referrals_purchase_placed")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.reference}"


class AttributionRequest(models.Model):
    """ "This order came by a friend": said at checkout by who ordered, or afterwards by who referred. Somebody decides.

    One who is named is asked only where name and town mean nobody else; staff are asked about the others, and about
    what advocates report. See referrals/requests.py.
    """

    wagtail_reference_index_ignore = True

    class Kind(models.TextChoices):
        NAMED = "named", _("named by the friend at checkout")
        REPORTED = "reported", _("reported by the referrer")

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("request", "waiting")
        CONFIRMED = "confirmed", pgettext_lazy("request", "confirmed")
        REFUSED = "refused", pgettext_lazy("request", "refused")
        LAPSED = "lapsed", pgettext_lazy("request", "expired")

    kind = models.CharField(_("came by"), max_length=10, choices=Kind.choices)
    # Who reports; of those who are named, the only one that the name means, or whom staff found.
    advocate = models.ForeignKey(
        Advocate,
        null=True,
        on_delete=models.CASCADE,
        related_name="attribution_requests",
        verbose_name=_("referrer"),
    )
    # Who ordered, if they have an account.
    friend = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("friend"),
    )
    # Whose programs count; the default site when empty.
    site = models.ForeignKey("wagtailcore.Site", null=True, on_delete=models.SET_NULL, related_name="+")
    # Until the order is placed it is known by its basket.
    basket_reference = models.CharField(max_length=64, blank=True)
    reference = models.CharField(_("order"), max_length=128, blank=True)
    # What was typed: forgotten when it is decided.
    given_name = models.CharField(_("name"), max_length=100, blank=True)
    given_town = models.CharField(_("town"), max_length=100, blank=True)
    language = models.CharField(max_length=20, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    # Code of the reason, see referrals/reasons.py.
    reason = models.CharField(max_length=40, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    referral = models.ForeignKey(
        Referral, null=True, on_delete=models.SET_NULL, related_name="attribution_requests"
    )
    created_at = models.DateTimeField(_("date"))
    # When it was looked up whom the name means; before that nobody is asked.
    matched_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(_("decided"), null=True)

    class Meta:
        verbose_name = _("request about an order")
        verbose_name_plural = _("requests about orders")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["advocate", "reference"],
                name="referrals_reported_once",
                condition=Q(kind="reported"),
            ),
            models.UniqueConstraint(
                fields=["basket_reference"], name="referrals_named_once", condition=Q(kind="named")
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], name="referrals_requests_waiting", condition=Q(state="waiting")
            ),
            models.Index(fields=["reference"], name="referrals_requests_order", condition=~Q(reference="")),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class TimelineEvent(models.Model):
    """One thing that happened to a referral: a fact, a check, a decision, a message. Readable: see
    referrals/timeline.py.
    """

    wagtail_reference_index_ignore = True

    referral = models.ForeignKey(Referral, null=True, on_delete=models.CASCADE, related_name="timeline")
    claim = models.ForeignKey(Claim, null=True, on_delete=models.CASCADE, related_name="timeline")
    advocate = models.ForeignKey(Advocate, null=True, on_delete=models.CASCADE, related_name="timeline")
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    # A member of staff who did it; empty when nobody did.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Idempotence: an event with a key is written once.
    key = models.CharField(max_length=200, unique=True, null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ("view",)
        ordering = ["created_at", "pk"]
        # For the figures of a day.
        indexes = [
            models.Index(
                fields=["created_at"],
                name="referrals_takes_back",
                condition=Q(kind__in=TAKES_BACK),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
