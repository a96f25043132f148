"""Audiences: which customers a program is for, by rules over facts of the shop.

A fact is a thing that the shop knows about its customers, with what the editor says about it. Its answer is a filter
on the accounts, so one definition says who is in an audience and whether one customer is.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from wagtail_referrals.kinds import HasOptions, Registry

logger = logging.getLogger("wagtail_referrals")

# How long an answer about one customer is believed. A share link is followed often, facts change seldom.
CACHE_SECONDS: Final = 300

NOBODY: Final = Q(pk__in=[])


@dataclass(frozen=True)
class Asked:
    """When is asked, and about whom: ``user_id`` is the primary key of one account, or ``None`` for all of them."""

    now: datetime
    user_id: Any = None


class CustomerFact(HasOptions):
    """What the shop knows about customers. Subclass it and register an instance in ``customer_facts``.

    ``label`` is what the editor chooses. The options are what is asked about it: see ``HasOptions``.
    """

    def words(self, options: dict[str, Any]) -> str:
        """The rule, as it goes on after "A customer who ...", in the current language."""
        raise NotImplementedError

    def matching(self, options: dict[str, Any], asked: Asked) -> Q:
        """The accounts of which it is true, as a filter on the user model; no query.

        With ``asked.user_id`` only that account is looked at: say so within subqueries too, then a share link does not
        wait for the orders of everybody. Raises what it likes: who is asked about is then not in the audience.
        """
        raise NotImplementedError


customer_facts: Registry[CustomerFact] = Registry("customer fact")


def customer_fact_choices() -> list[tuple[str, object]]:
    """For model fields: migrations name this function, so that a registered fact needs no migration."""
    return customer_facts.choices()


def audience_rule_problems(fact: str | None, options: dict[str, Any]) -> dict[str, str]:
    """Why nobody can be asked this, by ``"fact"`` or the name of the option to mend; empty when it is sound."""
    if not fact:
        return {"fact": gettext("Say what is asked about the customer.")}
    if fact not in customer_facts:
        return {"fact": gettext("This site no longer knows this. Choose something else.")}
    return customer_facts.get(fact).option_problems(options)


@dataclass(frozen=True)
class AudienceRuleData:
    """One rule: the key of a fact, and its options as JSON values."""

    fact: str
    options: dict[str, Any]

    def matching(self, asked: Asked) -> Q:
        """A rule that is not sound is true of nobody: nothing is given away by mistake."""
        if audience_rule_problems(self.fact, self.options):
            return NOBODY
        return customer_facts.get(self.fact).matching(self.options, asked)


@dataclass(frozen=True)
class AudienceData:
    """An audience as plain values. ``is_open``: published; nobody is in one that is not."""

    name: str
    rules: tuple[AudienceRuleData, ...]
    any_rule: bool = False
    is_open: bool = True

    @property
    def is_everybody(self) -> bool:
        return self.is_open and not self.rules

    @property
    def version(self) -> str:
        """Another one for every other definition; the name does not matter."""
        content = [self.is_open, self.any_rule, [[rule.fact, rule.options] for rule in self.rules]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]

    def matching(self, asked: Asked) -> Q:
        """The accounts that are in it, as a filter on the user model."""
        if not self.is_open:
            return NOBODY
        found = [rule.matching(asked) for rule in self.rules]
        if not found:
            return Q()
        return Q(*found, _connector=Q.OR if self.any_rule else Q.AND)


def audience_data(audience: Any) -> AudienceData:
    """The values of an ``Audience``, saved or not, as it stands. Of one that is saved ``rules`` may be prefetched."""
    return AudienceData(
        name=audience.name,
        rules=tuple(
            AudienceRuleData(fact=row.fact, options=row.options or {}) for row in audience.rules.all()
        ),
        any_rule=audience.match == "any",
        is_open=bool(audience.live),
    )


def customers_in(data: AudienceData, *, user_id: Any = None, now: datetime | None = None) -> QuerySet[Any]:
    """The accounts in the audience, or the one with this primary key if it is; without those that were closed.

    To be counted or read whole. Asked for the first few of all, PostgreSQL goes through the accounts one by one and
    compares each with everybody's sums: seconds where counting takes a fraction of one.
    """
    user_model = get_user_model()
    accounts = user_model._default_manager.all()
    try:
        user_model._meta.get_field("is_active")
    except FieldDoesNotExist:
        pass
    else:
        accounts = accounts.filter(is_active=True)
    if user_id is not None:
        accounts = accounts.filter(pk=user_id)
    return accounts.filter(data.matching(Asked(now=now or timezone.now(), user_id=user_id)))


def in_audience(data: AudienceData | None, user_id: Any, *, now: datetime | None = None) -> bool:
    """Is the customer with this account in the audience? Everybody is in none (``None``) and in one without rules.

    A guest, ``user_id`` None, is in no audience with rules: facts are known of accounts. One query, whose answer is
    believed for some minutes. Never raises: where the shop does not answer, the customer is not in it.
    """
    if data is None or data.is_everybody:
        return True
    if user_id is None or not data.is_open:
        return False
    key = f"wagtail_referrals.audience.{data.version}.{user_id}"
    found: bool | None = cache.get(key)
    if found is None:
        try:
            with savepoint():
                found = bool(customers_in(data, user_id=user_id, now=now).exists())
        except Exception:
            logger.exception("Whether a customer is in the audience %r could not be found out", data.name)
            return False
        cache.set(key, found, CACHE_SECONDS)
    return found


def savepoint() -> AbstractContextManager[Any]:
    """A shop's question that fails must not take the surrounding transaction with it."""
    if transaction.get_connection(DEFAULT_DB_ALIAS).in_atomic_block:
        return transaction.atomic()
    return nullcontext()
