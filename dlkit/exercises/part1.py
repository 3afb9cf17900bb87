"""Checkers of notebooks 01 to 03: neurons, losses, backpropagation."""

from __future__ import annotations

import numpy as np

from dlkit.exercises import checker, wrong_number


@checker("01.softmax_on_paper")
def softmax_on_paper(answer):
    """Softmax of 1001, 1002, 1003: the same shares as of 0, 1, 2."""
    answer = np.asarray(answer, dtype=float)
    if answer.shape != (3,):
        return f"give three numbers, such as [0.1, 0.2, 0.7]; this has shape {answer.shape}"
    if np.isnan(answer).any():
        return "nan comes from infinity divided by infinity: first subtract the same number from all three logits"
    exponentials = np.exp([0.0, 1.0, 2.0])
    right = exponentials / exponentials.sum()
    if np.allclose(answer, right, atol=0.001):
        return None
    if np.allclose(answer, right[::-1], atol=0.001):
        return "the largest logit gets the largest share; the order is turned round"
    if np.allclose(answer, np.array([1001, 1002, 1003]) / 3006, atol=0.001):
        return "those are the shares of the logits themselves; softmax takes the exponential first"
    if abs(answer.sum() - 1) > 0.002:
        return f"shares sum to 1; yours sum to {answer.sum():.3f}"
    return "subtract 1001 from all three; what is left is softmax of 0, 1, 2: e⁰, e¹, e², each divided by their sum"


