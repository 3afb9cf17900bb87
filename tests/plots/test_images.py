"""dlkit.plots.images: titles, colors and sizes of image grids and confusion matrices."""

import warnings

import numpy as np
import pytest

from dlkit import plots
from dlkit.plots import style
from tests.plots.helpers import texts

GRAY_IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8)).astype("uint8")
PROBS = np.full((7, 3), 0.2) + 0.4 * np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]


def test_plot_images_draws_the_titles():
    fig = plots.plot_images(GRAY_IMAGES, [f"image {k}" for k in range(7)], columns=4)
    assert len(fig.axes) == 8
    assert "image 6" in texts(fig)
    assert plots.plot_images(np.zeros((2, 4, 4, 3), "uint8")).get_size_inches()[0] == 7


def test_plot_predictions_shows_the_true_class_of_incorrect_ones():
    fig = plots.plot_predictions(GRAY_IMAGES[:2], np.array([0, 2]), PROBS[:2], ["a", "b", "c"])
    assert texts(fig)[0] == "a 60%\n"
    assert texts(fig)[1] == "b 60%\nis c"
    assert fig.axes[1].title.get_color() == plots.RED


def drawn(images, **options):
    """The pixels that `plot_images` draws, from 0 to 255, one array for each image."""
    axes = plots.plot_images(images, columns=len(images), **options).axes
    return [np.asarray(ax.images[0].get_array()) for ax in axes]


RAMP = np.linspace(0, 1, 48).reshape(1, 4, 4, 3)


@pytest.mark.parametrize(
    "images",
    [RAMP, 2 * RAMP - 1, 255 * RAMP, np.round(255 * RAMP).astype("uint8"), np.round(255 * RAMP).astype("int64")],
    ids=["0_to_1", "-1_to_1", "0_to_255", "uint8", "int64"],
)
def test_plot_images_scales_colors_by_the_known_range(images):
    np.testing.assert_allclose(drawn(images)[0], 255 * RAMP[0], atol=1)


def test_plot_images_keeps_the_brightness_of_gray_images():
    dark, light = drawn([np.full((4, 4), 0.2), np.linspace(0, 1, 16).reshape(4, 4)])
    assert dark.max() == 51
    assert light.max() == 255


