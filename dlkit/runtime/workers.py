"""Training on several machines or GPUs: which worker this process is, and how the workers meet before they train."""

import contextlib
import json
import os
import socket
import time

from dlkit.runtime.console import suppress_native_stderr

_MAX_LENGTH = 1 << 20  # of a message; anybody on the network may connect, so nothing larger is read


def worker():
    """Which worker this process is, according to the environment variable TF_CONFIG.

    Returns:
        Tuple (index, count) of two integers: the index of this worker and the number of workers, by default (0, 1).

    Raises:
        ValueError: If TF_CONFIG does not list the workers and say which of them this one is.
    """
    index, addresses = _read_config()
    return index, len(addresses)


def _read_config():
    """The index of this worker, and the addresses "host:port" of all."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 0, ["localhost:0"]
    try:
        config = json.loads(text)
        addresses, task = config["cluster"]["worker"], config["task"]
        index = int(task["index"])
        if task["type"] != "worker" or not 0 <= index < len(addresses):
            raise ValueError("task is none of the workers")
        if len({_split(address) for address in addresses}) < len(addresses):
            raise ValueError("two workers have the same address")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"TF_CONFIG cannot be read ({error!r}). Expected "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}, with a '
            f"different index on every machine. Received: {text}"
        ) from error
    return index, addresses


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def agree(settings, *, finished=False):
    """Waits until all workers have called this, and compares their settings. Call it before `strategy`.

    Args:
        settings: Dictionary that JSON can hold, everything that must be equal on all workers: the settings of the
            training and a checksum of its data.
        finished: Boolean, default False, whether the training is finished already. That of worker 0 counts.

    Returns:
        Boolean, `finished` of worker 0, the same on every worker.

    Raises:
        ValueError: If TF_CONFIG cannot be read, or the settings differ. The message names the workers and settings.
        TimeoutError: If workers do not answer within 10 minutes, or DLKIT_WAIT seconds. The message names them.
        OSError: If another process uses the port of this worker.
    """
    index, addresses = _read_config()
    messages = _exchange(index, addresses, {"settings": settings, "finished": bool(finished)})
    first = messages[0]["settings"]
    different = [
        f"worker {k} ({addresses[k]}) has {name} = {found!r}, worker 0 has {first.get(name)!r}"
        for k, message in messages.items()
        for name in sorted({*first, *message["settings"]})
        if (found := message["settings"].get(name)) != first.get(name)
    ]
    if different:
        raise ValueError(
            f"Expected the same settings and data on all workers. Received: {'; '.join(different)}. Start the same "
            "command, with the same data, on every machine."
        )
    return messages[0]["finished"]


def strategy():
    """TensorFlow's distribution strategy for this machine. Call it before TensorFlow computes anything.

    Returns:
        A `tf.distribute.MultiWorkerMirroredStrategy` when TF_CONFIG lists several workers, as soon as all of them have
        called this; a `tf.distribute.MirroredStrategy` when this machine has several GPUs; else None.

    Raises:
        ValueError: If TF_CONFIG does not list the workers and say which of them this one is.
        TimeoutError: If workers do not answer within 10 minutes, or DLKIT_WAIT seconds. The message names them.
        OSError: If another process uses the port of this worker.
    """
    agree({})  # by itself TensorFlow waits in silence, and fails without naming the port
    with suppress_native_stderr():
        import tensorflow as tf

        if worker()[1] > 1:
            return tf.distribute.MultiWorkerMirroredStrategy()
        return tf.distribute.MirroredStrategy() if len(tf.config.get_visible_devices("GPU")) > 1 else None


def _exchange(index, addresses, message):
    """Sends a message to all workers and returns those of all, {index: message}, by way of worker 0."""
    messages = {index: json.loads(json.dumps(message))}  # as the others receive it: tuples become lists
    if len(addresses) == 1:
        return messages
    everyone, announced = set(range(len(addresses))), None
    informed = set(everyone) if index else {0}  # workers that have all messages; worker 0 waits until they do
    seconds, start = _seconds_to_wait(), time.monotonic()
    # The worker's own port, which must be free, because TensorFlow's server takes it afterwards.
    with socket.create_server(("", _split(addresses[index])[1])) as server:
        server.settimeout(1)
        while missing := sorted(everyone - set(messages) or everyone - informed):
            names = " and ".join(f"worker {k} ({addresses[k]})" for k in missing)
            if time.monotonic() - start > seconds:
                raise TimeoutError(
                    f"Expected all {len(addresses)} workers within {seconds:g} seconds. No answer from {names}. Start "
                    "the same command on every machine, compare the addresses in TF_CONFIG, and open the ports in the "
                    "firewall. The environment variable DLKIT_WAIT sets another limit, in seconds."
                )
            if names != announced:
                print(f"Waiting for {names}", flush=True)
            announced = names
            with contextlib.suppress(OSError, ValueError, TypeError):  # nobody yet, or something that is no worker
                if index:
                    messages.update(_ask(addresses[0], [index, messages[index]]))
                else:
                    _answer(server, messages, informed, len(addresses))
    return messages


def _seconds_to_wait():
    text = os.environ.get("DLKIT_WAIT", "600")
    if not (text.replace(".", "", 1).isdecimal() and float(text) > 0):
        raise ValueError(f'Expected DLKIT_WAIT to be a number of seconds above 0. Received: "{text}".')
    return float(text)


def _answer(server, messages, informed, count):
    """Worker 0: receives the message of another worker and answers with all that have come."""
    connection, _ = server.accept()
    connection.settimeout(1)  # a worker sends at once
    with connection, connection.makefile("rw") as file:
        k, message = json.loads(file.readline(_MAX_LENGTH))
        if k in range(1, count):
            messages[k] = message  # of one that was started again, the last counts
            print(json.dumps(list(messages.items())), file=file, flush=True)
            if len(messages) == count:
                informed.add(k)


def _ask(address, message):
    """Another worker: sends its message to worker 0 and returns those that have come there."""
    time.sleep(0.1)  # between one attempt and the next
    with socket.create_connection(_split(address), timeout=10) as connection, connection.makefile("rw") as file:
        print(json.dumps(message), file=file, flush=True)
        return json.loads(file.readline(_MAX_LENGTH))
