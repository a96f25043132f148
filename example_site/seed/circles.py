"""The programs that are for some customers only: regulars, members, and those who came as friends themselves.

The first program in the editor's order whose audience a customer is in is the one they offer; everybody else has the
classic one. See `history.py` for the rest of the story.
"""

from example_site.seed import programs
from example_site.seed.doings import (
    Buys,
    Shop,
    address_of,
    at_home,
    buys,
    cancel,
    correct,
    fill_and_leave,
    opens_account,
    refund,
    share,
)
from example_site.seed.people import ADVOCATES, CIRCLES, Person
from example_site.seed.visitor import ANDROID, LAPTOP, PHONE, Visitor

GAELLE, MATHIS, ROZENN, MAUD, ERWAN = CIRCLES
INES = ADVOCATES[2].email
JULIE, PAULINE = address_of("Julie", "Perrot"), address_of("Pauline", "Rousseau")


def regulars(shop: Shop) -> None:
    """10 € for the first friend, a mat for the third, a badge for the fifth."""
    # What makes them regulars: three orders, or 300 €.
    buys(shop, 92, "17:20", _for_oneself(GAELLE, "MEMBER-YEAR", keep_card=True))
    buys(shop, 92, "18:05", _for_oneself(ROZENN, "WORKSHOP-SEA", "STRAP"))
    for days_ago, sku in ((92, "TEA"), (91, "SOCKS"), (90, "PASS-1")):
        buys(shop, days_ago, "19:45", _for_oneself(MATHIS, sku, pick_up=True, key=f"Mathis {sku}"))

    shop.at(80, "10:00", lambda: programs.regulars(shop.editor, shop.landing_page))
    for minute, person in enumerate((GAELLE, MATHIS, ROZENN)):
        shop.at(80, f"18:1{minute}", lambda person=person: opens_account(person))

    # Rozenn: five friends.
    shop.at(79, "08:20", lambda: share(shop, ROZENN.email, "whatsapp"))
    buys(shop, 78, "20:10", Buys("Yuna", "Morvan", ("BOLSTER",), ROZENN.email))
    buys(
        shop, 73, "12:25", Buys("Loïc", "Perrin", ("MAT-TRAVEL", "STRAP"), ROZENN.email, "copy", agent=LAPTOP)
    )
    buys(shop, 66, "21:15", Buys("Mélanie", "Faure", ("WORKSHOP-BREATH",), ROZENN.email, "email"))
    buys(shop, 59, "17:35", Buys("Denis", "Aubry", ("SWEATSHIRT-M",), ROZENN.email, agent=ANDROID))
    buys(shop, 47, "13:05", Buys("Katell", "Nédélec", ("CUSHION",), ROZENN.email, "sms"))

    # Mathis: three friends, and the mat was in his next order.
    buys(shop, 75, "19:25", Buys("Jules", "Barbier", ("PASS-5",), MATHIS.email, "qr"))
    buys(shop, 70, "08:50", Buys("Awa", "Sow", ("MAT-DAWN",), MATHIS.email, language="en"))
    buys(shop, 62, "22:15", Buys("Perrine", "Gallet", ("BLANKET",), MATHIS.email, "share", agent=LAPTOP))
    with_his_mat = _for_oneself(MATHIS, "TEA", pick_up=True, reward=True, key="Mathis' mat")
    buys(shop, 40, "18:55", with_his_mat)

    # Gaëlle: two friends so far. She is a member, too: the program that comes first is hers.
    buys(shop, 50, "11:45", Buys("Bastien", "Picard", ("LEGGINGS-L",), GAELLE.email, "messenger"))
    clara = Buys("Clara", "Vasseur", ("MEMBER-MONTH",), GAELLE.email, as_whom="account", keep_card=True)
    buys(shop, 31, "20:30", clara)


