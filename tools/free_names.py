"""Which names a cell takes from other cells: without any, it can be run, and graded, alone."""

from __future__ import annotations

import ast
import builtins
import symtable


def free_names(source):
    """Names that a cell takes from other cells: not built in, and not bound in it before they are read.

    Args:
        source: Python.

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
    """Global names that a function or class reads, with all that is defined in it."""
    yield from (s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced())
    for child in table.get_children():
        yield from _globals(child)


def imports_of(node):
    """Pairs (name, statement that imports it alone) of an import statement; none of any other."""
    for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else []:
        begin = f"from {node.module} import" if isinstance(node, ast.ImportFrom) else "import"
        yield alias.asname or alias.name.split(".")[0], f"{begin} {ast.unparse(alias)}"
