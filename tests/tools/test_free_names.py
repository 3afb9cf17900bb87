"""The names that a cell takes from other cells."""

import pytest

from tools.free_names import free_names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import numpy as np\n\nx = np.pi", ""),
        ("x = np.pi", "np"),
        ("images = images / 255", "images"),
        ("total += 1", "total"),
        ("for k in range(3):\n    print(k, x)", "x"),
        ("y = [scale * v for v in values]", "scale values"),
        ("def f(a, b=c):\n    return a + g(a)", "c g"),
        ("def f():\n    return g()\n\n\ndef g():\n    return f()", ""),
        ("def f():\n    def inner():\n        return a + lost\n    a = 1\n    return inner()", "lost"),
        (
            "class A(Base):\n    size = width\n\n    def get(self):\n        return self.size + depth",
            "Base depth width",
        ),
        ("f(x)\nx = 1", "f x"),
        ("with open(path) as file:\n    text = file.read()", "path"),
    ],
)
def test_free_names_of_a_cell(source, names):
    assert " ".join(sorted(free_names(source))) == names
