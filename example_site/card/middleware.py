"""Give the basket back to a customer who left the bank's page by closing it or with the browser's back button."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from example_site.checkout.resume import PENDING_CHARGE, resume_basket


class ResumeBasketMiddleware:
    """Comes after Oscar's BasketMiddleware. Looks at the session on basket and checkout pages only."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any) -> None:
        match = request.resolver_match
        if (
            match is not None
            and match.namespace in ("basket", "checkout")
            and match.url_name not in ("card-return", "thank-you")
            and PENDING_CHARGE in request.session
        ):
            resume_basket(request)
