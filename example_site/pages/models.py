"""Two page types: the home page, and every other page of the studio."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.images import get_image_model_string
from wagtail.models import Page

from example_site.pages.blocks import BodyBlock

if settings.REFERRAL_APPS:
    from wagtail_referrals.site.blocks import REFERRAL_BLOCKS
else:
    REFERRAL_BLOCKS = []


class StudioPage(Page):
    """What both page types have: a line under the title, a picture, a body of blocks."""

    introduction = models.TextField(_("introduction"), blank=True)
    picture = models.ForeignKey(
        get_image_model_string(),
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    body = StreamField(BodyBlock(REFERRAL_BLOCKS), verbose_name=_("body"), blank=True)

    content_panels = [
        *Page.content_panels,
        MultiFieldPanel([FieldPanel("introduction"), FieldPanel("picture")], heading=_("top of the page")),
        FieldPanel("body"),
    ]

    class Meta:
        abstract = True


class HomePage(StudioPage):
    template = "example_site/home_page.html"
    max_count_per_parent = 2
    subpage_types = [
        "example_pages.ContentPage",
        *(["wagtail_referrals.LandingPage", "wagtail_referrals.HubPage"] if settings.REFERRAL_APPS else []),
        *(["referral_feedback.FeedbackPage"] if settings.REFERRAL_APPS else []),
    ]

    class Meta:
        verbose_name = _("home page")


class ContentPage(StudioPage):
    template = "example_site/content_page.html"
    parent_page_types = ["example_pages.HomePage", "example_pages.ContentPage"]

    class Meta:
        verbose_name = _("content page")
