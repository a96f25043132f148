"""What an editor configures (``Program`` and its children) and what is promised (``Terms``)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, override, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.models import (
    DraftStateMixin,
    LockableMixin,
    Orderable,
    PreviewableMixin,
    RevisionMixin,
    WorkflowMixin,
)

from wagtail_referrals.kinds import RefundPolicy, Side, reward_kind_choices, trigger_choices
from wagtail_referrals.programs.amounts import AMOUNTS_HELP, AmountsField
from wagtail_referrals.programs.audiences import customer_fact_choices
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

__all__ = ["Audience", "AudienceRule", "Budget", "Program", "ProgramRule", "ProgramText", "Terms"]


def at_most_days(days: int) -> MaxValueValidator:
    return MaxValueValidator(days, _("This is too long: at most %(limit_value)s days."))


def at_most(count: int) -> MaxValueValidator:
    return MaxValueValidator(count, _("This is too much: at most %(limit_value)s."))


def percent_field(verbose_name: object, **kwargs: object) -> models.DecimalField:
    return models.DecimalField(
        verbose_name,  # type: ignore[arg-type]
        max_digits=5,
        decimal_places=2,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        **kwargs,  # type: ignore[arg-type]
    )


class Audience(DraftStateMixin, RevisionMixin, ClusterableModel):
    """Customers, by rules over what the shop knows about them. It decides who may offer a program, so what counts is
    the published row: drafts are in revisions.
    """

    class Match(models.TextChoices):
        ALL = "all", _("all of these rules hold")
        ANY = "any", _("at least one of these rules holds")

    name = models.CharField(
        _("name"),
        max_length=100,
        help_text=_("As editors read it in programs, for example “Members”. Customers do not see it."),
    )
    match = models.CharField(
        _("a customer is in it if"), max_length=3, choices=Match.choices, default=Match.ALL
    )

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name or gettext("(without a name)")


class AudienceRule(Orderable):
    """One fact, and what has to be true of it. ``options`` is what the fact asks for: see ``CustomerFact``."""

    audience = ParentalKey(Audience, on_delete=models.CASCADE, related_name="rules")
    fact = models.CharField(_("fact"), max_length=40, choices=customer_fact_choices)
    options = models.JSONField(default=dict, blank=True, editable=False)

    class Meta(Orderable.Meta):
        verbose_name = _("rule")
        verbose_name_plural = _("rules")

    def __str__(self) -> str:
        return self.get_fact_display()


class Program(
    WorkflowMixin, DraftStateMixin, LockableMixin, RevisionMixin, PreviewableMixin, ClusterableModel
):
    """Who may refer, what each side gets, and when. Nothing is paid from this row: see ``Terms``."""

    class Touch(models.TextChoices):
        LAST = "last", _("the last link the friend followed")
        FIRST = "first", _("the first link the friend followed")

    class Anchor(models.TextChoices):
        SHIPPED = "shipped", _("delivery of the order")
        PAID = "paid", _("payment of the order")

    class Period(models.TextChoices):
        MONTH = "month", _("a month")
        YEAR = "year", _("a year")
        EVER = "ever", _("in all")

    # How programs look is not theirs to know: the site's room draws them. Must render, in the current language.
    draw_preview: ClassVar[Callable[[Program, HttpRequest], HttpResponse] | None] = None

    key = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    name = models.CharField(_("name"), max_length=100, help_text=_("Only editors see it."))
    site = models.ForeignKey(
        "wagtailcore.Site",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("site"),
        help_text=_("Leave empty to offer the program on every site."),
    )
    precedence = models.PositiveIntegerField(
        pgettext_lazy("position", "order"),
        default=100,
        help_text=_("Where several programs are open, the first one is offered."),
    )
    audience = models.ForeignKey(
        Audience,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="programs",
        verbose_name=_("who may refer"),
        help_text=_("Leave empty for everybody. Judged when a friend follows the link: a promise stays."),
    )
    new_customers_only = models.BooleanField(
        _("for new customers only"),
        default=True,
        help_text=_(
            "A friend who has ordered before, with an account or as a guest, gets nothing and brings nothing."
        ),
    )
    window_days = models.PositiveSmallIntegerField(
        _("days to order"),
        default=30,
        validators=[MinValueValidator(1), at_most_days(730)],
        help_text=_("How long after following the link an order still counts."),
    )
    touch = models.CharField(
        _("whose friend"),
        max_length=5,
        choices=Touch.choices,
        default=Touch.LAST,
        help_text=_(
            "Decides between two people who sent the same friend, until the first order or registration."
        ),
    )
    hold_days = models.PositiveSmallIntegerField(
        _("waiting period in days"),
        default=14,
        validators=[at_most_days(365)],
        help_text=_("Not shorter than the time in which an order can be returned."),
    )
    hold_anchor = models.CharField(
        _("waiting period starts at"),
        max_length=10,
        choices=Anchor.choices,
        default=Anchor.SHIPPED,
        help_text=_("From when the days are counted."),
    )
    clawback_days = models.PositiveSmallIntegerField(
        _("rewards can be taken back for, in days"),
        default=180,
        validators=[at_most_days(3650)],
        help_text=_("Counted from the order. A refund after that leaves the reward alone."),
    )
    cap_count = models.PositiveIntegerField(
        _("at most, rewards per customer"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), at_most(1_000_000)],
        help_text=_("Leave empty for no limit."),
    )
    cap_period = models.CharField(
        _("counted over"), max_length=5, choices=Period.choices, default=Period.YEAR
    )
    friend_cap_count = models.PositiveIntegerField(
        _("at most, rewards for one friend"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), at_most(1_000_000)],
        help_text=_(
            "How many orders of the same friend bring each reward, whoever gets it. Leave empty for no limit."
        ),
    )
    credit_pays_renewals = models.BooleanField(
        _("credit pays renewals first"),
        default=False,
        help_text=_(
            "When a membership renews, credit from this program is used first, and the card is charged the rest. "
            "Customers without a renewal keep it for their next purchase."
        ),
    )
    budget_amounts = AmountsField(
        _("budget"),
        help_text=_(
            "What the program may cost in all. When it is used up, nobody new is invited. What was promised is kept."
        ),
    )
    budget_count = models.PositiveIntegerField(
        _("budget in number of friends"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), at_most(10_000_000)],
        help_text=_("How many friends may be invited in all. Leave empty for no limit."),
    )
    landing_page = models.ForeignKey(
        BASE_PAGE_MODEL_NAME,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("landing page"),
        help_text=_("Where the link leads. Leave empty for the general page."),
    )

    class Meta:
        verbose_name = _("program")
        verbose_name_plural = _("programs")
        ordering = ["precedence", "pk"]

    def __str__(self) -> str:
        return self.name or gettext("(without a name)")

    @classmethod
    def from_serializable_data(
        cls, data: dict[str, Any], check_fks: bool = True, strict_fks: bool = False
    ) -> Program | None:
        """A version of the past may name an audience that is gone: then it opens with none for the editor to see."""
        audience = data.get("audience")
        if check_fks and audience is not None and not Audience.objects.filter(pk=audience).exists():
            data = {**data, "audience": None}
        program: Program | None = super().from_serializable_data(data, check_fks, strict_fks)
        return program

    def with_content_json(self, content: dict[str, Any]) -> Program:
        """The order is dragged in the listing and in force at once: no version of the past brings another one back."""
        program: Program = super().with_content_json(content)
        program.precedence = self.precedence
        return program

    @property
    def preview_modes(self) -> list[tuple[str, str]]:
        """One for each language that the site's content is in."""
        return language_choices()

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """The landing page as a friend would see it, from this row as it stands, in the language ``mode_name``."""
        if Program.draw_preview is None:
            raise ImproperlyConfigured("Nothing draws the preview of programs: see wagtail_hooks.py.")
        language = mode_name if mode_name in dict(self.preview_modes) else self.default_preview_mode
        with override(language):
            return Program.draw_preview(self, request)

    def is_open(self, now: datetime) -> bool:
        """Published and not expired. The budget is asked separately."""
        return (
            bool(self.live)
            and (self.expire_at is None or self.expire_at > now)
            and (self.go_live_at is None or self.go_live_at <= now)
        )


