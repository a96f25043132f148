"""Three months of the shop: who shared, who came, what was ordered, paid, sent, cancelled and given back.

Nothing here writes a row. Visitors send requests, the manager's actions are those behind the dashboard's buttons, the
editor publishes as the admin does, and the nights settle what is due; all under a clock that is moved from three months
ago to now. See `clock.py` and `visitor.py`.
"""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model

from example_site.card.gateway import ASKS_THE_BANK, DECLINED
from example_site.seed import circles, company, letters, members, programs
from example_site.seed.clock import MovingClock
from example_site.seed.doings import (
    Buys,
    Shop,
    address_of,
    arrive_and_register,
    at_home,
    buys,
    cancel,
    fill_and_leave,
    look,
    opens_account,
    refund,
    send,
    share,
)
from example_site.seed.people import ADVOCATES, FRIENDS
from example_site.seed.visitor import ANDROID, LAPTOP, PHONE, ROBOTS, Visitor
from wagtail_referrals.programs.models import Program

User = get_user_model()

CAMILLE, NOE, INES = (person.email for person in ADVOCATES)
HUGO, ADAM = FRIENDS[1], FRIENDS[3]


def is_begun() -> bool:
    return Program.objects.exists()


def is_there() -> bool:
    """The draft is what the story ends with."""
    return Program.objects.filter(first_published_at=None, live=False).exists()


def make_history(now: datetime, progress: Callable[[str], Any]) -> None:
    """Live through the three months before `now`. `progress` is told a line for each week."""
    shop = Shop(
        MovingClock(now),
        editor=User.objects.get(email="editor@example.com"),
        manager=User.objects.get(email="manager@example.com"),
    )
    tell(shop)
    week = {"last": None}

    def day_passed(day: Any) -> None:
        if day.isocalendar().week != week["last"]:
            week["last"] = day.isocalendar().week
            progress(f"{day:%d %B %Y}: {len(shop.orders)} orders so far")

    # A declined card is part of the story, not a warning.
    log = logging.getLogger("oscar.checkout")
    level, log.level = log.level, logging.ERROR
    try:
        shop.clock.run(day_passed)
    finally:
        log.level = level


# The story


def tell(shop: Shop) -> None:
    before(shop)
    opening(shop)
    classic(shop)
    workshops(shop)
    circles.regulars(shop)
    circles.members(shop)
    circles.passing_it_on(shop)
    if apps.is_installed("oscar_integration.memberships"):
        members.members(shop)
    letters.letters(shop)
    lately(shop)
    passers_by(shop)
    company.company(shop)


def before(shop: Shop) -> None:
    """The shop is open, and nobody refers anybody."""
    hugo = Buys(
        "Hugo", "Bernard", ("MAT-TRAVEL",), as_whom="customer", email=HUGO.email, street=at_home(HUGO)
    )
    buys(shop, 92, "10:12", hugo)
    buys(shop, 91, "18:40", Buys("Solène", "Garnier", ("PASS-10",), agent=LAPTOP))


