"""What is sold or given (``Plan``), what a customer has (``Membership``, ``Period``, ``Use``) and how it goes on
(``Renewal``).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel

from wagtail_referrals.kinds import in_language

__all__ = ["GroupGrant", "Membership", "Period", "Plan", "PlanName", "Renewal", "Use"]


class Unit(models.TextChoices):
    DAYS = "days", pgettext_lazy("length of a membership", "days")
    MONTHS = "months", pgettext_lazy("length of a membership", "months")


def read_days(text: str) -> list[int]:
    """Days from what an editor typed, "1, 3, 5". Raises ``ValidationError``; they rise, and are at least 1."""
    days = [int(part) for part in re.findall(r"\d+", text)]
    if re.sub(r"[\d\s,;]", "", text) or any(day < 1 or day > 60 for day in days):
        raise ValidationError(_("Write days, separated by commas: 1, 3, 5"))
    if days != sorted(set(days)):
        raise ValidationError(_("Each day has to be later than the one before it: 1, 3, 5"))
    return days


def validate_days(text: str) -> None:
    read_days(text)


class Plan(ClusterableModel):
    """A membership or a pass as the shop sells or gives it.

    It carries no price: that is the product's. A period that was bought or given keeps its length and its uses; what
    the editor changes counts for later ones.
    """

    name = models.CharField(_("name"), max_length=100, help_text=_("Only editors see it."))
    slug = models.SlugField(
        _("short name"), unique=True, help_text=_("Developers ask for the plan by it in templates and views.")
    )
    product = models.OneToOneField(
        "catalogue.Product",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("product"),
        help_text=_("Who buys it has the membership, once for each piece, from when the order is paid."),
    )
    # What was ordered before the plan had this product opens no membership.
    sold_since = models.DateTimeField(null=True, editable=False)
    period_length = models.PositiveSmallIntegerField(
        _("period"), default=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    period_unit = models.CharField(_("unit"), max_length=6, choices=Unit.choices, default=Unit.MONTHS)
    uses = models.PositiveIntegerField(
        _("uses"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many times one period can be used; empty: as often as the customer likes."),
    )
    renews = models.BooleanField(
        _("renews by itself"),
        default=False,
        help_text=_("At the end of a period the next one is ordered, until the customer switches that off."),
    )
    gift_only = models.BooleanField(
        _("only given"), default=False, help_text=_("It cannot be bought, so it has no product.")
    )
    is_trial = models.BooleanField(
        _("for trying out"),
        default=False,
        help_text=_(
            "Is given once to each customer. Who has one is no member yet: the membership that they buy is a new one."
        ),
    )
    group = models.ForeignKey(
        Group,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("group"),
        help_text=_(
            "Customers are in it while the membership runs. Give it access to pages under “Privacy” of a page."
        ),
    )
    announce_days = models.PositiveSmallIntegerField(
        _("announced"),
        default=7,
        validators=[MaxValueValidator(60)],
        help_text=_("At least so many days before a renewal the customer is told; it may be a day more."),
    )
    grace_days = models.PositiveSmallIntegerField(
        _("grace period"),
        default=7,
        validators=[MaxValueValidator(60)],
        help_text=_("For so many days a member whose card was declined keeps the access."),
    )
    retry_days = models.CharField(
        _("tried again"),
        max_length=40,
        blank=True,
        default="1, 3, 5",
        validators=[validate_days],
        help_text=_("So many days after it was due a declined card is charged again."),
    )

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(period_length__gt=0), name="memberships_plan_has_length"),
            models.CheckConstraint(condition=Q(uses=None) | Q(uses__gt=0), name="memberships_plan_has_uses"),
            models.CheckConstraint(
                condition=Q(gift_only=False) | Q(renews=False, product=None),
                name="memberships_plan_given_or_sold",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        rows = Plan.objects.filter(pk=self.pk).values("product", "renews", "grace_days")
        known = (rows.first() if self.pk else None) or {}
        if self.product_id is None:
            self.sold_since = None
        elif known.get("product") != self.product_id:
            self.sold_since = timezone.now()
        super().save(*args, **kwargs)
        if known and (known["renews"], known["grace_days"]) != (self.renews, self.grace_days):
            # Until when they open doors depends on both.
            running = self.memberships.exclude(state=Membership.State.ENDED)
            running.update(next_check_at=timezone.now())

    @property
    def title(self) -> str:
        """What customers read, in the current language; what editors call it where no name was given."""
        return in_language(self.titles) or self.name

    @property
    def titles(self) -> dict[str, str]:
        return {row.language: row.name for row in self.names.all() if row.name}

    @property
    def retry_after(self) -> list[timedelta]:
        """When, counted from the day that it was due, a declined charge is tried again."""
        return [timedelta(days=day) for day in read_days(self.retry_days)]

    @property
    def grace(self) -> timedelta:
        return timedelta(days=self.grace_days)


class PlanName(models.Model):
    """What customers call the plan in one language."""

    plan = ParentalKey(Plan, on_delete=models.CASCADE, related_name="names")
    language = models.CharField(_("language"), max_length=20)
    name = models.CharField(_("name"), max_length=100)

    class Meta:
        verbose_name = _("name")
        verbose_name_plural = _("names")
        constraints = [
            models.UniqueConstraint(fields=["plan", "language"], name="memberships_plan_name_language")
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One customer's membership of one plan, from its first period to the end of its last one.

    Everything but ``user``, ``plan``, ``code`` and ``renews`` is computed by ``settle`` from periods, uses and orders.
    ``user`` is ``None`` while a guest who bought it has no account, and once the customer has been deleted.
    """

    class State(models.TextChoices):
        # Its order is not paid yet, or a guest has no account yet.
        WAITING = "waiting", pgettext_lazy("membership", "not begun")
        ACTIVE = "active", pgettext_lazy("membership", "running")
        # The card was declined; the access goes on for the grace period.
        PAST_DUE = "past_due", pgettext_lazy("membership", "payment is due")
        ENDED = "ended", pgettext_lazy("membership", "ended")

    class Reason(models.TextChoices):
        """Why it ended."""

        RAN_OUT = "ran_out", pgettext_lazy("end of a membership", "its time was over")
        USED_UP = "used_up", pgettext_lazy("end of a membership", "all uses were used")
        NOT_PAID = "not_paid", pgettext_lazy("end of a membership", "the renewal was not paid")
        REFUNDED = "refunded", pgettext_lazy("end of a membership", "it was refunded")
        CANCELLED = "cancelled", pgettext_lazy("end of a membership", "the order was cancelled")
        TAKEN_BACK = "taken_back", pgettext_lazy("end of a membership", "the reward was taken back")
        STAFF = "staff", pgettext_lazy("end of a membership", "ended by staff")
        DELETED = "deleted", pgettext_lazy("end of a membership", "the customer's account was deleted")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, related_name="memberships", verbose_name=_("plan")
    )
    # Staff find it by this when the customer comes. 8 signs of the alphabet of personal codes.
    code = models.CharField(_("code"), max_length=8, unique=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    ended_reason = models.CharField(max_length=12, choices=Reason.choices, blank=True)
    starts_at = models.DateTimeField(_("from"), null=True)
    # The end of the last period, past or to come.
    ends_at = models.DateTimeField(_("until"), null=True)
    # Until then it opens doors: ``ends_at``, and the grace period where it renews.
    access_until = models.DateTimeField(null=True)
    # In the period that runs and those to come; ``None``: as many as the customer likes.
    uses_left = models.PositiveIntegerField(_("uses left"), null=True)
    renews = models.BooleanField(_("renewal"), default=False, help_text=_("As the customer wants it."))
    next_check_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        default_permissions = ("view", "change", "add")
        # The rights to the desk and to the overview stand with other models: Wagtail shows what was done with a row,
        # and notes about it, to whoever has any right that stands with its model.
        constraints = [
            # Who buys or gets another one has the first for longer.
            models.UniqueConstraint(
                fields=["user", "plan"], name="memberships_one_running", condition=~Q(state="ended")
            ),
            models.CheckConstraint(
                condition=Q(state="ended") & ~Q(ended_reason="") | ~Q(state="ended") & Q(ended_reason=""),
                name="memberships_end_has_reason",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_check_at"], name="memberships_due", condition=Q(next_check_at__isnull=False)
            ),
            models.Index(fields=["plan", "state"], name="memberships_by_plan"),
            models.Index(fields=["user", "state"], name="memberships_of_customer"),
        ]

    def __str__(self) -> str:
        return gettext("%(plan)s, no. %(number)s") % {"plan": self.plan, "number": self.pk}

    @classmethod
    def open_at(cls, now: datetime) -> Q:
        """``is_open`` as a condition for queries."""
        running = Q(state__in=(cls.State.ACTIVE, cls.State.PAST_DUE))
        return running & Q(starts_at__lte=now, access_until__gt=now) & ~Q(uses_left=0)

    def is_open(self, now: datetime) -> bool:
        """Does it open doors at this moment? Exact, also between two sweeps. No query."""
        return (
            self.state in (self.State.ACTIVE, self.State.PAST_DUE)
            and self.starts_at is not None
            and self.access_until is not None
            and self.starts_at <= now < self.access_until
            and self.uses_left != 0
        )


class Period(models.Model):
    """A part of a membership, with where it comes from. Length and uses are the plan's as they were then, and so is
    whether it is over with its last use.
    """

    class Origin(models.TextChoices):
        ORDER = "order", pgettext_lazy("origin of a membership", "bought")
        RENEWAL = "renewal", pgettext_lazy("origin of a membership", "renewed")
        REWARD = "reward", pgettext_lazy("origin of a membership", "reward")
        STAFF = "staff", pgettext_lazy("origin of a membership", "given by staff")

    class Kind(models.TextChoices):
        """What it was for the customer when it was added: decides who is rewarded, and never changes."""

        NEW = "new", pgettext_lazy("kind of a period", "new membership")
        EXTENSION = "extension", pgettext_lazy("kind of a period", "extension")
        RENEWAL = "renewal", pgettext_lazy("kind of a period", "renewal")

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="periods")
    # The idempotency key: "line:<order line>:<piece>", "renewal:<id>", "reward:<id>", "staff:<uuid>".
    key = models.CharField(max_length=190, unique=True)
    origin = models.CharField(_("origin"), max_length=8, choices=Origin.choices)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    # No foreign keys to Oscar's tables: the shop may delete orders, and forks them.
    order_number = models.CharField(_("order"), max_length=128, blank=True)
    line_id = models.BigIntegerField(null=True)
    # Of several pieces of one line the first is 0; refunded pieces are taken from the last one on.
    piece = models.PositiveSmallIntegerField(default=0)
    reward = models.ForeignKey(
        "wagtail_referrals.Reward", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by")
    )
    length = models.PositiveSmallIntegerField()
    unit = models.CharField(max_length=6, choices=Unit.choices)
    uses = models.PositiveIntegerField(null=True)
    # As a pass is. What renews by itself is not: it has new uses in its next period.
    ends_used_up = models.BooleanField(default=True)
    # From when it may run: paid, or given. ``None``: its order is not paid yet.
    counts_from = models.DateTimeField(null=True)
    # Its order was cancelled or refunded, its reward taken back, or staff ended it.
    taken_back_at = models.DateTimeField(null=True)
    taken_back_reason = models.CharField(max_length=12, choices=Membership.Reason.choices, blank=True)
    # Computed: when it runs in its turn.
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    # What had been used already of a gift when it was taken back: staff see it as still to recover.
    shortfall_uses = models.PositiveIntegerField(default=0)
    shortfall_days = models.PositiveIntegerField(default=0)
    # Staff have seen to it, or let it be.
    shortfall_closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("period")
        verbose_name_plural = _("periods")
        default_permissions = ("view",)
        # Wagtail translates the names of permissions where it lists them.
        permissions = [("view_overview", gettext_noop("Can see the overview of memberships"))]
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(length__gt=0), name="memberships_period_has_length"),
            models.UniqueConstraint(
                fields=["reward"], name="memberships_one_of_reward", condition=Q(taken_back_at=None)
            ),
        ]
        indexes = [
            models.Index(
                fields=["order_number"], name="memberships_period_order", condition=~Q(order_number="")
            ),
            models.Index(
                fields=["taken_back_at"],
                name="memberships_shortfalls",
                condition=Q(shortfall_closed_at=None) & (Q(shortfall_uses__gt=0) | Q(shortfall_days__gt=0)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_origin_display()} {self.pk}"


class Use(models.Model):
    """A member came. One that was undone stays, and counts no more."""

    class How(models.TextChoices):
        LIST = "list", pgettext_lazy("use of a membership", "from the list")
        CODE = "code", pgettext_lazy("use of a membership", "by code")

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="uses_made")
    period = models.ForeignKey(Period, on_delete=models.CASCADE, related_name="uses_made")
    # The idempotency key: what the form sends along, so that a second click is no second use.
    key = models.CharField(max_length=64, unique=True)
    how = models.CharField(max_length=4, choices=How.choices)
    used_at = models.DateTimeField(_("date"))
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("by")
    )
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("use")
        verbose_name_plural = _("uses")
        default_permissions = ("view",)
        permissions = [("record_use", gettext_noop("Can record that a member came"))]
        ordering = ["-used_at", "-pk"]
        indexes = [
            models.Index(fields=["membership", "-used_at"], name="memberships_use_history"),
            models.Index(fields=["-used_at", "-id"], name="memberships_use_by_day"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Renewal(models.Model):
    """The next period of a membership, from its announcement to its order. One order at most, whatever runs twice.

    Amounts are in ``currency``, tax included, of the present attempt; ``None`` before the first one.
    """

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("renewal", "to come")
        # A worker has it, until ``leased_until``; after that the next one finishes what it began.
        CHARGING = "charging", pgettext_lazy("renewal", "being charged")
        PAST_DUE = "past_due", pgettext_lazy("renewal", "card declined")
        DONE = "done", pgettext_lazy("renewal", "paid")
        GIVEN_UP = "given_up", pgettext_lazy("renewal", "not paid")
        # Switched off, extended or ended in another way before it was charged.
        CALLED_OFF = "called_off", pgettext_lazy("renewal", "called off")

    OPEN = (State.PLANNED, State.CHARGING, State.PAST_DUE)

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="renewals")
    number = models.PositiveIntegerField()
    # The end of the membership that it continues.
    due_at = models.DateTimeField(_("due"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PLANNED)
    announced_at = models.DateTimeField(null=True)
    announced_total = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    basket_id = models.BigIntegerField(null=True)
    # Fixed before anything is charged, and the same for every attempt.
    order_number = models.CharField(_("order"), max_length=128, null=True, unique=True)
    currency = models.CharField(max_length=12, blank=True)
    total = models.DecimalField(_("total"), max_digits=12, decimal_places=2, null=True)
    credit = models.DecimalField(_("paid with credit"), max_digits=12, decimal_places=2, null=True)
    charge = models.DecimalField(_("charged"), max_digits=12, decimal_places=2, null=True)
    # Counts the refusals: the shop is asked again with the same key until it says yes or no.
    attempt = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    leased_until = models.DateTimeField(null=True)
    charge_reference = models.CharField(max_length=128, blank=True)
    # How the customer knows the card, "•••• 4242".
    charge_label = models.CharField(max_length=60, blank=True)
    # Why it was refused, as the shop says it to the customer.
    refusal = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("renewal")
        verbose_name_plural = _("renewals")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["membership", "number"], name="memberships_renewal_number"),
            models.UniqueConstraint(
                fields=["membership"],
                name="memberships_one_open_renewal",
                condition=Q(state__in=["planned", "charging", "past_due"]),
            ),
            models.CheckConstraint(
                condition=Q(total=None) | Q(total=models.F("credit") + models.F("charge")),
                name="memberships_renewal_adds_up",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="memberships_renewal_due",
                condition=Q(state__in=["planned", "charging", "past_due"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def charge_key(self) -> str:
        """Under which the shop is asked for the money: the same one until it has said no."""
        return f"renewal:{self.pk}:{self.attempt}"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    def first_attempt_at(self, plan: Plan) -> datetime:
        """When it may be charged at the earliest: when it is due, and the customer has known it for long enough.

        From then on the time of grace is counted, and when a declined card is tried again.
        """
        if self.announced_at is None:
            return self.due_at
        return max(self.due_at, self.announced_at + timedelta(days=plan.announce_days))

    @property
    def rest(self) -> Decimal:
        """What the card pays of the present attempt, in ``currency``; 0 before the first one."""
        return self.charge or Decimal("0.00")


class GroupGrant(models.Model):
    """A customer was put into a group because of a membership. Who was in it before has none, and stays in it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("member of a group")
        verbose_name_plural = _("members of groups")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["user", "group"], name="memberships_one_grant")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"