class ProgramText(models.Model):
    """The program's words in one language."""

    program = ParentalKey(Program, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(_("language"), max_length=20)
    headline = models.CharField(
        _("headline"),
        max_length=150,
        blank=True,
        help_text=_("Above the invitation. Leave empty for our wording."),
    )
    introduction = models.TextField(
        _("introduction"),
        blank=True,
        help_text=_("Shown where the landing page has no introduction of its own."),
    )
    share_message = models.CharField(
        _("message to share"),
        max_length=280,
        blank=True,
        help_text=_("What your customer sends with the link. They can change it."),
    )
    small_print = models.TextField(
        _("terms of the offer"),
        blank=True,
        help_text=_("Stands below the offer, for example that it cannot be paid out in cash."),
    )

    class Meta:
        verbose_name = _("texts")
        verbose_name_plural = _("texts")
        constraints = [
            models.UniqueConstraint(fields=["program", "language"], name="referrals_text_language")
        ]

    def __str__(self) -> str:
        return self.language


class ProgramRule(Orderable):
    """One line of the sentence: who gets what, and when."""

    program = ParentalKey(Program, on_delete=models.CASCADE, related_name="rules")
    # Rewards point to (terms, rule key): stays the same through all versions of the program.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    side = models.CharField(_("who"), max_length=10, choices=Side.choices)
    trigger = models.CharField(_("when"), max_length=40, choices=trigger_choices)
    occurrence = models.PositiveSmallIntegerField(
        _("number of friends"),
        null=True,
        blank=True,
        validators=[at_most(10_000)],
        help_text=_("5: the fifth friend who orders brings it."),
    )
    kind = models.CharField(_("gets"), max_length=40, choices=reward_kind_choices)
    amounts = AmountsField(_("amount"), help_text=AMOUNTS_HELP)
    percent = percent_field(_("percentage"), null=True, blank=True)
    minimum_spend = AmountsField(
        _("minimum order"), help_text=_("What the order must come to, without delivery.")
    )
    expires_days = models.PositiveSmallIntegerField(
        _("can be used for, in days"),
        null=True,
        blank=True,
        validators=[at_most_days(3650)],
        help_text=_("Leave empty: it does not expire."),
    )
    refund_policy = models.CharField(
        _("when the order is refunded"),
        max_length=15,
        choices=RefundPolicy.choices,
        blank=True,
        help_text=_(
            "Leave empty for what is usual: percentages shrink with the order, fixed amounts stay unless the order "
            "falls below its minimum."
        ),
    )
    options = models.JSONField(default=dict, blank=True, editable=False)

    class Meta(Orderable.Meta):
        verbose_name = _("rule")
        verbose_name_plural = _("rules")

    def __str__(self) -> str:
        return f"{self.get_side_display()} – {self.get_kind_display()}"


class Terms(models.Model):
    """One published version of a program, frozen. Never changed, never deleted.

    ``data`` is what ``programs.TermsData`` reads. The program may be changed, closed or deleted: this stays.
    """

    wagtail_reference_index_ignore = True

    program = models.ForeignKey(
        Program, null=True, on_delete=models.SET_NULL, related_name="terms", verbose_name=_("program")
    )
    program_key = models.UUIDField()
    number = models.PositiveIntegerField(_("version"))
    content_hash = models.CharField(max_length=64)
    schema = models.PositiveSmallIntegerField()
    data = models.JSONField()
    created_at = models.DateTimeField(_("date"))

    class Meta:
        verbose_name = _("terms of the offer")
        verbose_name_plural = _("terms of the offer")
        default_permissions = ("view",)
        ordering = ["program_key", "number"]
        constraints = [
            models.UniqueConstraint(fields=["program_key", "content_hash"], name="referrals_terms_content"),
            models.UniqueConstraint(fields=["program_key", "number"], name="referrals_terms_number"),
        ]

    def __str__(self) -> str:
        return f"{self.data.get('name', '')} ({self.number})"


class Budget(models.Model):
    """What a program has promised and given, in one currency (rows with a currency) or in number of friends (currency
    "").

    Locked after Referral and before Advocate. ``held`` is promised to claims that are open, ``spent`` is owed or given.
    """

    wagtail_reference_index_ignore = True

    program_key = models.UUIDField()
    currency = models.CharField(max_length=12, blank=True)
    held = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    spent = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["program_key", "currency"], name="referrals_one_budget"),
            models.CheckConstraint(
                condition=Q(held__gte=0, spent__gte=0), name="referrals_budget_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


def language_choices() -> list[tuple[str, str]]:
    """The languages that the site's content is in."""
    return list(getattr(settings, "WAGTAIL_CONTENT_LANGUAGES", settings.LANGUAGES))