def opening(shop: Shop) -> None:
    """The program of the autumn: 15 % for the friend, 10 % back, at most two a referrer; over by now."""

    def publish() -> None:
        shop.landing_page = programs.write_pages(shop.editor)
        programs.opening(shop.editor, shop.landing_page, shop.clock.moment(58, "23:00"))

    shop.at(90, "09:30", publish)
    for position, person in enumerate(ADVOCATES):
        shop.at(89, f"1{position}:05", lambda person=person: opens_account(person))
    shop.at(88, "08:00", lambda: share(shop, CAMILLE, "whatsapp", "facebook"))
    shop.at(86, "08:10", lambda: share(shop, INES, "telegram", "whatsapp"))

    # Camille: two rewards, one of which shrank with a refund; the third friend was over the cap.
    buys(shop, 86, "19:02", Buys("Élodie", "Marchand", ("MAT-ROOT", "BLOCK-CORK"), CAMILLE))
    buys(
        shop,
        80,
        "12:31",
        Buys(
            "Romain",
            "Chevalier",
            ("BOLSTER", "BLANKET"),
            CAMILLE,
            "facebook",
            agent=LAPTOP,
            as_whom="account",
        ),
    )
    shop.at(66, "15:00", lambda: refund(shop, "Romain", pieces={"BLANKET": 1}))
    buys(shop, 72, "20:15", Buys("Sarah", "Haddad", ("MAT-DAWN",), CAMILLE, agent=ANDROID))

    # Noé: one left the basket, one order was cancelled and the discount lapsed.
    shop.at(84, "21:20", lambda: fill_and_leave(shop, "Théo", NOE, "sms", "MAT-CORK"))
    buys(shop, 78, "13:45", Buys("Fanny", "Leroux", ("SWEATSHIRT-S",), NOE, "sms"), sent=None)
    shop.at(76, "09:10", lambda: cancel(shop, "Fanny"))

    # Inès: one who registered and never ordered, one who did.
    shop.at(75, "17:55", lambda: arrive_and_register(shop, "Marc", "Delaunay", INES, "email"))
    buys(
        shop, 70, "11:11", Buys("Anaïs", "Colin", ("WORKSHOP-BREATH", "TEA"), INES, "telegram", agent=LAPTOP)
    )

    # A guest shares from the thank-you page: the reward waits until she registers.
    buys(shop, 65, "20:40", Buys("Ilyes", "Benali", ("MAT-ROOT",), "Sarah", "copy"))


def classic(shop: Shop) -> None:
    """Give 10 %, get 15 €: since eight weeks."""
    shop.at(57, "10:00", lambda: programs.classic(shop.editor, shop.landing_page))
    shop.at(56, "08:30", lambda: share(shop, CAMILLE, "whatsapp"))
    shop.at(55, "08:45", lambda: share(shop, NOE, "whatsapp", "telegram"))

    # Camille has been rewarded, and has spent a part of it.
    buys(shop, 56, "18:20", Buys("Julie", "Perrot", ("MAT-ROOT", "STRAP"), CAMILLE, as_whom="account"))
    buys(
        shop, 50, "12:05", Buys("Karim", "Meziane", ("CUSHION", "CANDLE"), CAMILLE, "qr", first_try=DECLINED)
    )
    shop.at(31, "10:30", lambda: refund(shop, "Karim", "27.00"))
    buys(
        shop,
        30,
        "21:10",
        Buys("Chloé", "Nguyen", ("MAT-CORK",), CAMILLE, "messenger", card=ASKS_THE_BANK, as_whom="account"),
    )
    camille = Buys(
        "Camille",
        "Durand",
        ("BOTTLE-STEEL", "EYE-PILLOW"),
        as_whom="customer",
        email=CAMILLE,
        street=at_home(ADVOCATES[0]),
        credit="20.00",
    )
    buys(shop, 20, "19:30", camille)

    # Noé has spent his reward before the friend's order came back: it is still to recover.
    buys(shop, 54, "09:40", Buys("Nadia", "Ferrand", ("BLANKET", "SOCKS"), NOE, agent=LAPTOP))
    noe = Buys(
        "Noé",
        "Martin",
        ("CUSHION",),
        as_whom="customer",
        email=NOE,
        street=at_home(ADVOCATES[1]),
        credit="15.00",
        agent=LAPTOP,
    )
    buys(shop, 33, "22:05", noe)
    shop.at(25, "11:00", lambda: refund(shop, "Nadia"))
    # His own link with another spelling of his address; a guest and an account who are customers already.
    own = Buys(
        "Noé", "Martin", ("STRAP",), NOE, "copy", email="noe+yoga@example.com", agent=LAPTOP, key="Noé again"
    )
    buys(shop, 28, "23:15", own)
    again = Buys(
        "Élodie", "Marchand", ("TEA",), NOE, email=address_of("Élodie", "Marchand"), key="Élodie again"
    )
    buys(shop, 24, "12:50", again)
    late = Buys(
        "Romain",
        "Chevalier",
        ("TEA", "SOCKS"),
        NOE,
        "sms",
        as_whom="late",
        email=address_of("Romain", "Chevalier"),
        key="Romain again",
    )
    buys(shop, 15, "20:20", late)

    # Olivier cancels, gets his discount again, and orders once more.
    shop.at(23, "09:00", lambda: share(shop, INES, "facebook"))
    olivier = Buys("Olivier", "Gautier", ("BOLSTER",), INES, "facebook", as_whom="account", keeps=True)
    buys(shop, 22, "18:00", olivier, sent=None)
    shop.at(21, "10:45", lambda: cancel(shop, "Olivier"))
    buys(shop, 19, "18:30", Buys("Olivier", "Gautier", ("BOLSTER", "BLOCK-CORK"), as_whom="same", keeps=True))


