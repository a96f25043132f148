"""Which templates the shopper's pages stand in.

Each page of ours fills three blocks: ``title``, ``extrahead`` and ``content``. Where a site's base template calls them
otherwise (``head``, ``main``...), a template in between gives them our names, so that one setting is enough.

Public pages stand in ``BASE_TEMPLATE``, else in ``wagtail_referrals/base.html`` if there is one, else alone. Pages of
the customer's account stand in ``wagtail_referrals/account_base.html`` where there is one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.template import Template, TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template

from wagtail_referrals import conf
from wagtail_referrals.site.template_blocks import shown_blocks

logger = logging.getLogger(__name__)

# Our block -> what sites call it, the best first.
NAMES: Final = {
    "title": ("title", "head_title", "page_title", "html_title", "meta_title"),
    "extrahead": (
        "extrahead",
        "extra_head",
        "head_extra",
        "head",
        "extrastyles",
        "extra_css",
        "extra_styles",
        "styles",
        "css",
    ),
    "content": ("content", "main_content", "page_content", "main", "body"),
}
SITES_BASE: Final = "wagtail_referrals/base.html"
ACCOUNT_BASE: Final = "wagtail_referrals/account_base.html"
DEFAULT_BASE: Final = "wagtail_referrals/default_base.html"


class Misfit(Exception):
    """A base template in which our pages cannot stand. Its text says why."""


@dataclass(frozen=True)
class Base:
    """A template with our blocks. Without a head for us, our pages bring their style sheet in their content."""

    template: Any
    has_head: bool

    def context(self, *, has_heading: bool) -> dict[str, Any]:
        """For the pages: what they extend, and what they have to bring themselves."""
        return {
            "referrals_base": self.template,
            "referrals_brings_styles": not self.has_head,
            "referrals_brings_heading": not has_heading,
        }


# Per template of the site. A changed template is a new object.
_bases: WeakKeyDictionary[Template, Base] = WeakKeyDictionary()


def layout_context() -> dict[str, Any]:
    """What a public page of ours extends; it has a headline of its own."""
    for name in (conf.get("BASE_TEMPLATE"), SITES_BASE):
        if (base := _usable(name)) is not None:
            return base.context(has_heading=True)
    return Base(get_template(DEFAULT_BASE), has_head=True).context(has_heading=True)


def account_layout_context() -> dict[str, Any]:
    """What a page in the customer's account extends. ``account_base.html`` shows ``page_title`` as the headline."""
    for name in (ACCOUNT_BASE, conf.get("BASE_TEMPLATE"), SITES_BASE):
        if (base := _usable(name)) is not None:
            return base.context(has_heading=name == ACCOUNT_BASE)
    return Base(get_template(DEFAULT_BASE), has_head=True).context(has_heading=True)


def base_template_problem() -> str | None:
    """What is wrong with ``BASE_TEMPLATE``, as a sentence; ``None`` where nothing is, or none is set."""
    name = conf.get("BASE_TEMPLATE")
    return template_problem(name) if name else None


def template_problem(name: str) -> str | None:
    """What is wrong with a template in which our pages are to stand, and what happens then, as a sentence."""
    alone = "our pages stand alone, without the site's header and footer"
    try:
        base = _load(name)
    except TemplateDoesNotExist as error:
        return f'The template "{error}" does not exist: {alone}.'
    except (Misfit, TemplateSyntaxError) as error:
        return f'The template "{name}" cannot be used, as {error}: {alone}.'
    if base.has_head:
        return None
    return f'The template "{name}" has no block in its <head>: links that are shared show neither picture nor text.'


def _usable(name: str | None) -> Base | None:
    """``None`` for a template that our pages do without: there is none, or it is broken, which is logged."""
    if not name:
        return None
    try:
        return _load(name)
    except TemplateDoesNotExist as error:
        # Ours need not be there; what the site names or extends must.
        if name == conf.get("BASE_TEMPLATE") or str(error) != name:
            logger.exception("The base template %s is missing", name)
    except (Misfit, TemplateSyntaxError):
        logger.exception("The base template %s cannot be used", name)
    return None


def _load(name: str) -> Base:
    """Raises ``Misfit``, and what loading a template raises."""
    template = getattr(get_template(name), "template", None)
    if not isinstance(template, Template):
        raise Misfit("it is not a template of Django's own engine")
    if template not in _bases:
        _bases[template] = _fit(template, name)
    return _bases[template]


def _fit(template: Template, name: str) -> Base:
    shown = shown_blocks(template)
    theirs = {ours: next((other for other in names if other in shown), None) for ours, names in NAMES.items()}
    if theirs["content"] is None:
        raise Misfit(f"it shows none of the blocks {', '.join(NAMES['content'])}")
    between = [
        # What stands in their head stays there.
        f"{{% block {other} %}}{'{{ block.super }}' if ours == 'extrahead' else ''}"
        f"{{% block {ours} %}}{{% endblock %}}{{% endblock %}}"
        for ours, other in theirs.items()
        if other not in (None, ours)
    ]
    if "headertext" in shown and name == conf.get("BASE_TEMPLATE"):
        # A layout like Oscar's, where each page has a headline at this place: our public pages bring their own.
        between.append("{% block header %}{% endblock %}")
    if between:
        template = template.engine.from_string(f'{{% extends "{name}" %}}' + "".join(between))
    return Base(template, has_head=theirs["extrahead"] is not None)
