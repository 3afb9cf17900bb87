"""Loads the data sets of the registry: found on disk, else downloaded, else replaced by another one, with a message."""

from dlkit import runtime
from dlkit.data import download, locations
from dlkit.data.dataset import DataError
from dlkit.data.download import Download
from dlkit.data.registry import REGISTRY
from dlkit.runtime import shell
from dlkit.runtime.network import is_offline


def load(name, *, real=False):
    """Loads a data set by name: found on disk, else downloaded, else another data set in its place.

    Another data set is announced in a line of output, and has its own name: `load("cifar10").name` is "shapes10" where
    there is no CIFAR-10.

    Args:
        name: String, one of `data.NAMES`, such as "digits", "cifar10" (images), "reviews" (texts) or "sunspots".
        real: Boolean, default False. True accepts no stand-in in place of the data set, but still another real one,
            such as "imdb" for "reviews".

    Returns:
        A `Dataset`. Images are uint8, 0 to 255; texts are Python strings, in arrays of dtype object.

    Raises:
        DataError: If the data found is damaged, or neither the data set nor an accepted replacement is available.
        ValueError: If the name is unknown.

    Example:
        >>> load("digits").train[0].shape
        (1347, 8, 8)
    """
    source = _source(name)
    if (dataset := _load_exactly(name)) is not None:
        return dataset
    needs = f"set DLKIT_DATA to a folder that holds {source.needs}"
    if found := locations.find(source.not_read):
        print(f"Found {found[1].name}, which is not read. S{needs[1:]}.")
    for fallback in source.fallback:
        if real and REGISTRY[fallback].origin:  # a stand-in
            continue
        try:
            dataset = _load_exactly(fallback)
        except (DataError, OSError) as error:  # nobody asked for this data set, so a damaged one is no reason to stop
            print(error)
        if dataset is not None:
            kind = "" if dataset.is_real else "a stand-in, "
            print(f"No {name} found and none downloaded: using {kind}{fallback}. {dataset.description}")
            return dataset
    if name in fetchable():
        needs = f"with a network run `{runtime.dlkit_command('data', 'fetch', name)}`, or {needs}"
    raise DataError(f"The real {name} was not found and could not be downloaded. {needs[0].upper()}{needs[1:]}.")


def locate(name):
    """Finds out where a data set would be loaded from, without reading or downloading it.

    Args:
        name: String, one of `data.NAMES`.

    Returns:
        String such as "DLKIT_DATA: cifar10.npz", or None if it is not on this machine.
    """
    source = _source(name)
    if source.origin:
        return source.origin
    found = locations.find(source.paths)
    return found and f"{found[0]}: {found[1].name}"


def fetch(name):
    """Downloads the file of one of the `fetchable` data sets, and verifies it. Returns its path."""
    if is_offline():
        fix = shell.unset_variable_command("DLKIT_OFFLINE")
        raise DataError(f"{name} is not downloaded, because DLKIT_OFFLINE is set. To allow downloads: {fix}")
    return _download(REGISTRY[_downloadable(name)])


def fetchable():
    """Names of the data sets that can be downloaded themselves, or a real one in their place, as a list."""
    return [name for name in REGISTRY if _downloadable(name)]


def _source(name):
    if not isinstance(name, str) or name not in REGISTRY:
        raise ValueError(f"Expected the name of a data set: {', '.join(REGISTRY)}. Received: {name!r}.")
    return REGISTRY[name]


def _load_exactly(name):
    """The data set of this name; None if it is not on this machine and was not downloaded, after printing why."""
    source = REGISTRY[name]
    if source.origin:
        return source.read()
    found = locations.find(source.paths)
    if not found and source.download and not is_offline():
        try:
            found = "download", _download(source)
        except DataError as error:
            print(error)
    return source.read(found[1], found[0]) if found else None


def _download(source):
    if isinstance(source.download, Download):
        return download.fetch(source.download, locations.project_data())
    return source.download()


def _downloadable(name):
    """The data set to download under this name: itself, else its first fallback that can be; else None."""
    return next((other for other in (name, *REGISTRY[name].fallback) if REGISTRY[other].download), None)
