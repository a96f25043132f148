"""Writing past the ledger, as somebody with a database console would."""

from __future__ import annotations

from typing import Any

from django.db import connection, models

from tests.books import audited
from wagtail_referrals.credit import Entry, triggers
from wagtail_referrals.credit.triggers import install


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def past_the_triggers(statement: str, *values: Any) -> None:
    """Run this with the triggers lifted, and put them back."""
    for name in (triggers.UPDATE, triggers.DELETE):
        on = f" ON {Entry._meta.db_table}" if connection.vendor == "postgresql" else ""
        sql(f"DROP TRIGGER {name}{on}")
    sql(statement, *values)
    install()


def change(row: models.Model, **values: Any) -> None:
    """Write these values into the row, whatever the triggers say."""
    if isinstance(row, Entry):
        names = ", ".join(f"{name} = %s" for name in values)
        statement = f"UPDATE {row._meta.db_table} SET {names} WHERE id = %s"
        past_the_triggers(statement, *values.values(), row.pk)
    else:
        type(row)._default_manager.filter(pk=row.pk).update(**values)


def drop_constraint(model: type[models.Model], name: str) -> None:
    """Needs a test that commits."""
    constraint = next(found for found in model._meta.constraints if found.name == name)
    with connection.schema_editor() as editor:
        editor.remove_constraint(model, constraint)
    # SQLite made the table anew.
    install()


def problems(**options: Any) -> list[tuple[str, str, Any]]:
    """(problem, what it is about, its number) of all that the audit finds, sorted."""
    found = {(finding.problem.key, finding.about, finding.number) for finding in audited(**options)}
    return sorted(found, key=str)
