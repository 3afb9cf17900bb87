"""Finds the names that a cell takes from other cells. A cell without any can be run, and graded, alone."""

from __future__ import annotations

import ast
import builtins
import symtable


def free_names(source):
    """Finds the names that a cell takes from other cells: neither built in nor bound in the cell before they are read.

    Args:
        source: String, Python code.

    Returns:
        Set of strings.

    Example:
        >>> sorted(free_names("a = b\\ndef f(x):\\n    return g(x, a)"))
        ['b', 'g']
    """
    everywhere = _bound(symtable.symtable(source, "cell", "exec"))
    bound, free = set(dir(builtins)), set()
    for node in ast.parse(source).body:
        table = symtable.symtable(ast.unparse(node), "statement", "exec")
        own = _bound(table)
        now = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            now.add(node.target.id)
        assigns = isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))  # its right side is read first
        free |= now - bound - (set() if assigns else own)
        free |= {name for child in table.get_children() for name in _globals(child)} - everywhere - set(dir(builtins))
        bound |= own
    return free


def _bound(table):
    return {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}


def _globals(table):
    """Yields the global names that a function or class reads, including everything that is defined inside it."""
    yield from (s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced())
    for child in table.get_children():
        yield from _globals(child)


def imports_of(node):
    """Yields the names that an import statement binds; yields nothing for other statements.

    Args:
        node: `ast.stmt`.

    Yields:
        Tuples (name, statement) of strings, where the statement imports this name alone.

    Example:
        >>> list(imports_of(ast.parse("from math import pi, tau as t").body[0]))
        [('pi', 'from math import pi'), ('t', 'from math import tau as t')]
    """
    for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []:
        begin = f"from {node.module} import" if isinstance(node, ast.ImportFrom) else "import"
        yield alias.asname or alias.name.split(".")[0], f"{begin} {ast.unparse(alias)}"
