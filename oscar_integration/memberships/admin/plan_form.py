"""The form of a plan: what is sold or given, how it goes on, and what cannot work, in the editor's words."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    HelpPanel,
    MultiFieldPanel,
    ObjectList,
    TitleFieldPanel,
)
from wagtail.admin.widgets.slug import SlugInput

from oscar_integration.gifts import GiftProductField
from oscar_integration.memberships.admin.names import PLANS
from oscar_integration.memberships.admin.words import plan_words, renewal_words
from oscar_integration.memberships.groups import staff_groups
from oscar_integration.memberships.models import Plan, Unit, read_days
from oscar_integration.memberships.words import days_words, length_words
from oscar_integration.product_chooser import product_chooser
from wagtail_referrals.admin.program_form import RowsPanel
from wagtail_referrals.programs.models import language_choices


class PlanNameForm(WagtailAdminModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=language_choices)


class PlanProductField(GiftProductField):
    """A product that is sold as a membership: as it stands, at a price, without a parcel."""

    def clean(self, value: Any) -> Any:
        product = super().clean(value)
        if product is None:
            return None
        kind = product.get_product_class()
        if kind is not None and kind.requires_shipping:
            raise ValidationError(
                gettext(
                    "“%(product)s” is delivered: a renewal has no address to send it to. Choose a product of a kind "
                    "that needs no delivery."
                )
                % {"product": product.get_title()}
            )
        return product


class PlanForm(WagtailAdminModelForm):
    typed: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["product"]
        self.fields["product"] = PlanProductField(
            required=False, label=field.label, help_text=field.help_text
        )
        self.fields["group"].empty_label = gettext("None: the membership opens no pages")
        self.fields["slug"].error_messages["unique"] = gettext("Another plan has this short name.")

    def clean_product(self) -> Any:
        product = self.cleaned_data["product"]
        if product is None:
            return None
        other = Plan.objects.filter(product=product).exclude(pk=self.instance.pk).first()
        if other is not None:
            raise ValidationError(
                gettext("“%(product)s” is sold as “%(plan)s” already. A product belongs to one plan.")
                % {"product": product.get_title(), "plan": other}
            )
        return product

    def clean_group(self) -> Group | None:
        group: Group | None = self.cleaned_data["group"]
        if group is not None and staff_groups().filter(pk=group.pk).exists():
            raise ValidationError(
                gettext(
                    "“%(group)s” is a group of your staff: customers in it could open the administration."
                )
                % {"group": group}
            )
        return group

    def clean_retry_days(self) -> str:
        # As it is read back, however it was typed.
        return ", ".join(str(day) for day in read_days(self.cleaned_data["retry_days"]))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        # Also what cannot work is said in words.
        self.typed = dict(cleaned)
        for field, message in plan_problems(cleaned).items():
            if field not in self.errors:
                self.add_error(field, message)
        return cleaned


_SHORTEST_MONTH: Final = 28


def plan_problems(values: dict[str, Any]) -> dict[str, str]:
    """Field -> why this cannot work; of what is known of the form. No query."""
    problems: dict[str, str] = {}
    product, renews = values.get("product"), values.get("renews")
    if values.get("gift_only"):
        if product is not None:
            problems["product"] = gettext(
                "A plan that is only given cannot be bought: leave the product out, or untick “only given”."
            )
        if renews:
            problems["renews"] = gettext(
                "A plan that is only given does not renew: nobody has agreed to pay for it."
            )
        return problems
    if product is None:
        problems["product"] = (
            gettext("A renewal orders the product again: choose which one.")
            if renews
            else gettext("Choose the product that sells it, or tick “only given”.")
        )
    if renews:
        problems |= _renewal_problems(values)
    return problems


def _renewal_problems(values: dict[str, Any]) -> dict[str, str]:
    problems: dict[str, str] = {}
    if values.get("is_trial"):
        problems["renews"] = gettext(
            "Trying out is for once: it does not renew. Make another plan for what comes after."
        )
    length, unit, announced = (
        values.get("period_length"),
        values.get("period_unit"),
        values.get("announce_days"),
    )
    # The shortest month: else each renewal is charged later than the one before it.
    if (
        length
        and unit
        and announced
        and announced >= length * (_SHORTEST_MONTH if unit == Unit.MONTHS else 1)
    ):
        problems["announce_days"] = gettext(
            "That is before the period begins, which is %(period)s long. Choose fewer days."
        ) % {"period": length_words(length, unit)}
    retries, grace = values.get("retry_days"), values.get("grace_days")
    if retries and grace is not None:
        last = read_days(retries)[-1]
        if last > grace:
            problems["retry_days"] = gettext(
                "After %(grace)s without payment the membership has ended: it cannot be charged %(days)s later."
            ) % {"grace": days_words(grace), "days": days_words(last)}
    return problems


class NewTitlePanel(TitleFieldPanel):
    """The short name follows the name until the plan is saved: templates ask for the plan by it."""

    class BoundPanel(TitleFieldPanel.BoundPanel):
        def get_attrs(self) -> dict[str, Any]:
            return {} if self.instance is not None and self.instance.pk else super().get_attrs()


class WordsPanel(HelpPanel):
    """The plan in words, as far as it has been typed; its script keeps it up to date."""

    class BoundPanel(HelpPanel.BoundPanel):
        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            plan = submitted(self.form) if self.form.is_bound else self.instance
            return {**context, "words": in_words(plan), "words_url": reverse(f"{PLANS}:words")}


def plan_edit_handler() -> ObjectList:
    return ObjectList(
        [
            MultiFieldPanel(
                [
                    NewTitlePanel("name", classname="", placeholder=False),
                    FieldPanel("slug", widget=SlugInput),
                ],
                heading=_("Plan"),
            ),
            RowsPanel(
                "names",
                panels=[FieldRowPanel([FieldPanel("language"), FieldPanel("name")])],
                row_form_class=PlanNameForm,
                heading=_("What customers read, by language"),
                label=_("language"),
                min_num=1,
            ),
            MultiFieldPanel(
                [
                    FieldPanel(
                        "product", widget=product_chooser.widget_class, classname="membership-product"
                    ),
                    FieldPanel("gift_only"),
                    FieldPanel("is_trial"),
                ],
                heading=_("How customers come by it"),
            ),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("period_length"), FieldPanel("period_unit")]),
                    FieldPanel("uses"),
                    FieldPanel("group"),
                ],
                heading=_("What they have"),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("renews"),
                    FieldRowPanel(
                        [FieldPanel("announce_days"), FieldPanel("grace_days"), FieldPanel("retry_days")],
                        classname="membership-renewal",
                    ),
                    WordsPanel(template="oscar_integration/memberships/admin/_plan_words.html"),
                ],
                heading=_("How it goes on"),
            ),
        ],
        base_form_class=PlanForm,
    )


def submitted(form: PlanForm) -> Plan:
    """The plan of a form that has been checked, unsaved; what cannot be read is as in a new one."""
    names = {field.name for field in Plan._meta.concrete_fields}
    values = {name: value for name, value in form.typed.items() if name in names and value is not None}
    return Plan(**{**values, "uses": form.typed.get("uses")})


def in_words(plan: Plan) -> str:
    """What a period is and what happens at its end."""
    try:
        renewal = renewal_words(plan)
    except ValidationError:
        # Written past the form.
        renewal = []
    return " ".join([gettext("One period: %(what)s.") % {"what": plan_words(plan)}, *renewal])
