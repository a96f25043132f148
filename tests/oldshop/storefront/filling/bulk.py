"""Many rows into one table: COPY on PostgreSQL, batches of INSERT elsewhere."""

from itertools import islice

from django.db import connection

BATCH = 5000


def insert(model, names, rows):
    """Write the rows, whose values are those of the fields in `names`, in this order; the others get their defaults.

    Values are what the database understands: keys for foreign keys, a UUID, a Decimal, an aware datetime.
    A key that is not named is given by the database.
    """
    names = names.split()
    fields = {field.attname: field for field in model._meta.concrete_fields}
    rest = {
        name: "" if field.get_default() is None else field.get_default()
        for name, field in fields.items()
        if name not in names and not field.primary_key and not field.null
    }
    chosen = [fields[name] for name in [*names, *rest]]
    constant = tuple(rest.values())
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(field.column) for field in chosen)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row + constant)
            return
        places = ", ".join(["%s"] * len(chosen))
        statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
        rows = iter(rows)
        while batch := list(islice(rows, BATCH)):
            cursor.executemany(
                statement,
                [
                    [
                        field.get_db_prep_save(value, connection)
                        for field, value in zip(chosen, row + constant, strict=True)
                    ]
                    for row in batch
                ],
            )


def reset_sequences(models):
    """The keys were given by hand: let the next row of each table come after them."""
    from django.core.management.color import no_style

    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)


def next_key(model):
    last = model._base_manager.order_by("-pk").values_list("pk", flat=True).first()
    return (last or 0) + 1
