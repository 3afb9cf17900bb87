"""Other right ways and typical mistakes for the exercises of notebooks 01 to 08, for test_exercises.

Each mistake comes with a word of the hint that it should get.
"""

import numpy as np
import tensorflow as tf
from sklearn.metrics import f1_score

RNG = np.random.default_rng(0)


def silu(share_of=lambda z: 0.5 + 0.5 * np.tanh(z / 2), slope_of=lambda z, s: s + z * s * (1 - s)):
    def written(z):
        share = share_of(z)
        return [z * share, slope_of(z, share)]

    return written


def overflowing(z):
    return 1 / (1 + np.exp(-z))


def cross_entropy_with_a_loop(labels, logits):
    total = 0.0
    for label, row in zip(labels, logits, strict=True):
        row = [float(value) for value in row]
        total += max(row) + np.log(sum(np.exp(value - max(row)) for value in row)) - row[label]
    return total / len(labels)


def naive_cross_entropy(labels, logits):
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.mean(np.log(probs[np.arange(len(labels)), labels]))


def xor(**changed):
    tent = {"W1": [[1, 1], [1, 1]], "b1": [0, -1], "W2": [[1], [-2]], "b2": [0]}
    return tuple((tent | changed).values())


def adagrad(start=0.1, keeps=True, sign=-1, extra=1.0, epsilon=1e-7):
    def written(w, g, memory, t, rate):
        v = memory.get("sum", start) + g * g
        if keeps:
            memory["sum"] = v
        return w + sign * extra * rate * g * (v + epsilon) ** -0.5

    return written


def each(clip):
    return lambda gradients, limit: [clip(g, limit) for g in gradients]


def by_length(gradients, limit):
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1, limit / length) for g in gradients]


BY_NUMBER = each(lambda g, limit: np.clip(g, -limit, limit))


def clipped(clip=BY_NUMBER, sign=1, loss_of=lambda before, after: before, training=True, swapped=False):
    def written(network, loss_function, optimizer, x, y, limit):
        with tf.GradientTape() as tape:
            outputs = network(x, training=training)
            before = loss_function(outputs, y) if swapped else loss_function(y, outputs)
        variables = network.trainable_variables
        gradients = clip([g.numpy() for g in tape.gradient(before, variables)], limit)
        optimizer.apply_gradients([(tf.constant(sign * g), v) for g, v in zip(gradients, variables, strict=True)])
        return loss_of(float(before), float(loss_function(y, network(x))))

    return written


def clipped_by_formula(network, loss_function, optimizer, x, y, limit):
    """Right for one dense layer and squared errors only."""
    W, b = network.get_weights()[-2:]
    error = x @ W + b - y
    gradients = [2 * x.T @ error / len(x), 2 * error.mean(axis=0)]
    optimizer.apply([np.clip(g, -limit, limit).astype("float32") for g in gradients], network.trainable_variables[-2:])
    network(x, training=True)
    return np.mean(error**2)


def macro_f1_with(average="macro", **settings):
    def written(labels, predictions, num_classes):
        options = {"labels": range(num_classes), "zero_division": 0} | settings
        return f1_score(labels, predictions, average=average, **options)

    return written


def f1_with_nan(labels, predictions, num_classes):
    precision = [np.mean(labels[predictions == k] == k) if k in predictions else np.nan for k in range(num_classes)]
    return np.mean(precision)


def exchanged_at_the_end(losses, patience):
    run, best = early_stopping(since=1)(losses, patience)
    return (best, run) if run == len(losses) and run - best < patience else (run, best)


def early_stopping(since=0, strict=True, late=0, best_of=None):
    def written(losses, patience):
        best, waited = 0, 0
        for k, loss in enumerate(losses):
            better = k == 0 or (loss < losses[best] if strict else loss <= losses[best])
            best, waited = (k, 0) if better else (best, waited + 1)
            if waited >= patience + late:
                break
        return k + since, (best if best_of is None else best_of(losses[: k + 1])) + since

    return written


def skip_gradient(dx_of=lambda x, W, dy: dy + np.where(x > 0, dy @ W.T, 0), dw_of=lambda x, dy: (x * (x > 0)).T @ dy):
    return lambda x, W, dy: [dx_of(x, W, dy), dw_of(x, dy)]


