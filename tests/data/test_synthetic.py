"""The generated data sets: balanced, repeatable, and as hard as they should be."""

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from dlkit import data, evaluate, models, training
from dlkit.data import synthetic


def test_shapes10_is_balanced_shuffled_and_repeats_by_seed():
    images, labels = synthetic.shapes10(200, seed=4)
    assert images.shape == (200, 32, 32, 3)
    assert images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [20] * 10
    assert (labels[:10] != np.arange(10)).any()
    again, _ = synthetic.shapes10(200, seed=4)
    other, _ = synthetic.shapes10(200, seed=5)
    np.testing.assert_array_equal(images, again)
    assert (images != other).any()


def test_shapes10_color_does_not_reveal_the_class():
    images, labels = synthetic.shapes10(1500, seed=0)
    colors = np.stack([images[labels == k].mean(axis=(0, 1, 2)) for k in range(10)])
    assert colors.std(axis=0).max() < 6, "mean colors of the classes, of 255"


@pytest.mark.parametrize("shape", synthetic.SHAPES)
def test_distance_has_an_inside_and_an_outside(shape):
    v, u = np.mgrid[-1.2:1.2:40j, -1.2:1.2:40j]
    distance = synthetic._distance(shape, u, v)
    assert 0.1 < (distance < 0).mean() < 0.6
    assert (distance[0] > 0).all(), "nothing of it touches the border"


def test_scenes_have_boxes_and_masks_that_agree():
    images, masks, boxes, labels = synthetic.shapes10_scenes(60, seed=3)
    assert images.shape == (60, 64, 64, 3)
    assert {len(found) for found in labels} == {1, 2, 3}
    for mask, scene_boxes, scene_labels in zip(masks, boxes, labels, strict=True):
        assert set(np.unique(mask)) - {0} == set(scene_labels + 1)
        covered = np.zeros(mask.shape, bool)
        for (left, top, right, bottom), label in zip(scene_boxes.astype(int), scene_labels, strict=True):
            inside = mask[top:bottom, left:right] == label + 1
            assert inside[0].any(), "the box touches its shape at the top"
            assert inside[-1].any(), "at the bottom"
            assert inside[:, 0].any(), "at the left"
            assert inside[:, -1].any(), "and at the right"
            covered[top:bottom, left:right] = True
        assert not mask[~covered].any(), "no shape sticks out of all boxes"
    np.testing.assert_array_equal(images, synthetic.shapes10_scenes(60, seed=3)[0])


def test_scenes_hold_only_the_given_shapes():
    _, masks, _, labels = synthetic.shapes10_scenes(30, shapes=("cross", "ring"), seed=3)
    assert set(np.concatenate(labels)) == {1, 5}
    assert set(np.unique(masks)) == {0, 2, 6}


def test_digits28_keeps_digits_and_labels():
    images, labels = data.load("digits").train
    made, made_labels = synthetic.digits28(images[:50], labels[:50], 300, seed=1)
    assert made.shape == (300, 28, 28)
    ink = (made > 60).mean(axis=(1, 2))
    assert ink.min() > 0.05, "no digit was moved out of its image"
    assert set(made_labels) <= set(labels[:50])


@pytest.mark.slow
def test_shapes10_ranks_models_as_photographs_do():
    """Linear < MLP < CNN < residual network, each after a short training on 10,000 images."""
    (images, labels), (test_images, test_labels) = synthetic.shapes10(10_000, seed=0), synthetic.shapes10(3_000, seed=1)
    keras.utils.set_random_seed(0)
    train_ds = data.pipeline(images, labels, batch_size=32, training=True)
    cycle = keras.optimizers.SGD(training.OneCycle(0.1, 4 * len(train_ds)), momentum=0.9, nesterov=True)
    plans = {
        "linear": (models.build_mlp((32, 32, 3), 10, hidden=()), "adam", 3),
        "mlp": (models.build_mlp((32, 32, 3), 10, hidden=(256, 128)), "adam", 3),
        "cnn": (models.build_classic_cnn((32, 32, 3), 10), "adam", 4),
        "resnet": (models.build_small_resnet((32, 32, 3), 10, channels=(32, 48, 96)), cycle, 4),
    }
    found = {}
    for name, (model, optimizer, epochs) in plans.items():
        model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy())
        model.fit(train_ds, epochs=epochs, verbose=0, shuffle=False)
        found[name] = accuracy_score(test_labels, evaluate.predict_probs(model, test_images).argmax(axis=1))
    print(found)
    assert found["linear"] > 0.15
    assert found["mlp"] > found["linear"] + 0.03
    assert found["cnn"] > found["mlp"] + 0.2
    assert found["resnet"] > found["cnn"]
