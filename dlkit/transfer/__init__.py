"""Borrowed networks: backbones with the right preprocessing, frozen or fine-tuned, their features kept on disk."""

from dlkit.transfer.backbones import BACKBONES, build_backbone, build_head, find_weights
from dlkit.transfer.features import cached_features, fingerprint
from dlkit.transfer.freezing import ToStart, freeze, hold_to_start, split, unfreeze

__all__ = [
    "BACKBONES",
    "ToStart",
    "build_backbone",
    "build_head",
    "cached_features",
    "find_weights",
    "fingerprint",
    "freeze",
    "hold_to_start",
    "split",
    "unfreeze",
]
