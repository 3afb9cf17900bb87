"""What the tests of several modules in dlkit/models share."""

from keras import layers
from PIL import Image

from dlkit import models
from dlkit.data.image_files import LazyImages

SHAPE = (32, 32, 3)
BUILDERS = {
    "lenet5": lambda: models.build_lenet5(SHAPE, 10),
    "alexnet": lambda: models.build_alexnet(SHAPE, 10, hidden=(32, 32)),
    "vgg16": lambda: models.build_vgg(SHAPE, 10),
    "resnet20": lambda: models.build_resnet(SHAPE, 10),
    "plain20": lambda: models.build_resnet(SHAPE, 10, shortcut=None),
    "resnet20_projection": lambda: models.build_resnet(SHAPE, 10, shortcut="projection"),
}


def save_images(images, folder):
    """The same images as files in a folder, decoded as needed."""
    files = [folder / f"{index:04}.png" for index in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    return LazyImages(files, images.shape[1:3])


def residual_block_from_paper(x, channels, stride, shortcut):
    """Figure 2 of He et al., 2015, with the batch normalization of its section 3.4: before each activation."""
    y = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9)(y)
    if x.shape != y.shape and shortcut == "projection":
        x = layers.Conv2D(channels, 1, strides=stride, use_bias=False)(x)
    elif x.shape != y.shape and shortcut == "zeros":
        x = x[:, ::2, ::2]
        x = layers.Concatenate()([x, 0 * x])
    return layers.ReLU()(layers.Add()([y, x]) if shortcut else y)
