"""Pages that editors write: where a friend lands, and where customers read about the program.

The mixins carry everything, so that a site can put them on page types of its own; the concrete pages only add the base.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList, TabbedInterface
from wagtail.fields import RichTextField, StreamField
from wagtail.images import get_image_model, get_image_model_string

from wagtail_referrals.kinds import NAME_AND_GIFT
from wagtail_referrals.site.actions import action_target_choices
from wagtail_referrals.site.blocks import StepBlock
from wagtail_referrals.site.colours import check_colour, check_contrast
from wagtail_referrals.site.page_form import ActionPanel, ColourInput, LandingPageForm, PreviewDateForm
from wagtail_referrals.site.page_parts import (
    RICH_TEXT,
    ShareMessageBlock,
    SituationBlock,
    VariantBlock,
    body_blocks,
)
from wagtail_referrals.site.variants import variant_mode, variant_titles
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

if TYPE_CHECKING:
    from wagtail.models import Page
else:
    # Sites may swap Wagtail's base page (WAGTAIL_PAGE_MODEL).
    Page = apps.get_model(BASE_PAGE_MODEL_NAME, require_ready=False)

__all__ = ["HubPage", "HubPageMixin", "LandingPage", "LandingPageMixin"]


PREVIEW_PANEL = MultiFieldPanel([FieldPanel("preview_on")], _("Preview"))


class InvitationTexts(models.Model):
    """What both pages have: a headline, an introduction, a picture, the steps."""

    headline = models.CharField(
        _("headline"),
        max_length=150,
        blank=True,
        validators=[NAME_AND_GIFT],
        help_text=_(
            "{name} becomes the referrer's name, {gift} what the friend gets. Leave empty for our wording."
        ),
    )
    introduction = RichTextField(
        _("introduction"), blank=True, features=RICH_TEXT, validators=[NAME_AND_GIFT]
    )
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
    body = StreamField(body_blocks(), verbose_name=_("more on this page"), blank=True)

    class Meta:
        abstract = True


class LandingPageMixin(InvitationTexts):
    """Where a friend lands. Drawn at the share link itself; at its own address it shows the offer without a name."""

    action_text = models.CharField(
        _("text of the button"), max_length=60, blank=True, help_text=_("Leave empty for our wording.")
    )
    action_target = models.CharField(
        _("the button leads to"), max_length=40, choices=action_target_choices, blank=True
    )
    action_options = models.JSONField(default=dict, blank=True, editable=False)
    keep_by_email = models.BooleanField(
        _("keep the invitation by e-mail"),
        default=False,
        help_text=_("Offers the friend to keep the invitation in their mailbox. They have to agree to it."),
    )
    variants = StreamField(
        [("variant", VariantBlock())],
        verbose_name=_("variants"),
        blank=True,
        help_text=_("For a friend the first that fits is taken; what it leaves empty stays as above."),
    )
    situations = StreamField(
        [("situation", SituationBlock())],
        verbose_name=_("situations"),
        blank=True,
        help_text=_("What others than a new friend read. Leave out a situation for our wording."),
    )
    share_messages = StreamField(
        [("message", ShareMessageBlock())],
        verbose_name=_("messages"),
        blank=True,
        help_text=_(
            "What referrers send with their link, before they change it. Leave empty for the program's."
        ),
    )
    share_picture = models.ForeignKey(
        get_image_model_string(),
        verbose_name=_("picture where the link is shared"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Name and offer are written over it. Leave empty for the picture of the page."),
    )
    colour_ground = models.CharField(
        _("colour of the ground"), max_length=7, blank=True, validators=[check_colour]
    )
    colour_ink = models.CharField(
        _("colour of the text"), max_length=7, blank=True, validators=[check_colour]
    )
    colour_accent = models.CharField(
        _("colour of the accent"), max_length=7, blank=True, validators=[check_colour]
    )
    card_heading = models.CharField(
        _("heading of cards and posters"),
        max_length=80,
        blank=True,
        validators=[NAME_AND_GIFT],
        help_text=_(
            "{name} becomes the referrer's name, {gift} what the friend gets. Leave empty for our wording."
        ),
    )
    card_text = models.TextField(
        _("text of cards and posters"),
        max_length=300,
        blank=True,
        help_text=_("Leave empty for our wording."),
        validators=[NAME_AND_GIFT],
    )

    landing_panels = [
        MultiFieldPanel(
            [FieldPanel("headline"), FieldPanel("introduction"), FieldPanel("picture")], _("Invitation")
        ),
        ActionPanel(),
        FieldPanel("steps"),
        FieldPanel("body"),
        FieldPanel("keep_by_email"),
        FieldPanel("variants"),
        FieldPanel("situations"),
        PREVIEW_PANEL,
    ]
    sharing_panels = [
        FieldPanel("share_messages"),
        MultiFieldPanel(
            [
                FieldPanel("share_picture"),
                FieldRowPanel(
                    [
                        FieldPanel(name, widget=ColourInput)
                        for name in ("colour_ground", "colour_ink", "colour_accent")
                    ],
                    help_text=_(
                        "As # and six digits, or picked from the square beside it. Leave empty for our colours."
                    ),
                ),
            ],
            _("Pictures, cards and posters"),
        ),
        MultiFieldPanel([FieldPanel("card_heading"), FieldPanel("card_text")], _("Cards and posters")),
    ]
    landing_template = "wagtail_referrals/landing_page.html"
    base_form_class = LandingPageForm

    class Meta:
        abstract = True

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        from wagtail_referrals.site.offline import PREVIEW_MODES

        modes = [
            ("friend", _("As a friend")),
            ("returning", _("As a friend who comes again")),
            ("used", _("As a friend who has ordered already")),
            ("customer", _("As somebody who has ordered before")),
            ("own", _("As the referrer")),
            ("closed", _("When the invitation has ended")),
            *PREVIEW_MODES.items(),
        ]
        variants = [part["value"] for part in self.variants.raw_data] if self.variants else []
        return [*modes, *zip(map(variant_mode, range(len(variants))), variant_titles(variants), strict=True)]

    def clean(self) -> None:
        super().clean()
        check_contrast(self.colour_ground, self.colour_ink, "colour_ink")

    @cached_property
    def variant_pictures(self) -> dict[Any, Any]:
        """The pictures of all variants by primary key. One query, kept with the page."""
        chosen = [part["value"].get("picture") for part in self.variants.raw_data]
        keys = [key for key in chosen if key is not None]
        return get_image_model()._default_manager.in_bulk(keys) if keys else {}

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from wagtail_referrals.site.invitation import invitation_of
        from wagtail_referrals.site.keep import keep_context
        from wagtail_referrals.site.layout import layout_context
        from wagtail_referrals.site.nobody import everybody_context

        context: dict[str, Any] = super().get_context(request, *args, **kwargs)  # type: ignore[misc]
        invitation = context.get("invitation") or invitation_of(request)
        context.update(
            layout_context(),
            **invitation.on_page(self, request).context(request),
            **keep_context(request, invitation, self),
            **everybody_context(request, invitation.code),
        )
        return context

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        from wagtail_referrals.site.invitation import invitation_of
        from wagtail_referrals.site.nobody import is_for_nobody

        # Blocks and tags on this page speak of the same invitation.
        request.referral_invitation = invitation_of(request)  # type: ignore[attr-defined]
        response: HttpResponse = super().serve(request, *args, **kwargs)  # type: ignore[misc]
        if request.referral_invitation.code and not is_for_nobody(request):  # type: ignore[attr-defined]
            patch_cache_control(response, private=True)
        return response

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Draw the page for a sample visitor, also of a day to come. Nothing is counted, and no cookie is set."""
        from wagtail_referrals.site.invitation import sample_invitation
        from wagtail_referrals.site.offline import draw_preview

        sample = sample_invitation(request, mode_name, moment=getattr(self, "preview_on", None))
        drawn = draw_preview(request, self, mode_name, name=sample.public_name, data=sample.data)
        if drawn is not None:
            return drawn
        request.referral_invitation = sample  # type: ignore[attr-defined]
        response: HttpResponse = super().serve_preview(request, mode_name)  # type: ignore[misc]
        return response


