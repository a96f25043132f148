"""What all listings of records have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet
from django.forms import Media
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.admin_url_finder import ModelAdminURLFinder
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets.button import BaseButton

from wagtail_referrals.admin.columns import (
    MINOR,
    BalancesColumn,
    Column,
    CurrencyColumn,
    FileColumn,
    MomentColumn,
    MoneyColumn,
    RecordColumn,
    StatusTagColumn,
    TitleColumn,
    file_columns,
)
from wagtail_referrals.admin.export import CSV, XLSX, export_rows
from wagtail_referrals.admin.policies import POLICIES, LimitedPolicy
from wagtail_referrals.people import email_key, normalise_code
from wagtail_referrals.people.models import Advocate, Code, CustomerEmail

# Which columns are shown, in the address of a listing and in the session.
COLUMNS: Final = "columns"
REMEMBERED: Final = "wagtail_referrals_columns"
# Rows that a listing counts and pages through. All of them are in its file, and a filter or a search leads to others.
MOST_ROWS: Final = 10_000
# Rows that are found once, and then one by one by their keys.
MOST_KEYS: Final = 500
# What somebody looks for, in letters: no name or address is longer, and each word of it is a condition.
LONGEST_TEXT: Final = 254
# Rows that are read, and have what belongs to them looked up, at once while a file is written.
BATCH: Final = 1000


class SafeFilters:
    """A filter or a search that makes no sense finds nothing. Wagtail would show, and export, everything."""

    filters: Any
    search_form: Any

    @property
    def search_is_wrong(self) -> bool:
        return bool(self.search_form and self.search_form.is_bound and not self.search_form.is_valid())

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.search_is_wrong or (self.filters and not self.filters.is_valid()):
            return queryset.none()
        return super().filter_queryset(queryset)  # type: ignore[misc]

    @cached_property
    def filter_problems(self) -> list[str]:
        """What makes no sense in what was asked for, a sentence each."""
        found = [str(gettext("The search has letters that no text has."))] if self.search_is_wrong else []
        if self.filters and not self.filters.is_valid():
            form = self.filters.form
            found += [
                gettext("%(field)s: %(problem)s") % {"field": form[name].label, "problem": problem}
                if name in form.fields
                else problem
                for name, problems in form.errors.items()
                for problem in problems
            ]
        return found


class ListingMixin(SafeFilters):
    """What our listings have in common: explicit columns that people choose from, and files of what is shown.

    ``columns`` are all there are. To be mixed into an ``IndexView``, of Wagtail's or of its snippets.
    """

    request: HttpRequest
    columns: Any
    # Columns that are not shown until somebody chooses them.
    spare: Collection[str] = ()
    FORMATS: Sequence[str] = (XLSX, CSV)
    # Set by Wagtail for ``?export=`` with one of these.
    is_export: bool

    def decorate(self, rows: list[Any]) -> None:
        """Add to some rows what would otherwise cost queries for each: those of a page, or the next ones of a file."""

    def paginate_queryset(self, queryset: QuerySet[Any], page_size: int) -> Any:
        paginator, page, rows, others = super().paginate_queryset(queryset, page_size)  # type: ignore[misc]
        page.object_list = rows = list(rows)
        self.decorate(rows)
        return paginator, page, rows, others

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.is_export:
            self.remember_columns()
            answer: HttpResponseBase = super().get(request, *args, **kwargs)  # type: ignore[misc]
            return answer
        problems = self.export_problems()
        if not problems:
            return self.export()
        # The listing says what is wrong, and shows what it would show.
        self.is_export = False
        messages.error(
            request,
            gettext("There is nothing to download: %(problems)s") % {"problems": " ".join(problems)},
        )
        answer = super().get(request, *args, **kwargs)  # type: ignore[misc]
        answer.status_code = 400
        return answer

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)  # type: ignore[misc]
        # Oscar's context processor gives every page a search form of its own, which the listing would show.
        context.setdefault("search_form", None)
        styles = [versioned_static(f"wagtail_referrals/admin/{name}.css") for name in ("admin", "listing")]
        context["media"] += Media(css={"all": styles})
        return context

    @property
    def no_results_message(self) -> str:
        if self.filter_problems:
            return " ".join(self.filter_problems)
        message: str = super().no_results_message  # type: ignore[misc]
        return message

    # Columns

    @cached_property
    def shown(self) -> list[Any]:
        """The columns that were chosen, now or before, in the order of the listing; the first one always is."""
        chosen = self.asked_columns or self.remembered_columns
        first, *others = self.columns
        if not chosen:
            return [column for column in self.columns if column.name not in self.spare]
        return [first, *(column for column in others if column.name in chosen)]

    def shows(self, name: str) -> bool:
        """Is this column on the screen and in files? For ``decorate``, which need not look up the others."""
        return any(column.name == name for column in self.shown)

    @property
    def asked_columns(self) -> set[str]:
        """The names of columns in this request; empty where none is named."""
        return set(self.request.GET.getlist(COLUMNS)) & {column.name for column in self.columns}

    @property
    def remembered_columns(self) -> set[str]:
        remembered = {} if COLUMNS in self.request.GET else self.request.session.get(REMEMBERED, {})
        return set(remembered.get(self.listing_name, ())) & {column.name for column in self.columns}

    @property
    def listing_name(self) -> str:
        """Under which the choice is remembered."""
        return str(self.index_url_name)  # type: ignore[attr-defined]

    def remember_columns(self) -> None:
        """For the next time that somebody comes here. ``?columns=`` goes back to those of the beginning."""
        if COLUMNS not in self.request.GET:
            return
        before = self.request.session.get(REMEMBERED, {})
        after = {name: columns for name, columns in before.items() if name != self.listing_name}
        if self.asked_columns:
            after[self.listing_name] = [
                column.name for column in self.columns if column.name in self.asked_columns
            ]
        if after != before:
            self.request.session[REMEMBERED] = after

    def get_table(self, object_list: Any) -> Any:
        return self.table_class(self.shown, object_list, **self.get_table_kwargs())  # type: ignore[attr-defined]

    @cached_property
    def header_buttons(self) -> list[Any]:
        return [*super().header_buttons, ColumnsButton(self)]  # type: ignore[misc]

    def query_without(self, *names: str) -> QueryDict:
        """What the listing was asked, without these and without the page."""
        query = self.request.GET.copy()
        for name in (*names, self.page_kwarg, "export", "_w_filter_fragment"):  # type: ignore[attr-defined]
            query.pop(name, None)
        return query

    # Files

    @property
    def show_export_buttons(self) -> bool:
        return bool(self.FORMATS)

    def get_export_url(self, format: str) -> str:
        query = self.query_without()
        query["export"] = format
        return f"{self.index_url}?{query.urlencode()}"  # type: ignore[attr-defined]

    def export(self) -> HttpResponseBase:
        """All rows that the filters and the search find, in the order and with the columns of the screen."""
        columns = file_columns(self.shown)
        return export_rows(
            f"{slugify(self.file_title, allow_unicode=True)}-{timezone.localdate():%Y-%m-%d}",
            [column.heading for column in columns],
            self.export_cells(columns),
            self.request.GET["export"],
        )

    @property
    def file_title(self) -> str:
        return str(self.get_page_title())  # type: ignore[attr-defined]

    def export_cells(self, columns: list[FileColumn]) -> Iterator[list[Any]]:
        # Closed at once when the download is broken off: the database keeps the place until then.
        with closing(self.get_queryset().iterator(chunk_size=BATCH)) as found:  # type: ignore[attr-defined]
            while rows := list(islice(found, BATCH)):
                self.decorate(rows)
                for row in rows:
                    yield [column.value(row) for column in columns]

    def export_problems(self) -> list[str]:
        """Why there is no file: a filter that is wrong, or is none of ours, must not hand out everything."""
        names = {column.name for column in self.columns}
        unknown = sorted(set(self.request.GET.getlist(COLUMNS)) - names - {""})
        problems = [gettext("There is no column “%(name)s”.") % {"name": name} for name in unknown]
        strange = sorted(set(self.query_without(COLUMNS)) - self.known_parameters())
        problems += [gettext("There is no filter “%(name)s”.") % {"name": name} for name in strange]
        return [*self.filter_problems, *problems]

    def known_parameters(self) -> set[str]:
        """The names that mean something in the address of the listing."""
        names = {self.search_kwarg, "ordering"}  # type: ignore[attr-defined]
        for field in self.filters.form if self.filters else ():
            suffixes = getattr(field.field.widget, "suffixes", ())
            names |= {f"{field.html_name}_{suffix}" for suffix in suffixes} or {field.html_name}
        return names


class ColumnsButton(BaseButton):
    """A drop-down in the header with a box to tick for each column of the listing."""

    template_name = "wagtail_referrals/admin/columns_button.html"

    def __init__(self, view: ListingMixin) -> None:
        super().__init__(_("Columns"), priority=900)
        self.view = view

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        view = self.view
        first, *others = view.columns
        shown = {column.name for column in view.shown}
        kept = view.query_without(COLUMNS)
        return {
            "button": self,
            "action": view.index_url,  # type: ignore[attr-defined]
            "kept": [(name, value) for name, values in kept.lists() for value in values],
            "first": first,
            "choices": [(column, column.name in shown) for column in others],
            "name": COLUMNS,
            "at_first": f"{view.index_url}?{urlencode([*_pairs(kept), (COLUMNS, '')])}",  # type: ignore[attr-defined]
        }


def _pairs(query: QueryDict) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, values in query.lists() for value in values]


class FirstRowsPaginator(WagtailPaginator):
    """Pages through the first rows only: to count millions, or to pass them over, takes longer than all else.

    Which rows are on a page is asked without what is shown with them: to sort them, it would be read of all.
    """

    object_list: QuerySet[Any]

    @cached_property
    def _found(self) -> int:
        keys = list(self._keys[: MOST_KEYS + 1])
        if len(keys) > MOST_KEYS:
            return self._keys[: MOST_ROWS + 1].count()
        # Few: looked for once, among all others, and not once more for the page.
        self.object_list = self.object_list.filter(pk__in=keys)
        return len(keys)

    @property
    def _keys(self) -> QuerySet[Any]:
        keys: QuerySet[Any] = self.object_list.order_by().values_list("pk", flat=True)
        return keys

    def _get_page(self, object_list: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        keys = list(object_list.values_list("pk", flat=True))
        rows = {row.pk: row for row in self.object_list.order_by().filter(pk__in=keys)}
        # One that was removed in between is not shown.
        return super()._get_page([rows[key] for key in keys if key in rows], *args, **kwargs)

    @cached_property
    def count(self) -> int:
        return min(self._found, MOST_ROWS)

    @property
    def has_more(self) -> bool:
        return self._found > MOST_ROWS

    @cached_property
    def items_count_label(self) -> str:
        if not self.has_more:
            label: str = super().items_count_label
            return label
        return gettext("The first %(count)s of more. To see others, filter or search.") % {
            "count": number_format(MOST_ROWS, use_l10n=True, force_grouping=True)
        }


class RecordIndexView(ListingMixin, generic.IndexView):
    """A listing of records, a page of rows at a time."""

    paginator_class = FirstRowsPaginator
    results_template_name = "wagtail_referrals/admin/listing_results.html"
    related: Sequence[str] = ()
    # Rows that many share, read once for a page and not with each row.
    shared: Sequence[str] = ()
    # What ``find`` looks through; Wagtail shows the search field when there is something here.
    search_fields: Sequence[str] = ()

    def get_base_queryset(self) -> QuerySet[Any]:
        return super().get_base_queryset().select_related(*self.related).prefetch_related(*self.shared)

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """With the key last: rows that are alike otherwise would move between the pages."""
        ordered: QuerySet[Any] = super().order_queryset(queryset)
        return ordered.order_by(
            *(item for item in ordered.query.order_by if item not in ("pk", "-pk")), "-pk"
        )

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_searching:
            return queryset
        return queryset.filter(self.find(self.search_query.strip()))

    def find(self, text: str) -> Q:
        """Rows that belong to what was typed into the search field."""
        raise NotImplementedError


class RecordFinder(ModelAdminURLFinder):
    """Where Wagtail's reports lead to: the page of a record, for who may look at it. Records have no form."""

    policy: LimitedPolicy
    url_name: str

    def get_edit_url(self, instance: Model) -> str | None:
        if self.user is not None and not self.policy.user_has_permission(self.user, "view"):
            return None
        try:
            return reverse(self.url_name, args=[quote(instance.pk)])
        except NoReverseMatch:
            # A movement is one line of its listing.
            return None