DIAGNOSES = {"A": "labels mixed up", "B": "softmax twice", "C": "rate too large", "D": "zero weights"}

SHIFTED = {0: 0.95, 1: 0.9, 2: 0.75, 3: 0.5, 4: 0.3}

ANOTHER_WAY = {
    "01.softmax_on_paper": np.array([0.09, 0.2447, 0.6652]),
    "01.silu": silu(),
    "01.xor": xor(W1=[[1, -1], [-1, 1]], b1=[0, 0], W2=[[1], [1]]),
    "02.cross_entropy_on_paper": np.float64(1.498),
    "02.sparse_cross_entropy": cross_entropy_with_a_loop,
    "02.best_confidence": lambda epsilon, K: 1 - epsilon * (K - 1) / K,
    "04.two_momentum_steps": np.float32(0.46),
    "04.adagrad": adagrad(),
    "06.precision_and_recall": [0.25, 0.75],
    "06.macro_f1": macro_f1_with(),
    "06.find_the_leaks": ["column 3", "patients in both"],
    "07.l2_step": 2.944,
    "07.early_stopping": early_stopping(since=1),
    "07.combined_tricks": {"mine": np.array([0.9, 0.91, 0.92]), "plain": (0.87, 0.88, 0.87), "seconds": 40},
    "08.he_deviation": np.float32(0.1),
    "08.skip_layer_gradient": skip_gradient(),
    "08.diagnoses": DIAGNOSES | {"E": "nothing"},
    "05.count_parameters": 84_060.0,
    "05.clipped_step": clipped(),
    "05.shifted_digits": {**SHIFTED, 6: 0.2},
    "04.largest_rates": {1: 3.75, 2: 1.9, 10: np.float64(0.381), 50: 0.0755},
}

UNUSUAL_WAYS = {
    "04.adagrad": [lambda *given: np.float32(adagrad()(*given))],
    "05.shifted_digits": [SHIFTED | {0: 0.94, 1: 0.943}],  # a pixel may gain a little by chance
    "06.find_the_leaks": [
        dict.fromkeys(["column 3", "patients in both"]).keys(),
        {"column 3": True, "patients in both": True, "rows twice": False},
        np.array(["column 3", "patients in both"]),
    ],
}

