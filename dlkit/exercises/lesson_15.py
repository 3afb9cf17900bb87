"""Checkers of lesson 15."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_returned, check_shape, checker, first_match


def _log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


@checker("15.temperature")
def temperature(answer):
    """Checks T (q - p) for the teacher's logits (4, 2, 0), equal logits of the student, and T = 2."""
    answer = np.asarray(answer, float).ravel()
    if hint := check_shape(answer, (3,), "give three numbers, in the order of the logits"):
        return hint
    teacher, q = np.array([4.0, 2.0, 0.0]), 1 / 3
    p, usual, sharp = (np.exp(_log_softmax(teacher * factor)) for factor in (1 / 2, 1, 2))
    if np.allclose(answer, 2 * (q - p), atol=0.006):
        return None
    hints = [
        (p, "these are the teacher's soft labels p; the gradient is T (q - p)"),
        (2 * (p - q), "the sign: the gradient is prediction minus target, q - p"),
        ((q - p) / 2, "that is the gradient of KL alone; the loss is T² times KL"),
        (q - p, "that is q - p; the chain rule gives 1/T, and the loss has the factor T²"),
        (4 * (q - p), "the factor is T² · 1/T = T, not T²"),
        (2 * (q - usual), "p is the softmax at temperature 1 here; divide the teacher's logits by 2 first"),
        (2 * (q - sharp), "the logits are divided by the temperature, not multiplied"),
    ]
    total = answer.sum()
    default_hint = "compute p = softmax(2, 1, 0); q is 1/3 for each class; the gradient is T (q - p)"
    if abs(total) > 0.03:
        default_hint = f"p and q both sum to 1, so the gradient sums to 0, but this sums to {total:.3f}"
    return first_match(answer, hints, default_hint, atol=0.006)


@checker("15.distillation_loss")
def distillation_loss(student):
    """Checks (1 - alpha) times the cross-entropy plus alpha T² times the mean KL divergence from the teacher."""
    rng = np.random.default_rng(0)
    for shape in ((6, 4), (3, 7)):
        ours, theirs = rng.normal(0, 3, (2, *shape))
        labels = rng.integers(0, shape[1], shape[0])
        found = student(ours.copy(), theirs.copy(), labels.copy(), 3.0, 0.3)
        if hint := check_shape(found, (), "the loss is one number, the mean over the rows"):
            return hint
        if not np.isclose(found, _mixed_loss(ours, theirs, labels, 3.0, 0.3), rtol=1e-4):
            return _hint_for_loss(float(found), ours, theirs, labels)
    ours = 300 * ours + np.array([[0], [-4000], [4000]])  # one row is much lower than the others
    theirs, labels = 300 * theirs, ours.argmin(axis=1)
    with np.errstate(all="ignore"):
        large = student(ours, theirs, labels, 2.0, 0.5)
    if not np.isclose(large, _mixed_loss(ours, theirs, labels, 2.0, 0.5), rtol=1e-4):
        return (
            f"this is correct for small logits, but logits of 1000 give {large:.4g}: "
            "first subtract each row's largest logit, and compute log p without computing p"
        )
    return None


def _divergences(p, q):
    """The divergence of each row; p and q are the logits of the two distributions."""
    return np.sum(np.exp(_log_softmax(p)) * (_log_softmax(p) - _log_softmax(q)), axis=1)


def _hard_losses(logits, labels):
    return -_log_softmax(logits)[np.arange(len(labels)), labels]


def _mixed_loss(ours, theirs, labels, T, alpha):
    soft = T**2 * _divergences(theirs / T, ours / T).mean()
    return (1 - alpha) * _hard_losses(ours, labels).mean() + alpha * soft