def members(shop: Shop) -> None:
    """20 % of the workshops that a friend buys and 5 % of each order, for three orders, as credit for 45 days."""
    buys(shop, 92, "20:40", _for_oneself(MAUD, "MEMBER-MONTH", keep_card=True))
    buys(shop, 91, "09:30", _for_oneself(ERWAN, "MEMBER-MONTH", keep_card=True))
    shop.at(88, "11:00", lambda: programs.members(shop.editor, shop.landing_page))
    shop.at(87, "18:20", lambda: opens_account(MAUD))
    shop.at(87, "18:40", lambda: opens_account(ERWAN))

    # Maud: one friend who comes again and again. What she did not spend of the first shares has expired.
    for days_ago, skus, link in (
        (84, ("WORKSHOP-BREATH", "TEA"), MAUD.email),
        (60, ("MAT-TRAVEL",), None),
        (33, ("PASS-5",), None),
        (20, ("CANDLE", "SOCKS"), None),
    ):
        again = Buys(
            "Gwen",
            "Cadiou",
            skus,
            link,
            as_whom="account" if link else "customer",
            key=f"Gwen {days_ago}",
        )
        buys(shop, days_ago, "19:15", again)
    buys(shop, 50, "21:00", _for_oneself(MAUD, "EYE-PILLOW", credit="5.00", key="Maud again"))

    # Erwan: had spent his share when the workshop was given back. The next friend made up for it.
    buys(shop, 52, "18:25", Buys("Titouan", "Hervé", ("WORKSHOP-MOON", "BOLSTER"), ERWAN.email, agent=LAPTOP))
    buys(shop, 34, "12:15", _for_oneself(ERWAN, "STRAP", credit="11.61", pick_up=True, key="Erwan again"))
    shop.at(30, "10:20", lambda: refund(shop, "Titouan", pieces={"WORKSHOP-MOON": 1}))
    buys(shop, 26, "20:45", Buys("Enora", "Pichon", ("WORKSHOP-BREATH", "CUSHION"), ERWAN.email, "sms"))

    # A parcel of Inès' came late, and somebody was sorry.
    shop.at(
        13,
        "15:30",
        lambda: correct(shop, INES, "5.00", "Her last parcel took two weeks. With our apologies, by phone."),
    )


def passing_it_on(shop: Shop) -> None:
    """Who came as a friend gives a cork block, and gets leaves; the sea rescue gets something, too."""
    shop.at(36, "10:30", lambda: programs.passing_it_on(shop.editor, shop.landing_page))
    shop.at(35, "19:00", lambda: _confirms(JULIE, "Julie"))
    shop.at(35, "19:30", lambda: _confirms(PAULINE, "Pauline"))

    # The block was in the order, was not wanted, and was there again after an order that was cancelled.
    buys(shop, 34, "20:05", Buys("Solenn", "Guéguen", ("EYE-PILLOW", "SOCKS"), JULIE))
    nolwenn = Buys("Nolwenn", "Cloarec", ("CANDLE",), JULIE, "sms", without=("BLOCK-CORK",), agent=ANDROID)
    buys(shop, 29, "21:25", nolwenn)
    arthur = Buys("Arthur", "Masson", ("LEGGINGS-S",), JULIE, "copy", as_whom="account", keeps=True)
    buys(shop, 25, "12:40", arthur, sent=None)
    shop.at(24, "09:15", lambda: cancel(shop, "Arthur"))
    buys(shop, 22, "18:50", Buys("Arthur", "Masson", ("LEGGINGS-M",), as_whom="same", keeps=True))

    # A membership brings more leaves; and somebody has the block in the basket.
    buys(
        shop,
        15,
        "20:35",
        Buys("Ewen", "Prigent", ("MEMBER-MONTH",), PAULINE, as_whom="account", keep_card=True),
    )
    shop.at(6, "22:10", lambda: fill_and_leave(shop, "Lise", PAULINE, "whatsapp", "MAT-CORK"))


def _for_oneself(person: Person, *skus: str, **values: object) -> Buys:
    """An order of somebody with a login, sent home."""
    return Buys(
        person.first_name,
        person.last_name,
        skus,
        as_whom="customer",
        email=person.email,
        street=at_home(person),
        **values,  # type: ignore[arg-type]
    )


def _confirms(email: str, name: str) -> None:
    visitor = Visitor("fr", PHONE, name)
    visitor.sign_in(email)
    visitor.confirm_name(name)