MISTAKES = {
    "01.softmax_on_paper": [
        ([0.665, 0.245, 0.09], "turned round"),
        ([1001 / 3006, 1002 / 3006, 1003 / 3006], "exponential first"),
        ([np.nan] * 3, "infinity divided"),
        ([1, 2.718, 7.389], "sum to 1"),
        ([0.2, 0.3, 0.5], "subtract 1001"),
    ],
    "01.silu": [
        (lambda z: silu()(z)[0], "two arrays"),
        (lambda z: (z.sum(), z), "have that shape"),
        (lambda z: (silu()(z)[0] + 1, z), "the value is"),
        (silu(slope_of=lambda z, s: s * (1 - s)), "slope of σ alone"),
        (silu(slope_of=lambda z, s: z * s * (1 - s)), "lacks 1·σ"),
        (silu(slope_of=lambda z, s: s), "lacks z·σ'"),
        (silu(slope_of=lambda z, s: s + z), "product rule: "),
        (silu(share_of=overflowing), "NumPy warns"),
        (silu(share_of=lambda z: overflowing(np.maximum(z, -40)) + 1e-9), "far out"),
    ],
    "01.xor": [
        (xor()[:3], "four arrays"),
        (xor(b1=[0]), "b1 has shape"),
        (xor(W2=[[-1], [2]], b2=[1]), "opposite"),
        (xor(b1=[0, 0]), "between the four inputs"),
        (xor(W2=[[1], [-1]]), "expected 0, 1, 1, 0"),
    ],
    "02.cross_entropy_on_paper": [
        (2.996, "that is the sum"),
        (0.4993, "times classes"),
        (0.458, "it got 0.1"),
        (-1.498, "the sign"),
        (2.161, "bits"),
        (0.6505, "base 10"),
        (1.0, "for each example minus"),
    ],
    "02.sparse_cross_entropy": [
        (naive_cross_entropy, "subtract each row's largest"),
        (lambda y, z: cross_entropy_with_a_loop(y, z) * len(y), "sum over the examples"),
        (lambda y, z: -cross_entropy_with_a_loop(y, z), "the sign"),
        (lambda y, z: cross_entropy_with_a_loop(y, z) / 4, "examples times classes"),
        (lambda y, z: np.mean(z[np.arange(len(y)), y]), "log of the sum"),
        (lambda y, z: z[:, 0], "return their mean"),
        (lambda y, z: z, "return one number"),
    ],
    "02.best_confidence": [
        (lambda epsilon, K: 1 - epsilon, "itself included"),
        (lambda epsilon, K: 1 - epsilon + epsilon / (K - 1), "not over the K − 1"),
        (lambda epsilon, K: epsilon / K, "wrong class"),
        (lambda epsilon, K: 0.85, "lowest point"),
    ],
    "04.two_momentum_steps": [
        (0.8, "that is one step"),
        (0.64, "plain gradient descent"),
        (0.44, "not all of it"),
        (0.2224, "Nesterov"),
        (0.42, "is taken where"),
        (1.54, "signs"),
        (0.5, "first step: m"),
    ],
    "04.adagrad": [
        (adagrad(start=0.0), "v starts at 0.1"),
        (adagrad(keeps=False), "forgotten"),
        (adagrad(sign=1), "against the gradient"),
        (adagrad(extra=2.0), "v = v + g²"),
        (adagrad(start=0.0, epsilon=0.0), "nan"),
        (adagrad(epsilon=0.0), "under the root"),
        (adagrad(epsilon=-1e-7), "under the root"),
        (lambda w, g, memory, t, rate: w.sum(), "new w, of shape"),
    ],
    "04.largest_rates": [
        ([1, 2], "a dictionary"),
        ({1.0: 3.8}, "at least three"),
        ({1.0: 3.8, 2.0: 1.9, 100.0: 0.038}, "between 0.5 and 50"),
        ({1.0: 2.0, 2.0: 1.0, 4.0: 0.5}, "can bear more"),
        ({1.0: 3.0, 2.0: 1.9, 4.0: 0.95}, "try larger"),
        ({1.0: 3.8, 2.0: 1.9, 4.0: 1.1}, "any more"),
    ],
    "05.count_parameters": [
        (83_900, "bias"),
        (84_844, "no bias"),
        (8_460, "784 pixels"),
        (83_550, "last layer"),
        (1, "inputs times units"),
    ],
    "05.clipped_step": [
        (clipped(clip=each(lambda g, limit: g)), "not clipped"),
        (clipped(clip=each(np.minimum)), "but not the negative"),
        (clipped(clip=by_length), "length of all gradients"),
        (clipped(clip=each(lambda g, limit: 0.5 * g)), "not where one SGD step"),
        (clipped(sign=-1), "climbs"),
        (clipped(sign=0), "did not move"),
        (clipped(loss_of=lambda before, after: after), "before the step"),
        (clipped(loss_of=lambda before, after: None), "return the loss"),
        (clipped(loss_of=lambda before, after: [before, after]), "one number"),
        (clipped(training=False), "training=True"),
        (clipped(training=None), "training=True"),
        (clipped(swapped=True), "targets first"),
        (clipped_by_formula, "linear network"),
    ],
    "05.shifted_digits": [
        ({0: 0.95, 1: 0.9}, "the shifts 0, 1, 2, 3 and 4"),
        ({k: 100 * v for k, v in SHIFTED.items()}, "percentages"),
        (SHIFTED | {0: 0.5}, "as in the lesson"),
        (SHIFTED | {4: 0.94}, "the test images only"),
        (SHIFTED | {2: 0.4, 3: 0.5}, "should cost more"),
    ],
    "06.precision_and_recall": [
        ((0.75, 0.25), "exchanged"),
        ((25, 75), "as shares"),
        ((0.333, 0.75), "all alarms"),
        ((0.25, 0.015), "not by all people"),
        ((0.5, 0.75), "precision: of all"),
        ((0.25, 0.5), "recall: of the 20"),
        (0.25, "two numbers"),
    ],
    "06.macro_f1": [
        (macro_f1_with("micro"), "micro F1"),
        (macro_f1_with("weighted"), "how often it occurs"),
        (macro_f1_with(labels=None), "divide by num_classes"),
        (macro_f1_with(average=None), "one number"),
        (f1_with_nan, "nan"),
        (lambda labels, predictions, num_classes: 0.5, "F1 from its TP, FP, FN"),
    ],
    "06.find_the_leaks": [
        ("column 3", "a set of names"),
        ({"scaling"}, "none of the names"),
        ({"rows twice", "column 3"}, "no row stands"),
        ({"column 0"}, "honest sign"),
        ({"column 4"}, "does not give"),
        ({"patients in both"}, "hardly overlap"),
        ({"column 3"}, "came twice"),
    ],
    "07.l2_step": [
        (2.95, "a slope too"),
        (2.947, "factor 2"),
        (2.941, "the penalty itself"),
        (2.956, "towards zero"),
        (3.056, "against the slope"),
        (2.44, "learning rate is missing"),
        (1.0, "0.5 + 2λw"),
    ],
    "07.early_stopping": [
        (early_stopping(since=0), "counted from 1"),
        (early_stopping(since=1, strict=False), "equal loss"),
        (early_stopping(since=1, late=1), "too long|too many"),
        (early_stopping(since=1, best_of=lambda losses: len(losses) - 1), "the lowest loss so far"),
        (lambda losses, patience: (1, 1), "Count epochs since"),
        (lambda losses, patience: 3, "two numbers"),
        (exchanged_at_the_end, "exchanged"),
    ],
    "07.combined_tricks": [
        ({"plain": [0.87, 0.88, 0.87]}, "give a dictionary"),
        ({"plain": [0.87, 0.88], "mine": [0.9, 0.91]}, "at least three seeds"),
        ({"plain": [87, 88, 87], "mine": [90, 91, 92]}, "percentages"),
        ({"plain": [0.87, 0.88, 0.87], "mine": [0.9, 0.9, 0.9]}, "the same number"),
        ({"plain": [0.87, 0.88, 0.87], "mine": [0.88, 0.88, 0.87]}, "gained most"),
    ],
    "08.he_deviation": [
        (0.01, "variance"),
        (0.0894, "Glorot"),
        (0.2, "the inputs count"),
        (0.0707, "factor 2"),
        (1.0, "number of inputs"),
    ],
    "08.skip_layer_gradient": [
        (skip_gradient(dx_of=lambda x, W, dy: (dy @ W.T) * (x > 0)), "dy goes straight"),
        (skip_gradient(dx_of=lambda x, W, dy: dy), "skip's part alone"),
        (skip_gradient(dx_of=lambda x, W, dy: dy + dy @ W.T), "slope of ReLU"),
        (skip_gradient(dx_of=lambda x, W, dy: dy + (dy @ W) * (x > 0)), "transposed"),
        (skip_gradient(dx_of=lambda x, W, dy: (dy + dy @ W.T) * (x > 0)), "path through W only"),
        (skip_gradient(dx_of=lambda x, W, dy: dy + (dy @ W.T) * (x >= 0)), "exactly 0"),
        (skip_gradient(dx_of=lambda x, W, dy: -dy), "two paths"),
        (skip_gradient(dx_of=lambda x, W, dy: dy.T), "dx has shape"),
        (skip_gradient(dw_of=lambda x, dy: x.T @ dy), "not x"),
        (skip_gradient(dw_of=lambda x, dy: dy.T @ x), "dense layer"),
        (lambda x, W, dy: dy, "two arrays"),
    ],
    "08.diagnoses": [
        ({"A": "zero weights"}, "A, B, C and D"),
        (DIAGNOSES | {"A": "overfitting"}, "none of the four"),
        (DIAGNOSES | {"D": "softmax twice"}, "does not move at all"),
        (DIAGNOSES | {"C": "labels mixed up"}, "jumps about"),
        (DIAGNOSES | {"B": "labels mixed up"}, "hangs above 1.46"),
        (DIAGNOSES | {"A": "softmax twice"}, "the two part"),
    ],
}
