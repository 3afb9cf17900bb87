"""Other right ways and typical mistakes for the exercises of notebooks 16 to 20, for test_exercises.

Each mistake comes with a word of the hint that it should get.
"""

import keras
import numpy as np


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


def minimal_gated(turned=False, inside=True, after=False, squeeze=np.tanh):
    def step(x, h, gate, content):
        f = 0.5 * (1 + np.tanh((x @ gate[0] + h @ gate[1] + gate[2]) / 2))
        remembered = f * (h @ content[1]) if after else (f * h if inside else h) @ content[1]
        new = squeeze(x @ content[0] + remembered + content[2])
        return h + (new - h) * (1 - f if turned else f)

    return step


def mean_of_words(vectors, tokens, count=lambda real: max(len(real), 1), keep=lambda numbers: numbers != 0):
    means = []
    for row, numbers in zip(vectors, tokens, strict=True):
        real = row[keep(numbers)]
        means.append(real.sum(axis=0) / count(real))
    return np.array(means)


def shares_row_by_row(scores, last=lambda i: i + 1, normalise=True, stable=True, before=True):
    n = len(scores)
    shares = np.zeros((n, n))
    for i, row in enumerate(scores):
        seen = row[: last(i)] if before else row
        exponentials = np.exp(seen - seen.max() * stable) if len(seen) else seen
        exponentials = exponentials / exponentials.sum() if normalise else exponentials
        shares[i, : last(i)] = exponentials[: last(i)]
    return shares


def loss_with_a_loop(logits, truth, real, count=lambda real: real.sum(), ignore=False, stable=True, base=np.e):
    total = 0.0
    for row, pieces, marks in zip(logits, truth, real, strict=True):
        for scores, piece, mark in zip(row, pieces, marks, strict=True):
            scores = scores - scores.max() * stable
            log_share = (scores[piece] - np.log(np.exp(scores).sum())) / np.log(base)
            total -= log_share * (1 if ignore else mark)
    return total / count(real)


def first_words(vectors, tokens):
    """Counts the words, and takes as many vectors from the front."""
    counts = (tokens != 0).sum(axis=1)
    return np.array([row[:count].mean(axis=0) for row, count in zip(vectors, counts, strict=True)])


def up_to_the_first_padding(vectors, tokens):
    counts = [list(row).index(0) if 0 in row else len(row) for row in tokens]
    return np.array([row[:count].sum(axis=0) / max(count, 1) for row, count in zip(vectors, counts, strict=True)])


def softmax(z):
    exponentials = np.exp(z)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def shares_with(scores, softmax):
    return softmax(np.where(np.tri(len(scores), dtype=bool), scores, -np.inf))


def real_in_front(logits, truth, real):
    return loss_with_a_loop(logits, truth, np.arange(real.shape[1]) < real.sum(axis=1, keepdims=True))


def loss_with_epsilon(logits, truth, real):
    p = softmax(logits - logits.max(axis=-1, keepdims=True))
    of_truth = np.take_along_axis(p, truth[..., None], axis=-1)[..., 0]
    return -(np.log(of_truth + 1e-12) * real).sum() / real.sum()


def loss_below_the_largest(logits, truth, real):
    p = softmax(logits - logits.max())
    of_truth = np.take_along_axis(p, truth[..., None], axis=-1)[..., 0]
    return -(np.log(of_truth) * real).sum() / real.sum()


LONG = "a good film that is not too long"


def changed(function, **options):
    return lambda *args: function(*args, **options)


