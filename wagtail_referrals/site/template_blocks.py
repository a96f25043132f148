"""Which blocks of a template are shown, read from its source: what a template that extends it can fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.template import Template
from django.template.base import Node, NodeList
from django.template.loader_tags import BlockNode, ExtendsNode


def shown_blocks(template: Template) -> set[str]:
    """Names of the blocks that would be shown if a template that extends this one filled them.

    Follows parents that are named in the source; what a template includes has no blocks to fill. Raises
    ``TemplateDoesNotExist`` for a parent that is missing.
    """
    chain = [template]
    while (parent := _parent(chain)) is not None:
        chain.append(parent)
    # The definitions of each block, the one that wins first.
    definitions: dict[str, list[BlockNode]] = {}
    for level in chain:
        for block in _blocks_of(level.nodelist):
            definitions.setdefault(block.name, []).append(block)
    seen: set[str] = set()

    def walk(nodes: Iterable[Node]) -> None:
        for node in nodes:
            if not isinstance(node, BlockNode):
                for children in _children(node):
                    walk(children)
            elif node.name not in seen:
                seen.add(node.name)
                for definition in definitions.get(node.name, [node]):
                    walk(definition.nodelist)
                    if not _says_super(definition.nodelist):
                        break

    walk(chain[-1].nodelist)
    return seen


def _says_super(nodes: Iterable[Node]) -> bool:
    """Whether a block shows the one that it replaces."""
    return any(
        "block.super" in getattr(getattr(node, "token", None), "contents", "")
        or any(_says_super(children) for children in _children(node))
        for node in nodes
    )


def _parent(chain: list[Template]) -> Template | None:
    template = chain[-1]
    for node in template.nodelist:
        if isinstance(node, ExtendsNode):
            name = getattr(node.parent_name, "var", None)
            if isinstance(name, str):
                # A template may extend the one of the same name that it hides, so those of the chain are left out.
                skip = [level.origin for level in chain]
                parent: Template = template.engine.find_template(name, skip=skip)[0]
                return parent
    return None


def _blocks_of(nodes: Iterable[Node]) -> Iterator[BlockNode]:
    for node in nodes:
        if isinstance(node, BlockNode):
            yield node
        for children in _children(node):
            yield from _blocks_of(children)


def _children(node: Node) -> list[NodeList]:
    if hasattr(node, "conditions_nodelists"):
        return [nodes for _condition, nodes in node.conditions_nodelists]
    return [
        nodes for name in node.child_nodelists if isinstance(nodes := getattr(node, name, None), NodeList)
    ]
