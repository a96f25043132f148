"""What a badge looks like. Who wears it stands in ``Reward``, by which name in the terms."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.images import get_image_model_string

from wagtail_referrals.kinds import in_language

__all__ = ["Badge", "BadgeName"]


class Badge(ClusterableModel):
    """A name in each language and a picture. It carries no money: changing it changes no promise.

    Terms that promise it have its names as they were, so it may also be deleted.
    """

    class Icon(models.TextChoices):
        STAR = "star", pgettext_lazy("picture", "star")
        HEART = "heart", pgettext_lazy("picture", "heart")
        LEAF = "leaf", pgettext_lazy("picture", "leaf")
        SUN = "sun", pgettext_lazy("picture", "sun")
        CROWN = "crown", pgettext_lazy("picture", "crown")
        PEOPLE = "people", pgettext_lazy("picture", "people")

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
