"""The guide keeps its promises about itself: few lines, short ones, and orders that a machine can follow."""

from __future__ import annotations

import pytest

from tests.adoption.guide import GUIDE, ROOT, Order, read_orders

ORDERS = read_orders(GUIDE.read_text())


def test_at_most_twelve_lines_are_added_to_the_settings():
    lines = [line for order in ORDERS if order.file == "settings.py" for line in order.lines]
    assert 0 < len(lines) <= 12
    assert max(map(len, lines)) <= 110
    # Several statements in a line would be a trick.
    assert not [line for line in lines if ";" in line or "exec(" in line or "import" in line]


def test_nothing_but_settings_and_addresses_is_edited():
    assert {order.file for order in ORDERS} == {"", "settings.py", "urls.py"}


def test_the_orders_stand_in_the_order_in_which_they_work():
    files = [order.file or order.lines[0].split()[0] for order in ORDERS]
    assert files[:3] == ["pip", "settings.py", "urls.py"] and set(files[3:]) == {"python"}
    commands = [line for order in ORDERS if not order.file for line in order.lines]
    assert all(line.startswith(("pip install ", "python manage.py ")) for line in commands)


def test_every_page_that_it_sends_its_reader_to_is_there():
    for target in __import__("re").findall(r"\]\(([^)#]+)", GUIDE.read_text()):
        assert (GUIDE.parent / target).exists(), target


def test_other_pages_lead_here():
    for name in ("README.md", "docs/README.md"):
        assert GUIDE.name in (ROOT / name).read_text()


def test_what_is_an_order():
    page = (
        "Text\n\n```shell\npip install x\n```\n\n    an example\n\n```python\n# urls.py\n\nadd()  # it\n```\n"
    )
    assert read_orders(page) == [Order("pip install x\n"), Order("\nadd()  # it\n", "urls.py")]
    assert read_orders(page)[1].lines == ["add()  # it"]


@pytest.mark.parametrize("block", ["```python\nadd()\n```", "```html\n<p>\n```"])
def test_a_block_of_another_kind_is_refused(block):
    with pytest.raises(ValueError, match="not an order"):
        read_orders(f"{block}\n")
