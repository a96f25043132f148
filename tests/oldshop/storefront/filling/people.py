"""Customers, and the many ways in which one person writes one address."""

import unicodedata
import uuid
from dataclasses import dataclass
from datetime import timedelta

from storefront.filling import words


@dataclass(slots=True)
class Person:
    """Somebody who buys here: with an account when there is a key, else as a guest."""

    key: uuid.UUID | None
    first_name: str
    last_name: str
    email: str
    line1: str
    postcode: str
    town: str
    phone: str
    since: object

    @property
    def search_text(self):
        return f"{self.first_name} {self.last_name} {self.line1} {self.town} {self.postcode} Switzerland"


def plain(name):
    """Éva Krähenbühl writes her address with eva and kraehenbuehl, or krahenbuhl; we take the simple one."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())


def make_email(rng, first_name, last_name, taken):
    first, last = plain(first_name), plain(last_name)
    domain = rng.choices(words.MAIL_DOMAINS, weights=(40, 20, 15, 10, 10, 5))[0]
    shape = rng.random()
    if shape < 0.55:
        local = f"{first}.{last}"
    elif shape < 0.75:
        local = f"{first}{last}"
    elif shape < 0.9:
        local = f"{first[0]}.{last}"
    else:
        local = f"{last}{first[0]}"
    email = f"{local}@{domain}"
    while email in taken:
        email = f"{local}{rng.randrange(2, 99999)}@{domain}"
    taken.add(email)
    return email


def variant(rng, email):
    """The same letter box, written otherwise: with a dot more or less, with +something, or in capitals."""
    local, _, domain = email.partition("@")
    kind = rng.randrange(4)
    if kind == 0 and "." in local:
        return f"{local.replace('.', '')}@{domain}"
    if kind <= 1:
        where = rng.randrange(1, max(2, len(local)))
        return f"{local[:where]}.{local[where:]}@{domain}".replace("..", ".").replace(".@", "@")
    if kind == 2:
        return f"{local}+{rng.choice(('wool', 'shop', 'tricot', 'lakeside'))}@{domain}"
    return f"{local.title()}@{domain}"


def make_person(rng, taken, since, *, account):
    first_name, last_name = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    postcode, town, streets = rng.choice(words.TOWNS)
    return Person(
        key=uuid.UUID(int=rng.getrandbits(128), version=4) if account else None,
        first_name=first_name,
        last_name=last_name,
        email=make_email(rng, first_name, last_name, taken),
        line1=f"{rng.choice(streets.split('|'))} {rng.randrange(1, 120)}",
        postcode=postcode,
        town=town,
        phone=f"+4179555{rng.randrange(10000):04d}",
        since=since,
    )


def moment(rng, start, days, growth=1.7):
    """A moment in the days after the start, more of them later, as the shop grew; never at night."""
    day = days * rng.random() ** (1 / growth)
    return start + timedelta(
        days=int(day), hours=rng.randrange(7, 22), minutes=rng.randrange(60), seconds=rng.randrange(60)
    )


def customers(rng, number, start, days, taken):
    """Yield people with an account. Every thirtieth opens a second one, under a variant of the address of the first."""
    earlier = []
    for count in range(number):
        since = moment(rng, start, days)
        person = make_person(rng, taken, since, account=True)
        if count % 30 == 29:
            first = rng.choice(earlier)
            email = variant(rng, first.email)
            if email.lower() not in taken:
                taken.discard(person.email)
                taken.add(email.lower())
                person.first_name, person.last_name = first.first_name, first.last_name
                person.line1, person.postcode, person.town = first.line1, first.postcode, first.town
                person.email = email
        earlier.append(person)
        yield person
