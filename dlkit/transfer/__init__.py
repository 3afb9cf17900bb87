"""Transfer learning: pretrained backbones with their preprocessing, freezing and fine-tuning, cached features."""

from dlkit.transfer.backbones import BACKBONES, build_backbone, build_head, find_weights
from dlkit.transfer.features import cached_features
from dlkit.transfer.freezing import add_l2_sp, freeze, split_model, unfreeze
