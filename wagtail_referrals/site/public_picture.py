"""The picture of a public page of ours, where its address is shared."""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest

logger = logging.getLogger(__name__)


def shared_picture(request: HttpRequest, picture: Any) -> str:
    """Absolute address of ``picture``, 1200 x 630; "" without one, and where the file is gone."""
    if picture is None:
        return ""
    try:
        return request.build_absolute_uri(picture.get_rendition("fill-1200x630|format-jpeg").url)
    except Exception:
        logger.exception("The picture %s cannot be shown where a page is shared", picture.pk)
        return ""