ANOTHER_WAY = {
    "16.two_steps": -0.642,
    "16.gradient_of_a": gradient_by_sensitivity,
    "16.how_long": {5: 1.0, 30: 0.93, 100: 0.7, 300: 0.52},
    "17.cell": 1.381,
    "17.mgu_step": minimal_gated(),
    "17.honest_forecast": {"naive": 41.957, "linear": 32.3, "yours": 45.0},
    "18.idf": 1.693,
    "18.masked_mean": mean_of_words,
    "18.one_word": {"before": LONG, "after": LONG.replace("good", "dull"), "probs": [0.6, 0.49]},
    "19.three_keys": 16.36,
    "19.causal_shares": shares_row_by_row,
    "19.quadratic": {100: 0.2, 500: 0.6, 1000: 2.0, 2000: 9},
    "20.masks": 24.0,
    "20.masked_loss": lambda logits, truth, real: loss_with_a_loop(logits, truth, real),
    "20.pieces_per_word": {200: 3.2, 500: 2.4, 4000: 1.4, 10_000: 1.1},
}

UNUSUAL_WAYS = {
    "18.masked_mean": [
        lambda vectors, tokens: np.einsum("ntd,nt->nd", vectors, tokens > 0) / np.c_[(tokens > 0).sum(axis=1)].clip(1)
    ],
    "19.causal_shares": [lambda scores: shares_with(scores, lambda z: np.asarray(keras.ops.softmax(z)))],
    "19.quadratic": [{512: 0.6, 1024: 2.0, 2048: 9.0, 4096: 40.0}],
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
    "17.cell": [
        (np.tanh(1.3808), "shown"),
        (1.5, "tanh(1)"),
        (2.7616, "half open"),
        (0.381, "old 2"),
        (0.0, "closed"),
        (3.0, "sigmoid(0)"),
    ],
    "17.mgu_step": [
        (minimal_gated(turned=True), "turned round"),
        (minimal_gated(inside=False), "inside"),
        (minimal_gated(after=True), "before W_h"),
        (minimal_gated(squeeze=lambda z: z), "lacks its tanh"),
        (lambda x, h, gate, content: x, "shape of h"),
        (lambda x, h, gate, content: np.resize(minimal_gated()(x, h, gate, content), (6, 4)), "this has (6, 4)"),
        (lambda x, h, gate, content: h, "line by line"),
    ],
    "17.honest_forecast": [
        ({"naive": 41.957, "linear": 32.3}, "yours"),
        ({"naive": 30.568, "linear": 25.1, "yours": 27.0}, "6 months ahead"),
        ({"naive": 1760.4, "linear": 1042.0, "yours": 1000.0}, "root"),
        ({"naive": 41.957, "linear": 32.3, "yours": 21.0}, "too good"),
        ({"naive": 41.957, "linear": 44.0, "yours": 33.0}, "aligned"),
        ({"naive": 60.0, "linear": 44.0, "yours": 33.0}, "which months"),
        ({"naive": [41.957], "linear": 44.0, "yours": 33.0}, "one positive number"),
    ],
    "18.idf": [
        (0.6931, "+ 1 at the end"),
        (2.0986, "both counts"),
        (1.301, "natural"),
        (0.307, "above"),
        (1.2877, "only one"),
    ],
    "18.masked_mean": [
        (lambda vectors, tokens: vectors.mean(axis=1), "still in the mean"),
        (changed(mean_of_words, count=lambda real: 5), "number of words"),
        (changed(mean_of_words, count=lambda real: 1), "sum"),
        (changed(mean_of_words, count=len), "nan"),
        (changed(mean_of_words, keep=lambda numbers: numbers == 1), "not 0"),
        (lambda vectors, tokens: vectors.mean(axis=2), "one vector"),
        (first_words, "in front of the words"),
        (up_to_the_first_padding, "may stand anywhere"),
        (lambda vectors, tokens: mean_of_words(vectors, tokens[:, :5], count=len), "nan"),
    ],
    "18.one_word": [
        ({"before": LONG}, "give"),
        ({"before": LONG, "after": LONG, "probs": (0.9, 0.1)}, "same"),
        ({"before": LONG, "after": "a bad film that is not long", "probs": (0.9, 0.1)}, "one word"),
        ({"before": LONG, "after": f"{LONG} at all", "probs": (0.9, 0.1)}, "one word"),
        ({"before": LONG, "after": f"{LONG} dull", "probs": (0.55, 0.1)}, "60 %"),
        ({"before": LONG, "after": f"{LONG} dull", "probs": (0.9, 0.7)}, "not broken"),
        ({"before": LONG, "after": f"{LONG} dull", "probs": (90, 10)}, "between 0 and 1"),
    ],
    "19.three_keys": [
        (13.195, "d_k = 4"),
        (18.226, "not by d_k"),
        (10.533, "multiplied"),
        (10.0, "mixes"),
        (20.0, "plain mean"),
        (16.0, "mix the values"),
    ],
    "19.causal_shares": [
        (changed(shares_row_by_row, last=lambda i: 5), "words after it"),
        (changed(shares_row_by_row, before=False), "no longer sum"),
        (changed(shares_row_by_row, last=lambda i: i + 2), "too many"),
        (changed(shares_row_by_row, stable=False), "largest score that it may see"),
        (lambda scores: np.nan_to_num(shares_with(scores, softmax)), "wrong for scores of 1000"),
        (lambda scores: shares_with(np.clip(scores, -50, 50), softmax), "wrong for scores of 1000"),
        (lambda scores: shares_with(scores - scores.max(), softmax), "wrong for scores of 1000"),
        (lambda scores: shares_row_by_row(np.where(scores == 0, -np.inf, scores)), "exactly 0|-inf"),
        (changed(shares_row_by_row, normalise=False), "-inf"),
        (lambda scores: shares_row_by_row(scores[::-1, ::-1])[::-1, ::-1], "other triangle"),
        (lambda scores: scores[0], "shape"),
    ],
    "19.quadratic": [
        ({512: 1.0}, "four lengths"),
        ({64: 1, 128: 2, 256: 4, 512: 16}, "2,000"),
        ({512: 6e-4, 1024: 2e-3, 2048: 9e-3, 4096: 0.04}, "give milliseconds"),
        ({512: 600, 1024: 2000, 2048: 9000, 4096: 40_000}, "give milliseconds"),
        ({512: 1, 1024: 1.1, 2048: 1.3, 4096: 2}, "longer rows"),
        ({512: 1, 1024: 1.1, 2048: 1.3, 4096: 90}, "more runs"),
        ({512: 1, 1024: 1.1, 2048: -1.3, 4096: 90}, "positive"),
    ],
    "20.masks": [(30, "chosen"), (27, "stay"), (160, "only 15 %"), (3, "random"), ([24], "one number")],
    "20.masked_loss": [
        (changed(loss_with_a_loop, ignore=True, count=np.size), "use `real`"),
        (changed(loss_with_a_loop, count=np.size), "not by all places"),
        (changed(loss_with_a_loop, count=lambda real: 1), "sum"),
        (changed(loss_with_a_loop, count=lambda real: -real.sum()), "sign"),
        (changed(loss_with_a_loop, base=2), "natural"),
        (changed(loss_with_a_loop, stable=False), "ln p without p"),
        (loss_with_epsilon, "ln p without p"),
        (loss_below_the_largest, "each place's largest"),
        (lambda *given: np.nan_to_num(loss_below_the_largest(*given)), "each place's largest"),
        (real_in_front, "anywhere in a row"),
        (lambda logits, truth, real: real, "one number"),
    ],
    "20.pieces_per_word": [
        ({500: 2.4, 8000: 1.2}, "four sizes"),
        ({1000: 2.4, 2000: 1.8, 4000: 1.5, 8000: 1.2}, "500 or fewer"),
        ({500: 0.8, 2000: 0.7, 4000: 0.6, 8000: 0.5}, "one piece at least"),
        ({500: 80.0, 2000: 70.0, 4000: 60.0, 8000: 50.0}, "letters"),
        ({500: 2.4, 2000: 2.4, 4000: 2.4, 8000: 2.4}, "anew"),
    ],
}