def test_plot_images_stretches_other_ranges_only_when_told_to():
    maps = np.stack([np.arange(16.0).reshape(4, 4) - 5, np.zeros((4, 4))])
    with pytest.raises(ValueError, match=r'Received: -5 to 10. Pass their value_range=.*"each"'):
        plots.plot_images(maps)
    first, constant = drawn(maps, value_range="each")
    assert (first.min(), first.max(), constant.max()) == (0, 255, 0)
    assert drawn(maps, value_range=(-5, 20))[0].max() == 153


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "one or more images. Received: none"),
        (np.zeros((0, 4, 4)), {}, r"Received: \(0, 4, 4\)"),
        (np.full((2, 4, 4), np.nan), {}, "finite images"),
        (np.zeros((4, 4)), {}, r"Received: \(4, 4\)"),
        (np.zeros((2, 4, 4)), {"titles": ["one"]}, "each of 2 images. Received: 1 titles"),
        (np.zeros((2, 4, 4)), {"columns": 0}, "columns to be an integer"),
    ],
)
def test_plot_images_refuses_what_it_cannot_draw(images, options, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_images(images, **options)


def test_plot_images_with_two_channels_is_refused_by_matplotlib():
    with pytest.raises(TypeError, match=r"Invalid shape \(4, 4, 2\)"):
        plots.plot_images(np.zeros((2, 4, 4, 2)))


@pytest.mark.parametrize(
    ("labels", "probs", "names", "message"),
    [
        ([0, 3], PROBS[:2], "abc", "labels of shape .*from 0 to 2"),
        ([0, 1], PROBS[:1], "abc", r"probs of shape \(2, 3\)"),
        ([0, 1], PROBS[:2], "ab", r"probs of shape \(2, 2\)"),
        ([0, 1], 3 * PROBS[:2], "abc", "a softmax"),
    ],
)
def test_plot_predictions_refuses_arguments_that_do_not_fit(labels, probs, names, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_predictions(GRAY_IMAGES[:2], labels, probs, list(names))


def test_plot_confusion_matrix_shows_the_counts():
    labels, predicted = [0] * 5 + [1] * 5, [0] * 5 + [0, 0, 1, 1, 1]
    fig = plots.plot_confusion_matrix(labels, predicted, ["cat", "dog", "never"])
    assert [text.get_text() for text in fig.axes[0].texts] == ["5", "2", "3"]
    assert [text.get_position() for text in fig.axes[0].texts] == [(0, 0), (0, 1), (1, 1)]
    assert fig.axes[0].get_xlabel() == "predicted class"


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [([0, 2], [0, 1], "labels of shape"), ([0, 1], [0, 2], "predicted of shape"), ([0, 1], [0], "predicted of shape")],
)
def test_plot_confusion_matrix_refuses_labels_that_do_not_fit(labels, predicted, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_confusion_matrix(labels, predicted, ["cat", "dog"])


def test_class_names_are_not_read_as_formulas():
    names = ["$1_$5", "US$_note", "a_b^c", "caf\udce9"]  # the last is a file name that is not UTF-8
    figures = [
        plots.plot_confusion_matrix(range(4), range(4), names, title=names[0]),
        plots.plot_predictions(GRAY_IMAGES[:4], range(4), np.eye(4), names, title=names[0]),
        plots.plot_curves({name: [1, 2] for name in names}, title=names[0]),
    ]
    for fig in figures:
        fig.canvas.draw()
        assert "$1_$5" in [text.get_text().replace(r"\$", "$") for ax in fig.axes for text in [ax.title]] + [
            fig.get_suptitle().replace(r"\$", "$")
        ]


@pytest.fixture
def only_dejavu(monkeypatch):
    """A machine that has the font of Matplotlib and no other."""
    monkeypatch.setattr(style, "FONTS", ["DejaVu Sans"])
    monkeypatch.setitem(style._STYLE, "font.family", ["DejaVu Sans"])
    style._code_points.cache_clear()
    yield
    style._code_points.cache_clear()


def test_chinese_class_names_without_a_font_are_boxes_with_one_message(only_dejavu):
    with pytest.warns(UserWarning, match="Install a font") as found:
        fig = plots.plot_confusion_matrix([0, 1], [0, 1], ["猫", "dog"])
    assert {warning.filename for warning in found} == {style.__file__}, "one place, so Python shows it once"
    assert [label.get_text() for label in fig.axes[0].get_xticklabels()] == ["□", "dog"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fig.canvas.draw()


@pytest.mark.skipif(len(style.FONTS) == 1, reason="no font for Chinese is installed")
def test_chinese_class_names_are_drawn_with_a_font_that_has_them():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fig = plots.plot_confusion_matrix([0, 1], [0, 1], ["猫", "狗"], title="猫和狗")
        fig.canvas.draw()
    assert fig.axes[0].get_xticklabels()[0].get_text() == "猫"


def test_plot_images_adapts_the_height_to_wide_images():
    square, wide = (
        plots.plot_images(np.zeros((2, 10, 10)), columns=2),
        plots.plot_images(np.zeros((2, 10, 20)), columns=2),
    )
    assert square.get_figheight() - wide.get_figheight() == pytest.approx(7 / 2 / 2)


def test_plot_images_takes_rounded_ends_of_a_range_for_the_range():
    image = np.array([[0, 1]], "float32")
    for rounded in (image * np.float32(1.0000001), image - np.float32(1e-7)):
        np.testing.assert_array_equal(drawn(rounded[None])[0], drawn(image[None])[0])
