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


def _texture(rng, count, size=SIZE):
    """Soft random patterns, shape (count, size, size), roughly in -1 to 1: stripes of any direction, or blotches."""
    y, x = np.mgrid[0:size, 0:size].astype("float32") / SIZE
    angle, period, phase = rng.uniform(0, (np.pi, 1, 2 * np.pi), (count, 3)).astype("float32").T[:, :, None, None]
    stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (6 + 20 * period) + phase)
    coarse = rng.uniform(-1, 1, (count, 5, 5)).astype("float32")
    at = np.linspace(0, 4, size)
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


def shapes10_scenes(count, *, size=64, max_shapes=3, shapes=SHAPES, seed=0):
    """Draws scenes: one to `max_shapes` of the shapes of `shapes10` in one image, with masks and boxes.

    The shapes have different sizes, about 16 to 32 pixels, and overlap a little at most. The later one is in front.

    Args:
        count: Integer, the number of scenes.
        size: Integer, default 64, their width and height in pixels.
        max_shapes: Integer, default 3, the largest number of shapes in a scene.
        shapes: Names from `SHAPES`, default all of them, the shapes to draw from.
        seed: Integer, default 0.

    Returns:
        Tuple (images, masks, boxes, labels): uint8 of shape (count, size, size, 3); uint8 of shape (count, size, size)
        with 0 for the background and k + 1 for a visible pixel of class k; and two lists with an entry for each scene,
        float32 of shape (n, 4) with left, top, right and bottom of the visible part of each shape in pixels, where the
        pixel in column i covers i to i + 1, and int64 of shape (n,), indices into `SHAPES`.
    """
    rng = np.random.default_rng(seed)
    classes = np.array([SHAPES.index(name) for name in shapes])
    y, x = np.mgrid[0:size, 0:size].astype("float32") + 0.5
    images = np.empty((count, size, size, 3), "uint8")
    masks, all_boxes, all_labels = np.zeros((count, size, size), "uint8"), [], []
    for image, mask in zip(images, masks, strict=True):
        colors = _color_pairs(rng, max_shapes)[:, :, 0]
        textures = 0.2 * _texture(rng, max_shapes + 1, size)[..., None]
        scene = colors[0, 0] + textures[0]
        for _ in range(6):  # clutter, as in shapes10
            cx, cy, radius = rng.uniform((0, 0, 1.5), (size, size, 5))
            scene = np.where((np.hypot(x - cx, y - cy) < radius)[..., None], rng.random(3, dtype="float32"), scene)
        layers = np.zeros((size, size), "int64")  # which shape is seen
        labels = classes[rng.integers(0, len(classes), rng.integers(1, max_shapes + 1))]
        for k, (label, (cx, cy, radius)) in enumerate(zip(labels, _places(rng, len(labels), size), strict=True)):
            tilt = rng.uniform(-0.6, 0.6)
            u = ((x - cx) * np.cos(tilt) + (y - cy) * np.sin(tilt)) / radius
            v = (-(x - cx) * np.sin(tilt) + (y - cy) * np.cos(tilt)) / radius
            inside = np.clip(0.5 - _distance(SHAPES[label], u, v) * radius, 0, 1)[..., None].astype("float32")
            scene = scene + inside * (colors[k, 1] + textures[k + 1] - scene)
            layers[inside[..., 0] > 0.5] = k + 1
        scene = scene + rng.normal(0, 0.08, scene.shape)
        image[:] = (np.clip(scene, 0, 1) * 255).round()
        mask[:] = np.concatenate([[0], labels + 1])[layers]
        seen = [np.nonzero(layers == k + 1) for k in range(len(labels))]
        visible = [k for k, (rows, _) in enumerate(seen) if len(rows)]
        boxes = [(seen[k][1].min(), seen[k][0].min(), seen[k][1].max() + 1, seen[k][0].max() + 1) for k in visible]
        all_boxes.append(np.array(boxes, "float32"))
        all_labels.append(labels[visible])
    return images, masks, all_boxes, all_labels


def _places(rng, count, size):
    """(x, y, radius) of shapes that hardly overlap, drawn again until they fit."""
    while True:
        radius = rng.uniform(size / 8, size / 4, count)
        x, y = rng.uniform(radius, size - radius, (2, count))
        near = np.hypot(x[:, None] - x, y[:, None] - y) < 0.8 * (radius[:, None] + radius)
        if near.sum() == count:  # only each with itself
            return np.stack([x, y, radius], axis=1)


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
