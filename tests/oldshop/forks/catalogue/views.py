"""Two dozen wares need no search server: the lists come straight from the database."""

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from django.views import generic
from oscar.apps.catalogue.views import *  # noqa: F403
from oscar.core.loading import get_model

Category = get_model("catalogue", "Category")
Product = get_model("catalogue", "Product")


class CatalogueView(generic.ListView):
    template_name = "oscar/catalogue/browse.html"
    context_object_name = "products"
    paginate_by = 20
    extra_context = {"summary": _("All products")}

    def get_queryset(self):
        return Product.objects.browsable().base_queryset().order_by("pk")


class ProductCategoryView(CatalogueView):
    template_name = "oscar/catalogue/category.html"
    extra_context = None

    def get_queryset(self):
        self.category = get_object_or_404(Category, pk=self.kwargs["pk"])
        return (
            super().get_queryset().filter(categories__in=self.category.get_descendants_and_self()).distinct()
        )

    def get_context_data(self, **kwargs):
        return super().get_context_data(category=self.category, summary=self.category.name, **kwargs)
