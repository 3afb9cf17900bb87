"""Which worker of a distributed training this process is, and how several workers wait for one another and compare."""

import contextlib
import errno
import json
import socket
import subprocess
import sys
import threading

import pytest

from dlkit import runtime
from dlkit.runtime import workers
from tests.training.helpers import free_ports
from tools.notebooks import ROOT


def test_worker_and_strategy_without_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert runtime.worker() == (0, 1)
    assert runtime.strategy() is None
    assert workers.agree({"epochs": 3}) is False
    assert workers.agree({"epochs": 3}, finished=True) is True


@pytest.mark.parametrize(
    "config",
    [
        "not json",
        "{}",
        '{"cluster": {"worker": ["a:1", "b:2"]}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", 2]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_worker_reports_an_invalid_tf_config_with_an_example(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=r"host:port.*index on every machine"):
        runtime.worker()


# --- several workers: threads of this process, each with a port of its own


def run_workers(monkeypatch, settings, *, finished=(), addresses=None, limit=20):
    """Runs `agree` for as many workers as there are settings; returns what each of them returned or raised."""
    addresses = addresses or [f"127.0.0.1:{port}" for port in free_ports(len(settings))]
    index = threading.local()
    monkeypatch.setattr(workers, "_read_config", lambda: (index.value, addresses))
    monkeypatch.setenv("DLKIT_WAIT", str(limit))
    results = {}

    def run(k):
        index.value = k
        try:
            results[k] = workers.agree(settings[k], finished=k in finished)
        except (OSError, ValueError) as error:
            results[k] = error

    threads = [threading.Thread(target=run, args=(k,)) for k in range(len(settings)) if settings[k] is not None]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("finished", [[], [0], [1]])
def test_all_workers_learn_whether_worker_0_has_finished(monkeypatch, finished):
    results = run_workers(monkeypatch, [{"size": (2, 3)}] * 3, finished=finished)
    assert results == dict.fromkeys(range(3), 0 in finished)


def test_workers_with_other_data_are_refused_by_name(monkeypatch):
    settings = [{"epochs": 3, "data": digest} for digest in ("aa", "bb", "aa")]
    results = run_workers(monkeypatch, settings)
    for error in results.values():
        assert "worker 1 (127.0.0.1:" in str(error)
        assert "has data = 'bb', worker 0 has 'aa'" in str(error)
        assert "worker 2" not in str(error)
        assert "epochs" not in str(error)


def test_missing_worker_is_named_after_the_limit(monkeypatch, capsys):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    results = run_workers(monkeypatch, [{}, {}, None], addresses=addresses, limit=1)
    assert set(results) == {0, 1}
    for error in results.values():
        assert isinstance(error, TimeoutError)
        assert f"within 1 seconds. No answer from worker 2 ({addresses[2]}). Start" in str(error)
    assert f"Waiting for worker 2 ({addresses[2]})\n" in capsys.readouterr().out


def test_missing_worker_0_is_named_after_the_limit(monkeypatch, capsys):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    results = run_workers(monkeypatch, [None, {}], addresses=addresses, limit=0.5)
    assert f"No answer from worker 0 ({addresses[0]}). Start" in str(results[1])
    assert capsys.readouterr().out == f"Waiting for worker 0 ({addresses[0]})\n"


def test_port_in_use_is_named_at_once(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        addresses = [f"127.0.0.1:{other.getsockname()[1]}", "127.0.0.1:1"]
        results = run_workers(monkeypatch, [{}, None], addresses=addresses)
    assert isinstance(results[0], OSError)
    assert results[0].errno == errno.EADDRINUSE
    assert addresses[0].partition(":")[2] in str(results[0])


def test_strangers_on_the_port_are_ignored(monkeypatch):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    host, _, port = addresses[0].partition(":")

    def disturb():
        for message in (b"GET / HTTP/1.1\r\n\r\n", b"", b"[7, {}]\n", b'["a", 1]\n', b"3\n", b"\xff\n"):
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5) as stranger:
                stranger.sendall(message)
        results.update(run_workers(monkeypatch, [None, {}], addresses=addresses))

    results = {}
    thread = threading.Timer(0.5, disturb)
    thread.start()
    results.update(run_workers(monkeypatch, [{}, None], addresses=addresses))
    thread.join()
    assert results == {0: False, 1: False}


@pytest.mark.parametrize("limit", ["0", "-1", "soon", "nan", ""])
def test_limit_of_waiting_must_be_a_number_above_0(monkeypatch, limit):
    with pytest.raises(ValueError, match="DLKIT_WAIT"):
        raise run_workers(monkeypatch, [{}, None], addresses=["127.0.0.1:0", "127.0.0.1:1"], limit=limit)[0]


def test_workers_that_start_at_different_times_meet(monkeypatch):
    """Two processes, of which worker 1 starts first; only the standard library is imported."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    program = "from dlkit.runtime.workers import agree; print(agree({'epochs': 1}), agree({}, finished=True))"
    processes = []
    for k in (1, 0):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": k}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
        command = [sys.executable, "-c", program]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        if k == 1:
            assert "Waiting for worker 0" in processes[0].stdout.readline()
    for process in processes:
        assert process.communicate(timeout=30)[0].splitlines()[-1] == "False True"