def workshops(shop: Shop) -> None:
    """Give 20 %, get 20 €, for three friends: used up within a week. Inès brought all of them."""
    shop.at(45, "14:00", lambda: programs.workshops(shop.editor, shop.landing_page))
    shop.at(44, "08:20", lambda: share(shop, INES, "whatsapp", "telegram"))
    buys(shop, 43, "12:12", Buys("Pauline", "Rousseau", ("WORKSHOP-MOON",), INES, as_whom="account"))
    malik = Buys("Malik", "Diallo", ("WORKSHOP-BREATH",), INES, types_code=True, agent=LAPTOP, language="en")
    buys(shop, 42, "20:44", malik)
    buys(shop, 40, "07:58", Buys("Éva", "Lemoine", ("WORKSHOP-BREATH", "MAT-DAWN"), INES, "telegram"))
    # The budget is used up: Thomas is shown the classic program, and leaves his basket.
    shop.at(38, "19:19", lambda: fill_and_leave(shop, "Thomas", INES, "whatsapp", "BLOCK-FOAM", "STRAP"))

    # She has spent it twice: once it paid for all, once for a part.
    one = Buys("Inès", "Moreau", ("PASS-1",), as_whom="customer", email=INES, credit="18.00", card="")
    buys(shop, 18, "08:15", one)
    two = Buys(
        "Inès",
        "Moreau",
        ("LEGGINGS-M",),
        as_whom="customer",
        email=INES,
        street=at_home(ADVOCATES[2]),
        credit="25.00",
        key="Inès again",
    )
    buys(shop, 10, "21:40", two)


def lately(shop: Shop) -> None:
    """What is under way now."""
    # A waiting period that ends while somebody looks: ten minutes after the history was begun.
    adam = Buys(
        "Adam",
        "Fontaine",
        ("MAT-TRAVEL", "TEA"),
        CAMILLE,
        as_whom="late",
        email=ADAM.email,
        street=at_home(ADAM),
    )
    buys(shop, 16, "18:05", adam, sent=None)
    ends = shop.clock.now + timedelta(minutes=10)
    shop.clock.plan(ends - timedelta(days=14), lambda: send(shop, "Adam"))
    # Waiting periods that end in some days.
    agathe = Buys(
        "Agathe", "Vidal", ("MAT-ROOT", "EYE-PILLOW"), INES, "email", as_whom="account", agent=LAPTOP
    )
    buys(shop, 9, "10:25", agathe)
    buys(shop, 8, "22:30", Buys("Sofia", "Romano", ("BLANKET",), NOE, first_try="leave", card=ASKS_THE_BANK))
    buys(shop, 6, "13:37", Buys("Baptiste", "Renaud", ("PASS-5",), CAMILLE, "share"))
    held(shop)
    # Paid, not sent yet.
    buys(shop, 3, "11:30", Buys("Rémi", "Caron", ("MAT-DAWN", "STRAP"), INES, as_whom="account"), sent=None)
    # Registered, no order yet.
    shop.at(2, "21:05", lambda: arrive_and_register(shop, "Manon", "Girard", CAMILLE, "messenger"))
    # Ordered, not paid yet.
    buys(shop, 1, "18:10", Buys("Lucas", "Morel", ("MAT-ROOT",), CAMILLE), paid=None)
    buys(shop, 1, "20:25", Buys("Emma", "Wilson", ("BOTTLE-GLASS", "SOCKS"), NOE, language="en"), paid=None)
    shop.at(1, "21:30", lambda: programs.spring(shop.editor, shop.landing_page))


