"""Model builders: raw inputs in, logits out, uncompiled. Each returns a plain `keras.Model`."""

from dlkit.models.architectures import build_alexnet, build_lenet5, build_resnet, build_vgg
from dlkit.models.fast_cnn import build_fast_cnn, whiten
from dlkit.models.macs import count_macs
from dlkit.models.sequence import (
    build_language_model,
    build_text_cnn,
    build_text_lstm,
    build_text_mean,
    build_text_transformer,
)
from dlkit.models.vision import build_classic_cnn, build_mlp, build_small_resnet, residual_block