def _hint_for_loss(found, ours, theirs, labels):
    """The hint for a wrong loss at temperature 3 and alpha 0.3."""
    hard, soft = _hard_losses(ours, labels), _divergences(theirs / 3, ours / 3)
    entropies = _divergences(theirs / 3, 0 * theirs) - np.log(theirs.shape[1])  # minus the entropy of each row
    rows = [
        (0.7 * hard + 0.3 * soft, "the factor T² is missing: without it the soft loss fades as T grows"),
        (0.7 * hard + 0.3 * 3 * soft, "the factor is T², not T"),
        (0.3 * hard + 0.7 * 9 * soft, "alpha is the weight of the soft loss, 1 - alpha that of the hard loss"),
        (hard + 0.3 * 9 * soft, "the hard loss has the weight 1 - alpha"),
        (0.7 * _hard_losses(ours / 3, labels) + 2.7 * soft, "the hard loss uses temperature 1: the logits undivided"),
        (0.7 * _hard_losses(theirs, labels) + 2.7 * soft, "the hard loss is that of the student's logits"),
        (
            0.7 * hard + 2.7 * _divergences(ours / 3, theirs / 3),
            "teacher and student are exchanged in KL",
        ),
        (0.7 * hard + 2.7 * (soft - entropies), "that is a cross-entropy; subtract the teacher's own entropy"),
        (0.7 * hard + 2.7 * _divergences(theirs, ours), "divide both logits by the temperature in the soft loss"),
        (0.7 * hard + 2.7 * _divergences(3 * theirs, 3 * ours), "the logits are divided by T, not multiplied"),
    ]
    right = 0.7 * hard + 2.7 * soft
    hints = [(values.mean(), hint) for values, hint in rows]
    hints += [(right.sum(), "take the mean over the rows, not the sum")]
    hints += [(0.7 * hard.mean() + 2.7 * soft.mean() / ours.shape[1], "sum over the classes; only rows are averaged")]
    default_hint = "compute (1 - alpha) · cross-entropy + alpha · T² · KL, with p and q from softmax(logits / T) in KL"
    return next((hint for value, hint in hints if np.isclose(found, value, rtol=1e-4)), default_hint)


class _Lab:
    """Simulated trainings: the true gains are known, and the two trainings of a seed have noise in common."""

    counts = (5, 20, 100)

    def __init__(self, number):
        self.number = number
        self.gains = dict(zip(self.counts, np.random.default_rng(number).normal(0, 0.02, 3), strict=True))
        self.choice, self.test = [0, 1, 2], [10, 11, 12, 13]

    def accuracy(self, count, both, seed):
        common = np.random.default_rng([self.number, count, seed]).normal(0, 0.05)
        own = np.random.default_rng([self.number, count, seed, int(both)]).normal(0, 0.02)
        return 0.6 + common + own + (self.gains[count] if both else 0)

    def protocol(self, *, choose="choice", measure="test", paired=True, ddof=1, root=True):
        """What the exercise asks for or, with other options, what a typical mistake returns."""
        seeds = {"choice": self.choice, "test": self.test, "all": self.choice + self.test}
        runs = {
            (count, name): np.array([[self.accuracy(count, both, s) for s in used] for both in (False, True)])
            for count in self.counts
            for name, used in seeds.items()
        }
        best = max(self.counts, key=lambda count: np.diff(runs[count, choose], axis=0).mean())
        alone, both = runs[best, measure]
        spread = np.std(both - alone, ddof=ddof) if paired else np.hypot(np.std(both, ddof=1), np.std(alone, ddof=1))
        return best, np.mean(both - alone), spread / np.sqrt(len(both) if root else 1)


_SLIPS = [
    ({"choose": "test"}, "the count is chosen on the test seeds here, so its gain is too large: use choice_seeds"),
    ({"choose": "all"}, "the count may depend on choice_seeds only"),
    ({"measure": "choice"}, "the gain is measured on the seeds that chose the count: use test_seeds"),
    ({"measure": "all"}, "the gain may depend on test_seeds only"),
    ({"ddof": 0}, "divide by n - 1 in the standard deviation: np.std(gains, ddof=1)"),
    ({"root": False}, "that is the standard deviation; the standard error of the mean is smaller by √n"),
    ({"paired": False}, "two trainings of a seed are a pair: take the standard deviation of their differences"),
]


@checker("15.second_task")
def second_task(student):
    """Checks a function that chooses a count on some seeds and measures its gain on others."""
    labs = [_Lab(number) for number in range(12)]
    found = []
    for lab in labs:
        result = student(lab.accuracy, list(lab.counts), list(lab.choice), list(lab.test))
        if hint := check_returned(result):
            return hint
        if not isinstance(result, (tuple, list)) or len(result) != 3:
            return "return three values: the chosen count, its mean gain, and the standard error of the gain"
        found.append(tuple(map(float, result)))

    def fits(**options):
        return np.allclose(found, [lab.protocol(**options) for lab in labs], rtol=1e-4, atol=1e-8)

    if fits():
        return None
    if hint := next((hint for options, hint in _SLIPS if fits(**options)), None):
        return hint
    expected = np.array([lab.protocol() for lab in labs])
    wrong = ~np.isclose(found, expected, rtol=1e-4, atol=1e-8).all(axis=0)
    hints = (
        "the chosen count is not the one with the largest mean gain over choice_seeds",
        "the second value is not the mean over test_seeds of the gain: the accuracy with both tasks minus that without",
        "the third value is not np.std(gains, ddof=1) / √n of the gains over test_seeds",
    )
    return hints[int(np.argmax(wrong))]
