"""Loads the data sets of the registry: found on disk, else downloaded, else replaced by another one, with a message."""

from __future__ import annotations

from dlkit import runtime
from dlkit.data import download, locations
from dlkit.data.dataset import DataError
from dlkit.data.download import Download
from dlkit.data.registry import REGISTRY
from dlkit.runtime.network import is_offline


def load(name, *, real=False):
    """Loads a data set by name: found on disk, else downloaded, else another data set in its place.

    Another data set is announced in a line of output, and the one returned has the name of what it is:
    `load("cifar10").name` is "shapes10" where there is no CIFAR-10.

    Args:
        name: String, one of `data.NAMES`, such as "digits", "cifar10" (images), "reviews" (texts) or "sunspots".
        real: Boolean, default False. True accepts no stand-in in place of the data set, but still another real one,
            such as "imdb" for "reviews".

    Returns:
        A `Dataset`. Images are uint8, 0 to 255; texts are Python strings, in arrays of dtype object.

    Raises:
        DataError: If the data found is damaged; or if neither the data set nor an accepted replacement is available.
            The message says how to get it.
        ValueError: If the name is unknown.

    Example:
        >>> load("digits").train[0].shape
        (1347, 8, 8)
    """
    source = _source(name)
    dataset = _load_exactly(name)
    if dataset is not None:
        return dataset
    for fallback in source.fallback:
        if real and not REGISTRY[fallback].is_real:
            continue
        try:
            dataset = _load_exactly(fallback)
        except DataError as error:  # nobody asked for this data set, so a damaged one is no reason to stop
            print(error)
            continue
        if dataset is not None:
            print(_notice(name, fallback))
            return dataset
    raise _unavailable(name)


def locate(name):
    """Returns where a data set would be loaded from, without reading or downloading it.

    Args:
        name: String, one of `data.NAMES`.

    Returns:
        String such as "DLKIT_DATA: cifar10", or None if it is not on this machine.

    Raises:
        ValueError: If the name is unknown.
    """
    source = _source(name)
    if source.origin:
        return source.origin
    found = _find(source)
    return found and f"{found[0]}: {found[1].name}"


def fetch(name):
    """Downloads the file of a data set and verifies its checksum; a file that is already there is only verified.

    Args:
        name: String, one of `fetchable()`. Where the data set itself cannot be downloaded, its first real fallback is.

    Returns:
        Path of the verified file.

    Raises:
        DataError: If it cannot be downloaded, or a file of that name with other content is there.
    """
    return _download(REGISTRY[_downloadable(name)])


def fetchable():
    """Names of the data sets that `fetch` accepts, as a list."""
    return [name for name in REGISTRY if _downloadable(name)]


def _source(name):
    if name not in REGISTRY:
        raise ValueError(f'Expected the name of a data set: {", ".join(REGISTRY)}. Received: "{name}".')
    return REGISTRY[name]


def _load_exactly(name):
    """The data set of this name; None if it is not on this machine and was not downloaded, after printing why."""
    source = REGISTRY[name]
    if source.origin:
        return source.read()
    found = _find(source)
    if not found and source.download and not is_offline():
        try:
            found = "download", _download(source)
        except DataError as error:
            print(error)
    if not found:
        return None
    where, path = found
    return source.read(path, where)


def _find(source):
    if source.keras_files:
        return locations.find_in_keras_cache(source.keras_files)
    return locations.find(source.paths)


def _download(source):
    if isinstance(source.download, Download):
        return download.fetch(source.download, locations.project_data())
    return source.download()


def _downloadable(name):
    """The data set to download under this name: itself, else its first real fallback that can be; else None."""
    candidates = (name, *(fallback for fallback in REGISTRY[name].fallback if REGISTRY[fallback].is_real))
    return next((candidate for candidate in candidates if REGISTRY[candidate].download), None)


def _notice(name, fallback):
    kind = "" if REGISTRY[fallback].is_real else "a stand-in, "
    return f"No {name} found and none downloaded: using {kind}{fallback}, {REGISTRY[fallback].summary}."


def _unavailable(name):
    steps = [f"with a network run `{runtime.dlkit_command('data', 'fetch', name)}`"] if _downloadable(name) else []
    steps = ", or ".join([*steps, REGISTRY[name].needs])
    return DataError(f"The real {name} was not found and could not be downloaded. {steps[0].upper()}{steps[1:]}.")
