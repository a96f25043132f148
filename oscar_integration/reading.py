"""Reading a shop's payment view, to say beforehand what would go wrong. It reads source: it proves nothing.

What it looks for is a customer who pays twice: with credit, and again with the card for the whole order. Where it
suspects that without need, a shop puts ``CreditPaymentMixin`` among the bases of its view itself, and is not asked.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

# What the mixin calls on the view below it.
_NEEDED: Final = ("submit", "handle_payment", "build_submission", "get_template_names")
# Where Oscar leads before and after handle_payment(), and where shops charge a card too.
_BESIDE: Final = (
    "post",
    "handle_payment_details_submission",
    "handle_place_order_submission",
    "submit",
    "handle_order_placement",
    "handle_successful_order",
    "place_order",
)
# What a basket or an order costs: never what is left for the card.
_WHOLE: Final = frozenset(
    {
        "total_incl_tax",
        "total_excl_tax",
        "total_incl_tax_excl_discounts",
        "total_excl_tax_excl_discounts",
        "get_order_totals",
    }
)
_CHARGES: Final = re.compile(
    r"(^|[._])(charge|capture|authori[sz]e|pre_?auth|debit|sale|pay)|PaymentIntent|checkout\.Session",
    re.IGNORECASE,
)
# What only writes down that something was paid, and what takes it.
_RECORDS: Final = re.compile(
    r"(^|\.)(Source|Transaction|add_payment_\w+|create_deferred_transaction)(\.|$)|sources\.\w+$"
)
_TAKES: Final = re.compile(
    r"(^|[._])(confirm|complete|execute|finali[sz]e|settle|charge|capture|authori[sz]e|debit|sale)|PaymentIntent",
    re.IGNORECASE,
)
# What Oscar's build_submission() gives submit().
_SUBMISSION: Final = frozenset(
    {
        "user",
        "basket",
        "shipping_address",
        "shipping_method",
        "shipping_charge",
        "billing_address",
        "order_total",
        "payment_kwargs",
        "order_kwargs",
        "surcharges",
    }
)
_TOTAL: Final = re.compile("total|amount|price", re.IGNORECASE)
# Of a price these are no amount.
_NO_AMOUNT: Final = frozenset({"currency", "tax_code", "is_tax_known"})
_TELLS: Final = frozenset({"logger", "logging", "log", "messages", "print", "warnings"})
_CONVERTS: Final = frozenset({"Decimal", "D", "str", "int", "float", "round", "abs", "max", "min", "format"})
# How far a method is followed into the view's own methods.
_DEPTH: Final = 3

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def payment_view_problems(view: Any) -> list[str]:
    """Why credit cannot be used with this payment view; empty when nothing speaks against it.

    The mixin stands on top of the view: it needs ``submit`` to call ``handle_payment``, and every ``handle_payment`` to
    charge what it is handed. Never raises.
    """
    if not isinstance(view, type) or not all(callable(getattr(view, name, None)) for name in _NEEDED):
        return ["it is not one of Oscar's PaymentDetailsView"]
    problems = []
    if not _leads_to(view, "submit", "handle_payment"):
        problems.append("its submit() neither calls self.handle_payment() nor super().submit()")
    for place, method in enumerate(_run(view, "submit")):
        others = method.required() - _SUBMISSION
        if place == 0 and others:
            problems.append(f"{method}() wants {', '.join(sorted(others))}, which Oscar does not give it")
        if method.is_async:
            problems.append(
                f"{method}() is asynchronous, which Oscar's checkout and the credit on it are not"
            )
        if method.hands_other_arguments():
            problems.append(f"{method}() calls handle_payment() with other arguments than Oscar does")
        problems += [
            f"{method}() hands {found} to handle_payment(), not the order_total, "
            "and would charge the whole order"
            for found in method.handed_to_payment()
        ]
    for method in _run(view, "handle_payment"):
        problems += [f"{method}() {problem}" for problem in _payment_problems(view, method)]
    for name in _BESIDE:
        for method in _run(view, name):
            problems += [
                f"{method}() calls {found}, and would charge the whole order"
                for found in method.charges_whole()
            ]
    return problems


def unreadable_methods(view: Any) -> list[str]:
    """The methods of the shop, as "View.handle_payment", whose source is not there: nothing is known about them."""
    if not isinstance(view, type):
        return []
    return [
        str(method)
        for name in ("submit", "handle_payment")
        for method in _run(view, name)
        if method.node is None
    ]


@cache
def places_orders_by_itself(view: type) -> bool:
    """Whether the shop's ``post`` never comes to ``handle_place_order_submission``, as before Oscar had it."""
    return not _leads_to(view, "post", "handle_place_order_submission")