class HubPageMixin(InvitationTexts):
    """The public page about the program: the offer in words, and the way to one's own link."""

    hub_panels = [
        MultiFieldPanel(
            [FieldPanel("headline"), FieldPanel("introduction"), FieldPanel("picture")], _("Invitation")
        ),
        FieldPanel("steps"),
        FieldPanel("body"),
        PREVIEW_PANEL,
    ]
    hub_template = "wagtail_referrals/hub_page.html"
    base_form_class = PreviewDateForm

    class Meta:
        abstract = True

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        return [("visitor", _("As a visitor")), ("referrer", _("As a customer with a link"))]

    def clean(self) -> None:
        super().clean()
        wrong = {
            name: gettext("Nobody in particular invites here: only {gift} is replaced on this page.")
            for name in ("headline", "introduction")
            if "{name}" in getattr(self, name)
        }
        if wrong:
            raise ValidationError(wrong)

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from wagtail_referrals.site.hub import hub_context
        from wagtail_referrals.site.layout import layout_context

        context: dict[str, Any] = super().get_context(request, *args, **kwargs)  # type: ignore[misc]
        context.update(layout_context(), **hub_context(request, self))
        return context

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Draw the page for a sample visitor, also of a day to come. Nobody becomes a referrer by it."""
        request.referral_preview = mode_name  # type: ignore[attr-defined]
        response: HttpResponse = super().serve_preview(request, mode_name)  # type: ignore[misc]
        return response


class LandingPage(LandingPageMixin, Page):  # type: ignore[django-manager-missing]
    """The landing page, ready to use."""

    # Named, as its name would follow the site's base page, and the migrations could not.
    page_ptr = models.OneToOneField(
        BASE_PAGE_MODEL_NAME, on_delete=models.CASCADE, parent_link=True, primary_key=True, serialize=False
    )
    template = LandingPageMixin.landing_template
    content_panels = [*Page.content_panels, *LandingPageMixin.landing_panels]
    edit_handler = TabbedInterface(
        [
            ObjectList(content_panels, heading=_("Content")),
            ObjectList(LandingPageMixin.sharing_panels, heading=_("Sharing")),
            ObjectList(Page.promote_panels, heading=_("Promote")),
            ObjectList(Page.settings_panels, heading=_("Settings")),
        ]
    )
    subpage_types: list[str] = []

    class Meta:
        verbose_name = _("referral landing page")
        verbose_name_plural = _("referral landing pages")


class HubPage(HubPageMixin, Page):  # type: ignore[django-manager-missing]
    """The page about the program, ready to use."""

    # Named, as its name would follow the site's base page, and the migrations could not.
    page_ptr = models.OneToOneField(
        BASE_PAGE_MODEL_NAME, on_delete=models.CASCADE, parent_link=True, primary_key=True, serialize=False
    )
    template = HubPageMixin.hub_template
    content_panels = [*Page.content_panels, *HubPageMixin.hub_panels]
    subpage_types: list[str] = []

    class Meta:
        verbose_name = _("referral program page")
        verbose_name_plural = _("referral program pages")
