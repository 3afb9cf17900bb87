"""Checkers of lesson 29."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker, first_match

SIDE = 20  # of the box in the exercise on paper, in pixels


@checker("29.largest_shift")
def largest_shift(answer):
    """Checks from which shift to the right and downward a square box of 20 pixels has an IoU below 0.5."""
    fraction = 1 - np.sqrt(2 / 3)
    hints = {
        fraction: "that is the shift as a fraction of the side; give pixels",
        SIDE * (1 - np.sqrt(1 / 2)): "there, the intersection is half of a box; IoU divides by the union, not by a box",
        SIDE / 3: "that is for a shift in one direction only; here both sides of the intersection become shorter",
        SIDE / 2: "there, only a quarter of the box is covered; write the intersection as (20 - s)²",
        SIDE * np.sqrt(2 / 3): "that is the side of the intersection; the shift is what is missing from 20",
        SIDE * np.sqrt(2) * fraction: "that is the length of the diagonal shift; give the shift in each direction",
    }
    default_hint = "with the intersection I = (20 - s)², the union is 800 - I; solve I / (800 - I) = 0.5 for s"
    return check_number(answer, "largest_shift", SIDE * fraction, hints, default_hint, tolerance=2e-3)


def _box_iou(a, b):
    width, height = (np.maximum(0, np.minimum(a[k + 2], b[k + 2]) - np.maximum(a[k], b[k])) for k in (0, 1))
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (area_a + area_b - width * height)


def _soft_nms(boxes, scores, sigma, *, square=True, from_original=False):
    new, waiting = np.array(scores, float), list(range(len(boxes)))
    while waiting:
        best = max(waiting, key=lambda k: (scores if from_original else new)[k])
        waiting.remove(best)
        for k in waiting:
            iou = _box_iou(boxes[best], boxes[k])
            new[k] *= np.exp(-(iou**2 if square else iou) / sigma)
    return new


def _draw_boxes(count, rng):
    corner, size = rng.uniform(0, 30, (count, 2)), rng.uniform(10, 40, (count, 2))
    return np.concatenate([corner, corner + size], axis=1), rng.uniform(0.1, 1, count)


@checker("29.soft_nms")
def soft_nms(student):
    """Compares with Soft-NMS for several numbers of boxes and strengths."""
    rng = np.random.default_rng(0)
    for count, sigma in ((1, 0.5), (2, 0.5), (3, 0.3), (9, 0.5), (14, 1.0)):
        boxes, scores = _draw_boxes(count, rng)
        before = boxes.copy(), scores.copy()
        found = student(boxes, scores, sigma)
        if hint := check_shape(found, (count,), f"for {count} boxes, return {count} scores in the order of the boxes"):
            return hint
        if not (np.array_equal(boxes, before[0]) and np.array_equal(scores, before[1])):
            return "your function changes an array that it is given; change a copy"
        found = np.asarray(found, float)
        if hint := _wrong_scores(found, *before, sigma):
            return hint
    return None


def _wrong_scores(found, boxes, scores, sigma):
    expected = _soft_nms(boxes, scores, sigma)
    if np.allclose(found, expected, atol=1e-6):
        return None
    wrong = [
        (scores, "the scores have not changed"),
        (_soft_nms(boxes, scores, sigma, square=False), "the IoU is squared in the exponent"),
        (_soft_nms(boxes, scores, 1.0), "divide the squared IoU by sigma"),
        (
            _soft_nms(boxes, scores, sigma, from_original=True),
            "choose the next box by the lowered scores, not by the original ones",
        ),
        (np.sort(expected)[::-1], "return the scores in the order of the boxes, not sorted"),
    ]
    default_hint = "take the best waiting box, multiply the other waiting scores by exp(-IoU² / sigma), and repeat"
    return first_match(found, wrong, default_hint, atol=1e-6)


@checker("29.hit_rate")
def hit_rate(student):
    """Runs the student's experiment for several sides and strengths of the noise, with several seeds each."""
    # (side, noise, threshold), and the range of correct fractions, from 200,000 boxes with a margin for 2,000
    cases = (
        ((40.0, 0.0, 1.0), (1.0, 1.0)),
        ((10.0, 2.0, 0.5), (0.637, 0.676)),
        ((14.0, 2.0, 0.5), (0.895, 0.924)),
        ((20.0, 2.0, 0.75), (0.435, 0.476)),
        ((12.0, 3.0, 0.5), (0.423, 0.463)),
    )
    for settings, (low, high) in cases:
        values = []
        for seed in range(4):
            value = student(*settings, seed)
            if hint := check_shape(value, (), "return one number, a fraction of the boxes"):
                return hint
            values.append(float(value))
        if value != student(*settings, 3):
            return "the same seed should give the same fraction; use np.random.default_rng(seed)"
        side, noise, threshold = settings
        name = f"for side {side:g}, noise {noise:g} and threshold {threshold:g}"
        if max(values) > 1:
            return "return a fraction between 0 and 1, not a percentage or a count"
        if low < high < 1 and len(set(values)) == 1:
            return f"{name}, every seed gives {values[0]:.3f}; draw the noise with np.random.default_rng(seed)"
        mean = float(np.mean(values))
        if low < high < 1 and low <= 1 - mean <= high:
            return f"{name}, yours is {mean:.3f}; count the boxes whose IoU is at least the threshold"
        if not low <= mean <= high:
            return (
                f"{name}, the mean over seeds should lie between {low} and {high}; yours is {mean:.3f}; move each of "
                "the four edges by its own draw, and divide by the union"
            )
    return None
