"""Data sets by name, with announced stand-ins where the real data is not available; and folders of your own images."""

from dlkit.data.augmentation import random_crop_and_flip, random_cutout
from dlkit.data.dataset import DataError, Dataset
from dlkit.data.folders import image_folder
from dlkit.data.glossary import glossary
from dlkit.data.loading import load, locate
from dlkit.data.pipeline import pipeline
from dlkit.data.registry import NAMES
