"""The form of dlkit's modules: short files, short functions, docstrings."""

import ast
from pathlib import Path

import pytest

DLKIT = Path(__file__).resolve().parents[1] / "dlkit"


@pytest.mark.parametrize("path", sorted(DLKIT.rglob("*.py")), ids=lambda path: path.relative_to(DLKIT).as_posix())
class TestModule:
    def test_is_short(self, path):
        tree = ast.parse(path.read_text())
        assert len(path.read_text().splitlines()) <= 250
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert lines <= 40, f"{node.name} has {lines} lines"

    def test_public_names_have_docstrings(self, path):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), "module"
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                is_checker = any(ast.unparse(decorator).startswith("checker(") for decorator in node.decorator_list)
                assert is_checker or ast.get_docstring(node), node.name
