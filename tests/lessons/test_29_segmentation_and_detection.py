"""Tests the code of lesson 29 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import average_precision_score

from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


def draw_boxes(count):
    corner, size = RNG.uniform(0, 40, (count, 2)), RNG.uniform(5, 30, (count, 2))
    return np.concatenate([corner, corner + size], axis=1)


def test_mask_iou_counts_pixels(lesson):
    masks, predicted = RNG.integers(0, 4, (2, 5, 8, 8))
    iou = lesson.mask_iou(masks, predicted, 4)
    for k in range(4):
        a, b = masks == k, predicted == k
        assert iou[k] == pytest.approx((a & b).sum() / (a | b).sum())


def test_mask_iou_of_a_missing_class_is_nan(lesson):
    masks = np.zeros((1, 4, 4), int)
    assert np.isnan(lesson.mask_iou(masks, masks, 2)[1])


def test_box_iou_equals_that_of_masks(lesson):
    def paint(box):
        mask = np.zeros((40, 40), bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        return mask

    corner, size = RNG.integers(0, 20, (12, 2)), RNG.integers(3, 20, (12, 2))
    boxes = np.concatenate([corner, corner + size], axis=1)
    iou = lesson.box_iou(boxes[:5], boxes[5:])
    for j, a in enumerate(map(paint, boxes[:5])):
        for k, b in enumerate(map(paint, boxes[5:])):
            assert iou[j, k] == pytest.approx((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_nms_equals_tensorflow(lesson, threshold):
    for count in (1, 2, 30):
        boxes, scores = draw_boxes(count), RNG.random(count)
        theirs = tf.image.non_max_suppression(boxes, scores, count, iou_threshold=threshold)
        assert lesson.nms(boxes, scores, threshold).tolist() == theirs.numpy().tolist()
    assert len(lesson.nms(np.zeros((0, 4)), np.zeros(0), threshold)) == 0


def test_match_uses_each_box_once(lesson):
    true = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], float)
    found = np.array([[0, 0, 10, 10], [0, 0, 10, 11], [20, 20, 30, 31], [50, 50, 60, 60]], float)
    assert lesson.match(found, np.array([0.5, 0.9, 0.8, 0.7]), true).tolist() == [False, True, True, False]
    assert lesson.match(found, np.arange(4), np.zeros((0, 4))).tolist() == [False] * 4


def test_average_precision_equals_the_area_of_its_staircase(lesson):
    for _ in range(10):
        hits, scores = RNG.random(30) < 0.5, RNG.random(30)
        raw = average_precision_score(hits, scores)
        ours = lesson.average_precision(scores, hits, hits.sum(), envelope=False)
        assert ours == pytest.approx(raw)
        assert lesson.average_precision(scores, hits, hits.sum()) >= ours - 1e-12
    assert lesson.average_precision(scores, hits, 2 * hits.sum(), envelope=False) == pytest.approx(raw / 2)


def test_perfect_boxes_have_map_one_and_missing_ones_less(lesson):
    boxes, labels = [draw_boxes(3), draw_boxes(2)], [np.array([0, 1, 2]), np.array([1, 2])]
    perfect = [(b, np.ones(len(b)), k) for b, k in zip(boxes, labels, strict=True)]
    assert lesson.mean_ap(perfect, boxes, labels) == pytest.approx(1)
    assert lesson.mean_ap([*perfect[:1], (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))], boxes, labels) < 1
    wrong = [(b, s, (k + 1) % 3) for b, s, k in perfect]
    assert lesson.mean_ap(wrong, boxes, labels) < 0.2


def test_decode_reverses_make_targets(lesson):
    """The boxes that the targets describe are the true ones."""
    boxes = [np.array([[4, 8, 30, 40], [34, 30, 60, 55]], "float32")]
    labels = [np.array([0, 2])]
    targets = lesson.make_targets(boxes, labels, 3)
    outputs = targets.copy()
    outputs[..., :3] = np.where(targets[..., :3] == 1, 9.0, -9.0)
    [(found, scores, kinds)] = lesson.decode(outputs)
    order = np.argsort(kinds)
    np.testing.assert_allclose(found[order], boxes[0], atol=1e-4)
    assert kinds[order].tolist() == [0, 2]
    assert (scores > 0.9).all()


def test_areas_as_boxes_draws_one_box_around_each_area(lesson):
    mask = np.zeros((20, 30), int)
    mask[2:6, 3:9], mask[10:15, 20:28] = 1, 2
    probabilities = 0.85 * np.eye(3)[mask] + 0.05
    [(found, scores, kinds)] = lesson.areas_as_boxes(probabilities[None])
    assert found.tolist() == [[3, 2, 9, 6], [20, 10, 28, 15]]
    assert scores.tolist() == pytest.approx([0.9, 0.9])
    assert kinds.tolist() == [0, 1]
    mask[mask == 2] = 1
    mask[6:12, 8:21] = 1  # joins both
    [(found, _, _)] = lesson.areas_as_boxes(np.eye(3)[mask[None]])
    assert found.tolist() == [[3, 2, 28, 15]]
    assert lesson.areas_as_boxes(np.eye(3)[np.zeros((1, 4, 4), int)])[0][0].shape == (0, 4)


def test_focal_loss_without_focus_is_cross_entropy(lesson):
    targets = (RNG.random((3, 16, 16, 3)) < 0.02).astype("float32")
    logits = RNG.normal(size=targets.shape).astype("float32")
    total = keras.ops.sum(keras.ops.binary_crossentropy(targets, logits, from_logits=True))
    ours = lesson.focal_loss(targets, logits, gamma=0.0, beta=4.0)
    assert float(ours) == pytest.approx(float(total) / targets.sum(), rel=1e-4)


def test_dice_loss_of_perfect_masks_is_zero_and_of_wrong_ones_one(lesson):
    masks = RNG.integers(0, 4, (2, 8, 8))
    logits = 40.0 * np.eye(4, dtype="float32")[masks]
    assert float(lesson.dice_loss(masks, logits)) == pytest.approx(0, abs=1e-3)
    assert float(lesson.dice_loss((masks + 1) % 4, logits)) == pytest.approx(1, abs=0.02)


def test_read_pairs_keeps_class_numbers_and_finds_missing_masks(lesson, tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    mask = np.kron(RNG.integers(0, 4, (6, 6)), np.ones((20, 20))).astype("uint8")
    Image.fromarray(RNG.integers(0, 255, (120, 120, 3)).astype("uint8")).save(tmp_path / "images" / "a.jpg")
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    images, masks = lesson.read_pairs(tmp_path, 48)
    assert images.shape == (1, 48, 48, 3)
    assert masks.shape == (1, 48, 48)
    assert set(np.unique(masks)) <= set(np.unique(mask))
    Image.fromarray(mask).save(tmp_path / "images" / "b.png")
    with pytest.raises(FileNotFoundError, match="b"):
        lesson.read_pairs(tmp_path, 48)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def overlap(a, b):
    low, high = np.maximum(a[:2], b[..., :2]), np.minimum(a[2:], b[..., 2:])
    inside = np.clip(high - low, 0, None).prod(axis=-1)
    return inside / ((a[2:] - a[:2]).prod() + (b[..., 2:] - b[..., :2]).prod(axis=-1) - inside)


def soft(*, power=2, fixed=None, original=False, in_place=False, ordered=False, hard=False):
    def function(boxes, scores, sigma):
        new = scores if in_place else scores.copy()
        waiting = np.ones(len(boxes), bool)
        while waiting.any():
            best = np.argmax(np.where(waiting, scores if original else new, -1))
            waiting[best] = False
            iou = overlap(boxes[best], boxes)
            factor = (iou < 0.5) if hard else np.exp(-(iou**power) / (fixed or sigma))
            new[waiting] *= factor[waiting]
        if ordered:
            new = np.sort(new)[::-1]
        return new

    return function


def rate(*, count=2_000, edges=4, fixed=False, factor=1, above=True, per_box=False):
    def function(side, noise, threshold, seed):
        rng = np.random.default_rng(0 if fixed else seed)
        true = np.array([0, 0, side, side], float)
        draws = rng.normal(0, noise, (count, edges))
        iou = overlap(true, true + np.tile(draws, 4 // edges))
        if per_box:
            return iou >= threshold
        return factor * np.mean(iou >= threshold if above else iou < threshold)

    return function


ALTERNATIVES = {
    "29.largest_shift": [20 - np.sqrt(800 / 3), 3.67, np.float32(3.6701)],
    "29.soft_nms": [soft(), lambda boxes, scores, sigma: soft()(boxes, scores, sigma).tolist()],
    "29.hit_rate": [rate(), rate(count=10_000)],
}

MISTAKES = {
    "29.largest_shift": [
        (1 - np.sqrt(2 / 3), "pixels"),
        (5.858, "union"),
        (6.667, "one direction"),
        (10, "a quarter"),
        (16.33, "side of the intersection"),
        (5.19, "diagonal"),
        (4, "solve"),
        ("4", "one number"),
    ],
    "29.soft_nms": [
        (soft(power=1), "squared"),
        (soft(fixed=1.0), "by sigma"),
        (soft(original=True), "lowered"),
        (soft(in_place=True), "a copy"),
        (soft(ordered=True), "not sorted"),
        (lambda boxes, scores, sigma: 0.5, "in the order"),
        (soft(hard=True), "multiply|not changed"),
        (lambda boxes, scores, sigma: scores.copy(), "not changed"),
    ],
    "29.hit_rate": [
        (rate(factor=100), "fraction"),
        (rate(edges=2), "each of the four"),
        (rate(fixed=True), "every seed"),
        (rate(above=False), "at least|between"),
        (rate(per_box=True), "one number"),
    ],
}


class TestExercises(ExerciseTests):
    pass
