"""Search in the words that the shopper reads: titles and texts in the active language, accents or not."""

import unicodedata

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from oscar.core.loading import get_model


def plain(text: str) -> str:
    """Lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def search(request: HttpRequest) -> HttpResponse:
    """Products that contain every word of the query. The catalogue is small and its translations are not in the
    database, so the comparison happens here."""
    query = request.GET.get("q", "").strip()[:100]
    words = plain(query).split()
    products = get_model("catalogue", "Product").objects.browsable().base_queryset()
    found = [
        product
        for product in products
        if words
        and all(
            word
            in plain(
                f"{product.get_title()} {product.display_description} {product.product_class.display_name}"
            )
            for word in words
        )
    ]
    page = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(
        request, "oscar/search/results.html", {"query": query, "page_obj": page, "paginator": page.paginator}
    )