@checker("01.silu")
def silu(student):
    """z·sigmoid(z) and its slope, in places that lie apart, without warnings far out."""
    z = np.array([[-3.0, -1.0, 0.0], [0.5, 2.0, 30.0]])
    returned = student(z.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two arrays: the value and the slope"
    value, slope = (np.asarray(array, dtype=float) for array in returned)
    if value.shape != z.shape or slope.shape != z.shape:
        return f"for an input of shape {z.shape} both results have that shape; yours have {value.shape}, {slope.shape}"
    s = 1 / (1 + np.exp(-z))
    if not np.allclose(value, z * s):
        return "the value is z·σ(z): at z = 2 it is 1.7616"
    if not np.allclose(slope, s + z * s * (1 - s)):
        hints = {
            "that is the slope of σ alone; z multiplies it, so use the product rule": s * (1 - s),
            "the product rule has two terms: yours lacks 1·σ(z)": z * s * (1 - s),
            "the product rule has two terms: yours lacks z·σ'(z)": s,
        }
        for hint, wrong in hints.items():
            if np.allclose(slope, wrong):
                return hint
        return "product rule: (z·σ)' = σ + z·σ', and σ' = σ(1 − σ)"
    with np.errstate(over="raise", invalid="raise"):
        try:
            far = np.array([student(np.array([-1000.0, 1000.0]))], dtype=float)
        except FloatingPointError as error:
            return f"at z = -1000 NumPy warns ({error}): np.exp(1000) is too large; write σ(z) as (1 + tanh(z/2))/2"
    if not np.allclose(far[0], [[0, 1000], [0, 1]]):
        return "far out on the left value and slope are 0, far out on the right z and 1"
    return None


@checker("01.xor")
def xor(answer):
    """Weights of a 2-2-1 network with ReLU and a linear output that computes exclusive or."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 4:
        return "give four arrays: (W1, b1, W2, b2)"
    arrays = [np.asarray(array, dtype=float) for array in answer]
    shapes = [(2, 2), (2,), (2, 1), (1,)]
    for name, array, shape in zip(("W1", "b1", "W2", "b2"), arrays, shapes, strict=True):
        if array.shape != shape:
            return f"{name} has shape {array.shape}, expected {shape}"
    W1, b1, W2, b2 = arrays
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    hidden = inputs @ W1 + b1
    found = (np.maximum(0, hidden) @ W2 + b2)[:, 0]
    if np.allclose(found, [0, 1, 1, 0], atol=0.01):
        return None
    got = ", ".join(f"{value:g}" for value in found)
    if np.allclose(found, [1, 0, 0, 1], atol=0.01):
        return "that is the opposite, exactly *not* exclusive or: turn the signs of W2 and give b2 a 1"
    if np.allclose(hidden @ W2 + b2, [[0], [1], [1], [0]], atol=0.01) or (hidden >= 0).all() or (hidden <= 0).all():
        return (
            f"it gives {got}. None of your creases lies between the four inputs: a negative bias in b1 moves it there"
        )
    return f"it gives {got}, expected 0, 1, 1, 0. Let one unit add both inputs, the other fire only when both are 1"


@checker("02.cross_entropy_on_paper")
def cross_entropy_on_paper(answer):
    """Mean of -log 0.5 and -log 0.1."""
    first, second = -np.log(0.5), -np.log(0.1)
    hints = {
        first + second: "that is the sum; take the mean over the two examples",
        (first + second) / 6: "divide by the number of examples, not by examples times classes",
        (first - np.log(0.8)) / 2: "in the second example the second class is right, and it got 0.1, not 0.8",
        -(first + second) / 2: "the sign: logarithms of probabilities are negative, and the loss is minus their mean",
        (first + second) / 2 / np.log(2): "that is in bits; here the logarithm is the natural one",
        (first + second) / 2 / np.log(10): "that is the logarithm to base 10; here it is the natural one",
    }
    otherwise = (
        "for each example minus the natural logarithm of what the right class got: of 0.5 and of 0.1; then the mean"
    )
    return wrong_number(answer, "mean_loss", (first + second) / 2, hints, otherwise, tolerance=0.001)


@checker("02.sparse_cross_entropy")
def sparse_cross_entropy(student):
    """Mean cross-entropy from logits for class numbers, huge logits included."""
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(6, 4)) * 2, np.array([0, 3, 1, 1, 2, 0])

    def each(z):
        z = z - z.max(axis=1, keepdims=True)
        return np.log(np.exp(z).sum(axis=1)) - z[np.arange(6), labels]

    found = np.asarray(student(labels.copy(), logits.copy()), dtype=float)
    if found.shape == (6,):
        return "one number for each example came back; return their mean"
    if found.shape != ():
        return f"return one number; this has shape {found.shape}"
    if not np.isclose(found, each(logits).mean()):
        if np.isclose(found, each(logits).sum()):
            return "that is the sum over the examples; take the mean"
        if np.isclose(found, -each(logits).mean()):
            return "the sign: a loss is minus the logarithm of a probability, and never negative"
        if np.isclose(found, each(logits).mean() / 4):
            return "divide by the number of examples, not of examples times classes"
        return "for each row: log of the sum of exponentials, minus the logit of the right class; then the mean"
    huge = (logits * 5_000).astype("float32")
    with np.errstate(all="ignore"):
        far = float(student(labels.copy(), huge.copy()))
    if not np.isclose(far, each(huge.astype(float)).mean(), rtol=1e-4):
        return f"with logits near 10,000 it gives {far:g}: subtract each row's largest logit before the exponential"
    return None


@checker("02.best_confidence")
def best_confidence(student):
    """The probability of the right class that minimises the smoothed cross-entropy: its own smoothed label."""
    cases = [(0.2, 4), (0.1, 10), (0.3, 10), (0.0, 7), (0.5, 2)]
    found = [float(student(*case)) for case in cases]
    hints = {
        "the right class keeps 1 − ε, and gets its part of what is spread: there are K classes, itself included": [
            1 - epsilon for epsilon, _ in cases
        ],
        "ε is spread over all K classes, the right one included, not over the K − 1 others": [
            1 - epsilon + epsilon / (num_classes - 1) for epsilon, num_classes in cases
        ],
        "that is what a wrong class gets": [epsilon / num_classes for epsilon, num_classes in cases],
    }
    if np.allclose(found, [1 - epsilon + epsilon / num_classes for epsilon, num_classes in cases], atol=1e-6):
        return None
    for hint, wrong in hints.items():
        if np.allclose(found, wrong, atol=1e-6):
            return hint
    return f"for ε = 0.2 and K = 4 the lowest point of the curve is at 0.85; yours says {found[0]:g}"


@checker("03.one_step_on_paper")
def one_step_on_paper(answer):
    """x = 2, w = 0.5, b = 0, y = 3, loss (w x + b - y)^2, rate 0.1: the weight after one step."""
    hints = {
        0.5 - 0.8: "the sign: the gradient is negative, and the step goes against it",
        0.5 + 0.4: "the square's derivative brings a factor 2",
        0.5 + 8.0: "that is the whole gradient; multiply it by the learning rate",
        0.5 + 0.2: "the 2 of the square and the input x = 2 both belong in the gradient",
        -8.0: "that is the gradient; now take the step",
    }
    otherwise = "forward: ŷ = w·x + b; backward: dL/dŷ = 2(ŷ − y), dL/dw = dL/dŷ·x; step: w − rate·dL/dw"
    return wrong_number(answer, "new_weight", 1.3, hints, otherwise)


@checker("03.tanh_layer_gradient")
def tanh_layer_gradient(student):
    """Gradients of a layer a = tanh(x W + b), given dL/da: compared with finite differences of the loss."""
    rng = np.random.default_rng(3)
    x, W, b, da = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(4, 2))
    returned = student(x.copy(), W.copy(), b.copy(), da.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 3:
        return "return three arrays: dW, db, dx"
    found = [np.asarray(array, dtype=float) for array in returned]
    slope = 1 - np.tanh(x @ W + b) ** 2
    dz = da * slope
    right = {"dW": x.T @ dz, "db": dz.sum(axis=0), "dx": dz @ W.T}
    for (name, value), got in zip(right.items(), found, strict=True):
        if name == "db" and got.shape == (4, 2):
            return "db has a row for each example; the bias is shared, so sum over the batch"
        if name == "db" and np.allclose(got, dz.mean(axis=0)):
            return "db is a mean; da already says how much each example counts, so sum"
        if got.shape != value.shape and not (name == "db" and got.shape == (1, 2)):
            return f"{name} has shape {got.shape}, but what it is the gradient of has shape {value.shape}"
    if all(np.allclose(got, -value) for got, value in zip(found, right.values(), strict=True)):
        return "the sign is turned; the gradient points uphill, the minus comes in the update"
    no_slope = [x.T @ da, da.sum(axis=0), da @ W.T]
    if np.allclose(found[0], no_slope[0]):
        return "the derivative of tanh is missing: 1 − tanh(z)²"
    wrong_point = da * (1 - np.tanh(np.tanh(x @ W + b)) ** 2)
    if np.allclose(found[0], x.T @ wrong_point):
        return "tanh is taken twice: with a = tanh(z), the slope is 1 − a², not 1 − tanh(a)²"
    for (name, value), got in zip(right.items(), found, strict=True):
        if not np.allclose(got.reshape(value.shape), value):
            return (
                f"{name} does not match finite differences; write the forward pass line by line and go back through it"
            )
    return None


@checker("03.flipped_sign")
def flipped_sign(answer):
    """What the loss does when the update adds the gradient: one of four words, chosen before running."""
    words = ("falls", "stays", "rises", "oscillates")
    if not isinstance(answer, str) or answer.strip().lower() not in words:
        return f'choose one of {", ".join(words)}, as a text: prediction = "stays"'
    hints = {
        "falls": "adding the gradient walks uphill; run the cell and look",
        "stays": "the weights do move, and the gradient is the direction of fastest growth; run the cell and look",
        "oscillates": "a step too long oscillates; one in the wrong direction does not come back. Run the cell",
    }
    return hints.get(answer.strip().lower())
