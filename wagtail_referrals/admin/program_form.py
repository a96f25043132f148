"""The form of a program: ordered as the sentence, checked in the editor's words."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from django import forms
from django.db.models import Q
from django.forms.models import ModelChoiceIterator
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    InlinePanel,
    MultiFieldPanel,
    ObjectList,
    PublishingPanel,
    TabbedInterface,
)
from wagtail.admin.panels.base import get_form_for_model

from wagtail_referrals import conf
from wagtail_referrals.kinds import (
    OPTION_PREFIX,
    Registry,
    RewardKind,
    Trigger,
    is_forbidden,
    join_option_fields,
    option_owners,
    reward_kinds,
    triggers,
)
from wagtail_referrals.programs import (
    audience_data,
    new_audiences,
    program_problems,
    rule_problems,
)
from wagtail_referrals.programs.amounts import AmountsFormField
from wagtail_referrals.programs.models import (
    Audience,
    Program,
    ProgramRule,
    ProgramText,
    language_choices,
)
from wagtail_referrals.referrals import shop_renews


class KindSelect(forms.Select):
    """Kinds that the shop cannot give at present are there, said to be so, and cannot be chosen."""

    def create_option(self, name: str, value: Any, label: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, label, *args, **kwargs)
        if is_forbidden(str(value)):
            option["label"] = gettext("%(what)s (not at present)") % {"what": label}
            # What was chosen before stays, so that what is wrong with it can be read.
            option["attrs"]["disabled"] = not option["selected"]
        return option


class ProgramRuleForm(WagtailAdminModelForm):
    """One rule. A draft may be incomplete; what is published may not.

    ``rule_key`` carries the rule's key through drafts: a rule that exists only in a draft has no primary key by
    which it could be found again, and rewards point to the key.
    """

    rule_key = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound and self.instance.program_id:
            self.initial["rule_key"] = self.instance.key
        self._add_option_fields()

    def _add_option_fields(self) -> None:
        """What all kinds and triggers ask for: which of them a row uses is known only once it is filled in."""
        for name, field in join_option_fields([*reward_kinds, *triggers]).items():
            # Asked for by the kind or trigger that uses it: see ``rule_problems``.
            field.required = False
            self.fields[OPTION_PREFIX + name] = field
        options = self.instance.options or {}
        for owner in option_owners(self.instance.kind, self.instance.trigger):
            for name, value in owner.initial_options(options).items():
                self.initial[OPTION_PREFIX + name] = value

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        self._forget_unused(cleaned)
        cleaned["options"] = self.instance.options = self._frozen_options(cleaned)
        if not self.is_deferred_validation:
            row = SimpleNamespace(**{name: cleaned.get(name) for name in (*self._meta.fields, "options")})
            for field, message in rule_problems(row).items():
                if field not in self.errors:
                    self.add_error(field, message)
        return cleaned

    def _forget_unused(self, cleaned: dict[str, Any]) -> None:
        """What was typed before another kind was chosen is hidden, and must not become part of the terms."""
        kind, trigger = str(cleaned.get("kind")), str(cleaned.get("trigger"))
        if kind in reward_kinds:
            used = reward_kinds.get(kind).value_fields
            if "amounts" not in used:
                cleaned["amounts"] = {}
            if "percent" not in used:
                cleaned["percent"] = None
        if trigger in triggers and triggers.get(trigger).on != "tier":
            cleaned["occurrence"] = None

    def _frozen_options(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """What the terms will keep of the options that this rule's kind and trigger use."""
        options: dict[str, Any] = {}
        for owner in option_owners(cleaned.get("kind"), cleaned.get("trigger")):
            names = owner.option_fields()
            options |= owner.freeze_options({name: cleaned.get(OPTION_PREFIX + name) for name in names})
        return options


class ProgramTextForm(WagtailAdminModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=language_choices)


class AudienceChoices(ModelChoiceIterator):
    """The audiences that there are; behind them those that are ready-made and not written yet."""

    field: AudienceField

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        yield from super().__iter__()
        for value, audience in self.field.ready_made.items():
            yield value, gettext("%(audience)s (new)") % {"audience": audience}


class AudienceField(forms.ModelChoiceField):
    """An audience, or a ready-made one: that is unsaved until the program is saved, see ``ProgramFormMixin``."""

    iterator = AudienceChoices
    # Of the values of ready-made ones.
    NEW = "new:"

    def __init__(self, *args: Any, ready_made: Sequence[Audience] = (), **kwargs: Any) -> None:
        self.ready_made = {self.NEW + audience_data(audience).version: audience for audience in ready_made}
        super().__init__(*args, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Audience) and value.pk is None:
            return self.NEW + audience_data(value).version
        return super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value in self.ready_made:
            return self.ready_made[value]
        if isinstance(value, str) and value.startswith(self.NEW):
            # Written since the form was opened, by the same form sent twice or by somebody else.
            known: Any = self.queryset
            for audience in known.prefetch_related("rules"):
                if self.NEW + audience_data(audience).version == value:
                    return audience
        return super().to_python(value)


