"""Of what editors put a message together."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

# Where a button can lead, beside an address of the editor's own.
TARGETS: Final = (
    ("about", _("what the message is about")),
    ("account", _("the customer's page of friends and rewards")),
    ("hub", _("the page “refer a friend”")),
    ("link", _("the personal link")),
    ("shop", _("the shop")),
    ("page", _("another page")),
)


class ButtonBlock(blocks.StructBlock):
    label = blocks.CharBlock(label=_("label"), max_length=60)
    target = blocks.ChoiceBlock(choices=TARGETS, default="account", label=_("leads to"))
    page = blocks.PageChooserBlock(required=False, label=_("page"), help_text=_("Only for “another page”."))

    class Meta:
        icon = "link"
        label = _("Button")

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if cleaned["target"] == "page" and not cleaned["page"]:
            raise blocks.StructBlockValidationError(
                {"page": ValidationError(gettext("Choose the page that the button leads to."))}
            )
        return cleaned


class BodyBlock(blocks.StreamBlock):
    """Each part has a template for HTML and one for plain text: see compose."""

    heading = blocks.CharBlock(label=_("Heading"), icon="title", max_length=150)
    paragraph = blocks.RichTextBlock(
        label=_("Paragraph"), icon="pilcrow", features=["bold", "italic", "link", "ul", "ol"]
    )
    details = blocks.StaticBlock(
        label=_("What it is about"),
        icon="info-circle",
        admin_text=_("The facts of this message, for example amount, code and last day."),
    )
    offer = blocks.StaticBlock(
        label=_("The offer"), icon="tag", admin_text=_("What each side gets, from the terms of the offer.")
    )
    progress = blocks.StaticBlock(
        label=_("Progress"), icon="tasks", admin_text=_("How far the reader is to the next milestone.")
    )
    button = ButtonBlock()
    divider = blocks.StaticBlock(label=_("Line"), icon="horizontalrule")
