"""Reading a shop's payment view, to say beforehand what would go wrong. It reads source: it proves nothing."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any


def payment_view_problems(view: type) -> list[str]:
    """Why credit cannot be used with this payment view; empty when nothing speaks against it.

    The mixin stands on top of the view: it needs ``submit`` to call ``handle_payment``, and every ``handle_payment`` to
    charge what it is handed.
    """
    problems = []
    if not _reaches(view, "submit", "handle_payment"):
        problems.append("its submit() neither calls self.handle_payment() nor super().submit()")
    for owner, method in _overrides(view, "handle_payment"):
        if _ignores_total(method):
            problems.append(
                f"{owner.__name__}.handle_payment() does not use the total it is handed, "
                "and would charge the whole order"
            )
    return problems


def mixin_problems(view: type, mixin: type) -> list[str]:
    """Why a view that has the mixin among its bases by its own choice does not work with it."""
    problems = []
    for owner, method in _overrides(view, "handle_payment", above=mixin):
        if "handle_payment" not in _calls_on_super(method):
            problems.append(f"{owner.__name__}.handle_payment() does not call super().handle_payment()")
        else:
            problems.append(
                f"{owner.__name__}.handle_payment() is above the mixin, "
                "and is handed the total without the credit taken off"
            )
    return problems


def _overrides(view: type, name: str, above: type | None = None) -> Iterator[tuple[type, Callable[..., Any]]]:
    """The classes of the shop that define a method, and the method: down to Oscar's own, or to ``above``."""
    for owner in view.__mro__:
        if owner is above or owner.__module__.startswith("oscar."):
            return
        if owner.__module__.startswith("oscar_integration."):
            continue
        method = owner.__dict__.get(name)
        if inspect.isfunction(method):
            yield owner, method


def _reaches(view: type, name: str, target: str) -> bool:
    """Whether a method calls ``self.<target>``, itself or in what it overrides. True where the source is not there."""
    for _owner, method in _overrides(view, name):
        tree = _source(method)
        if tree is None or target in _calls_on_self(tree):
            return True
        if name not in _calls_on_super(method):
            return False
    return True


def _ignores_total(method: Callable[..., Any]) -> bool:
    """Whether ``handle_payment(self, order_number, total, **kwargs)`` never looks at its total."""
    tree = _source(method)
    if tree is None:
        return False
    function = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    if function is None:
        return False
    arguments = function.args
    named = [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]]
    # With *args or **kwargs the total is there under another name.
    if len(named) < 3:
        return arguments.vararg is None and arguments.kwarg is None
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return named[2] not in used


def _calls_on_self(tree: ast.AST) -> set[str]:
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "self"
    }


def _calls_on_super(method: Callable[..., Any]) -> set[str]:
    tree = _source(method)
    if tree is None:
        return {method.__name__}
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
        and isinstance(node.func.value.func, ast.Name)
        and node.func.value.func.id == "super"
    }


def _source(method: Callable[..., Any]) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(method)))
    except (OSError, TypeError, SyntaxError):
        return None