class ProgramForm(WagtailAdminModelForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "budget_amounts" in self.fields and conf.points() is not None:
            asked = self.fields["budget_amounts"]
            self.fields["budget_amounts"] = AmountsFormField(
                currencies=conf.units(),
                required=asked.required,
                label=asked.label,
                help_text=asked.help_text,
                initial={},
            )
        self._known_keys: set[uuid.UUID] = (
            {rule.key for rule in self.instance.rules.all()} if self.instance.pk else set()
        )
        if "credit_pays_renewals" in self.fields and not (
            self.instance.credit_pays_renewals or shop_renews()
        ):
            # Nothing to choose. Where it was chosen before, it has to be seen to be taken back.
            del self.fields["credit_pays_renewals"]
        if "audience" in self.fields:
            self.fields["audience"] = self._audience_field(self.fields["audience"])
            ready = self.instance.audience
            if not self.is_bound and ready is not None and ready.pk is None:
                self.initial["audience"] = ready

    def _audience_field(self, asked: forms.Field) -> AudienceField:
        may_write = self.for_user is not None and self.for_user.has_perm("wagtail_referrals.add_audience")
        return AudienceField(
            Audience.objects.filter(Q(live=True) | Q(pk=self.instance.audience_id)),
            ready_made=new_audiences() if may_write and self.instance.pk is None else (),
            empty_label=_("Everybody"),
            required=False,
            label=asked.label,
            help_text=asked.help_text,
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        row = SimpleNamespace(budget_amounts=cleaned.get("budget_amounts") or {})
        for field, message in program_problems(row).items():
            if field not in self.errors:
                self.add_error(field, message)
        return cleaned

    def save(self, commit: bool = True) -> Program:
        self.keep_rule_keys()
        program: Program = super().save(commit)
        return program

    def keep_rule_keys(self) -> None:
        """Give rules without a primary key their key back, each key once; others' keys are not taken."""
        formset = self.formsets.get("rules")
        if formset is None:
            return
        known = self._known_keys - {form.instance.key for form in formset.forms if form.instance.pk}
        for form in formset.forms:
            key = getattr(form, "cleaned_data", {}).get("rule_key")
            if form.instance.pk is None and key in known:
                form.instance.key = key
                known.discard(key)


class RowsPanel(InlinePanel):
    """An inline panel whose rows have a form class of their own."""

    def __init__(self, *args: Any, row_form_class: type[WagtailAdminModelForm], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row_form_class = row_form_class

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "row_form_class": self.row_form_class}

    def get_form_options(self) -> dict[str, Any]:
        options: dict[str, Any] = super().get_form_options()
        child = self.child_edit_handler.get_form_options()
        # Options are no fields of the model: the form adds them itself.
        named = [name for name in child.get("fields", []) if not name.startswith(OPTION_PREFIX)]
        options["formsets"][self.relation_name]["fields"] = named
        options["formsets"][self.relation_name]["form"] = get_form_for_model(
            self.db_field.related_model,
            form_class=self.row_form_class,
            fields=named,
            widgets=child.get("widgets", {}),
            defer_required_on_fields=child.get("defer_required_on_fields", []),
        )
        return options


class OptionsPanel(FieldRowPanel):
    """What registered kinds, or triggers, ask for. The form's script shows what the chosen one uses.

    Which fields these are is asked when the form is drawn, as each of them may be registered at any time.
    """

    def __init__(self, owners: Registry[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__((), *args, **kwargs)
        self.owners = owners

    def clone_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().clone_kwargs()
        del kwargs["children"]
        return {**kwargs, "owners": self.owners}

    def names(self) -> list[str]:
        return [OPTION_PREFIX + name for name in join_option_fields(self.owners)]

    def get_form_options(self) -> dict[str, Any]:
        # What no panel names is drawn once more, below all panels.
        return {"fields": self.names()}

    class BoundPanel(FieldRowPanel.BoundPanel):
        @cached_property
        def children(self) -> list[Any]:
            if self.form is None:
                return []
            return [
                FieldPanel(name, classname=f"referral-rule__{name}")
                .bind_to_model(self.panel.model)
                .get_bound_panel(
                    instance=self.instance,
                    request=self.request,
                    form=self.form,
                    prefix=f"{self.prefix}-child-{name}",
                )
                for name in self.panel.names()
            ]


RULE_PANELS = [
    FieldRowPanel(
        [
            FieldPanel("side", classname="referral-rule__side"),
            FieldPanel("trigger", classname="referral-rule__trigger"),
            FieldPanel("occurrence", classname="referral-rule__occurrence"),
        ]
    ),
    OptionsPanel(triggers, classname="referral-rule__options"),
    FieldRowPanel(
        [
            FieldPanel("kind", classname="referral-rule__kind", widget=KindSelect),
            FieldPanel("amounts", classname="referral-rule__amounts"),
            FieldPanel("percent", classname="referral-rule__percent"),
        ]
    ),
    OptionsPanel(reward_kinds, classname="referral-rule__options"),
    FieldPanel("minimum_spend"),
    FieldRowPanel([FieldPanel("expires_days"), FieldPanel("refund_policy")]),
]

TEXT_PANELS = [
    FieldPanel("language"),
    FieldPanel("headline"),
    FieldPanel("introduction"),
    FieldPanel("share_message", widget=forms.Textarea(attrs={"rows": 3})),
    FieldPanel("small_print"),
]


def program_edit_handler() -> TabbedInterface:
    """The tabs of the form; the first one reads as the sentence does."""
    return TabbedInterface(
        [
            ObjectList(
                [
                    FieldPanel("name"),
                    FieldPanel("audience"),
                    RowsPanel(
                        "rules",
                        panels=RULE_PANELS,
                        row_form_class=ProgramRuleForm,
                        heading=_("Who gets what, and when"),
                        label=_("reward"),
                        help_text=_(
                            "Each reward is a line of the sentence above: one side gets one thing at one moment. Your "
                            "customer is who sends the link, the friend is who follows it."
                        ),
                    ),
                    MultiFieldPanel(
                        [
                            FieldRowPanel([FieldPanel("hold_days"), FieldPanel("hold_anchor")]),
                            FieldRowPanel([FieldPanel("cap_count"), FieldPanel("cap_period")]),
                            FieldPanel("friend_cap_count"),
                        ],
                        heading=_("How much later, and how often"),
                    ),
                    MultiFieldPanel([FieldPanel("credit_pays_renewals")], heading=_("What the credit pays")),
                    MultiFieldPanel(
                        [FieldPanel("new_customers_only"), FieldPanel("window_days"), FieldPanel("touch")],
                        heading=_("Which friends count"),
                    ),
                    MultiFieldPanel(
                        [FieldPanel("budget_amounts"), FieldPanel("budget_count")],
                        heading=_("What it may cost"),
                    ),
                ],
                heading=_("Program"),
            ),
            ObjectList(
                [
                    RowsPanel(
                        "texts",
                        panels=TEXT_PANELS,
                        row_form_class=ProgramTextForm,
                        heading=_("Texts, by language"),
                        label=_("language"),
                    )
                ],
                heading=_("Texts"),
            ),
            ObjectList(
                [
                    FieldPanel("site"),
                    FieldPanel("landing_page"),
                    FieldPanel("clawback_days"),
                    PublishingPanel(),
                ],
                heading=_("Settings"),
            ),
        ],
        base_form_class=ProgramForm,
    )


def form_rules() -> dict[str, Any]:
    """What the form's script needs to know: which fields a kind or a moment uses, which sides it is for."""
    return {
        "kinds": {
            kind.key: _used(kind, kind.value_fields) | {"forbidden": is_forbidden(kind.key)}
            for kind in reward_kinds
        },
        "triggers": {
            trigger.key: _used(trigger, ["occurrence"] if trigger.on == "tier" else [])
            for trigger in triggers
        },
        "fields": [
            "amounts",
            "percent",
            "occurrence",
            *(OPTION_PREFIX + name for name in join_option_fields([*reward_kinds, *triggers])),
        ],
    }


def _used(owner: RewardKind | Trigger, fields: Sequence[str]) -> dict[str, list[str]]:
    return {
        "fields": [*fields, *(OPTION_PREFIX + name for name in owner.option_fields())],
        "sides": [str(side) for side in owner.sides],
    }


def read_form(form: ProgramForm) -> tuple[Program, list[ProgramRule]]:
    """The program as far as it has been typed, unsaved: for the sentence beside the form.

    What is not valid yet is as if it were empty.
    """
    form.defer_required_fields()
    form.is_valid()
    return submitted(form)


def submitted(form: ProgramForm) -> tuple[Program, list[ProgramRule]]:
    """The program of a form that has been checked, unsaved and without what is not valid."""
    names = {field.name for field in Program._meta.concrete_fields}
    program = Program(
        **{name: value for name, value in form.cleaned_data.items() if name in names and value is not None}
    )
    form.keep_rule_keys()
    rules = [
        _read_row(ProgramRule, row.cleaned_data | {"key": row.instance.key})
        for row in form.formsets["rules"].forms
        if hasattr(row, "cleaned_data") and not row.cleaned_data.get("DELETE")
    ]
    texts = [
        _read_row(ProgramText, row.cleaned_data)
        for row in form.formsets["texts"].forms
        if hasattr(row, "cleaned_data") and not row.cleaned_data.get("DELETE")
    ]
    program.rules = rules
    program.texts = texts
    return program, rules


def _read_row(model: type[Any], cleaned: dict[str, Any]) -> Any:
    names = {field.name for field in model._meta.concrete_fields} - {"id", "program"}
    return model(**{name: value for name, value in cleaned.items() if name in names and value is not None})
