"""Model builders: raw inputs in, logits out, uncompiled. Each returns a plain `keras.Model`."""

from dlkit.models.vision import build_classic_cnn, build_mlp, build_small_resnet, residual_block

__all__ = ["build_classic_cnn", "build_mlp", "build_small_resnet", "residual_block"]
