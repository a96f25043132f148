"""What Oscar's templates cannot do without on a page that is drawn for nobody in particular."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from oscar.core.loading import get_class, get_model


def give_empty_basket(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """As Oscar's middleware does for a visitor without cookies; nothing is saved. No query."""
    visitor: Any = request
    visitor.strategy = get_class("partner.strategy", "Selector")().strategy(
        request=visitor, user=visitor.user
    )
    visitor.basket = get_model("basket", "Basket")()
    visitor.basket.strategy = visitor.strategy
    visitor.basket_hash = None
    visitor.cookies_to_delete = []
