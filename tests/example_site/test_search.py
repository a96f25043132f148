"""What editors type into Wagtail's own search fields is answered."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client


@pytest.mark.parametrize("path", ["pages/search/", "images/", "documents/"])
def test_an_editor_can_search(db: Any, path: str) -> None:
    client = Client()
    client.force_login(
        get_user_model().objects.create_superuser("boss", "boss@example.com", "a-long-password-7")
    )
    assert client.get(f"/admin/{path}", {"q": "home"}).status_code == 200
