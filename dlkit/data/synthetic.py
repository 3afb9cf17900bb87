"""Generated images for lessons without a network and without data.

`shapes10` draws ten classes of colored shapes over textured, cluttered backgrounds. Position, size, tilt and hue are
random, so neither a color nor a single pixel identifies the class: a model has to find the outline. As in photographs
there are weak regularities too (most shapes are lighter than their background and not upside down). A linear model is
therefore better than chance, an MLP better than that, and a convolutional network best.
"""

import numpy as np
from PIL import Image

SIZE = 32  # width and height of the shapes' images
SHAPES = ("circle", "ring", "square", "triangle", "star", "cross", "crescent", "heart", "arrow", "hourglass")


def _distance(shape, u, v):
    """Signed distance (negative inside) to a shape of about unit radius, at the coordinates `u`, `v`."""
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    if shape == "circle":
        return radius - 0.85
    if shape == "ring":
        return np.abs(radius - 0.75) - 0.2
    if shape == "square":
        return np.maximum(np.abs(u), np.abs(v)) - 0.75
    if shape == "triangle":
        return np.maximum(-v, 0.5 * v + 0.866 * np.abs(u)) - 0.5
    if shape == "star":
        return radius - 0.65 - 0.3 * np.cos(5 * angle)
    if shape == "cross":
        long, short = np.maximum(np.abs(u), np.abs(v)), np.minimum(np.abs(u), np.abs(v))
        return np.maximum(long - 0.95, short - 0.27)
    if shape == "crescent":
        return np.maximum(radius - 0.95, 0.75 - np.hypot(u - 0.5, v))
    if shape == "heart":
        side, up = np.abs(u) * 1.1, v * 1.1 + 0.15
        return 0.6 * (np.hypot(side, up - 0.75 * np.sqrt(side)) - 0.85)
    if shape == "arrow":
        head = np.maximum(u - 0.0 - (0.95 - 1.3 * np.abs(v)), -u)
        return np.minimum(0.7 * head, np.maximum(np.abs(u + 0.45) - 0.5, np.abs(v) - 0.22))
    return np.maximum(0.75 * (np.abs(u) - 0.9 * np.abs(v) - 0.06), np.abs(v) - 0.85)  # hourglass


def _texture(rng, count):
    """Soft random patterns, shape (count, SIZE, SIZE), roughly in -1 to 1: stripes of any direction, or blotches."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype("float32") / SIZE
    angle, period, phase = rng.uniform(0, (np.pi, 1, 2 * np.pi), (count, 3)).astype("float32").T[:, :, None, None]
    stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (6 + 20 * period) + phase)
    coarse = rng.uniform(-1, 1, (count, 5, 5)).astype("float32")
    at = np.linspace(0, 4, SIZE)
    low = np.minimum(at.astype(int), 3)
    mix = (at - low).astype("float32")
    rows = coarse[:, low] * (1 - mix)[:, None] + coarse[:, low + 1] * mix[:, None]
    blotches = rows[:, :, low] * (1 - mix) + rows[:, :, low + 1] * mix
    return np.where(rng.random((count, 1, 1)) < 0.5, stripes, 1.5 * blotches)


def _color_pairs(rng, count):
    """Colors of background and shape, shape (count, 2, 1, 1, 3), at least 0.35 apart in RGB space (0 to 1).

    The shape is mostly the lighter of the two.
    """
    colors = rng.random((count, 2, 3))  # background and shape
    while (close := np.linalg.norm(colors[:, 0] - colors[:, 1], axis=1) < 0.35).any():
        colors[close] = rng.random((close.sum(), 2, 3))
    lighter_background = colors[:, 0].sum(axis=1) > colors[:, 1].sum(axis=1)
    swap = lighter_background == (rng.random(count) < 0.92)
    colors[swap] = colors[swap, ::-1]
    return colors.astype("float32")[:, :, None, None, :]


def _draw(rng, labels):
    count = len(labels)
    colors = _color_pairs(rng, count)
    background, foreground = (colors[:, k] + 0.2 * _texture(rng, count)[..., None] for k in (0, 1))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype("float32") * (2 / (SIZE - 1)) - 1
    for _ in range(4):  # clutter: discs of any color behind the shape
        cx, cy, radius = rng.uniform((-1, -1, 0.08), (1, 1, 0.3), (count, 3)).astype("float32").T[:, :, None, None]
        blob = np.hypot(x - cx, y - cy) < radius
        background = np.where(blob[..., None], rng.random((count, 1, 1, 3), dtype="float32"), background)
    tilt, scale = rng.uniform((-0.6, 0.6), (0.6, 0.9), (count, 2)).astype("float32").T[:, :, None, None]
    dx, dy = rng.uniform(-0.12, 0.12, (2, count, 1, 1)).astype("float32")
    u = ((x - dx) * np.cos(tilt) + (y - dy) * np.sin(tilt)) / scale
    v = (-(x - dx) * np.sin(tilt) + (y - dy) * np.cos(tilt)) / scale
    distance = np.empty_like(u)
    for index in np.unique(labels):
        chosen = labels == index
        distance[chosen] = _distance(SHAPES[index], u[chosen], v[chosen])
    inside = np.clip(0.5 - distance * scale * SIZE / 2, 0, 1)[..., None]  # with a soft edge of one pixel
    image = background + inside * (foreground - background)
    image = image + rng.normal(0, 0.08, (count, SIZE, SIZE, 3)).astype("float32")
    return (np.clip(image, 0, 1) * 255).round().astype("uint8")


def shapes10(count, *, seed=0):
    """Draws images of ten kinds of shapes, with equally many of each class, in random order.

    Returns:
        (images, labels): uint8 of shape (count, 32, 32, 3) and int64 of shape (count,), indices into `SHAPES`.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(SHAPES))
    return np.concatenate([_draw(rng, labels[start : start + 1000]) for start in range(0, count, 1000)]), labels


def digits28(images, labels, count, *, seed=0):
    """Makes 28 x 28 digits out of 8 x 8 ones: enlarged, shifted by up to 3 pixels, scaled and sheared.

    Returns:
        (images, labels): uint8 of shape (count, 28, 28) and int64 of shape (count,), drawn with replacement.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(images), count)
    draws = rng.uniform((-3, -3, 0.85, -0.25), (3, 3, 1.15, 0.25), (count, 4))
    made = np.empty((count, 28, 28), "uint8")
    for k, (dx, dy, scale, shear) in enumerate(draws):
        step = 8 / 20 / scale  # the digit fills 20 of the 28 pixels, as in MNIST
        matrix = (step, shear * step, 3.5 - (14 + dx) * step - shear * step * 14, 0, step, 3.5 - (14 + dy) * step)
        digit = Image.fromarray(images[chosen[k]])
        made[k] = digit.transform((28, 28), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return made, labels[chosen]
