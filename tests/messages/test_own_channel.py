"""The how-to "Send messages", by another way: its code is taken from the page, and run as a shop would."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from tests.admin.rows import make_user
from tests.environment import ROOT
from tests.messages.made import make_message
from wagtail_referrals.messages import deliver_pending
from wagtail_referrals.messages.channels import MaybeSent, Refused, channels
from wagtail_referrals.messages.models import Message, Preferences

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_kinds")]

NOW = datetime(2027, 2, 12, 12, tzinfo=UTC)
State = Message.State
PAGE = (ROOT / "docs/how-to/send-messages.md").read_text()
CODE: dict[str, str] = dict(re.findall(r"```python\n# shop/(\w+)\.py\n(.*?)```", PAGE, re.DOTALL))


class Gateway(ModuleType):
    """What the page leaves to the shop."""

    def __init__(self) -> None:
        super().__init__("shop.gateway")
        self.sent: list[tuple[str, str]] = []
        self.error: Exception | None = None

    def telephone_of(self, recipient: Any) -> str:
        return "+33 1 23" if recipient.first_name == "Camille" else ""

    def send_text(self, number: str, text: str) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((number, text))


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    gateway = Gateway()
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.gateway", gateway)
    for name, code in CODE.items():
        module = ModuleType(f"shop.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, f"send-messages.md, {name}.py", "exec"), module.__dict__)
    sys.modules["shop.apps"].ShopConfig.ready(None)
    yield gateway
    channels.unregister("text")


def wants_texts(name: str) -> Any:
    user = make_user(f"{name.lower()}@example.com", name)
    Preferences.objects.create(user=user, channel="text", changed_at=NOW)
    return user


def test_another_way_takes_ten_lines() -> None:
    assert list(CODE) == ["texts", "apps"]
    lines = CODE["texts"].partition("class TextMessages")[2].strip().splitlines()
    assert len([line for line in lines if line.strip()]) <= 10


def test_who_prefers_texts_and_can_be_reached_so_gets_one(gateway: Gateway) -> None:
    make_message("a", wants_texts("Camille"), now=NOW)
    make_message("b", wants_texts("Noor"), now=NOW)
    make_message("c", make_user("lea@example.com", "Camille"), now=NOW)
    assert deliver_pending(now=NOW) == 3
    ((number, text),) = gateway.sent
    assert number == "+33 1 23" and text.startswith("News for Camille\n\n") and "here they are." in text
    assert sorted(sent.to[0] for sent in mail.outbox) == ["lea@example.com", "noor@example.com"]
    assert list(Message.objects.order_by("key").values_list("channel", flat=True)) == [
        "text",
        "email",
        "email",
    ]


@pytest.mark.parametrize(
    ("error", "state"),
    [(OSError(), State.PENDING), (Refused(), State.FAILED), (MaybeSent(), State.UNSURE)],
)
def test_what_goes_wrong(error: Exception, state: Message.State, gateway: Gateway) -> None:
    gateway.error = error
    make_message("a", wants_texts("Camille"), now=NOW)
    assert deliver_pending(now=NOW) == 0
    assert Message.objects.get().state == state and not mail.outbox


def test_customers_choose_between_the_ways(gateway: Gateway) -> None:
    client = Client()
    user = make_user("camille@example.com", "Camille")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("referrals:own_mails")).content.decode()
    assert "Text message" in page and "E-mail" in page
