"""What the studio's editor did: the pages about referring, and the programs, written and published as in the admin."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from wagtail.log_actions import log
from wagtail.models import Locale, Page

from example_site.pages.models import HomePage
from example_site.seed.pages import studio_picture
from example_site.seed.referral_texts import HOME_BLOCK, HUB, LANDING, WORDS
from wagtail_referrals.programs.models import Program, ProgramRule
from wagtail_referrals.programs.presets import presets
from wagtail_referrals.site.models import HubPage, LandingPage

CLASSIC = "give_percent_get_credit"
PERCENTAGE = "percentage_back"
BOTH = "credit_for_both"


def write_pages(editor: Any) -> Any:
    """The landing page and the page about the program in both languages, and a way there from the home page.

    Returns the English landing page, which programs point to.
    """
    landing = _in_both_languages(LandingPage, LANDING, editor)
    hub = _in_both_languages(HubPage, HUB, editor)
    for home in HomePage.objects.live():
        language = home.locale.language_code
        block = json.loads(json.dumps(HOME_BLOCK[language]))
        block["value"]["image"] = studio_picture("garden").pk
        block["value"]["link"]["page"] = hub[language].pk
        body = list(home.body.raw_data)
        home.body = json.dumps([*body[:-1], block, *body[-1:]])
        home.save_revision(user=editor).publish(user=editor)
    return landing["en"]


def _in_both_languages(model: Any, texts: dict[str, Any], editor: Any) -> dict[str, Any]:
    pages: dict[str, Any] = {}
    for language in ("en", "fr"):
        words = texts[language]
        home = HomePage.objects.get(locale__language_code=language)
        page = model(
            title=words["title"],
            slug=words["slug"],
            locale=Locale.objects.get(language_code=language),
            owner=editor,
            live=False,
            show_in_menus=texts["in_menu"],
            search_description=words["search_description"],
            headline=words["headline"],
            introduction=words["introduction"],
            picture=studio_picture(texts["picture"]),
            steps=json.dumps(
                [
                    {"type": "step", "value": {"heading": heading, "text": text}}
                    for heading, text in words["steps"]
                ]
            ),
        )
        if "action_text" in words:
            page.action_text = words["action_text"]
        if pages:
            page.translation_key = pages["en"].translation_key
        home.add_child(instance=page)
        log(instance=page, action="wagtail.create", user=editor)
        page.save_revision(user=editor).publish(user=editor)
        pages[language] = Page.objects.get(pk=page.pk).specific
    return pages


def start(preset: str, editor: Any, **values: Any) -> Program:
    """A draft of a ready-made program, as "start from …" in the admin makes it; `values` are what was changed in it."""
    program = presets.get(preset).build()
    program.live = False
    for name, value in values.items():
        setattr(program, name, value)
    program.save()
    log(instance=program, action="wagtail.create", user=editor)
    return program


def publish(program: Program, editor: Any) -> None:
    program.save_revision(user=editor, log_action=True).publish(user=editor)


def keep_as_draft(program: Program, editor: Any) -> None:
    program.save_revision(user=editor, log_action=True)


def say(program: Program, words: str) -> None:
    """Give the program texts of its own, in both languages."""
    rows = list(program.texts.all())
    for text in rows:
        for field, value in WORDS[words][text.language].items():
            setattr(text, field, value)
    program.texts = rows


def opening(editor: Any, landing_page: Any, expire_at: datetime) -> Program:
    """The program of the autumn: a percentage for both sides, at most two rewards each, and it ends."""
    program = start(
        PERCENTAGE,
        editor,
        name="Back on the mat: 15% off, 10% back",
        precedence=10,
        hold_days=7,
        cap_count=2,
        cap_period=Program.Period.EVER,
        landing_page=landing_page,
        expire_at=expire_at,
    )
    say(program, "opening")
    publish(program, editor)
    return program


def classic(editor: Any, landing_page: Any) -> Program:
    """Give 10 %, get 15 €: what runs today."""
    program = start(CLASSIC, editor, landing_page=landing_page)
    say(program, "classic")
    publish(program, editor)
    return program


def workshops(editor: Any, landing_page: Any) -> Program:
    """Comes before the classic one, for three friends."""
    program = start(
        CLASSIC,
        editor,
        name="Workshop weeks: give 20%, get €20",
        precedence=20,
        budget_count=3,
        landing_page=landing_page,
    )
    rules: list[ProgramRule] = list(program.rules.all())
    for rule in rules:
        if rule.side == "friend":
            rule.percent = Decimal(20)
        else:
            rule.amounts = {"EUR": "20.00"}
    program.rules = rules
    say(program, "workshops")
    publish(program, editor)
    return program


def spring(editor: Any, landing_page: Any) -> Program:
    """A draft that nobody has published yet."""
    program = start(BOTH, editor, name="Spring: credit for both", precedence=50, landing_page=landing_page)
    keep_as_draft(program, editor)
    return program
