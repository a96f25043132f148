"""Lists of products straight from the database: the shop is small and runs without a search server."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.generic import ListView
from oscar.core.loading import get_model


class CatalogueView(ListView):
    """Everything that can be browsed, the newest first."""

    template_name = "oscar/catalogue/browse.html"
    context_object_name = "products"
    paginate_by = settings.OSCAR_PRODUCTS_PER_PAGE

    def get_queryset(self) -> QuerySet:
        return get_model("catalogue", "Product").objects.browsable().base_queryset()


class ProductCategoryView(CatalogueView):
    """The products of a category and of those below it. An address with an old slug leads to the current one."""

    template_name = "oscar/catalogue/category.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.category = get_object_or_404(get_model("catalogue", "Category"), pk=kwargs["pk"], is_public=True)
        address = self.category.get_absolute_url()
        if request.path != address:
            return redirect(address, permanent=True)
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet:
        return (
            super().get_queryset().filter(categories__in=self.category.get_descendants_and_self()).distinct()
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(category=self.category, **kwargs)