class RecordViewSet(ModelViewSet):
    """A listing and a page for each record. Nothing to add, edit, copy, delete or choose."""

    index_view_class = RecordIndexView
    index_template_name = "wagtail_referrals/admin/listing.html"
    inspect_view_enabled = True
    copy_view_enabled = False
    add_to_reference_index = False
    list_per_page = 25

    @property
    def permission_policy(self) -> LimitedPolicy:
        # Wagtail 8 would find it by itself, 7.4 would take one without limits.
        return POLICIES[self.model]

    @property
    def url_finder_class(self) -> type[RecordFinder]:
        values = {"policy": self.permission_policy, "url_name": self.get_url_name("inspect")}
        return type("Finder", (RecordFinder,), values)

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path(f"inspect/<{self.pk_path_converter}:pk>/", self.inspect_view, name="inspect"),
        ]


def user_columns() -> list[str]:
    """The fields under which a customer is found, as lookups from the user."""
    user_model = get_user_model()
    fields = {field.name for field in user_model._meta.get_fields()}
    wanted = (user_model.get_email_field_name(), "first_name", "last_name", user_model.USERNAME_FIELD)
    return list(dict.fromkeys(name for name in wanted if name in fields))


def users_like(text: str) -> QuerySet[Any]:
    """Customers with this in their name or e-mail address; first and last name may both be typed.

    All customers have to be looked through for it, so not for what is somebody's whole address, or a code.
    """
    users = get_user_model().objects
    if makes_no_sense(text) or code_is_known(text):
        return users.none()
    theirs = _owners_of(text)
    return users.filter(pk__in=theirs) if theirs else users.filter(_is_called(text))


