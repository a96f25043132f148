"""Reads whose SQL Django writes once in a process.

Writing the SQL of a join with locks takes Django several times as long as it takes a database to answer it, and the
ledger asks the same few questions again and again. The queries stay Django's own, with its rows and its conversions:
only the text is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from django.db import connections, models, router
from django.db.models import Field, QuerySet, Value
from django.db.models.query import ModelIterable

Row = TypeVar("Row", bound=models.Model)


class _Slot(Value):
    """Where a value goes. Stands for itself among the parameters until the value is known."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]


@dataclass(frozen=True)
class _Written:
    """The query of a queryset, as far as ``ModelIterable`` asks for it: its SQL is written already."""

    compiler: Any

    def get_compiler(self, using: str) -> Any:
        return self.compiler


class PreparedRead(Generic[Row]):
    """A question with values to fill in: ``PreparedRead(Lot, build, account=field)(account=1)`` lists the rows.

    ``build`` gets a stand-in for each value, by name, and returns the queryset; it is called once for each database.
    The values are converted as those of the fields are, and must not be ``None``, which SQL compares in another way.
    """

    def __init__(
        self, model: type[Row], build: Callable[..., QuerySet[Row]], **fields: Field[Any, Any]
    ) -> None:
        self.model = model
        self.build = build
        self.fields = fields
        self._written: dict[str, tuple[Any, str, tuple[Any, ...]]] = {}

    def __call__(self, **values: Any) -> list[Row]:
        alias = router.db_for_write(self.model)
        connection = connections[alias]
        if alias not in self._written:
            slots = {name: _Slot(name, output_field=field) for name, field in self.fields.items()}
            compiler = self.build(**slots).using(alias).query.get_compiler(using=alias)
            self._written[alias] = (compiler, *compiler.as_sql())
        written, sql, params = self._written[alias]
        compiler = copy(written)
        # A connection belongs to a thread; what was written belongs to all.
        compiler.connection = connection
        known = {
            name: field.get_db_prep_value(values[name], connection, prepared=False)
            for name, field in self.fields.items()
        }
        filled = tuple(known[each.value] if isinstance(each, _Slot) else each for each in params)
        compiler.as_sql = lambda *args, **kwargs: (sql, filled)
        rows: QuerySet[Row] = QuerySet(self.model, query=cast(Any, _Written(compiler)), using=alias)
        return list(cast(Any, ModelIterable(rows)))
