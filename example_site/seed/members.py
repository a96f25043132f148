"""Members and pass holders: who renews, who pays with credit, whose card is declined, and who came to class.

The nights make the renewals, as in a shop. What is due soon is counted back from a moment that is still to come when
somebody begins to look. See `history.py` for the rest of the story.
"""

import calendar
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from example_site.card.gateway import DECLINED_LATER
from example_site.seed import programs
from example_site.seed.clock import night_work
from example_site.seed.doings import (
    Buys,
    Shop,
    address_of,
    arrive_and_register,
    at_home,
    buys,
    buys_at,
    opens_account,
    refund,
    share,
)
from example_site.seed.people import ADVOCATES, MEMBERS, Person
from example_site.seed.visitor import LAPTOP, Visitor

User = get_user_model()

SALOME, TANGI, PAOL, NINA = MEMBERS
CAMILLE = ADVOCATES[0]
# Salomé's renewal is due so long after the history was begun: time enough to bring her a friend.
SOON = timedelta(minutes=30)


def members(shop: Shop) -> None:
    def publish() -> None:
        shop.class_page = programs.write_class_page(shop.editor)
        programs.bring_a_friend(shop.editor, shop.class_page)

    # When the members of before have left: they offer what is for whoever has been one.
    shop.at(60, "10:30", publish)
    shop.at(60, "11:00", lambda: programs.one_more_month(shop.editor, shop.class_page))
    salome(shop)
    tangi(shop)
    declined(shop)
    passes(shop)
    for email in ("maud@example.com", "erwan@example.com"):
        shop.at(80, "21:15", lambda email=email: switches_off(email))
    shop.at(10, "20:40", lambda: switches_off(address_of("Ewen", "Prigent")))


def salome(shop: Shop) -> None:
    """Renews each month: one friend has paid a part of the last renewal, another one pays a part of the next."""
    due = shop.clock.now + SOON
    begun = months_before(due, 3, shop.clock.zone) or months_before(due, 2, shop.clock.zone)
    last = months_before(due, 1, shop.clock.zone) or due - timedelta(days=30)
    buys_at(shop, begun, _member(SALOME))
    _is_told_in_time(shop, due)
    shop.at(59, "18:20", lambda: opens_account(SALOME))
    shop.at(58, "08:30", lambda: share(shop, SALOME.email, "whatsapp"))

    bleuenn, morgane = ("Bleuenn", "Cadic"), ("Morgane", "Lozach")
    _joins(shop, last - timedelta(days=12), bleuenn, SALOME.email)
    _joins(shop, due - timedelta(days=16), morgane, SALOME.email)
    for days_ago in (52, 45, 38, 31, 24, 17, 10, 3):
        shop.at(days_ago, "19:00", lambda: comes(shop, SALOME.email, "monthly"))


def tangi(shop: Shop) -> None:
    """Practices at home, for 15 € a month: a friend who becomes a member pays one of them wholly."""
    buys(shop, 72, "10:05", _member(TANGI, sku="MEMBER-HOME"))
    shop.at(57, "12:10", lambda: opens_account(TANGI))
    shop.at(56, "12:30", lambda: share(shop, TANGI.email, "telegram"))
    soazig = ("Soazig", "Guivarch")
    _joins(shop, shop.clock.moment(51, "20:15"), soazig, TANGI.email)

    # Who was given back the membership takes the credit along; who is he himself, the class that he has had.
    _joins(shop, shop.clock.moment(33, "18:10"), ("Ronan", "Gourvil"), TANGI.email)
    shop.at(23, "11:20", lambda: refund(shop, "Ronan"))
    glenn = ("Glenn", "Corre")
    shop.at(18, "21:30", lambda: arrive_and_register(shop, *glenn, TANGI.email, "copy"))
    shop.at(16, "19:30", lambda: comes(shop, address_of(*glenn), "friends-pass"))
    buys(shop, 14, "22:10", Buys(*glenn, ("STRAP",), as_whom="same", street=at_home(TANGI)), sent=None)
    shop.at(13, "10:15", lambda: refuses(shop, "Glenn", "It is Tangi himself: Soizic knows his voice."))

    # Soazig was taken along, and takes somebody along: her own membership is a month longer.
    shop.at(41, "09:40", lambda: _confirms(address_of(*soazig), "Soazig"))
    _joins(shop, shop.clock.moment(36, "12:25"), ("Alan", "Kerbrat"), address_of(*soazig))


