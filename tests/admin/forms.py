"""Forms as a browser would send them."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup


def values_of(html: str) -> dict[str, Any]:
    """What the browser would send of the program's form, as it was answered."""
    form = BeautifulSoup(html, "html.parser").find("form", id="w-editor-form")
    assert form is not None
    for template in form.find_all("template"):
        template.decompose()
    values: dict[str, Any] = {}
    for field in form.find_all(["input", "textarea", "select"]):
        name = field.get("name")
        if not name or (field.get("type") in ("checkbox", "radio") and not field.has_attr("checked")):
            continue
        if field.name == "select":
            chosen = field.find("option", selected=True) or field.find("option")
            values[name] = chosen["value"] if chosen else ""
        elif field.name == "textarea":
            values[name] = field.text.removeprefix("\n")
        else:
            values[name] = field.get("value", "on" if field.get("type") == "checkbox" else "")
    return values
