"""Transfer learning: pretrained backbones with their preprocessing, freezing and fine-tuning, cached features."""

from dlkit.transfer.backbones import BACKBONES, build_backbone, build_head, find_weights
from dlkit.transfer.features import cached_features
from dlkit.transfer.freezing import add_l2_sp, freeze, split_model, unfreeze

__all__ = [
    "BACKBONES",
    "add_l2_sp",
    "build_backbone",
    "build_head",
    "cached_features",
    "find_weights",
    "freeze",
    "split_model",
    "unfreeze",
]
