"""Data flows one way through dlkit, nothing is imported upward, modules stay short and documented."""

import ast
from pathlib import Path

import pytest

DLKIT = Path(__file__).resolve().parents[1] / "dlkit"
MODULES = sorted(DLKIT.rglob("*.py"))

# Each part may import those of lower numbers only, and itself.
LEVELS = {
    "__init__": 0,
    "boxes": 0,
    "claims": 1,
    "runtime": 0,
    "data": 1,
    "models": 2,
    "transfer": 3,
    "training": 4,
    "evaluate": 5,
    "explain": 6,
    "export": 6,
    "plots": 6,
    "recipes": 7,
    "doctor": 7,
    "exercises": 7,  # imported by notebooks only
    "lab": 7,
    "cli": 8,
    "__main__": 9,
}
MAY_IMPORT_TENSORFLOW = {"runtime", "data", "explain", "export"}


def part_of(path):
    """The top-level part of dlkit that a file belongs to."""
    return path.relative_to(DLKIT).parts[0].removesuffix(".py")


def imports_of(path):
    """Every module a file imports, also inside functions, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(DLKIT)))
class TestModule:
    def test_imports_nothing_upward(self, path):
        level = LEVELS[part_of(path)]
        for name in imports_of(path):
            parts = name.split(".")
            if parts[0] == "dlkit" and len(parts) > 1 and parts[1] in LEVELS and parts[1] != part_of(path):
                assert LEVELS[parts[1]] < level, f"{path.name} imports {name}"

    def test_tensorflow_and_matplotlib_stay_where_they_belong(self, path):
        roots = {name.split(".")[0] for name in imports_of(path)}
        if part_of(path) not in MAY_IMPORT_TENSORFLOW and path.parts[-2:] != ("training", "workers.py"):
            assert "tensorflow" not in roots, "models and training run on Keras's other backends too"
        if part_of(path) != "plots":
            assert "matplotlib" not in roots

    def test_is_short(self, path):
        tree = ast.parse(path.read_text())
        assert len(path.read_text().splitlines()) <= 250
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert lines <= 40, f"{node.name} has {lines} lines"

    def test_what_is_public_is_documented(self, path):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), "module"
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                checker = any(ast.unparse(d).startswith("checker(") for d in node.decorator_list)
                assert checker or ast.get_docstring(node), node.name


def test_there_are_no_circles():
    graph = {path: set() for path in MODULES}
    names = {
        ".".join(("dlkit", *p.relative_to(DLKIT).with_suffix("").parts)).removesuffix(".__init__"): p for p in MODULES
    }
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:  # imports inside functions come later and make no circle
            if isinstance(node, ast.ImportFrom):
                targets = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                graph[path] |= {names[t] for t in targets if t in names and names[t] != path}
    done, active = set(), []

    def visit(path):
        assert path not in active, " -> ".join(p.name for p in [*active, path])
        if path not in done:
            active.append(path)
            for target in graph[path]:
                if target.name != "__init__.py":  # a package's front door imports its rooms
                    visit(target)
            active.pop()
            done.add(path)

    for path in MODULES:
        visit(path)
