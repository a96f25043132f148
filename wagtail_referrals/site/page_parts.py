"""What editors put into landing pages beside plain fields: steps, variants, situations, messages, free content."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock, ImageChooserBlock

from wagtail_referrals.kinds import NAME_AND_GIFT, NAME_GIFT_AND_DAY
from wagtail_referrals.programs import audience_choices
from wagtail_referrals.site.blocks import REFERRAL_BLOCKS
from wagtail_referrals.tracking import CHANNELS

RICH_TEXT: Final = ["bold", "italic", "link", "ul", "ol", "h3"]

# What a landing page says to whom the offer is not new, or not for. The keys are kinds of an ``Invitation``.
SITUATIONS: Final = {
    "returning": _("A friend who comes again: the present still waits"),
    "used": _("A friend who has ordered with the invitation already"),
    "customer": _("Somebody who has ordered before, where the offer is for new customers"),
    "own": _("The referrer, who opens their own link"),
    "closed": _("The invitation has ended: no program is open"),
    "unknown": _("A link that we do not know"),
}
# Where a message travels without words of ours: the link is copied or printed.
_WITHOUT_MESSAGE: Final = ("copy", "qr", "print")


def situation_choices() -> list[tuple[str, Any]]:
    return list(SITUATIONS.items())


def channel_choices() -> list[tuple[str, Any]]:
    return list(CHANNELS.items())


def message_channel_choices() -> list[tuple[str, Any]]:
    """The ways of sharing for which a message is written beforehand."""
    return [(key, label) for key, label in CHANNELS.items() if key not in _WITHOUT_MESSAGE]


class VariantBlock(blocks.StructBlock):
    """Other words for the friends of some referrers, or for whom a link reached by some channel."""

    audience = blocks.ChoiceBlock(
        choices=audience_choices,
        required=False,
        label=_("For friends of"),
        help_text=_("Which referrers. Leave empty for all of them."),
    )
    channels = blocks.MultipleChoiceBlock(
        choices=channel_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Shared by"),
        help_text=_("How the link reached the friend. Choose none for every way."),
    )
    headline = blocks.CharBlock(
        label=_("Headline"),
        max_length=150,
        required=False,
        help_text=_("{name} becomes the referrer's name, {gift} what the friend gets."),
        validators=[NAME_AND_GIFT],
    )
    introduction = blocks.RichTextBlock(
        label=_("Introduction"), features=RICH_TEXT, required=False, validators=[NAME_AND_GIFT]
    )
    picture = ImageChooserBlock(label=_("Picture"), required=False)
    action_text = blocks.CharBlock(label=_("Text of the button"), max_length=60, required=False)

    class Meta:
        icon = "group"
        label = _("Variant")
        label_format = "{headline}"

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if not cleaned.get("audience") and not cleaned.get("channels"):
            words = gettext("Say for whom: choose referrers, a way of sharing, or both.")
            raise blocks.StructBlockValidationError({"audience": ValidationError(words)})
        return cleaned


class SituationBlock(blocks.StructBlock):
    """Own words for one situation in which the usual ones do not fit."""

    situation = blocks.ChoiceBlock(choices=situation_choices, label=_("Who comes"))
    headline = blocks.CharBlock(
        label=_("Headline"),
        max_length=150,
        required=False,
        help_text=_(
            "{name} becomes the referrer's name, {gift} what the friend gets, {day} the last day to order. Leave empty "
            "for our wording."
        ),
        validators=[NAME_GIFT_AND_DAY],
    )
    text = blocks.RichTextBlock(
        label=_("Text"),
        features=RICH_TEXT,
        required=False,
        help_text=_("Leave empty for our wording."),
        validators=[NAME_GIFT_AND_DAY],
    )
    action_text = blocks.CharBlock(
        label=_("Text of the button"),
        max_length=60,
        required=False,
        help_text=_("Leave empty for our wording."),
    )

    class Meta:
        icon = "user"
        label = _("Situation")
        label_format = "{situation}"


class ShareMessageBlock(blocks.StructBlock):
    """What a referrer sends by one channel, before they change it."""

    channel = blocks.ChoiceBlock(
        choices=message_channel_choices,
        required=False,
        label=_("For"),
        help_text=_("Leave empty for every way of sharing that has no message of its own."),
    )
    subject = blocks.CharBlock(
        label=_("Subject"),
        max_length=120,
        required=False,
        help_text=_("Of an e-mail. Others have none."),
        validators=[NAME_AND_GIFT],
    )
    message = blocks.TextBlock(
        label=_("Message"),
        max_length=500,
        rows=3,
        validators=[NAME_AND_GIFT],
        help_text=_(
            "{gift} becomes what the friend gets, {name} the referrer's name. The link follows by itself."
        ),
    )

    class Meta:
        icon = "comment"
        label = _("Message")
        label_format = "{message}"


def body_blocks() -> list[tuple[str, blocks.Block]]:
    """What the free part of a page may be made of."""
    return [
        (
            "text",
            blocks.RichTextBlock(
                label=_("Text"),
                features=["h2", *RICH_TEXT],
                icon="pilcrow",
                template="wagtail_referrals/blocks/text.html",
            ),
        ),
        ("picture", ImageBlock(label=_("Picture"), template="wagtail_referrals/blocks/picture.html")),
        *REFERRAL_BLOCKS,
    ]
