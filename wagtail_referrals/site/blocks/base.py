"""What all blocks of ours have in common: they say nothing rather than break the page, and show samples in previews."""

from __future__ import annotations

import logging
from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.definition_lookup import BlockDefinitionLookupBuilder

from wagtail_referrals.site.panels import visitor_of

logger = logging.getLogger(__name__)

# In the context of a preview in the list of blocks.
SAMPLE = "referrals_sample"


class ReferralBlock(blocks.StructBlock):
    """A block that works with nothing filled in. Its template gets ``panel``, see ``site.panels``."""

    # Shown to each visitor otherwise: an editor's preview of a page has a sample customer.
    is_personal = True

    heading = blocks.CharBlock(
        label=_("heading"), required=False, max_length=120, help_text=_("Leave empty for our wording.")
    )

    class Meta:
        group = _("Refer a friend")
        preview_template = "wagtail_referrals/blocks/preview.html"
        preview_value: dict[str, Any] = {}

    def panel(self, value: Any, request: Any) -> Any:
        """What the template shows to this visitor."""
        raise NotImplementedError

    def sample(self, value: Any, request: Any) -> Any:
        """The same for somebody who does not exist."""
        return self.panel(value, request)

    def normalize(self, value: Any) -> Any:
        """What the site's own code leaves out is as in a block that an editor has just added."""
        if not isinstance(value, blocks.StructValue):
            left_out = {
                name: child.get_default() for name, child in self.child_blocks.items() if name not in value
            }
            value = {**left_out, **value}
        return super().normalize(value)

    def get_context(self, value: Any, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(value, parent_context)
        request = context.get("request")
        context["panel"] = None
        # Without a request nobody is known to look at it.
        if request is not None:
            try:
                context["panel"] = self._drawn(value, request, context)
            except Exception:
                logger.exception("The block %s could not be shown", self.name)
        return context

    def render(self, value: Any, context: dict[str, Any] | None = None) -> Any:
        try:
            return super().render(value, context=context)
        except Exception:
            logger.exception("The block %s could not be drawn", self.name)
            return ""

    def _drawn(self, value: Any, request: Any, context: dict[str, Any]) -> Any:
        if getattr(request, "is_preview", False):
            visitor_of(request).moment = getattr(context.get("page"), "preview_on", None)
            if self.is_personal and _looks_as_customer(request):
                return self.sample(value, request)
        return self.sample(value, request) if context.get(SAMPLE) else self.panel(value, request)

    def get_preview_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_preview_context(value, parent_context)
        return {**context, SAMPLE: True}

    # In a site's migrations stand Wagtail's own blocks, so that they work when we are gone, and none of our words, so
    # that other ones ask for no migration of theirs.

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        path, (children,), kwargs = super().deconstruct()
        return path, [[(name, _wordless(child)) for name, child in children]], kwargs

    def deconstruct_with_lookup(
        self, lookup: BlockDefinitionLookupBuilder
    ) -> tuple[str, list[Any], dict[str, Any]]:
        path, (children,), kwargs = self.deconstruct()
        return path, [[(name, lookup.add_block(child)) for name, child in children]], kwargs


def _looks_as_customer(request: Any) -> bool:
    """Whether the preview of a page is that of a customer who refers: our pages have other modes too."""
    invitation = getattr(request, "referral_invitation", None)
    if invitation is not None:
        return invitation.kind in ("own", "customer", "used")
    return getattr(request, "referral_preview", "") != "visitor"


def _wordless(block: blocks.Block) -> blocks.Block:
    """The same block without what only its form says."""
    _path, arguments, given = block.deconstruct()
    kwargs = {name: value for name, value in given.items() if name not in ("label", "help_text", "choices")}
    if isinstance(block, blocks.StructBlock):
        return blocks.StructBlock([(name, _wordless(child)) for name, child in arguments[0]], **kwargs)
    if isinstance(block, blocks.ListBlock):
        return blocks.ListBlock(_wordless(block.child_block), **kwargs)
    return type(block)(*arguments, **kwargs)