def mixin_problems(view: type, mixin: type) -> list[str]:
    """Why a view that has the mixin among its bases by its own choice does not work with it."""
    problems = []
    for method in _run(view, "handle_payment", above=mixin):
        if method.node is None:
            continue
        if not method.calls_super():
            problems.append(f"{method}() does not call super().handle_payment()")
        else:
            problems.append(
                f"{method}() is above the mixin, and is handed the total without the credit taken off"
            )
    return problems


@dataclass(frozen=True, eq=False)
class _Method:
    """A method as a class of the shop, or Oscar's, defines it. ``node`` is its source, None where there is none."""

    owner: type
    name: str
    attribute: Any

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"

    @cached_property
    def node(self) -> _Function | None:
        function = _plain(self.attribute, self.name)
        return None if function is None else _source(function)

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @cached_property
    def positional(self) -> list[str]:
        if self.node is None:
            return []
        arguments = self.node.args
        return [argument.arg for argument in [*arguments.posonlyargs, *arguments.args]]

    def required(self) -> set[str]:
        """The names of the arguments that it cannot do without, ``self`` left out."""
        if self.node is None:
            return set()
        arguments = self.node.args
        optional = len(arguments.defaults)
        by_name = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        return {
            *self.positional[1 : len(self.positional) - optional],
            *(argument.arg for argument, default in by_name if default is None),
        }

    @property
    def me(self) -> str:
        """What it calls the view: ``self``."""
        return self.positional[0] if self.positional else "self"

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        if self.node is None:
            return {}
        return {child: parent for parent in ast.walk(self.node) for child in ast.iter_child_nodes(parent)}

    def nodes(self) -> Iterator[ast.AST]:
        if self.node is not None:
            body = self.node.body
            for part in body if isinstance(body, list) else [body]:
                yield from ast.walk(part)

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes() if isinstance(node, ast.Call))

    def own_calls(self) -> set[str]:
        """The names of the view's own methods that it mentions: ``self.<name>``, called here or handed on."""
        return {
            node.attr
            for node in self.nodes()
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == self.me
        }

    def calls_super(self) -> bool:
        """Whether it calls what it overrides: by super(), also under another name, or by the name of the class."""
        parents = {
            target.id
            for node in self.nodes()
            if isinstance(node, ast.Assign) and _is_super(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in self.calls():
            function = call.func
            if not isinstance(function, ast.Attribute) or function.attr != self.name:
                continue
            if _is_super(function.value) or (
                isinstance(function.value, ast.Name) and function.value.id in parents
            ):
                return True
            # views.PaymentDetailsView.submit(self, ...)
            if call.args and isinstance(call.args[0], ast.Name) and call.args[0].id == self.me:
                return True
        return False

    def _above(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """The pairs (child, parent) on the way up."""
        while (parent := self.parents.get(node)) is not None:
            yield node, parent
            node = parent

    def _only_looks(self, node: ast.AST) -> bool:
        """Whether a value is only compared, told or refused with, here."""
        for child, parent in self._above(node):
            if isinstance(parent, ast.Compare):
                return True
            if isinstance(parent, ast.If | ast.While | ast.IfExp | ast.Assert) and child is parent.test:
                return True
            if isinstance(parent, ast.Call) and _TELLS & set(_dotted(parent.func).split(".")):
                return True
            if isinstance(parent, ast.Raise) and "Redirect" not in ast.unparse(parent):
                return True
        return False

    def whole_amounts(self) -> list[str]:
        """What it reads of a basket's or an order's total, as text: not only to look at."""
        found: list[str] = []
        for node in self.nodes():
            is_whole = (isinstance(node, ast.Attribute) and node.attr in _WHOLE) or (
                isinstance(node, ast.Subscript)
                and isinstance(node.slice, ast.Constant)
                and node.slice.value == "order_total"
            )
            if is_whole and not self._only_looks(node):
                found.append(ast.unparse(node))
        return list(dict.fromkeys(found))

    def charges_whole(self) -> list[str]:
        """Calls that seem to charge a card with a basket's or an order's total, as text."""
        found = []
        for call in self.calls():
            name = _dotted(call.func)
            if not _CHARGES.search(name) or name.split(".")[-1] == "handle_payment":
                continue
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(_is_whole_amount(node) for each in given for node in ast.walk(each)):
                found.append(f"{name}()")
        return list(dict.fromkeys(found))

    def handed_to_payment(self) -> list[str]:
        """What ``self.handle_payment`` is handed as its total where that is an amount, and no price with tax."""
        found = []
        for call in self.calls():
            if _dotted(call.func) != f"{self.me}.handle_payment":
                continue
            given = call.args[1:2] or [keyword.value for keyword in call.keywords if keyword.arg == "total"]
            found += [ast.unparse(each) for each in given if _is_whole_amount(each)]
        return found

    def hands_other_arguments(self) -> bool:
        """Whether it calls ``self.handle_payment`` with something else than the total in its second place."""
        for call in self.calls():
            if _dotted(call.func) != f"{self.me}.handle_payment":
                continue
            if any(isinstance(each, ast.Starred) for each in call.args):
                continue
            named = {keyword.arg for keyword in call.keywords}
            missing = set(("order_number", "total")[len(call.args) :]) - named
            if missing and None not in named:
                return True
            if len(call.args) > 2 and not _TOTAL.search(ast.unparse(call.args[1])):
                return True
        return False

    def uses(self, name: str, *, recording: bool = True) -> bool:
        """Whether the value of an argument goes anywhere: not only compared, told, or asked for its currency.

        Without ``recording``, it is not enough that it is written down what was paid.
        """
        names = {name}
        while True:
            found = {
                node
                for node in self.nodes()
                if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)
            }
            more: set[str] = set()
            for node in found:
                others = self._goes_to(node, recording)
                if others is None:
                    return True
                more |= others
            if more <= names:
                return False
            names |= more

    def _goes_to(self, node: ast.Name, recording: bool) -> set[str] | None:
        """The other names under which a value lives on from here; None where it is used."""
        if self._only_looks(node):
            return set()
        for child, parent in self._above(node):
            if isinstance(parent, ast.Attribute) and parent.attr in _NO_AMOUNT:
                return set()
            if isinstance(parent, ast.Call) and child is not parent.func:
                if not recording and _RECORDS.search(_dotted(parent.func)):
                    return set()
                if _dotted(parent.func).split(".")[-1] not in _CONVERTS:
                    return None
            elif isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
                targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
                names = [each for target in targets for each in _names_of(target)]
                return None if None in names else {each for each in names if each is not None}
            elif isinstance(parent, ast.Expr):
                # A value by itself, in a statement of its own.
                return set()
        return None

    def takes_without(self, name: str) -> list[str]:
        """Calls that seem to take money, where the argument is only written down, as text."""
        if self.uses(name, recording=False):
            return []
        names = [_dotted(call.func) for call in self.calls()]
        return list(
            dict.fromkeys(f"{each}()" for each in names if _TAKES.search(each) and not _RECORDS.search(each))
        )

    def might_charge(self) -> bool:
        """Whether it calls anything but what it overrides, and what only tells; or reads what the order costs."""
        return bool(self.whole_amounts()) or any(
            not _is_super(call)
            and not (isinstance(call.func, ast.Attribute) and _is_super(call.func.value))
            and not _TELLS & set(_dotted(call.func).split("."))
            for call in self.calls()
        )


def _payment_problems(view: type, method: _Method) -> list[str]:
    """What is wrong with a shop's ``handle_payment(self, order_number, total, **kwargs)``."""
    if method.node is None or not method.might_charge():
        return []
    if method.is_async:
        return ["is asynchronous, which Oscar's checkout and the credit on it are not"]
    arguments = method.node.args
    if len(method.positional) - len(arguments.defaults) > 3 and not _TOTAL.search(method.positional[2]):
        return ["takes other arguments than Oscar's"]
    if len(method.positional) >= 3:
        total = method.positional[2]
    elif arguments.vararg is not None:
        total = arguments.vararg.arg
    else:
        return ["takes other arguments than Oscar's"]
    if not method.uses(total):
        return ["does not use the total it is handed, and would charge the whole order"]
    return [
        f"uses {found} beside the total it is handed, and may charge the whole order"
        for found in _whole_amounts_of(view, method, _DEPTH)
    ] or [
        f"writes down the total it is handed, but calls {found} without it, and may charge the whole order"
        for found in method.takes_without(total)
    ]


def _whole_amounts_of(view: type, method: _Method, depth: int) -> list[str]:
    found = method.whole_amounts()
    if depth:
        for name in sorted(method.own_calls() - {method.name}):
            helper = next(_run(view, name), None)
            if helper is not None and helper.node is not None:
                found += _whole_amounts_of(view, helper, depth - 1)
    return list(dict.fromkeys(found))


def _leads_to(view: type, name: str, target: str) -> bool:
    """Whether one of the view's methods comes to another. True where that cannot be read."""
    return any(_mentions(view, method, target, _DEPTH) for method in _run(view, name, oscars=True))


def _mentions(view: type, method: _Method, target: str, depth: int) -> bool:
    """Whether a method calls ``self.<target>``, itself or by way of the view's own; Oscar's does."""
    if _is_oscars(method.owner) or method.node is None:
        return True
    own = method.own_calls()
    if target in own:
        return True
    helpers = (next(_run(view, name), None) for name in sorted(own - {method.name})) if depth else ()
    return any(
        helper is not None and helper.node is not None and _mentions(view, helper, target, depth - 1)
        for helper in helpers
    )


def _run(view: type, name: str, *, above: type | None = None, oscars: bool = False) -> Iterator[_Method]:
    """The methods of this name that run, from the top: each as long as the one before calls what it overrides.

    Oscar's own is the last, and left out unless asked for. What stands between Oscar's classes, as a shop's own
    ``checkout.mixins``, counts like the rest.
    """
    for owner in view.__mro__:
        if owner is above:
            return
        if name not in owner.__dict__ or owner.__module__.startswith("oscar_integration."):
            continue
        method = _Method(owner, name, owner.__dict__[name])
        if _is_oscars(owner):
            if oscars:
                yield method
            return
        yield method
        if method.node is not None and not method.calls_super():
            return


def _is_oscars(owner: type) -> bool:
    # Django's and Python's own classes are below Oscar's.
    return owner.__module__.split(".")[0] in ("oscar", "django", "builtins")


def _plain(attribute: Any, name: str) -> Any | None:
    """The function that somebody wrote, below its decorators; None where it cannot be told."""
    if isinstance(attribute, staticmethod | classmethod):
        return None
    try:
        function = inspect.unwrap(attribute)
    except ValueError:
        return None
    if not inspect.isfunction(function):
        return None
    # A decorator that does not say what it wraps still holds it.
    for cell in function.__closure__ or ():
        try:
            inner = cell.cell_contents
        except ValueError:
            continue
        if inspect.isfunction(inner) and inner.__name__ == name and inner is not function:
            return _plain(inner, name)
    return function


def _source(function: Any) -> _Function | None:
    try:
        text = inspect.getsource(function)
        # In a block of its own, so that its indentation is right; texts in it may begin anywhere.
        tree = ast.parse(f"if True:\n{text}" if text[:1].isspace() else text)
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, _Function)]
    return found[0] if found else None


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _dotted(node: ast.AST) -> str:
    """ "gateway.charge" of a call's function; what is no name in it is left out."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return _dotted(node.func) if isinstance(node, ast.Call) else ""


def _names_of(target: ast.AST) -> Iterator[str | None]:
    """The plain names that are assigned to; None for anything else, as an attribute."""
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _names_of(each)
    else:
        yield target.id if isinstance(target, ast.Name) else None


def _is_whole_amount(node: ast.AST) -> bool:
    """``basket.total_incl_tax``, ``order_total.incl_tax``, ``submission["order_total"].incl_tax``."""
    if not isinstance(node, ast.Attribute):
        return False
    if node.attr in _WHOLE:
        return True
    value = node.value
    return node.attr in ("incl_tax", "excl_tax") and (
        (isinstance(value, ast.Name) and value.id == "order_total")
        or (
            isinstance(value, ast.Subscript)
            and isinstance(value.slice, ast.Constant)
            and value.slice.value == "order_total"
        )
    )
