"""Badges, standings and thanks. Who wears a badge that a program gave stands in ``Reward``, its name in the terms."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.images import get_image_model_string

from wagtail_referrals.kinds import in_language
from wagtail_referrals.people.models import Advocate

__all__ = [
    "Badge",
    "BadgeAward",
    "BadgeName",
    "Featured",
    "FeaturedText",
    "Standing",
    "StandingLevel",
    "StandingsCheck",
]


class Badge(ClusterableModel):
    """A name in each language, a picture, and what it is for. It carries no money: changing it changes no promise.

    Terms that promise it have its names as they were, so it may also be deleted. With a criterion the engine gives it,
    see recognition/awards.py; without one, programs do.
    """

    class Icon(models.TextChoices):
        STAR = "star", pgettext_lazy("picture", "star")
        HEART = "heart", pgettext_lazy("picture", "heart")
        LEAF = "leaf", pgettext_lazy("picture", "leaf")
        SUN = "sun", pgettext_lazy("picture", "sun")
        CROWN = "crown", pgettext_lazy("picture", "crown")
        PEOPLE = "people", pgettext_lazy("picture", "people")

    class Criterion(models.TextChoices):
        NONE = "none", _("nothing by itself: programs give it as a reward")
        REFERRALS = "referrals", _("a number of friends who have ordered")
        REVENUE = "revenue", _("what friends have ordered for")
        FIRST = "first", _("the first friend who has ordered in a program")

    class Period(models.TextChoices):
        EVER = "ever", pgettext_lazy("period of a badge", "any time")
        YEAR = "year", pgettext_lazy("period of a badge", "one year")
        MONTH = "month", pgettext_lazy("period of a badge", "one month")

    icon = models.CharField(_("drawing"), max_length=10, choices=Icon.choices, default=Icon.STAR)
    picture = models.ForeignKey(
        get_image_model_string(),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("picture"),
        help_text=_("Shown in place of the drawing. A square one looks best."),
    )
    criterion = models.CharField(
        _("given for"), max_length=10, choices=Criterion.choices, default=Criterion.NONE
    )
    threshold = models.PositiveIntegerField(_("number of friends"), null=True, blank=True)
    # {currency: amount as text}: what friends have ordered for, in one of them.
    revenue = models.JSONField(_("order value"), default=dict, blank=True)
    period = models.CharField(_("within"), max_length=10, choices=Period.choices, default=Period.EVER)
    # Empty: friends of all programs count.
    program_key = models.UUIDField(_("program"), null=True, blank=True)
    # The criterion is new: the next sweep looks who meets it.
    to_recheck = models.BooleanField(default=True, editable=False)

    class Meta:
        verbose_name = _("badge")
        verbose_name_plural = _("badges")
        ordering = ["pk"]

    def __str__(self) -> str:
        return in_language(self.names_by_language) or gettext("(without a name)")

    @property
    def names_by_language(self) -> dict[str, str]:
        return {name.language: name.name for name in self.names.all() if name.name}


class BadgeName(models.Model):
    """What the badge is called in one language."""

    badge = ParentalKey(Badge, on_delete=models.CASCADE, related_name="names")
    language = models.CharField(_("language"), max_length=20)
    name = models.CharField(_("name"), max_length=60)

    class Meta:
        verbose_name = _("name")
        verbose_name_plural = _("names")
        constraints = [
            models.UniqueConstraint(fields=["badge", "language"], name="referrals_badge_name_language")
        ]

    def __str__(self) -> str:
        return self.name


class Standing(models.Model):
    """How many friends of an advocate count in a program and a period: what leaderboards and badges are read from.

    A counter: it can be made anew from the referrals at any time, see recognition/standings.py.
    """

    wagtail_reference_index_ignore = True

    program_key = models.UUIDField()
    # "ever", "2026" or "2026-11", in the time zone of the site.
    period = models.CharField(max_length=7)
    advocate = models.ForeignKey(Advocate, on_delete=models.CASCADE, related_name="standings")
    referrals = models.PositiveIntegerField(default=0)
    # {currency: amount as text}, net of refunds.
    revenue = models.JSONField(default=dict)
    # When the last of those who count qualified: among equals, who got there first is named first.
    reached_at = models.DateTimeField(null=True)
    # Copied from the advocate, so that a leaderboard is read from one index.
    is_public = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("standing")
        verbose_name_plural = _("standings")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["advocate", "program_key", "period"], name="referrals_standing_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["program_key", "period", "-referrals", "reached_at"],
                name="referrals_leaderboard",
                condition=Q(is_public=True, referrals__gt=0),
            ),
            # The same for staff, whoever it is, and for all programs together.
            models.Index(
                fields=["period", "program_key", "-referrals"],
                name="referrals_top",
                condition=Q(referrals__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class StandingLevel(models.Model):
    """How many advocates are shown with so many friends in a program and a period: one's own place is a sum of these.

    Differences, only ever added, so that nobody waits for anybody: +1 where somebody arrives, -1 where they were. The
    sweep adds them up.
    """

    wagtail_reference_index_ignore = True

    program_key = models.UUIDField()
    period = models.CharField(max_length=7)
    referrals = models.PositiveIntegerField()
    advocates = models.IntegerField()

    class Meta:
        verbose_name = _("level of standings")
        verbose_name_plural = _("levels of standings")
        default_permissions = ()
        indexes = [models.Index(fields=["program_key", "period", "referrals"], name="referrals_level")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class StandingsCheck(models.Model):
    """When all standings were last compared with the referrals. One row."""

    wagtail_reference_index_ignore = True

    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("check of the standings")
        verbose_name_plural = _("checks of the standings")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class BadgeAward(models.Model):
    """A badge that the engine gave for its criterion: once to each advocate, and taken back with what it was for."""

    wagtail_reference_index_ignore = True

    badge = models.ForeignKey(Badge, on_delete=models.CASCADE, related_name="awards")
    advocate = models.ForeignKey(Advocate, on_delete=models.CASCADE, related_name="badge_awards")
    # What it was given for, in numbers: {"referrals": 5, "period": "2026-11"}.
    evidence = models.JSONField(default=dict)
    # Only one advocate at a time wears it: the first of a program.
    is_sole = models.BooleanField(default=False)
    awarded_at = models.DateTimeField(_("since"))
    taken_back_at = models.DateTimeField(_("taken back"), null=True)

    class Meta:
        verbose_name = _("badge given")
        verbose_name_plural = _("badges given")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["badge", "advocate"], name="referrals_badge_award_once"),
            models.UniqueConstraint(
                fields=["badge"],
                name="referrals_badge_award_sole",
                condition=Q(is_sole=True, taken_back_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Featured(ClusterableModel):
    """An advocate whom staff thank in public, on the wall of thanks: shown once, and as long as, they agree."""

    wagtail_reference_index_ignore = True

    advocate = models.OneToOneField(
        Advocate, on_delete=models.CASCADE, related_name="featured", verbose_name=_("referrer")
    )
    picture = models.ForeignKey(
        get_image_model_string(),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("picture"),
    )
    created_at = models.DateTimeField(_("since"))
    # The referrer's answer; neither while they have not given one.
    agreed_at = models.DateTimeField(_("agreed"), null=True, editable=False)
    declined_at = models.DateTimeField(_("declined"), null=True, editable=False)

    class Meta:
        verbose_name = _("referrer to thank")
        verbose_name_plural = _("referrers to thank")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return str(self.advocate)

    def save(self, **kwargs: Any) -> None:
        """What staff write never overwrites an answer that was given meanwhile."""
        if not self._state.adding:
            kwargs.setdefault("update_fields", ["picture", "texts"])
        super().save(**kwargs)


class FeaturedText(models.Model):
    """What is said about a featured advocate in one language."""

    featured = ParentalKey(Featured, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(_("language"), max_length=20)
    text = models.CharField(_("words of thanks"), max_length=300)

    class Meta:
        verbose_name = _("words of thanks")
        verbose_name_plural = _("words of thanks")
        constraints = [
            models.UniqueConstraint(fields=["featured", "language"], name="referrals_featured_language")
        ]

    def __str__(self) -> str:
        return self.text