def makes_no_sense(text: str) -> bool:
    """Nobody is called so. PostgreSQL refuses to look for a null character, and SQLite for a thousand words."""
    return "\0" in text or len(text) > LONGEST_TEXT


def _owners_of(text: str) -> list[Any]:
    """The keys of the customers whose whole e-mail address it is."""
    if "@" not in text:
        return []
    theirs = CustomerEmail.objects.filter(email_hash=email_key(text), user__isnull=False)
    return list(theirs.values_list("user", flat=True).distinct())


def _is_called(text: str, path: str = "") -> Q:
    """Each word is in one of the ``user_columns``. ``path`` leads to the customer: "user__"."""
    query = Q()
    for word in text.split():
        query &= Q(*[(f"{path}{name}__icontains", word) for name in user_columns()], _connector=Q.OR)
    return query


def code_is_known(text: str) -> bool:
    code = normalise_code(text)
    return bool(code) and Code.objects.filter(text=code).exists()


def advocates_like(text: str, users: Any = None) -> QuerySet[Advocate]:
    """Advocates with this name, e-mail address or code.

    ``users``: the ``keys_of`` those of ``users_like``, where they were looked for.
    """
    if code_is_known(text):
        return Advocate.objects.filter(codes__text=normalise_code(text))
    if makes_no_sense(text):
        return Advocate.objects.none()
    if isinstance(users, list):
        theirs = Q(user__in=users)
    elif owners := _owners_of(text):
        theirs = Q(user__in=owners)
    else:
        # Only their names are looked at, not those of all customers.
        theirs = _is_called(text, "user__")
    return Advocate.objects.filter(Q(public_name__icontains=text) | theirs)


def keys_of(rows: QuerySet[Any], key: str = "pk") -> Any:
    """For ``__in``: the keys of ``rows`` where they are few, else the query for them.

    By keys the database finds what belongs to them in an index, also where another condition may hold instead.
    """
    keys = list(rows.order_by().values_list(key, flat=True)[: MOST_KEYS + 1])
    return keys if len(keys) <= MOST_KEYS else rows.values(key)


__all__ = [
    "BATCH",
    "MINOR",
    "BalancesColumn",
    "Column",
    "CurrencyColumn",
    "ListingMixin",
    "MomentColumn",
    "MoneyColumn",
    "RecordColumn",
    "RecordIndexView",
    "RecordViewSet",
    "SafeFilters",
    "StatusTagColumn",
    "TitleColumn",
    "advocates_like",
    "keys_of",
    "user_columns",
    "users_like",
]
