"""The page that asks, built with Wagtail's form builder, and the answers.

The mixin carries everything, so that a site can put it on a page type of its own, with questions of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.apps import apps
from django.core.validators import MaxValueValidator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from wagtail.admin.panels import FieldPanel, InlinePanel
from wagtail.contrib.forms.forms import FormBuilder
from wagtail.contrib.forms.models import AbstractFormField, AbstractFormSubmission, FormMixin
from wagtail.contrib.forms.panels import FormSubmissionsPanel
from wagtail.fields import RichTextField

from wagtail_referrals.feedback.respondents import Respondent, respondent_of
from wagtail_referrals.kinds import Side
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

if TYPE_CHECKING:
    from wagtail.models import Page
else:
    # Sites may swap Wagtail's base page (WAGTAIL_PAGE_MODEL).
    Page = apps.get_model(BASE_PAGE_MODEL_NAME, require_ready=False)

RICH_TEXT = ["bold", "italic", "link", "ul", "ol"]
# The name of our own question among those of the form builder, which are made from their labels.
RATING = "referral_rating"
HIGHEST = 10


class FeedbackSubmission(AbstractFormSubmission):
    """What one side of a referral answered. Once: who comes again changes the answer.

    When the person is deleted their words go; the rating stays, and nobody's.
    """

    # One of these only is known of a person: which side of which referral.
    referral = models.ForeignKey(
        Referral, on_delete=models.CASCADE, related_name="+", verbose_name=_("referral")
    )
    side = models.CharField(_("who"), max_length=10, choices=Side.choices)
    # Copied from the referral, so that the score of a program is one query.
    program_key = models.UUIDField(db_index=True)
    rating = models.PositiveSmallIntegerField(_("rating"), validators=[MaxValueValidator(HIGHEST)])
    language = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["referral", "side"], name="referrals_feedback_once"),
            models.CheckConstraint(condition=models.Q(rating__lte=HIGHEST), name="referrals_feedback_rating"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    def get_data(self) -> dict[str, Any]:
        """For Wagtail's listing of the page's answers."""
        data: dict[str, Any] = super().get_data()
        return {**data, RATING: self.rating, "side": self.get_side_display()}


class FeedbackFormBuilder(FormBuilder):
    """Asks our question first, then the editor's."""

    rating_question = ""

    @property
    def formfields(self) -> Any:
        rating = forms.TypedChoiceField(
            label=self.rating_question,
            choices=[(number, str(number)) for number in range(HIGHEST + 1)],
            coerce=int,
            widget=forms.RadioSelect,
            help_text=gettext("0: not at all likely. 10: very likely."),
            error_messages={"required": gettext("Please choose a number from 0 to 10.")},
        )
        return {RATING: rating, **super().formfields}


class FeedbackPageMixin(FormMixin, models.Model):
    """Asks who was rewarded. A page type that uses it has questions with ``related_name="form_fields"``."""

    introduction = RichTextField(_("introduction"), blank=True, features=RICH_TEXT)
    rating_question = models.CharField(
        _("question with a rating from 0 to 10"),
        max_length=200,
        blank=True,
        help_text=_("Leave empty for our wording: “How likely is it that you recommend us to a friend?”"),
    )
    thanks = RichTextField(
        _("thanks"), blank=True, features=RICH_TEXT, help_text=_("Shown once the answer is there.")
    )

    feedback_template = "wagtail_referrals/feedback_page.html"
    landing_page_template = "wagtail_referrals/feedback_thanks.html"
    feedback_panels = [
        FieldPanel("introduction"),
        FieldPanel("rating_question"),
        InlinePanel("form_fields", heading=_("Your own questions"), label=_("question")),
        FieldPanel("thanks"),
    ]

    class Meta:
        abstract = True

    @property
    def asked(self) -> str:
        """The question with the rating, in the current language where the editor wrote none."""
        return self.rating_question or gettext("How likely is it that you recommend us to a friend?")

    def get_submission_class(self) -> type[FeedbackSubmission]:
        return FeedbackSubmission

    def get_submissions_list_view_class(self) -> type:
        from wagtail_referrals.feedback.admin import FeedbackListView

        return FeedbackListView

    def get_data_fields(self) -> list[tuple[str, Any]]:
        first, *questions = super().get_data_fields()
        return [first, (RATING, _("rating")), ("side", _("who")), *questions]

    def get_form_class(self) -> Any:
        builder = FeedbackFormBuilder(self.get_form_fields())
        builder.rating_question = self.asked
        return builder.get_form_class()

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from wagtail_referrals.site.layout import layout_context

        context: dict[str, Any] = super().get_context(request, *args, **kwargs)
        return {**context, **layout_context()}

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form, for who came by the link of a mail or is logged in and was rewarded; a friendly word for others."""
        respondent = respondent_of(request)
        response: HttpResponse
        if respondent is None:
            context = self.get_context(request, *args, **kwargs)
            response = TemplateResponse(request, self.feedback_template, {**context, "form": None})
        else:
            response = self._answer(request, respondent)
        # It says who somebody is, and its address may carry a token.
        patch_cache_control(response, private=True, no_store=True)
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    def _answer(self, request: HttpRequest, respondent: Respondent) -> HttpResponse:
        earlier = FeedbackSubmission.objects.filter(
            referral_id=respondent.referral_id, side=respondent.side
        ).first()
        if request.method == "POST":
            form = self.get_form(request.POST, page=self, user=request.user)
            if form.is_valid():
                self._keep(form.cleaned_data, respondent)
                return self.render_landing_page(request)
        else:
            initial = {RATING: earlier.rating, **earlier.form_data} if earlier is not None else {}
            form = self.get_form(page=self, user=request.user, initial=initial)
        context = self.get_context(request)
        return TemplateResponse(
            request,
            self.feedback_template,
            {**context, "form": form, "token": respondent.token, "is_change": earlier is not None},
        )

    def _keep(self, answers: dict[str, Any], respondent: Respondent) -> FeedbackSubmission:
        rating = answers.pop(RATING)
        submission, _created = FeedbackSubmission.objects.update_or_create(
            referral_id=respondent.referral_id,
            side=respondent.side,
            defaults={
                "page": self,
                "program_key": respondent.program_key,
                "rating": rating,
                "language": self.locale.language_code,
                "form_data": answers,
            },
        )
        return submission


class FeedbackPage(FeedbackPageMixin, Page):  # type: ignore[django-manager-missing]
    """The page that asks, ready to use."""

    # Named, as its name would follow the site's base page, and the migrations could not.
    page_ptr = models.OneToOneField(
        BASE_PAGE_MODEL_NAME, on_delete=models.CASCADE, parent_link=True, primary_key=True, serialize=False
    )
    template = FeedbackPageMixin.feedback_template
    content_panels = [FormSubmissionsPanel(), *Page.content_panels, *FeedbackPageMixin.feedback_panels]
    subpage_types: list[str] = []

    class Meta:
        verbose_name = _("referral feedback page")
        verbose_name_plural = _("referral feedback pages")


class FeedbackQuestion(AbstractFormField):
    """A question of the editor's own."""

    page = ParentalKey(FeedbackPage, on_delete=models.CASCADE, related_name="form_fields")
