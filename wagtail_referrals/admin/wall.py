"""The wall of thanks: whom staff would like to thank in public, in which words, and what the advocate answered."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList
from wagtail.snippets.views.snippets import CreateView, IndexView, SnippetViewSet

from wagtail_referrals.admin.listing import Column, ListingMixin, MomentColumn
from wagtail_referrals.admin.program_form import RowsPanel
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.people import normalise_code
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import language_choices
from wagtail_referrals.recognition import is_on_wall
from wagtail_referrals.recognition.models import Featured, FeaturedText

NAMESPACE: Final = "wagtail_referrals_wall"
# Of the URL that the page of a referrer leads to.
CODE: Final = "code"


def answer_words(featured: Featured) -> str:
    """What the referrer has said, and why nobody sees them all the same."""
    if featured.declined_at is not None:
        return gettext("does not want to be named")
    if featured.agreed_at is None:
        return gettext("asked, no answer yet")
    if not is_on_wall(featured):
        return gettext("agreed, but not shown: paused, stopped, or without a name that friends see")
    agreed = timezone.localtime(featured.agreed_at)
    return gettext("shown, agreed on %(date)s") % {"date": date_format(agreed, "DATE_FORMAT")}


class FeaturedTextForm(WagtailAdminModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=language_choices)


class FeaturedForm(WagtailAdminModelForm):
    """Of a new one it asks for the code: nobody browses customers to find one."""

    code = forms.CharField(
        label=_("Code of the referrer"),
        max_length=40,
        help_text=_(
            "As in their share link. They are asked on their own page, and named on the wall once they have agreed, "
            "with the name that friends see."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["code"]

    def clean_code(self) -> str:
        code = normalise_code(self.cleaned_data["code"])
        advocate = Advocate.objects.filter(codes__text=code).first() if code else None
        if advocate is None:
            raise ValidationError(_("Nobody has this code."))
        if advocate.user_id is None:
            raise ValidationError(_("They have no account, so they cannot be asked."))
        if advocate.state != Advocate.State.ACTIVE:
            raise ValidationError(_("They do not refer at present."))
        if Featured.objects.filter(advocate=advocate).exists():
            raise ValidationError(_("They are on the list already."))
        self.instance.advocate = advocate
        self.instance.created_at = timezone.now()
        return code

    def save(self, commit: bool = True) -> Featured:
        """Other words, or another picture, are another question."""
        is_other = self.instance.pk is not None and self.has_changed()
        with transaction.atomic():
            featured: Featured = super().save(commit=commit)
            if is_other:
                Featured.objects.filter(pk=featured.pk).update(agreed_at=None)
        return featured


class FeaturedIndexView(ListingMixin, IndexView):
    is_searchable = False

    @cached_property
    def columns(self) -> list[Any]:
        return [
            self._get_title_column("__str__", classname="referral-title"),
            Column("answer", label=_("Answer"), accessor=answer_words),
            MomentColumn("created_at", label=_("Since"), sort_key="created_at"),
        ]


class FeaturedCreateView(CreateView):
    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), "code": self.request.GET.get(CODE, "")}

    def get_initial_form_instance(self) -> Featured | None:
        if self.request.method != "GET":
            return None
        featured = Featured()
        featured.texts = [FeaturedText(language=code) for code, _name in language_choices()]
        return featured


class FeaturedViewSet(NoUsageMixin, SnippetViewSet):
    model = Featured
    icon = "openquote"
    menu_label = _("Wall of thanks")
    menu_name = "referral-wall"
    admin_url_namespace = NAMESPACE
    base_url_path = "referrals/wall"
    index_view_class = FeaturedIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = FeaturedCreateView
    ordering = ("-created_at", "-pk")
    copy_view_enabled = False
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Featured]:
        return Featured.objects.select_related("advocate")

    def register_chooser_viewset(self) -> None:
        """None: nothing else names one of them."""

    def get_edit_handler(self) -> Any:
        return ObjectList(
            [
                FieldPanel("code"),
                RowsPanel(
                    "texts",
                    panels=[
                        FieldPanel("language"),
                        FieldPanel("text", widget=forms.Textarea(attrs={"rows": 2})),
                    ],
                    row_form_class=FeaturedTextForm,
                    heading=_("Words of thanks, by language"),
                    label=_("language"),
                    min_num=1,
                ),
                FieldPanel("picture"),
                HelpPanel(
                    content=_(
                        "The referrer reads these words, and sees the picture, before they agree. If you change them "
                        "afterwards, they are asked again, and not shown until they agree."
                    ),
                    heading=_("Only with their consent"),
                ),
            ],
            base_form_class=FeaturedForm,
        ).bind_to_model(self.model)
