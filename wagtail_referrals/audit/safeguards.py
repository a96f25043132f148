"""What the database itself has to refuse: changed movements, a second reward for one occasion, negative amounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit.findings import Finding, Problem, Run
from wagtail_referrals.credit import triggers
from wagtail_referrals.credit.models import Entry

LABELS = ("wagtail_referrals_credit", "wagtail_referrals")

TRIGGER = Problem(
    "trigger_missing",
    _("Movements could be changed or deleted"),
    _('Run "manage.py migrate --skip-checks": it installs the triggers.'),
)
CONSTRAINT = Problem(
    "constraint_missing",
    _("Rules that the database does not hold any more"),
    _(
        "Somebody has dropped a constraint. Restore it as the migrations make it, once nothing offends against it."
    ),
)
DUPLICATE = Problem(
    "duplicate",
    _("Rows that may be there only once"),
    _("Find out which of them is right before the constraint is restored."),
)


def find(run: Run) -> Iterator[Finding]:
    for name in triggers.missing(router.db_for_read(Entry)):
        words = gettext("The trigger %(name)s is missing or switched off.") % {"name": name}
        yield Finding(TRIGGER, "trigger", name, words)
    for label in LABELS:
        yield from find_constraints(label, run)


def find_constraints(label: str, run: Run) -> Iterator[Finding]:
    """What the tables of an app are to refuse, and do not; and what is there because of it."""
    for model in apps.get_app_config(label).get_models():
        yield from _constraints(model, run)


def _constraints(model: type[models.Model], run: Run) -> Iterator[Finding]:
    connection = connections[router.db_for_read(model)]
    table = model._meta.db_table
    present = _names(connection, table)
    for constraint in model._meta.constraints:
        run.look_at("constraints")
        if constraint.name in present:
            continue
        words = gettext("The constraint %(name)s of the table %(table)s is missing.")
        yield Finding(
            CONSTRAINT, "constraint", constraint.name, words % {"name": constraint.name, "table": table}
        )
        if isinstance(constraint, models.UniqueConstraint):
            yield from _duplicates(model, constraint)


def _names(connection: BaseDatabaseWrapper, table: str) -> set[str]:
    """The names of all constraints and indexes of a table."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # Django's introspection would parse these statements, which takes a while.
            cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = %s AND sql IS NOT NULL", [table])
            return set(re.findall(r'"(\w+)"', " ".join(row[0] for row in cursor.fetchall())))
        return set(connection.introspection.get_constraints(cursor, table))


def _duplicates(model: type[models.Model], constraint: models.UniqueConstraint) -> Iterator[Finding]:
    fields = list(constraint.fields)
    # NULL is not equal to NULL.
    known = Q(*(Q(**{f"{name}__isnull": False}) for name in fields))
    rows: Any = model._default_manager.filter(constraint.condition or Q(), known)
    for row in rows.order_by().values(*fields).annotate(rows=Count("pk")).filter(rows__gt=1).iterator():
        what = ", ".join(f"{name} {row[name]}" for name in fields if "email" not in name)
        words = gettext("%(table)s: %(count)s rows with %(what)s.")
        values = {"table": model._meta.verbose_name_plural, "count": row["rows"], "what": what}
        yield Finding(DUPLICATE, constraint.name, what, words % values, "1", str(row["rows"]))
