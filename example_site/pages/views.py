"""The search, in the words that the shopper reads, accents or not; and what is said where a page is for members."""

import unicodedata

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
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


def members_only(request: HttpRequest) -> HttpResponse:
    """Where Wagtail sends whoever may not see a page: with the way in, for members and for those who may become one."""
    wanted = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        wanted = ""
    passes = get_model("catalogue", "Category").objects.filter(slug="passes", depth=1).first()
    return render(request, "example_site/members_only.html", {"wanted": wanted, "passes": passes}, status=403)
