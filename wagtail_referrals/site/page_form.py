"""The editor's form of our pages: where the button leads, and as of when the preview looks."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminPageForm
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.widgets import AdminDateTimeInput

from wagtail_referrals.kinds import OPTION_PREFIX, join_option_fields
from wagtail_referrals.site.actions import action_targets


class ColourInput(forms.TextInput):
    """A colour "#rrggbb", or nothing: typed, or picked in the browser's own window. Works without scripts too."""

    template_name = "wagtail_referrals/widgets/colour.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"placeholder": "#1d4d4f", "spellcheck": "false"} | (attrs or {}))

    @property
    def media(self) -> forms.Media:
        return forms.Media(
            js=[versioned_static("wagtail_referrals/admin/colour.js")],
            css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]},
        )


class PreviewDateForm(WagtailAdminPageForm):
    """Asks as of when the preview looks at the page. It is kept nowhere."""

    preview_on = forms.DateTimeField(
        label=_("Preview on"),
        required=False,
        widget=AdminDateTimeInput(),
        help_text=_(
            "Only for the preview: the page as visitors will see it then, with the programs that open or close "
            "until then. It is not saved."
        ),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        self.instance.preview_on = cleaned.get("preview_on")
        return cleaned


class _NamesOptions(type(WagtailAdminPageForm)):  # type: ignore[misc]
    """Lets panels name the options of targets, which are no fields of the model: the form adds them itself."""

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        meta = attrs.get("Meta")
        if isinstance(getattr(meta, "fields", None), list):
            meta.fields = [field for field in meta.fields if not field.startswith(OPTION_PREFIX)]  # type: ignore[union-attr]
        return super().__new__(mcs, name, bases, attrs)


class LandingPageForm(PreviewDateForm, metaclass=_NamesOptions):
    """Asks beside the target of the button what this target asks: see ``ActionTarget``.

    A site whose pages have a form of their own derives its form of landing pages from both.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "action_target" not in self.fields:
            return
        for name, field in join_option_fields(action_targets).items():
            # Asked for by the target that uses it, see ``clean``.
            field.required = False
            self.fields[OPTION_PREFIX + name] = field
        if self.instance.action_target in action_targets:
            target = action_targets.get(self.instance.action_target)
            for name, value in target.initial_options(self.instance.action_options or {}).items():
                self.initial[OPTION_PREFIX + name] = value

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        key = cleaned.get("action_target") or ""
        if "action_target" not in self.fields:
            return cleaned
        options: dict[str, Any] = {}
        if key in action_targets:
            target = action_targets.get(key)
            values = {name: cleaned.get(OPTION_PREFIX + name) for name in target.option_fields()}
            options = target.freeze_options(values)
            if not self.is_deferred_validation:
                for name, message in target.option_problems(options).items():
                    if OPTION_PREFIX + name not in self.errors:
                        self.add_error(OPTION_PREFIX + name, message)
        self.instance.action_options = options
        return cleaned


class ActionPanel(MultiFieldPanel):
    """The text of the button, where it leads, and what the chosen target asks: asked when the form is drawn, as each of
    them may be registered at any time.
    """

    BASE_ATTRS = {
        **MultiFieldPanel.BASE_ATTRS,
        "data-controller": "w-rules",
        "data-action": "change->w-rules#resolve",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("children", [FieldPanel("action_text"), FieldPanel("action_target")])
        kwargs.setdefault("heading", _("Button"))
        super().__init__(*args, **kwargs)

    def get_form_options(self) -> dict[str, Any]:
        options: dict[str, Any] = super().get_form_options()
        # What no panel names is drawn once more, below all panels.
        names = [OPTION_PREFIX + name for name in join_option_fields(action_targets)]
        return {**options, "fields": [*options.get("fields", []), *names]}

    class BoundPanel(MultiFieldPanel.BoundPanel):
        @cached_property
        def children(self) -> list[Any]:
            found: list[Any] = super().children
            if self.form is None or "action_target" not in self.form.fields:
                return found
            chosen = self.form["action_target"].value()
            for target in action_targets:
                for name in target.option_fields():
                    attrs: dict[str, Any] = {
                        "data-w-rules-target": "show",
                        "data-w-rules": json.dumps({"action_target": [target.key]}),
                    }
                    if chosen != target.key:
                        attrs["hidden"] = True
                    panel = FieldPanel(OPTION_PREFIX + name, attrs=attrs)
                    found = [
                        *found,
                        panel.bind_to_model(self.panel.model).get_bound_panel(
                            instance=self.instance,
                            request=self.request,
                            form=self.form,
                            prefix=f"{self.prefix}-child-{name}",
                        ),
                    ]
            return found
