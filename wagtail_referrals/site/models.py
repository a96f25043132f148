"""Pages that editors write: where a friend lands, and where customers read about the program.

The mixins carry everything, so that a site can put them on page types of its own; the concrete pages only add the base.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import RichTextField, StreamField
from wagtail.images import get_image_model_string

from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

if TYPE_CHECKING:
    from wagtail.models import Page
else:
    # Sites may swap Wagtail's base page (WAGTAIL_PAGE_MODEL).
    Page = apps.get_model(BASE_PAGE_MODEL_NAME, require_ready=False)

__all__ = ["HubPage", "HubPageMixin", "LandingPage", "LandingPageMixin"]

RICH_TEXT = ["bold", "italic", "link", "ul", "ol", "h3"]


class StepBlock(blocks.StructBlock):
    """One step of "how it works"."""

    heading = blocks.CharBlock(label=_("heading"), max_length=80)
    text = blocks.TextBlock(label=_("text"), required=False, max_length=300)

    class Meta:
        icon = "list-ol"
        label = _("step")


class InvitationTexts(models.Model):
    """What both pages have: a headline, an introduction, a picture, the steps."""

    headline = models.CharField(
        _("headline"),
        max_length=150,
        blank=True,
        help_text=_(
            "{name} becomes the referrer's name, {gift} what the friend gets. Leave empty for our wording."
        ),
    )
    introduction = RichTextField(_("introduction"), blank=True, features=RICH_TEXT)
    picture = models.ForeignKey(
        get_image_model_string(),
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Also shown where the link is shared."),
    )
    steps = StreamField(
        [("step", StepBlock())],
        verbose_name=_("how it works"),
        blank=True,
        help_text=_("Leave empty for our wording."),
    )

    class Meta:
        abstract = True


class LandingPageMixin(InvitationTexts):
    """Where a friend lands. Drawn at the share link itself; at its own address it shows the offer without a name."""

    action_text = models.CharField(
        _("text of the button"), max_length=60, blank=True, help_text=_("Leave empty for our wording.")
    )

    landing_panels = [
        MultiFieldPanel(
            [FieldPanel("headline"), FieldPanel("introduction"), FieldPanel("picture")], _("invitation")
        ),
        FieldPanel("steps"),
        FieldPanel("action_text"),
    ]
    landing_template = "wagtail_referrals/landing_page.html"

    class Meta:
        abstract = True

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        return [
            ("friend", _("As a friend")),
            ("customer", _("As somebody who has ordered before")),
            ("own", _("As the referrer")),
            ("closed", _("When no program is open")),
        ]

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from wagtail_referrals.site.invitation import invitation_of
        from wagtail_referrals.site.layout import layout_context

        context: dict[str, Any] = super().get_context(request, *args, **kwargs)  # type: ignore[misc]
        invitation = context.get("invitation") or invitation_of(request)
        context.update(layout_context(), **invitation.on_page(self).context(request))
        return context

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Draw the page for a sample visitor. Nothing is counted, and no cookie is set."""
        from wagtail_referrals.site.invitation import sample_invitation

        request.referral_invitation = sample_invitation(request, mode_name)  # type: ignore[attr-defined]
        response: HttpResponse = super().serve_preview(request, mode_name)  # type: ignore[misc]
        return response


class HubPageMixin(InvitationTexts):
    """The public page about the program: the offer in words, and the way to one's own link."""

    hub_panels = [
        MultiFieldPanel(
            [FieldPanel("headline"), FieldPanel("introduction"), FieldPanel("picture")], _("invitation")
        ),
        FieldPanel("steps"),
    ]
    hub_template = "wagtail_referrals/hub_page.html"

    class Meta:
        abstract = True

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from wagtail_referrals.site.hub import hub_context
        from wagtail_referrals.site.layout import layout_context

        context: dict[str, Any] = super().get_context(request, *args, **kwargs)  # type: ignore[misc]
        context.update(layout_context(), **hub_context(request, self))
        return context


class LandingPage(LandingPageMixin, Page):  # type: ignore[django-manager-missing]
    """The landing page, ready to use."""

    template = LandingPageMixin.landing_template
    content_panels = [*Page.content_panels, *LandingPageMixin.landing_panels]
    subpage_types: list[str] = []

    class Meta:
        verbose_name = _("referral landing page")
        verbose_name_plural = _("referral landing pages")


class HubPage(HubPageMixin, Page):  # type: ignore[django-manager-missing]
    """The page about the program, ready to use."""

    template = HubPageMixin.hub_template
    content_panels = [*Page.content_panels, *HubPageMixin.hub_panels]
    subpage_types: list[str] = []

    class Meta:
        verbose_name = _("referral program page")
        verbose_name_plural = _("referral program pages")
