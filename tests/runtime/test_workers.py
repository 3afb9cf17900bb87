"""Which worker of a distributed training this process is, as the environment variable TF_CONFIG says."""

import pytest

from dlkit import runtime


def test_worker_and_strategy_without_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert runtime.worker() == (0, 1)
    assert runtime.strategy() is None


@pytest.mark.parametrize(
    "config",
    [
        "not json",
        "{}",
        '{"cluster": {"worker": ["a:1", "b:2"]}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "chief", "index": 0}}',
    ],
)
def test_worker_reports_an_invalid_tf_config_with_an_example(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=r"host:port.*index on every machine"):
        runtime.worker()
