"""Entries cannot be changed or deleted, and the system checks say when they could be."""

from __future__ import annotations

import io

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection, models, transaction
from django.db.models.signals import post_migrate

from wagtail_referrals.credit import Entry, triggers
from wagtail_referrals.credit.checks import check_sqlite, check_triggers, check_vendor

NAMES = [triggers.UPDATE, triggers.DELETE]


def drop(name: str) -> None:
    with connection.cursor() as cursor:
        on = f" ON {Entry._meta.db_table}" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER {name}{on}")


def emit_post_migrate() -> None:
    config = apps.get_app_config("wagtail_referrals_credit")
    post_migrate.send(
        sender=config, app_config=config, using="default", verbosity=0, interactive=False, plan=[], apps=apps
    )


def refused(change) -> bool:
    try:
        with transaction.atomic():
            change()
    except DatabaseError as error:
        return "append only" in str(error)
    return False


def changes(entry: Entry):
    return [
        lambda: Entry.objects.filter(pk=entry.pk).update(amount=99),
        lambda: Entry.objects.filter(pk=entry.pk).update(created_at=entry.created_at),
        entry.save,
        entry.delete,
        lambda: Entry.objects.all().delete(),
    ]


def test_an_entry_cannot_be_changed_or_deleted(give):
    entry = give("10")
    assert all(refused(change) for change in changes(entry))
    assert Entry.objects.get().amount == 10


def test_the_triggers_come_back_after_every_migrate(give):
    entry = give("10")
    for name in NAMES:
        drop(name)
        assert triggers.missing() == [name]
        emit_post_migrate()
        assert triggers.missing() == []
    emit_post_migrate()
    assert all(refused(change) for change in changes(entry))


@pytest.mark.django_db(transaction=True)
def test_altering_a_field_loses_them_on_sqlite_and_the_next_migrate_brings_them_back(give):
    entry = give("10")
    old = Entry._meta.get_field("key")
    new = models.CharField(max_length=201)
    new.set_attributes_from_name("key")
    new.model = Entry
    with connection.schema_editor() as editor:
        editor.alter_field(Entry, old, new)
    if connection.vendor == "sqlite":
        assert triggers.missing() == NAMES
    with connection.schema_editor() as editor:
        editor.alter_field(Entry, new, old)
    emit_post_migrate()
    assert triggers.missing() == []
    assert all(refused(change) for change in changes(entry))


def test_the_check_names_the_missing_trigger_and_the_mend(db):
    assert check_triggers(databases=["default"]) == []
    drop(triggers.DELETE)
    (error,) = check_triggers(databases=["default"])
    assert (error.id, error.level) == ("referrals.E001", checks.ERROR)
    assert triggers.DELETE in error.msg
    assert triggers.UPDATE not in error.msg
    assert "migrate --skip-checks" in error.hint
    assert check_triggers(databases=None) == [], "checks without a database ask none"


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only PostgreSQL can switch a trigger off.")
@pytest.mark.parametrize("how", ["DISABLE", "ENABLE REPLICA"])
def test_a_trigger_that_is_switched_off_is_missing(give, how):
    entry = give("10")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Entry._meta.db_table} {how} TRIGGER {triggers.UPDATE}")
    assert [each.id for each in check_triggers(databases=["default"])] == ["referrals.E001"]
    assert triggers.missing() == [triggers.UPDATE]
    emit_post_migrate()
    assert triggers.missing() == []
    assert all(refused(change) for change in changes(entry))


def test_the_checks_run_with_the_databases_checks(db):
    drop(triggers.UPDATE)
    with pytest.raises(Exception, match=r"referrals\.E001"):
        call_command("check", databases=["default"], stdout=io.StringIO(), stderr=io.StringIO())


def test_other_databases_are_left_alone(db, monkeypatch):
    assert check_vendor(databases=["default"]) == []
    monkeypatch.setattr(connection, "vendor", "mysql")
    assert triggers.missing() == []
    triggers.install()
    assert check_sqlite(databases=["default"]) == []
    (error,) = check_vendor(databases=["default"])
    assert (error.id, error.level) == ("referrals.E019", checks.ERROR)
    assert "does not make the constraints" in error.msg and "PostgreSQL" in error.hint
    assert check_vendor(databases=None) == []


def test_the_mend_of_the_check_silences_it(db):
    drop(triggers.DELETE)
    assert check_triggers(databases=["default"]) != []
    emit_post_migrate()
    assert check_triggers(databases=["default"]) == []


def test_a_database_that_cannot_be_reached_is_left_to_django(db, monkeypatch):
    def unreachable():
        raise OperationalError("no server there")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", unreachable)
        for check in (check_triggers, check_sqlite, check_vendor):
            assert check(databases=["default"]) == []


def test_deletion_is_allowed_for_a_while_on_sqlite_only(give):
    entry = give("10")
    with triggers.deletion_allowed():
        assert refused(entry.save)
        lifted = [triggers.DELETE] if connection.vendor == "sqlite" else []
        assert triggers.missing() == lifted
    assert triggers.missing() == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="The check is about SQLite's settings.")
def test_sqlite_in_a_mode_that_fails_customers_is_warned_about(transactional_db, monkeypatch):
    assert check_sqlite(databases=["default"]) == []
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=DELETE")
    (warning,) = check_sqlite(databases=["default"])
    assert (warning.id, warning.level) == ("referrals.W001", checks.WARNING)
    for reason in ("transaction_mode", "journal mode", "ATOMIC_REQUESTS"):
        assert reason in warning.msg
    assert "PostgreSQL" in warning.hint
    # What the hint says.
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"transaction_mode": "IMMEDIATE", "timeout": 20})
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", False)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
    assert check_sqlite(databases=["default"]) == []
