"""The report and the curve of the long training, from the metrics of a finished run."""

from benchmarks import long


def test_save_training_writes_report_and_curve(tmp_path):
    history = [{"accuracy": 0.1 * k, "val_accuracy": 0.08 * k, "seconds": 60.0} for k in range(1, 7)]
    metrics = {
        "accuracy": 0.91234,
        "accuracy_interval_95": (0.906, 0.918),
        "seconds": 360.0,
        "parameters": 1_975_096,
        "epochs": 6,
        "batch_size": 128,
        "seed": 0,
        "precision": "mixed_bfloat16",
        "data": {"name": "cifar10", "is_real": True, "train_images": 50_000, "test_images": 10_000},
        "history": history,
    }
    long.save_training(metrics, folder=tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "**0.9123** (95% interval 0.906 to 0.918) after 6 minutes" in text
    assert "50,000 training images (a tenth of them for validation), 10,000 test" in text
    assert "| 5 | 5.0 | 0.500 | 0.400 |" in text
    assert "| 6 | 6.0 | 0.600 | 0.480 |" in text
    assert (tmp_path / "long.png").stat().st_size > 5_000
