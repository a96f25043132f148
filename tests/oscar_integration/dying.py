"""What dies at a step, each time at another: run by ``tests.killing.in_a_process``."""

from __future__ import annotations

from typing import Any

from django.db import connection, connections
from django.test import Client

from example_site.card.gateway import ACCEPTED
from tests.killing import count_steps, die_after, spread
from tests.oscar_integration.paying import Customer


def open_browser(cookies: dict[str, str]) -> Customer:
    """The browser of a customer who is signed in already."""
    customer = Customer.__new__(Customer)
    customer.client, customer.language = Client(), "en"
    customer.client.cookies.load(cookies)
    return customer


def pay(cookies: dict[str, str]) -> None:
    """The last two pages of the checkout."""
    customer = open_browser(cookies)
    assert customer.preview(ACCEPTED).status_code == 200
    assert customer.place_order(ACCEPTED).status_code == 302


def die(browsers: list[dict[str, str]], atomic_requests: bool) -> dict[str, Any]:
    """Let the first browser pay and count its steps, and each of the others die at another of them."""
    if atomic_requests:
        connection.settings_dict["ATOMIC_REQUESTS"] = True
        connections.settings["default"]["ATOMIC_REQUESTS"] = True
    # What is read once in a process has been read, as in a shop that runs.
    pay(browsers[0])
    steps = count_steps(lambda: pay(browsers[1]))
    places = spread(steps, len(browsers) - 2)
    died = [
        number
        for number, cookies in zip(places, browsers[2:], strict=True)
        if die_after(number, lambda cookies=cookies: pay(cookies))  # type: ignore[misc]
    ]
    return {"steps": steps, "died": died}
