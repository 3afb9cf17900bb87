"""Makes mutants of a function: copies with one small mistake each, such as another constant or a missing term."""

from __future__ import annotations

import ast
import copy
import difflib

OTHER_OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Div],
    ast.Pow: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
}
OTHER_NAMES = {"sum": "mean", "max": "min", "maximum": "minimum", "round": "floor", "ones_like": "zeros_like"}
OTHER_NAMES |= {new: old for old, new in OTHER_NAMES.items()}
STATEMENTS = (ast.Expr, ast.Assign, ast.AugAssign, ast.Return, ast.If)


def mutants(source):
    """Makes the mutants of all functions in a source.

    Args:
        source: String, Python code. Signatures, docstrings and everything outside functions stay as they are.

    Returns:
        Dictionary {change: source of the mutant}, where the change is written "line before → line after".

    Example:
        >>> list(mutants("def half(x):\\n    return x / 2"))  # doctest: +ELLIPSIS
        ['return x / 2 → pass', 'return x / 2 → return x * 2', 'return x / 2 → return x', ...]
    """
    tree = ast.parse(source)
    before, found = ast.unparse(tree), {}
    for path, node in _nodes(tree):
        for new in changes(node):
            after = ast.unparse(_replace(tree, path, new))
            if after != before and after not in found.values():
                found[_change(before, after, found)] = after
    return found


def changes(node):
    """Lists the nodes that can replace an `ast.AST` node; each of them is a small mistake."""
    found = list(_CHANGES.get(type(node), lambda node: ())(node))
    return [ast.Pass(), *found] if isinstance(node, STATEMENTS) else found


def _change(before, after, taken):
    """Describes the lines that differ, with a number when the same change was already made elsewhere."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    old, new = (" ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in ("- ", "+ "))
    text = f"{old} → {new}"
    return text if text not in taken else f"{text} ({sum(other.startswith(text) for other in taken) + 1})"


def _nodes(tree):
    """Yields (path, node) for the nodes of all functions; a path is a list of (field, index or None), one a level."""

    def walk(node, path, inside):
        inside = inside or isinstance(node, ast.FunctionDef)
        if inside:
            yield path, node
        for field, value in ast.iter_fields(node):
            signature = isinstance(node, ast.FunctionDef) and field != "body"
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
                if isinstance(child, ast.AST) and not (signature or docstring or _is_safeguard(child)):
                    yield from walk(child, [*path, (field, index)], inside)

    return walk(tree, [], False)


def _is_safeguard(node):
    """Whether a node is the argument `strict=True` of `zip`, which does not change a result."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _replace(tree, path, new):
    """A copy of the tree in which the node at the path is replaced."""
    tree = parent = copy.deepcopy(tree)
    for field, index in path[:-1]:
        parent = getattr(parent, field) if index is None else getattr(parent, field)[index]
    field, index = path[-1] if path else (None, None)
    if index is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[index] = new
    return tree


def _copy_with(node, **fields):
    return type(node)(**(dict(ast.iter_fields(node)) | fields))


def _constant(node):
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, (int, float)):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1 if isinstance(value, int) else 1.5 * value))


def _binary(node):
    yield from (_copy_with(node, op=other()) for other in OTHER_OPERATORS.get(type(node.op), []))
    yield from (node.left, node.right)


def _assigned_with_operator(node):
    yield from (_copy_with(node, op=other()) for other in OTHER_OPERATORS.get(type(node.op), []))
    yield ast.Assign([node.target], node.value, lineno=0)


def _comparison(node):
    yield from (_copy_with(node, ops=[other(), *node.ops[1:]]) for other in OTHER_OPERATORS.get(type(node.ops[0]), []))


def _unary(node):
    yield node.operand


def _call(node):
    yield from node.args[:1]
    if isinstance(node.func, ast.Attribute):
        yield node.func.value
    if len(node.args) > 1:
        yield _copy_with(node, args=node.args[:-1])
        if ast.unparse(node.func).split(".")[-1] not in OTHER_NAMES:  # max(a, b) is max(b, a)
            yield _copy_with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    for dropped in node.keywords:
        if not _is_safeguard(dropped):
            yield _copy_with(node, keywords=[keyword for keyword in node.keywords if keyword is not dropped])


def _name(node):
    if isinstance(node.ctx, ast.Load) and node.id in OTHER_NAMES:
        yield _copy_with(node, id=OTHER_NAMES[node.id])


def _attribute(node):
    if node.attr in OTHER_NAMES:
        yield _copy_with(node, attr=OTHER_NAMES[node.attr])
    if node.attr == "T":
        yield node.value


def _sequence(node):
    if isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield _copy_with(node, elts=[node.elts[1], node.elts[0], *node.elts[2:]])


def _condition(node):
    yield from (_copy_with(node, test=ast.Constant(value)) for value in (True, False))


def _and_or(node):
    yield _copy_with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())


def _slice(node):
    yield from (_copy_with(node, **{end: None}) for end in ("lower", "upper", "step") if getattr(node, end))


_CHANGES = {
    ast.Constant: _constant,
    ast.BinOp: _binary,
    ast.AugAssign: _assigned_with_operator,
    ast.Compare: _comparison,
    ast.UnaryOp: _unary,
    ast.Call: _call,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Tuple: _sequence,
    ast.List: _sequence,
    ast.If: _condition,
    ast.IfExp: _condition,
    ast.While: _condition,
    ast.BoolOp: _and_or,
    ast.Slice: _slice,
}
