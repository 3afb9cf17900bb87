"""The memory that a training needs, estimated before it begins, and compared with what is available."""

import math

import keras
import psutil

from dlkit import runtime


def estimate(model):
    """Roughly the bytes that a training takes for the weights, and for each image of a batch.

    Weights have gradients and the two moments of Adam; the outputs of all layers have gradients, and buffers take half
    as much again as one of the two: EfficientNet-Lite0 in batches of 64 at 96 x 96 pixels took 3.1 GB, measured as the
    peak of the process without what Python and TensorFlow take, where the estimate is 3.2 GB.
    """
    outputs = keras.tree.flatten([operation.output for operation in getattr(model, "operations", model.layers)])
    return 4 * 4 * model.count_params(), 10 * sum(math.prod(output.shape[1:]) for output in outputs)


def largest_batch_size(model, batch_size, job):
    """The batch size, halved until the training of a `Job` fits into memory; this is printed, and kept for resuming.

    It stays as it is on a GPU, and where several workers or devices must have the same one.
    """
    if job.strategy or job.runtime.device != "CPU":
        return batch_size
    if fitting := job.read_settings().get("fitting_batch_size"):
        return fitting
    weights, of_image = estimate(model)
    weights += getattr(job.train_split[0], "nbytes", 0)  # the images are copied once more, if they are in memory
    available, fitting = psutil.virtual_memory().available, batch_size
    while fitting > 1 and weights + fitting * of_image > available:
        fitting //= 2
    if fitting < batch_size:
        print(
            f"Batches of {batch_size} would need about {(weights + batch_size * of_image) / 1e9:.1f} GB of memory, and "
            f"{available / 1e9:.1f} GB are available, so they are trained in batches of {fitting}."
        )
    job.keep(fitting_batch_size=fitting)
    return fitting


def check_image_size(model, side, image_size, *, weights_grow=False):
    """Raises a ValueError if not even batches of one image would fit into the memory of this machine.

    The need is extrapolated from a model for side x side pixels, since building a too large one may fail by itself.
    `weights_grow` says whether the number of weights grows with the number of pixels too.
    """
    available, scale = psutil.virtual_memory().available, math.prod(image_size) / side**2
    weights, of_image = estimate(model)
    growing, fixed = (weights + of_image, 0) if weights_grow else (of_image, weights)
    if fixed + growing * scale > available and runtime.configure_device()[0] == "CPU":
        largest = int(side * math.sqrt(max(available - fixed, 0) / growing))
        raise ValueError(
            f"Training on images of {image_size[0]} x {image_size[1]} pixels would need about "
            f"{(fixed + growing * scale) / 1e9:.0f} GB of memory, and {available / 1e9:.1f} GB are available. Pass "
            f"--image-size {largest // 32 * 32 or largest} or less."
        )
