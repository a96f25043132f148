"""Blocks that tell of the program: how it works, questions and answers, the terms of the offer."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from wagtail_referrals.programs import TermsData
from wagtail_referrals.site import panels
from wagtail_referrals.site.blocks.base import ReferralBlock

READERS = [
    (panels.FRIEND, _("a friend who is invited")),
    (panels.REFERRER, _("a customer who invites")),
]


class StepBlock(blocks.StructBlock):
    """One step of "how it works"."""

    heading = blocks.CharBlock(label=_("heading"), max_length=80)
    text = blocks.TextBlock(label=_("text"), required=False, max_length=300)

    class Meta:
        icon = "list-ol"
        label = _("step")


class QuestionBlock(blocks.StructBlock):
    """A question and its answer."""

    question = blocks.CharBlock(label=_("question"), max_length=160)
    answer = blocks.RichTextBlock(label=_("answer"), features=["bold", "italic", "link", "ul", "ol"])

    class Meta:
        icon = "help"
        label = _("question")


def _reader_block() -> blocks.ChoiceBlock:
    return blocks.ChoiceBlock(
        READERS,
        label=_("written for"),
        required=False,
        help_text=_(
            "Leave empty to follow the visitor: who was invited reads as a friend, others as customers who invite."
        ),
    )


class _OfferBlock(ReferralBlock):
    """For previews where no program is open: those of a ready-made one."""

    def sample(self, value: Any, request: Any) -> Any:
        return self.panel(value, request, panels.sample_data(request))

    def panel(self, value: Any, request: Any, data: TermsData | None = None) -> Any:
        raise NotImplementedError


class HowItWorksBlock(_OfferBlock):
    """The steps, in our words or in the editor's."""

    reader = _reader_block()
    steps = blocks.ListBlock(
        StepBlock(), label=_("steps"), default=[], help_text=_("Leave empty for our wording.")
    )

    class Meta:
        icon = "list-ol"
        label = _("How it works")
        description = _("The steps from the link to the reward, numbered.")
        template = "wagtail_referrals/blocks/how_it_works.html"

    def panel(self, value: Any, request: Any, data: TermsData | None = None) -> Any:
        written = list(value.get("steps") or ())
        return panels.steps_panel(request, reader=value.get("reader") or "", written=written, data=data)


class FaqBlock(_OfferBlock):
    """Questions and answers, in our words or in the editor's."""

    reader = _reader_block()
    questions = blocks.ListBlock(
        QuestionBlock(),
        label=_("questions"),
        default=[],
        help_text=_("Leave empty for answers that follow from the program as it is now."),
    )
    with_ours = blocks.BooleanBlock(
        label=_("answers from the program after yours"), required=False, default=False
    )

    class Meta:
        icon = "help"
        label = _("Questions and answers")
        description = _(
            "What customers ask about the program. Without questions of yours, those that its terms answer."
        )
        template = "wagtail_referrals/blocks/faq.html"

    def panel(self, value: Any, request: Any, data: TermsData | None = None) -> Any:
        return panels.faq_panel(
            request,
            reader=value.get("reader") or "",
            written=list(value.get("questions") or ()),
            with_ours=value.get("with_ours", False),
            data=data,
        )


class TermsBlock(_OfferBlock):
    """The terms of the offer: on a landing page always those that the friend is promised."""

    reader = _reader_block()

    class Meta:
        icon = "doc-full"
        label = _("Terms of the offer")
        description = _("The conditions of the program in short sentences, and the small print.")
        template = "wagtail_referrals/blocks/terms.html"

    def panel(self, value: Any, request: Any, data: TermsData | None = None) -> Any:
        return panels.terms_panel(request, reader=value.get("reader") or "", data=data)