def held(shop: Shop) -> None:
    """What somebody at the studio has to look at, by several checks; one of them by two."""
    for days_ago, hour, name, last_name, skus, link, values in (
        (11, "12:20", "Youna", "Tessier", ("MAT-TRAVEL",), INES, {"email": "youna@throwaway.example.net"}),
        (8, "20:35", "Alban", "Martin", ("BLANKET",), NOE, {"street": _flat(1), "as_whom": "account"}),
        (7, "09:15", "Jérémy", "Pasquier", ("CANDLE",), INES, {"pieces": 5, "as_whom": "account"}),
        (
            5,
            "21:40",
            "Océane",
            "Moreau",
            ("BOLSTER",),
            INES,
            {"street": _flat(2), "email": "oceane@ten-minutes.example.org", "as_whom": "account"},
        ),
        (4, "19:50", "Victor", "Durand", ("CUSHION", "CANDLE"), CAMILLE, {"street": _flat(0)}),
        (2, "18:25", "Gaëtan", "Lebrun", ("EYE-PILLOW",), CAMILLE, {"pieces": 6, "as_whom": "account"}),
    ):
        buys(shop, days_ago, hour, Buys(name, last_name, skus, link, **values))


def _flat(number: int) -> dict[str, str]:
    """The address of the one who invited."""
    return at_home(ADVOCATES[number])


def passers_by(shop: Shop) -> None:
    """People who only look, robots, and customers who have nothing to do with any of this."""
    chance = random.Random(44000)
    channels = (
        ["whatsapp"] * 6 + ["copy"] * 3 + ["email", "sms", "facebook", "messenger", "telegram", "qr", "share"]
    )
    for number in range(60):
        day, hour = chance.randint(1, 87), f"{chance.randint(8, 22):02d}:{chance.randint(0, 59):02d}"
        advocate = chance.choice([CAMILLE, CAMILLE, CAMILLE, INES, INES, NOE])
        language, agent = (
            chance.choice(["fr", "fr", "fr", "en"]),
            chance.choice([PHONE, PHONE, ANDROID, LAPTOP]),
        )
        via = chance.choice(channels)
        if number % 10 == 0:
            shop.at(day, hour, lambda advocate=advocate: _robot(shop, advocate))
        shop.at(
            day,
            hour,
            lambda advocate=advocate, via=via, language=language, agent=agent: look(
                shop, advocate, via, language, agent
            ),
        )
    for days_ago, hour, name, last_name, skus in (
        (83, "09:15", "Brigitte", "Lopez", ("PASS-10",)),
        (63, "17:20", "Yann", "Le Goff", ("MEMBER-MONTH",)),
        (47, "12:40", "Clémence", "Aubert", ("GIFT-50", "TEA")),
        (35, "20:05", "Tom", "Baker", ("MAT-TRAVEL",)),
        (16, "10:50", "Aïcha", "Traoré", ("PASS-5", "BOTTLE-GLASS")),
        (5, "15:15", "Yann again", "Le Goff", ("MEMBER-MONTH",)),
    ):
        purchase = Buys(
            name, last_name, skus, email=address_of(name.split(" ")[0], last_name.replace(" ", ""))
        )
        buys(shop, days_ago, hour, purchase)


def _robot(shop: Shop, advocate: str) -> None:
    Visitor("en", ROBOTS["search"], "a search engine").follow(shop.code(advocate))
