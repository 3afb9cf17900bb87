"""The imports of dlkit: no circle; late imports, TensorFlow and Matplotlib only where they belong.

**What a module needs.** `import dlkit.a.b` needs the module `dlkit.a.b`. `from dlkit.a import name` needs the module
`dlkit.a.name` if there is one; otherwise `name` is defined in `dlkit/a/__init__.py`, so it needs `dlkit.a`. Python also
runs the `__init__.py` of every package around an imported module, so those are needed too, except the packages around
the importing module itself: these are already being imported whenever it runs. The `__init__.py` of a package may
therefore import the package's modules, and these may import each other, but a module that takes a name from its own
package's `__init__.py` closes a circle. Imports inside functions count like all others.

The checkers of `dlkit.exercises` are imported by computed names, which the source does not show, so `dlkit_graph` adds
them.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DLKIT = ROOT / "dlkit"
FILES = sorted(DLKIT.rglob("*.py"))

MAY_IMPORT_TENSORFLOW = ("runtime/", "data/", "explain.py", "export.py", "training/distributed.py")
MAY_IMPORT_TENSORFLOW += ("recipes/read_export.py",)  # a program of its own
MAY_IMPORT_MATPLOTLIB = ("plots/",)

# Where imports inside functions are allowed, and of which packages; None stands for all.
LATE_IMPORTS = {
    "cli.py": None,  # each command imports what it needs once it has been chosen
    "cli_runs.py": None,
    "runtime/": None,  # has to set up TensorFlow's environment before it is imported
    "doctor.py": None,  # examines a machine on which packages are missing
    "boxes.py": {"IPython"},  # needed in notebooks only
    "data/": {"tensorflow", "keras"},  # reading data does not wait for them
    "plots/curves.py": {"IPython"},  # needed in notebooks only
    "models/sequence.py": {"keras_hub"},  # an optional package that takes seconds to import
    "transfer/efficientnet.py": {"keras_hub", "kagglehub"},
    "recipes/export_run.py": {"onnx"},  # of the extra
    "recipes/read_export.py": {"onnxruntime", "tensorflow"},  # a program that needs one of them
    "training/fit.py": {"dlkit.training.distributed"},  # needs TensorFlow; the rest runs on every Keras backend
}


def module_name(path, root):
    """The dotted name of the module in a file below the folder `root`."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imported_names(node):
    """Every dotted name that an import statement may stand for: of `from a import b` both `a` and `a.b`."""
    if isinstance(node, ast.Import):
        return [[alias.name] for alias in node.names]
    assert node.level == 0, "imports are absolute"
    return [[node.module, f"{node.module}.{alias.name}"] for alias in node.names]


def import_statements(path):
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]


def late_import_statements(path):
    """The import statements inside functions."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    return [node for f in functions for node in ast.walk(f) if isinstance(node, (ast.Import, ast.ImportFrom))]


def packages_around(name):
    """The names of the packages that contain a module: of `a.b.c`, `a` and `a.b`."""
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def import_graph(root, package):
    """{module: the modules that it needs} of a package in the folder `root`, as explained at the top of this file."""
    files = {module_name(path, root): path for path in sorted((root / package).rglob("*.py"))}
    graph = {}
    for name, path in files.items():
        around = packages_around(name) | ({name} if path.name == "__init__.py" else set())
        graph[name] = set()
        for statement in import_statements(path):
            for candidates in imported_names(statement):
                if modules := [candidate for candidate in candidates if candidate in files]:
                    graph[name] |= {modules[-1]} | (packages_around(modules[-1]) - around)
    return graph


def find_circle(graph):
    """The modules on a circle of a graph, in order, the first one also at the end; None where there is no circle."""
    finished, path = set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in finished:
            return None
        path.append(module)
        for needed in sorted(graph[module]):
            if circle := visit(needed):
                return circle
        finished.add(path.pop())
        return None

    return next((circle for module in sorted(graph) if (circle := visit(module))), None)


def dlkit_graph():
    graph = import_graph(ROOT, "dlkit")
    graph["dlkit.exercises"] |= {name for name in graph if name.startswith("dlkit.exercises.lesson_")}
    return graph


def test_dlkit_has_no_circle_of_imports():
    circle = find_circle(dlkit_graph())
    assert circle is None, " -> ".join(circle)


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"p/__init__.py": "from p.a import f", "p/a.py": "from p import b", "p/b.py": ""}, None),
        ({"p/__init__.py": "from p.a import f", "p/a.py": "from p import g"}, ["p", "p.a", "p"]),
        ({"p/a.py": "from p import b", "p/b.py": "def f():\n    import p.a"}, ["p.a", "p.b", "p.a"]),
        (
            {
                "p/q/__init__.py": "from p.q import a",
                "p/q/a.py": "from p.r import b",
                "p/r/__init__.py": "from p.r import c",
                "p/r/b.py": "",
                "p/r/c.py": "from p.q.d import f",
                "p/q/d.py": "",
            },
            ["p.q", "p.q.a", "p.r", "p.r.c", "p.q"],
        ),
    ],
    ids=["package imports its modules", "name of the own package", "late import", "through two packages"],
)
def test_find_circle_in_small_packages(tmp_path, files, circle):
    for name, source in {"p/__init__.py": "", **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    assert find_circle(import_graph(tmp_path, "p")) == circle


def test_import_graph_of_dlkit_has_the_known_edges():
    graph = dlkit_graph()
    assert {"dlkit.training.distributed", "dlkit.training.checkpoint"} <= graph["dlkit.training.fit"]
    assert "dlkit.recipes" in graph["dlkit.cli"], "late imports count"
    assert "dlkit.data" in graph["dlkit.recipes.base"]
    assert "dlkit.recipes" not in graph["dlkit.recipes.pretrained"]
    assert "dlkit.exercises.lesson_03" in graph["dlkit.exercises"]


def belongs_to(path, listed):
    """Those of the listed files and folders of dlkit that a file belongs to."""
    name = path.relative_to(DLKIT).as_posix()
    return [entry for entry in listed if name == entry or (entry.endswith("/") and name.startswith(entry))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DLKIT).as_posix())
class TestModule:
    def test_late_imports_are_allowed_here(self, path):
        entries = belongs_to(path, LATE_IMPORTS)
        for statement in late_import_statements(path):
            for candidates in imported_names(statement):
                found = {candidates[-1], candidates[0].split(".")[0]}
                allowed = any(LATE_IMPORTS[entry] is None or LATE_IMPORTS[entry] & found for entry in entries)
                assert allowed, f"line {statement.lineno}: import {candidates[-1]} at the top of the file"

    def test_tensorflow_and_matplotlib_stay_where_they_belong(self, path):
        roots = {names[0].split(".")[0] for node in import_statements(path) for names in imported_names(node)}
        if not belongs_to(path, MAY_IMPORT_TENSORFLOW):
            assert "tensorflow" not in roots, "models and training run on Keras's other backends too"
        if not belongs_to(path, MAY_IMPORT_MATPLOTLIB):
            assert "matplotlib" not in roots
