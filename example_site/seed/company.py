"""Those who refer, in public: badges, leaderboards, thanks; what they and their friends said afterwards.

And what is asked: by a shopper who names who sent her, and by a referrer who misses an order. See `history.py`.
"""

import json
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.utils import timezone
from wagtail.log_actions import log
from wagtail.models import Locale, Page

from example_site.pages.models import ContentPage, HomePage
from example_site.seed.circles import CIRCLES
from example_site.seed.company_texts import BADGES, COMPANY, FEEDBACK, LANDING_MORE, LOOK, PIONEER, THANKS
from example_site.seed.doings import Buys, Shop, address_of, buys
from example_site.seed.pages import studio_picture
from example_site.seed.people import ADVOCATES
from example_site.seed.visitor import LAPTOP, PHONE, Visitor, WentWrong
from oscar_integration import conf
from wagtail_referrals import people
from wagtail_referrals.programs import pick_terms
from wagtail_referrals.programs.models import Audience
from wagtail_referrals.recognition.models import Badge, BadgeName, Featured, FeaturedText
from wagtail_referrals.referrals.models import Purchase

CAMILLE, NOE, INES = (person.email for person in ADVOCATES)
GAELLE, MATHIS, ROZENN = (person.email for person in CIRCLES[:3])


def company(shop: Shop) -> None:
    shop.at(57, "10:30", lambda: write_badges(shop.editor))
    shop.at(57, "11:00", lambda: write_company_page(shop.editor))
    shop.at(57, "11:30", lambda: write_more_on_landing_page(shop.editor, shop.landing_page))
    for minute, email in enumerate((CAMILLE, INES, ROZENN, MATHIS, GAELLE)):
        shop.at(29, f"18:2{minute}", lambda email=email: choose(email, "join-leaderboards"))
    shop.at(26, "09:40", lambda: thank(shop.editor, ROZENN))
    shop.at(25, "20:10", lambda: choose(ROZENN, "agree-to-thanks"))
    shop.at(24, "09:40", lambda: thank(shop.editor, INES))
    shop.at(23, "21:15", lambda: choose(INES, "agree-to-thanks"))
    # Asked, and no answer yet.
    shop.at(3, "09:40", lambda: thank(shop.editor, CAMILLE))
    passing_on(shop)
    kept_invitation(shop)
    if apps.is_installed("wagtail_referrals.feedback"):
        feedback(shop)
    questions(shop)


def passing_on(shop: Shop) -> None:
    """They press the buttons beside their link; each time is counted."""
    for days_ago, email, channel in (
        (56, CAMILLE, "whatsapp"),
        (56, CAMILLE, "email"),
        (44, INES, "whatsapp"),
        (44, INES, "telegram"),
        (30, CAMILLE, "messenger"),
        (29, NOE, "sms"),
        (23, INES, "facebook"),
        (12, ROZENN, "whatsapp"),
        (9, INES, "email"),
        (7, CAMILLE, "linkedin"),
        (6, CAMILLE, "whatsapp"),
    ):
        shop.at(days_ago, "08:25", lambda email=email, channel=channel: _as(email).share(channel))


def kept_invitation(shop: Shop) -> None:
    """Two who like it, and not today: the invitation waits in their mailbox."""

    def keep(name: str, last_name: str, advocate: str, reminder: bool) -> None:
        visitor = Visitor("fr", PHONE, name)
        visitor.follow(shop.code(advocate), "whatsapp")
        visitor.keep_by_email(shop.code(advocate), address_of(name, last_name), reminder=reminder)

    shop.at(11, "22:40", lambda: keep("Maïwenn", "Tanguy", CAMILLE, True))
    shop.at(5, "12:20", lambda: keep("Quentin", "Fabre", INES, False))


def feedback(shop: Shop) -> None:
    """A question after each reward; some answer."""
    shop.at(56, "15:00", lambda: write_feedback_page(shop.editor))
    for days_ago, key, side, rating, words in (
        (38, "Julie", "advocate", 10, "C’est simple, et on voit où en est chaque proche."),
        (37, "Julie", "friend", 9, ""),
        (34, "Pauline", "advocate", 9, "Un rappel avant que mon crédit expire serait utile."),
        (34, "Pauline", "friend", 8, "Plus de cours le week-end."),
        (26, "Clara", "friend", 10, ""),
        (27, "Loïc", "advocate", 10, "Mes amis me remercient encore."),
        (12, "Olivier", "friend", 6, "Ma première commande est arrivée en retard."),
        (14, "Chloé", "friend", 9, "La carte avec le QR code m’a fait rire."),
    ):
        shop.at(
            days_ago,
            "20:45",
            lambda key=key, side=side, rating=rating, words=words: answer(shop, key, side, rating, words),
        )


