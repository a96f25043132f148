"""What the studio's editor did: the pages about referring, and the programs, written and published as in the admin."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group
from oscar.core.loading import get_model
from wagtail.log_actions import log
from wagtail.models import Locale, Page

from example_site.pages.models import HomePage
from example_site.seed.company_texts import HUB_MORE
from example_site.seed.pages import studio_picture
from example_site.seed.plans import FRIENDS_PASS, MEMBERS
from example_site.seed.referral_texts import CLASS_LANDING, HOME_BLOCK, HUB, LANDING, WORDS
from wagtail_referrals.kinds import HasOptions, option_owners
from wagtail_referrals.programs import customer_facts
from wagtail_referrals.programs.models import Audience, AudienceRule, Program, ProgramRule
from wagtail_referrals.programs.presets import presets
from wagtail_referrals.recognition.models import Badge, BadgeName
from wagtail_referrals.site.models import HubPage, LandingPage

EMPTY = "empty"
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


def write_class_page(editor: Any) -> Any:
    """The landing page of programs that give a class: nothing waits in a basket, so it says what each program says."""
    return _in_both_languages(LandingPage, CLASS_LANDING, editor)["en"]


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
        if texts is HUB:
            page.body = json.dumps(HUB_MORE[language])
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


def _chosen(owner: HasOptions, values: dict[str, Any]) -> dict[str, Any]:
    """What the form keeps of the options that were chosen, by name of the option."""
    return owner.freeze_options({name: values.get(name) for name in owner.option_fields()})


def rule(
    side: str, trigger: str, kind: str, chosen: dict[str, Any] | None = None, **values: Any
) -> ProgramRule:
    """A line of the sentence. `chosen`: what its kind and its trigger ask for."""
    options: dict[str, Any] = {}
    for owner in option_owners(kind, trigger):
        options |= _chosen(owner, chosen or {})
    return ProgramRule(side=side, trigger=trigger, kind=kind, options=options, **values)


def give_rules(program: Program, *rules: ProgramRule) -> None:
    for position, rule in enumerate(rules):
        rule.sort_order = position
    program.rules = list(rules)


def audience(editor: Any, name: str, *facts: tuple[str, dict[str, Any]], match: str = "all") -> Audience:
    """An audience by facts about customers, published."""
    found = Audience(name=name, match=match, live=False)
    found.rules = [
        AudienceRule(sort_order=position, fact=fact, options=_chosen(customer_facts.get(fact), values))
        for position, (fact, values) in enumerate(facts)
    ]
    found.save()
    log(instance=found, action="wagtail.create", user=editor)
    found.save_revision(user=editor, log_action=True).publish(user=editor)
    return found


def badge(editor: Any, icon: str, names: dict[str, str]) -> Badge:
    """A badge with its name in each language."""
    found = Badge(icon=icon)
    found.names = [BadgeName(language=language, name=name) for language, name in names.items()]
    found.save()
    log(instance=found, action="wagtail.create", user=editor)
    return found


def product_of(sku: str) -> Any:
    return get_model("catalogue", "Product").objects.get(upc=sku)


def _range(slug: str) -> Any:
    return get_model("offer", "Range").objects.get(slug=slug)


def regulars(editor: Any, landing_page: Any) -> Program:
    """For regulars: 8 € for the friend; 10 €, a mat and a badge for the first, the third and the fifth friend."""
    program = start(
        EMPTY,
        editor,
        name="Regulars: a mat for the third friend",
        precedence=3,
        hold_days=7,
        landing_page=landing_page,
        audience=audience(
            editor,
            "Regulars",
            ("orders", {"orders_at_least": 3}),
            ("spent", {"spent_how": "at_least", "spent_amounts": {"EUR": "300.00"}}),
            match="any",
        ),
    )
    give_rules(
        program,
        rule("friend", "arrives", "discount_fixed", amounts={"EUR": "8.00"}, minimum_spend={"EUR": "40.00"}),
        rule("advocate", "nth_referral", "credit", occurrence=1, amounts={"EUR": "10.00"}),
        rule(
            "advocate", "nth_referral", "free_product", {"gift_product": product_of("MAT-DAWN")}, occurrence=3
        ),
        rule(
            "advocate",
            "nth_referral",
            "badge",
            {"badge": badge(editor, "people", {"en": "Good company", "fr": "Bonne compagnie"})},
            occurrence=5,
        ),
    )
    say(program, "regulars")
    publish(program, editor)
    return program


def members(editor: Any, landing_page: Any) -> Program:
    """For members: a share of the workshops and of all orders of a friend, for three orders, that expires."""
    program = start(
        EMPTY,
        editor,
        name="Members: a share of what friends buy",
        precedence=5,
        hold_days=7,
        friend_cap_count=3,
        landing_page=landing_page,
        audience=audience(editor, "Members", ("bought_from", {"range": str(_range("memberships").pk)})),
    )
    workshops = {"bought_range": _range("workshops"), "bought_range_orders": "each"}
    give_rules(
        program,
        rule("friend", "arrives", "discount_percent", percent=Decimal(10)),
        rule(
            "advocate",
            "buys_from_range",
            "credit_percent",
            workshops,
            percent=Decimal(20),
            expires_days=45,
        ),
        rule(
            "advocate",
            "every_purchase",
            "credit_percent",
            percent=Decimal(5),
            minimum_spend={"EUR": "20.00"},
            expires_days=45,
        ),
    )
    say(program, "members")
    publish(program, editor)
    return program


def passing_it_on(editor: Any, landing_page: Any) -> Program:
    """For those who came as friends: a cork block for the friend, leaves for them, a donation to the sea rescue."""
    program = start(
        EMPTY,
        editor,
        name="Pass it on: a cork block for the friend",
        precedence=7,
        hold_days=7,
        landing_page=landing_page,
        audience=audience(editor, "Came as a friend", ("friend", {"came": "invited"})),
    )
    membership = get_model("catalogue", "ProductClass").objects.get(name="Membership")
    give_rules(
        program,
        rule(
            "friend",
            "arrives",
            "free_product",
            {"gift_product": product_of("BLOCK-CORK")},
            minimum_spend={"EUR": "25.00"},
        ),
        rule("friend", "registers", "points", {"points": 5}),
        rule("advocate", "first_purchase", "points", {"points": 20}),
        rule("advocate", "first_purchase", "sea_rescue", amounts={"EUR": "3.00"}),
        rule(
            "advocate",
            "buys_product_class",
            "points",
            {"points": 50, "bought_class": membership, "bought_class_orders": "first"},
        ),
    )
    say(program, "passing_it_on")
    publish(program, editor)
    return program


def plan_of(slug: str) -> Any:
    from oscar_integration.memberships.models import Plan

    return Plan.objects.get(slug=slug)


def _members_now() -> tuple[str, dict[str, Any]]:
    """Whoever has a monthly membership that runs is in this group; others are regulars, or have been members."""
    return "group", {"group": str(Group.objects.get(name=MEMBERS).pk)}


def _friends_pass() -> ProgramRule:
    return rule("friend", "registers", "membership", {"gift_plan": plan_of(FRIENDS_PASS)})


def _becomes_a_member() -> dict[str, Any]:
    return {"bought_plans": [plan_of("monthly"), plan_of("yearly")], "bought_plans_orders": "first"}


def bring_a_friend(editor: Any, landing_page: Any) -> Program:
    """For members: the friend gets a class; once the friend is a member, too, 15 € that pay the next renewal."""
    program = start(
        EMPTY,
        editor,
        name="Members: bring a friend along",
        precedence=2,
        # A membership that was paid counts at once: a refund takes the credit back.
        hold_days=0,
        hold_anchor=Program.Anchor.PAID,
        credit_pays_renewals=True,
        landing_page=landing_page,
        audience=audience(editor, "Members now", _members_now()),
    )
    give_rules(
        program,
        _friends_pass(),
        rule("advocate", "buys_membership", "credit", _becomes_a_member(), amounts={"EUR": "15.00"}),
    )
    say(program, "bring_a_friend")
    publish(program, editor)
    return program


def one_more_month(editor: Any, landing_page: Any) -> Program:
    """For members who came as friends: their own membership is a month longer once their friend is a member, too."""
    program = start(
        EMPTY,
        editor,
        name="Pass it on: a month for a member",
        precedence=1,
        hold_days=0,
        hold_anchor=Program.Anchor.PAID,
        landing_page=landing_page,
        audience=audience(
            editor, "Members who came as a friend", _members_now(), ("friend", {"came": "invited"})
        ),
    )
    give_rules(
        program,
        _friends_pass(),
        rule(
            "advocate",
            "buys_membership",
            "membership",
            {**_becomes_a_member(), "gift_plan": plan_of("monthly"), "gift_plan_prolongs": True},
        ),
    )
    say(program, "one_more_month")
    publish(program, editor)
    return program


def spring(editor: Any, landing_page: Any) -> Program:
    """A draft that nobody has published yet."""
    program = start(BOTH, editor, name="Spring: credit for both", precedence=50, landing_page=landing_page)
    keep_as_draft(program, editor)
    return program
