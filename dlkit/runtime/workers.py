"""Training on several machines or GPUs: which worker this process is, and how the workers meet before they train."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import time

from dlkit.runtime.console import suppress_native_stderr

_MAX_BYTES = 1 << 20  # of a message; anybody on the network may connect, so nothing larger is read
_SILENCE = 10  # seconds; a connection on which nothing comes for so long is no worker


def worker():
    """Which worker this process is, according to the environment variable TF_CONFIG.

    Returns:
        Tuple (index, count) of two integers: the index of this worker and the number of workers; (0, 1) without
        TF_CONFIG.

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
        f"worker {k} ({addresses[k]}) has {name} = {value!r}, worker 0 has {expected!r}"
        for k, message in messages.items()
        for name, value, expected in _differences(message["settings"], first)
    ]
    if different:
        raise ValueError(
            f"Expected the same settings and data on all workers. Received: {'; '.join(different)}. Start the same "
            "command, with the same data, on every machine."
        )
    return messages[0]["finished"]


def _differences(settings, first, prefix=""):
    """Yields (name, value, value in `first`) for each setting that differs, such as ("data.sha256", ..., ...)."""
    for name in sorted({*settings, *first}):
        value, expected = settings.get(name), first.get(name)
        if isinstance(value, dict) and isinstance(expected, dict):
            yield from _differences(value, expected, f"{prefix}{name}.")
        elif value != expected:
            yield prefix + name, value, expected


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
    _, workers = worker()
    with suppress_native_stderr():
        import tensorflow as tf

        if workers > 1:
            return tf.distribute.MultiWorkerMirroredStrategy()
        return tf.distribute.MirroredStrategy() if len(tf.config.list_physical_devices("GPU")) > 1 else None


def _exchange(index, addresses, message):
    """Sends a message to all workers and returns those of all, {index: message}, by way of worker 0."""
    message = json.loads(json.dumps(message))  # as the others receive it: tuples become lists
    if len(addresses) == 1:
        return {0: message}
    seconds = _seconds_to_wait()
    with _listen(addresses[index]) as server:
        if index == 0:
            messages = _collect(server, addresses, message, time.monotonic() + seconds)
        else:
            messages = _report(index, addresses, message, time.monotonic() + seconds)
    if missing := [f"worker {k} ({address})" for k, address in enumerate(addresses) if k not in messages]:
        raise TimeoutError(
            f"Expected all {len(addresses)} workers within {seconds:g} seconds. No answer from {' and '.join(missing)}."
            " Start the same command on every machine, compare the addresses in TF_CONFIG, and open the ports in the "
            "firewall. The environment variable DLKIT_WAIT sets another limit, in seconds."
        )
    return messages


def _seconds_to_wait():
    text = os.environ.get("DLKIT_WAIT", "600")
    if not (text.replace(".", "", 1).isdecimal() and float(text) > 0):
        raise ValueError(f'Expected DLKIT_WAIT to be a number of seconds above 0. Received: "{text}".')
    return float(text)


def _listen(address):
    """Opens this worker's own port, which must be free, because TensorFlow's server takes it afterwards."""
    try:
        return socket.create_server(("", _split(address)[1]))
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        advice = " Another process uses it: end that one, or choose another port on all workers." if taken else ""
        raise OSError(f"The port of this worker, {address} in TF_CONFIG, cannot be opened: {error}.{advice}") from error


def _collect(server, addresses, message, deadline):
    """Worker 0: receives the messages of the others until all have come, and answers each of them with all."""
    messages, connections, announced = {0: message}, {}, None
    with contextlib.ExitStack() as stack:
        while len(messages) < len(addresses) and (left := deadline - time.monotonic()) > 0:
            server.settimeout(min(left, 1))
            try:
                connection = stack.enter_context(server.accept()[0])
                connection.settimeout(_SILENCE)
                k, received = _receive(connection)
                if k in range(1, len(addresses)):
                    messages[k], connections[k] = received, connection  # of one that was started again, the last counts
            except (OSError, ValueError, TypeError):  # nobody yet, or something that is no worker
                missing = [address for k, address in enumerate(addresses) if k not in messages]
                if missing != announced:
                    print(f"Waiting for {len(missing)} of the workers: {', '.join(missing)}", flush=True)
                announced = missing
        for connection in connections.values():
            with contextlib.suppress(OSError):
                _send(connection, list(messages.items()))
    return messages


def _report(index, addresses, message, deadline):
    """Another worker: sends its message to worker 0 and receives those of all; only worker 0 is missing otherwise."""
    attempts = 0
    while (left := deadline - time.monotonic()) > 0:
        try:
            with socket.create_connection(_split(addresses[0]), timeout=min(left, _SILENCE)) as connection:
                _send(connection, [index, message])
                if not select.select([connection], [], [], 1)[0]:
                    print(f"Waiting for other workers, which worker 0, {addresses[0]}, lists", flush=True)
                connection.settimeout(left + _SILENCE)  # so that worker 0, if it started later, can name the missing
                return dict(_receive(connection))
        except (OSError, ValueError, TypeError):  # not started yet, or something that is no worker
            attempts += 1
            if attempts == 2:
                print(f"Waiting for worker 0: {addresses[0]}", flush=True)
            time.sleep(0.2)
    return dict.fromkeys(range(1, len(addresses)))


def _send(connection, message):
    connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection):
    with connection.makefile("rb") as file:
        return json.loads(file.readline(_MAX_BYTES))
