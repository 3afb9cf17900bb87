"""EfficientNet-Lite0 of KerasHub, rebuilt from layers of plain Keras, in which a saved model can be opened."""

import json
from pathlib import Path

import keras

PRESET = "efficientnet_lite0_ra_imagenet"
_ARCHITECTURE = {
    "stackwise_width_coefficients": [1.0] * 7,
    "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
    "stackwise_squeeze_and_excite_ratios": [0] * 7,
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_block_types": ["v1"] * 7,
    "dropout": 0,
    "activation": "relu6",
    "include_stem_padding": False,
    "stem_conv_padding": "same",
    "use_depth_divisor_as_min_depth": True,
    "cap_round_filter_decrease": True,
    "batch_norm_epsilon": 1e-3,
}


def add_lite0(x, folder):
    """Adds the layers of EfficientNet-Lite0 and the mean over all positions to pixels from 0 to 255.

    Args:
        x: Symbolic tensor of shape (batch, height, width, 3).
        folder: Path of a KerasHub preset with the weights. None gives random weights.

    Returns:
        Symbolic tensor of shape (batch, 1280).
    """
    import keras_hub  # takes seconds to import

    scale, offset = 1 / 128, -127 / 128  # what TensorFlow's own weights were trained with
    if folder is None:
        network = keras_hub.models.EfficientNetBackbone(**_ARCHITECTURE)
    else:
        network = keras_hub.models.EfficientNetBackbone.from_preset(str(folder))
        converter = Path(folder) / "image_converter.json"
        if converter.is_file():  # KerasHub's preset has weights of timm, with another scale for each channel
            config = json.loads(converter.read_text())["config"]
            scale, offset = config["scale"], config["offset"]
    x = keras.layers.Rescaling(scale, offset=offset, name="scale")(x)
    copies = {id(network.input): x}
    for layer in network.layers[1:]:  # copies, since a layer with two inputs cannot be where a model is split
        copy = type(layer).from_config({**layer.get_config(), "dtype": keras.config.dtype_policy()})
        inputs = keras.tree.map_structure(lambda tensor: copies[id(tensor)], layer.input)
        copies[id(layer.output)] = copy(inputs)
        copy.set_weights(layer.get_weights())
    return keras.layers.GlobalAveragePooling2D(name="avg_pool")(copies[id(network.output)])


def download_lite0():
    """Downloads KerasHub's preset, or finds it in the cache of `kagglehub`. Returns its folder."""
    import kagglehub
    import keras_hub

    handle = keras_hub.models.EfficientNetBackbone.presets[PRESET]["kaggle_handle"]
    return Path(kagglehub.model_download(handle.removeprefix("kaggle://")))