def declined(shop: Shop) -> None:
    """Two cards that are declined when they are charged later: one is tried again just now, one for too long."""
    for person, days_ago, hour in ((PAOL, 2, "18:10"), (NINA, 38, "12:20")):
        due = shop.clock.moment(days_ago, hour)
        begun = months_before(due, 1, shop.clock.zone) or due - timedelta(days=31)
        buys_at(shop, begun, _member(person, card=DECLINED_LATER))
        _is_told_in_time(shop, due)
    for days_ago in (25, 18, 11, 4):
        shop.at(days_ago, "12:30", lambda: comes(shop, PAOL.email, "monthly"))


def passes(shop: Shop) -> None:
    """Classes that were bought by the ten and by the five, and who came."""
    camille = Buys(
        "Camille",
        "Durand",
        ("PASS-10",),
        as_whom="customer",
        email=CAMILLE.email,
        key="Camille's pass",
    )
    buys(shop, 38, "09:20", camille)
    for days_ago in (35, 21, 7):
        shop.at(days_ago, "18:00", lambda: comes(shop, CAMILLE.email, "ten-classes"))
    for days_ago in (28, 14):
        shop.at(days_ago, "19:30", lambda: comes(shop, address_of("Gwen", "Cadiou"), "five-classes"))


# What they do


def _member(person: Person, sku: str = "MEMBER-MONTH", **values: Any) -> Buys:
    return Buys(
        person.first_name,
        person.last_name,
        (sku,),
        as_whom="customer",
        email=person.email,
        keep_card=True,
        **values,
    )


def _joins(shop: Shop, registers: datetime, who: tuple[str, str], advocate: str) -> None:
    """A friend opens an account, comes to class with the pass, and becomes a member some days later."""
    came, member = registers + timedelta(days=3), registers + timedelta(days=6)
    shop.clock.plan(registers, lambda: arrive_and_register(shop, *who, advocate, "whatsapp"))
    shop.clock.plan(came, lambda: comes(shop, address_of(*who), "friends-pass"))
    buys_at(shop, member, Buys(*who, ("MEMBER-MONTH",), as_whom="same", keep_card=True))


def _is_told_in_time(shop: Shop, due: datetime) -> None:
    """A shop's sweep runs more often than at night: what is announced a week before is charged when it is due."""
    shop.clock.plan(due - timedelta(days=7) + timedelta(minutes=1), lambda: night_work(timezone.now()))


def _confirms(email: str, name: str) -> None:
    visitor = Visitor("fr", LAPTOP, name)
    visitor.sign_in(email)
    visitor.confirm_name(name)


def switches_off(email: str) -> None:
    visitor = Visitor("fr", LAPTOP, email)
    visitor.sign_in(email)
    visitor.switch_renewal_off()


def comes(shop: Shop, email: str, plan: str) -> None:
    """Somebody comes to class, and whoever is at the desk finds them in the list."""
    from oscar_integration.memberships.models import Membership, Use
    from oscar_integration.memberships.uses import record_use

    membership = Membership.objects.exclude(state="ended").get(user__email=email, plan__slug=plan)
    record_use(
        membership,
        key=f"desk:{membership.pk}:{timezone.now():%Y%m%d%H%M}",
        how=Use.How.LIST,
        by=shop.editor,
    )


def refuses(shop: Shop, name: str, why: str) -> None:
    """The editor has looked at a referral that was held for it."""
    from wagtail_referrals.referrals.models import Referral

    referral = Referral.objects.get(purchases__reference=shop.orders[name].number)
    visitor = Visitor("en", LAPTOP, "the editor")
    visitor.sign_in_as_staff(shop.editor.email)
    visitor.refuse(referral.pk, why)


def months_before(moment: datetime, months: int, zone: Any) -> datetime | None:
    """The same day and hour so many months before; None where that month has no such day."""
    local = moment.astimezone(zone)
    year, month = divmod(local.year * 12 + local.month - 1 - months, 12)
    if local.day > calendar.monthrange(year, month + 1)[1]:
        return None
    return local.replace(year=year, month=month + 1).astimezone(moment.tzinfo)
