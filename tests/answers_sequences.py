"""Other right ways and typical mistakes for the exercises of notebooks 16 to 20, for test_exercises.

Each mistake comes with a word of the hint that it should get.
"""


def gradient_by_sensitivity(x, y, a, *, through_time=True, before=True, last_only=False):
    """Forward mode: dh/da is carried along with h."""
    h = slope = total = 0.0
    for t, (x_t, y_t) in enumerate(zip(x, y, strict=True)):
        earlier, slope = h, a * slope * through_time
        h = a * h + x_t
        slope += earlier if before else h
        if t == len(x) - 1 or not last_only:
            total += (h - y_t) * slope
    return total


def changed(function, **options):
    return lambda *args: function(*args, **options)


ANOTHER_WAY = {
    "16.two_steps": -0.642,
    "16.gradient_of_a": gradient_by_sensitivity,
    "16.how_long": {5: 1.0, 30: 0.93, 100: 0.7, 300: 0.52},
}

MISTAKES = {
    "16.two_steps": [
        (0.7616, "that is h_1"),
        (-0.7616, "one tanh"),
        (0.642, "sign"),
        (-1.0, "both tanh"),
        ("h", "one number"),
    ],
    "16.gradient_of_a": [
        (changed(gradient_by_sensitivity, through_time=False), "later ones"),
        (changed(gradient_by_sensitivity, before=False), "before"),
        (changed(gradient_by_sensitivity, last_only=True), "every step"),
        (lambda x, y, a: 2 * gradient_by_sensitivity(x, y, a), "½"),
        (lambda x, y, a: gradient_by_sensitivity(x, y, a) / len(x), "mean"),
        (lambda x, y, a: -gradient_by_sensitivity(x, y, a), "sign"),
        (lambda x, y, a: x, "one number"),
        (lambda x, y, a: gradient_by_sensitivity(x, y, a) + 1, "gradient is"),
    ],
    "16.how_long": [
        ({10: 0.99}, "two lengths"),
        ({10: 99, 100: 50}, "share"),
        ({10: 0.8, 100: 0.5}, "short"),
        ({10: 0.99, 100: 0.9}, "longer"),
        ({10: 0.55, 100: 0.99}, "fresh weights"),
        ({10: 0.99, 100: 0.1}, "same sequences"),
    ],
}
