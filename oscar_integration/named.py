"""Which customers a name and a town mean, as somebody typed them who is not sure how they are written."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any, Final

from django.contrib.auth import get_user_model
from oscar.core.loading import get_model

# Latin, Greek and Cyrillic letters, with and without accents.
_ALPHABETS: Final = range(0x41, 0x530)


def people_named(name: str, town: str) -> list[Any]:
    """Keys of the accounts with this name and an address in this town in their address book.

    However they are written: case, accents, blanks, hyphens, the order of first and last name. The name is the
    account's; that of the address where the account has none. One query, which goes through the whole address book.
    """
    wanted = _name_key(name)
    where = _pattern(town)
    if not wanted or not where:
        return []
    fields = {field.name for field in get_user_model()._meta.get_fields()}
    of_account = [f"user__{field}" for field in ("first_name", "last_name") if field in fields]
    rows = (
        get_model("address", "UserAddress")
        ._default_manager.filter(line4__iregex=where)
        .order_by()
        .values_list("user_id", "first_name", "last_name", *of_account)
    )
    found = set()
    for user_id, first, last, *account in rows.iterator(chunk_size=2000):
        known = " ".join(part or "" for part in account)
        if wanted == (_name_key(known) or _name_key(f"{first} {last}")):
            found.add(user_id)
    return sorted(found)


def _bare(text: str) -> str:
    """Small letters and digits, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if sign.isalnum())


def _name_key(name: str) -> list[str]:
    """The words of a name, to compare: "DUPONT-Léa" and "Lea Dupont" are one."""
    words = unicodedata.normalize("NFC", name).replace("-", " ").split()
    return sorted(word for word in map(_bare, words) if word)


def _pattern(town: str) -> str:
    """A regular expression that both databases understand: each letter in all its forms, and what is between them."""
    letters = _bare(town)[:100]
    return "^" + r"\W*".join(_forms().get(letter, letter) for letter in letters) + r"\W*$" if letters else ""


@lru_cache(maxsize=1)
def _forms() -> dict[str, str]:
    """{small letter without accent: a class of all its forms}. Databases fold no case outside of ASCII."""
    forms: dict[str, str] = {}
    for code in _ALPHABETS:
        sign = chr(code)
        bare = _bare(sign) if sign.isalpha() else ""
        if len(bare) == 1:
            forms[bare] = forms.get(bare, "") + sign
    return {bare: f"[{signs}]" for bare, signs in forms.items()}
