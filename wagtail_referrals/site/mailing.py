"""Personal links for a mailing tool, as a CSV file.

It names people by the key of their account and their first name; their address only where the shop asks for it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, TextIO

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import override
from wagtail.models import Site

from wagtail_referrals import people, programs
from wagtail_referrals.insights import plain_cell
from wagtail_referrals.site.sharing import share_url

COLUMNS: Final = ("customer", "first_name", "language", "friends_read", "link")
BATCH: Final = 1000


def may_refer(site: Site, now: datetime | None = None) -> Q | None:
    """Who may offer a program that is open on this site now, as a filter on accounts; ``None`` when none is open."""
    found: Q | None = None
    for offer in programs.open_terms(site_id=site.pk, now=now):
        audience = offer.audience
        if audience is None or audience.is_everybody:
            return Q()
        members = Q(pk__in=programs.customers_in(audience, now=now).values("pk"))
        found = members if found is None else found | members
    return found


def write_links(
    stream: TextIO,
    accounts: QuerySet[Any],
    *,
    root: str,
    with_email: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write a line for each of the accounts that has a code and was not stopped; how many. In constant memory.

    ``root`` is the scheme and host that the links begin with. The columns are ``COLUMNS``, and "email" where it is
    wanted. ``friends_read`` is what friends will read as the sender; the language is "" for who has not said.
    """
    lines = csv.writer(stream)
    lines.writerow([*COLUMNS, *(["email"] if with_email else [])])
    written = 0
    for batch in _pages(accounts):
        for line in _lines(batch, root):
            lines.writerow([plain_cell(value) for value in (line if with_email else line[:-1])])
            written += 1
        if progress is not None:
            progress(len(batch))
    return written


def _pages(accounts: QuerySet[Any]) -> Iterator[list[Any]]:
    """Everybody in order of the primary key, and of them those who are asked for.

    An audience is asked for some accounts at a time: with a LIMIT the database would compare each with everybody.
    """
    everybody, last = get_user_model()._base_manager.order_by("pk"), None
    while True:
        page = everybody if last is None else everybody.filter(pk__gt=last)
        keys = list(page.values_list("pk", flat=True)[:BATCH])
        if not keys:
            return
        last = keys[-1]
        yield list(accounts.filter(pk__in=keys).order_by("pk"))


def _lines(accounts: list[Any], root: str) -> Iterator[tuple[str, ...]]:
    known = {user.pk: user for user in accounts}
    default = dict(settings.LANGUAGES)
    found = people.codes_in_use(get_user_model()._base_manager.filter(pk__in=list(known)))
    for code in found.order_by("advocate__user"):
        advocate = code.advocate
        user = known[advocate.user_id]
        language = advocate.language if advocate.language in default else ""
        with override(language or settings.LANGUAGE_CODE):
            name = people.invitation_name(advocate.public_name)
        yield (
            str(user.pk),
            (getattr(user, "first_name", "") or "").strip(),
            language,
            name,
            share_url(code.text, root=root),
            people.email_of_account(user),
        )
