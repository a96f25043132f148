"""Badges: a listing with pictures, and a form with a name in each language and what the badge is given for."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.db.models import Count, Q, QuerySet
from django.forms import Media
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column
from wagtail.snippets.views.snippets import CreateView, IndexView, SnippetViewSet

from wagtail_referrals.admin.listing import ListingMixin
from wagtail_referrals.admin.program_form import RowsPanel
from wagtail_referrals.admin.usage import NoUsageMixin
from wagtail_referrals.programs import program_names
from wagtail_referrals.programs.amounts import AmountsFormField, as_decimals
from wagtail_referrals.programs.models import language_choices
from wagtail_referrals.recognition import criterion_words
from wagtail_referrals.recognition.models import Badge, BadgeName

PICTURE: Final = "wagtail_referrals/includes/badge.html"
CRITERION_FIELDS: Final = ("criterion", "threshold", "revenue", "period", "program_key")


class BadgeNameForm(WagtailAdminModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=language_choices)


class DrawingSelect(forms.RadioSelect):
    """Drawings beside their names."""

    option_template_name = "wagtail_referrals/widgets/drawing.html"


class PictureColumn(Column):
    export_value = None

    def get_value(self, instance: Badge) -> str:
        return render_to_string(PICTURE, {"icon": instance.icon, "picture": instance.picture})


class CriterionColumn(Column):
    @cached_property
    def programs(self) -> dict[str, str]:
        return program_names()

    def get_value(self, instance: Badge) -> str:
        return criterion_words(instance, self.programs) or gettext("what programs promise")


class WornColumn(Column):
    """By how many it is worn, of those to whom the engine gave it."""

    def get_value(self, instance: Any) -> Any:
        return "" if instance.criterion == Badge.Criterion.NONE else instance.worn


class BadgeIndexView(ListingMixin, IndexView):
    is_searchable = False

    @cached_property
    def columns(self) -> list[Column]:
        return [
            PictureColumn("picture", label=_("Picture"), width="8%"),
            self._get_title_column("__str__", classname="referral-title"),
            CriterionColumn("criterion", label=_("Given for")),
            WornColumn("worn", label=_("Worn by")),
        ]


def _css() -> Media:
    return Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]})


class BadgeForm(WagtailAdminModelForm):
    """What the chosen criterion does not ask for is forgotten: it is hidden by the form's script."""

    revenue = AmountsFormField(
        required=False,
        label=pgettext_lazy("badge", "Order value"),
        help_text=_(
            "What friends have paid for and kept. In one of these currencies is enough: nothing is converted."
        ),
    )
    program_key = forms.TypedChoiceField(
        required=False, coerce=UUID, empty_value=None, label=_("Program"), choices=()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        programs = sorted(program_names().items(), key=lambda program: program[1].lower())
        chosen = str(self.instance.program_key or "")
        if chosen and chosen not in dict(programs):
            programs.append((chosen, gettext("(no longer there)")))
        self.fields["program_key"].choices = [("", gettext("all programs together")), *programs]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        criterion = cleaned.get("criterion")
        if criterion != Badge.Criterion.REFERRALS:
            cleaned["threshold"] = None
        elif not cleaned.get("threshold") and "threshold" not in self.errors:
            self.add_error("threshold", _("Say how many friends: 1 or more."))
        if criterion != Badge.Criterion.REVENUE:
            cleaned["revenue"] = {}
        elif "revenue" not in self.errors:
            self._check_revenue(cleaned.get("revenue"))
        if criterion not in (Badge.Criterion.REFERRALS, Badge.Criterion.REVENUE):
            cleaned["period"] = Badge.Period.EVER
        if criterion == Badge.Criterion.NONE:
            cleaned["program_key"] = None
        elif criterion == Badge.Criterion.FIRST and not cleaned.get("program_key"):
            self.add_error("program_key", _("Say of which program."))
        if any(cleaned.get(name) != getattr(self.instance, name) for name in CRITERION_FIELDS):
            self.instance.to_recheck = True
        return cleaned

    def _check_revenue(self, amounts: dict[str, str] | None) -> None:
        if not amounts:
            self.add_error("revenue", _("Say for how much, in one currency at least."))
        elif not all(as_decimals(amounts).values()):
            self.add_error("revenue", _("An amount has to be above zero; leave the others empty."))

    @property
    def media(self) -> Media:
        script = Media(js=[versioned_static("wagtail_referrals/admin/badge-form.js")])
        return super().media + _css() + script


class BadgeCreateView(CreateView):
    def get_initial_form_instance(self) -> Badge | None:
        if self.request.method != "GET":
            return None
        badge = Badge()
        badge.names = [BadgeName(language=code) for code, _name in language_choices()]
        return badge


class BadgeViewSet(NoUsageMixin, SnippetViewSet):
    model = Badge
    icon = "success"
    menu_label = _("Badges")
    menu_name = "referral-badges"
    admin_url_namespace = "wagtail_referrals_badges"
    base_url_path = "referrals/badges"
    index_view_class = BadgeIndexView
    index_template_name = "wagtail_referrals/admin/snippet_listing.html"
    add_view_class = BadgeCreateView
    ordering = "pk"
    copy_view_enabled = False
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Badge]:
        worn = Count("awards", filter=Q(awards__taken_back_at=None))
        return Badge.objects.select_related("picture").prefetch_related("names").annotate(worn=worn)

    def register_chooser_viewset(self) -> None:
        """None: the form of a program lists them all."""

    def get_edit_handler(self) -> Any:
        return ObjectList(
            [
                RowsPanel(
                    "names",
                    panels=[FieldRowPanel([FieldPanel("language"), FieldPanel("name")])],
                    row_form_class=BadgeNameForm,
                    heading=_("Name, by language"),
                    label=_("language"),
                    min_num=1,
                ),
                FieldPanel("icon", widget=DrawingSelect),
                FieldPanel("picture"),
                MultiFieldPanel(
                    [
                        FieldPanel("criterion"),
                        FieldPanel("threshold", classname="referral-badge__threshold"),
                        FieldPanel("revenue", classname="referral-badge__revenue"),
                        FieldPanel("period", classname="referral-badge__period"),
                        FieldPanel("program_key", classname="referral-badge__program_key"),
                    ],
                    heading=_("What it is given for"),
                    help_text=_(
                        "Friends count once their order has qualified, and no longer once it was given back, "
                        "cancelled or refused: the badge goes with it. After a change the next sweep gives the badge "
                        "to everybody who meets it, and takes it from those who do not."
                    ),
                ),
            ],
            base_form_class=BadgeForm,
        ).bind_to_model(self.model)