def questions(shop: Shop) -> None:
    """Who sent you? One shopper names Camille, and Noé misses an order."""
    paule = Buys(
        "Paule",
        "Girault",
        ("BLOCK-CORK", "STRAP"),
        email=address_of("Paule", "Girault"),
        agent=LAPTOP,
        # Where the shop asks.
        names=("Camille Durand", "Nantes") if conf.asks_who_sent() else (),
    )
    buys(shop, 2.5, "19:20", paule)
    shop.at(2, "12:15", lambda: _as(NOE).report(shop.orders["Aïcha"].number))


def _as(email: str) -> Visitor:
    visitor = Visitor("fr", PHONE, email.partition("@")[0])
    visitor.sign_in(email)
    return visitor


def choose(email: str, choice: str) -> None:
    """Press one of the buttons among the settings of "Refer a friend"."""
    _as(email).choose(choice)


# What the editor does


def write_badges(editor: Any) -> None:
    # The program that is everybody's from now on.
    classic = pick_terms(site_id=None)
    assert classic is not None
    for icon, names, values in (
        *BADGES,
        (*PIONEER, {"criterion": "first", "program_key": classic.program_key}),
    ):
        badge = Badge(icon=icon, **values)
        badge.names = [BadgeName(language=language, name=name) for language, name in names.items()]
        badge.save()
        log(instance=badge, action="wagtail.create", user=editor)


def write_company_page(editor: Any) -> None:
    """The page with every block about referrals."""
    first = None
    for language in ("en", "fr"):
        words = COMPANY[language]
        page = ContentPage(
            title=words["title"],
            slug=words["slug"],
            introduction=words["introduction"],
            search_description=words["introduction"],
            picture=studio_picture(COMPANY["picture"]),
            locale=Locale.objects.get(language_code=language),
            owner=editor,
            live=False,
            show_in_menus=COMPANY["in_menu"],
            body=json.dumps(words["body"]),
        )
        first = _add(page, first, editor)


def write_more_on_landing_page(editor: Any, landing_page: Any) -> None:
    """Other words for some visitors, messages to send, the look of pictures and cards, and more below the offer."""
    for page in (landing_page, *landing_page.get_translations()):
        page = page.specific
        for name, value in {**LOOK, **LANDING_MORE[page.locale.language_code]}.items():
            setattr(page, name, json.dumps(_with_audiences(value)) if isinstance(value, list) else value)
        page.save_revision(user=editor).publish(user=editor)


def _with_audiences(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the key of an audience where the text has its name."""
    found = []
    for block in blocks:
        name = block["value"].get("audience")
        chosen = {"audience": str(Audience.objects.get(name=name).pk)} if name else {}
        found.append({**block, "value": {**block["value"], **chosen}})
    return found


def write_feedback_page(editor: Any) -> None:
    from wagtail_referrals.feedback.models import FeedbackPage, FeedbackQuestion

    first = None
    for language in ("en", "fr"):
        words = dict(FEEDBACK[language])
        question = words.pop("question")
        page = FeedbackPage(
            locale=Locale.objects.get(language_code=language),
            owner=editor,
            live=False,
            show_in_menus=False,
            **words,
        )
        page.form_fields = [
            FeedbackQuestion(sort_order=0, label=question, field_type="multiline", required=False)
        ]
        first = _add(page, first, editor)


def _add(page: Any, first: Page | None, editor: Any) -> Page:
    """Below the home page of its language, published; a translation of ``first`` where there is one."""
    if first is not None:
        page.translation_key = first.translation_key
    HomePage.objects.get(locale=page.locale).add_child(instance=page)
    log(instance=page, action="wagtail.create", user=editor)
    page.save_revision(user=editor).publish(user=editor)
    return first or page


def thank(editor: Any, email: str) -> None:
    """Ask a referrer whether they may be thanked in public."""
    featured = Featured(
        advocate=people.advocate_for(get_user_model().objects.get(email=email)), created_at=timezone.now()
    )
    featured.texts = [FeaturedText(language=language, text=text) for language, text in THANKS[email].items()]
    featured.save()
    log(instance=featured, action="wagtail.create", user=editor)


# What people say


def answer(shop: Shop, key: str, side: str, rating: int, words: str) -> None:
    """Follow the link of the mail about the reward, and answer."""
    from wagtail_referrals.feedback.models import RATING, FeedbackPage
    from wagtail_referrals.feedback.respondents import token_for

    page = FeedbackPage.objects.get(locale__language_code="fr")
    referral = Purchase.objects.get(reference=shop.orders[key].number).referral
    token = token_for(referral.pk, side)
    visitor = Visitor("fr", PHONE, f"the {side} of {key}'s order")
    visitor.get(f"{page.url}?t={token}")
    (question,) = page.form_fields.all()
    answered = visitor.post(page.url, {"t": token, RATING: str(rating), question.clean_name: words}, 200)
    if RATING in answered.content.decode():
        raise WentWrong(f"{visitor.name}: the answer was not taken")
