"""The report of a finished run: one HTML file that needs nothing else, with its results, figures and conditions."""

import html
import shlex
from pathlib import Path

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from dlkit import evaluate
from dlkit.data import DataError
from dlkit.recipes import finished, report_figures, run_folder
from dlkit.recipes.verdict import describe

BINS = 10  # of the reliability diagram
OPTIONS = ("epochs", "batch_size", "learning_rate", "val_split", "unfreeze", "weights", "seed")  # of the command
CONDITIONS = {  # what metrics.json says about a training, and how the report calls it
    "recipe": "recipe",
    "parameters": "parameters of the model",
    "epochs": "epochs, at most",
    "batch_size": "batch size",
    "learning_rate": "learning rate",
    "image_size": "image size",
    "resize": "how images are fitted to it",
    "flip": "flips as augmentation, where the recipe has them",
    "flip_tta": "prediction averaged over each image and its mirror image",
    "class_weights": "classes weighted alike",
    "val_split": "fraction for validation",
    "unfreeze": "fine-tuned from",
    "weights": "pretrained weights",
    "seed": "seed",
    "device": "device",
    "precision": "precision",
    "workers": "workers",
    "seconds": "seconds of training",
}
CSS = """
:root { color-scheme: light dark; --ink: #1a1a1a; --ground: #fff; --line: #767676; --soft: #f2f2f2 }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --ground: #16181c; --line: #999; --soft: #25282e } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 46rem;
  margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem }
.lead { font-size: 1.15rem } .warning { border-left: 4px solid #d55e00; padding-left: .75rem }
.scroll { overflow-x: auto } figure { margin: 1rem 0 }
figure img { width: 100%; min-width: 30rem; box-sizing: border-box; background: #fff; padding: .5rem }
table { border-collapse: collapse } th { text-align: left }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top }
td, th[scope=col]:not(:first-child) { text-align: right; white-space: nowrap; overflow-wrap: normal }
th[scope=row] { min-width: 5rem; max-width: 16rem; font-weight: 600 }
pre { background: var(--soft); padding: .75rem; white-space: pre-wrap }
"""


def write_report(run, out=None):
    """Writes the report of a finished run, which is complete whenever it exists under its name.

    Args:
        run: String or path, the run folder, or the `model.keras` in it.
        out: String or path of the HTML file, default `report.html` in the run folder.

    Returns:
        The path of the file.

    Raises:
        data.DataError: If the run is not finished, one of its files is missing or damaged, or it was written by an
            earlier version.
        OSError: If the file cannot be written.
    """
    run = finished.load(run)
    metrics, arrays = run.metrics, finished.read_arrays(run.folder)
    needed = ("history", "train_counts", "recipe", "data", "versions")
    if missing := [key for key in needed if not metrics.get(key)]:
        raise DataError(f"{run.folder / 'metrics.json'} lacks {', '.join(missing)}. Train again with --overwrite.")
    labels, probs = arrays["labels"], arrays["probs"]
    sections = {
        "Data": _data(metrics),
        "Learning curve": _learning_curve(metrics["history"]),
        "Confusion matrix": report_figures.draw_confusion(labels, probs.argmax(axis=1), run.class_names),
        "Classes": _classes(labels, probs, run.class_names),
        "Worst mistakes": _mistakes(arrays, run.class_names),
        "Calibration": _calibration(labels, probs),
        "Grad-CAM": _grad_cam(run, arrays["sample_images"]),
        "Conditions": _conditions(metrics),
        "Train it again": _again(metrics),
    }
    file = Path(out or run.folder / "report.html")
    run_folder.write_text(file, _page(metrics, sections))
    return file


def command(metrics):
    """The command that repeats a training, quoted for a POSIX shell, from the content of `metrics.json`."""
    words, is_folder = ["dlkit", "train", metrics["recipe"]], _is_folder(metrics)
    if is_folder:
        words += ["--data", metrics["data"]["name"]]
    for name in [*OPTIONS, *(("image_size", "resize") if is_folder else ())]:
        if metrics.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(metrics[name])]
    words += ["--no-flip"] * (metrics.get("flip") is False) + ["--class-weights"] * bool(metrics.get("class_weights"))
    words += ["--skip-broken"] * (metrics.get("on_error") == "skip")
    return shlex.join([*words, "--out", "runs/again"])


def _is_folder(metrics):
    return metrics["data"]["source"] in ("class folders", "labels.csv")


def _page(metrics, sections):
    result, warnings = describe(metrics)
    title = html.escape(f"{metrics['recipe']} on {metrics['data']['name']}")
    body = f"<h1>{title}</h1>{_paragraph(result, 'lead')}" + "".join(_paragraph(text, "warning") for text in warnings)
    body += "".join(f"<section><h2>{name}</h2>{content}</section>" for name, content in sections.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def _paragraph(text, kind=""):
    kind = f' class="{kind}"' if kind else ""
    return f"<p{kind}>{html.escape(text)}</p>"


def _table(head, rows, name):
    """A table in a box of its own that scrolls, also by keyboard; the first cell of a row is its header."""
    top = "".join(f'<th scope="col">{html.escape(str(cell))}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{html.escape(str(row[0]))}</th>'
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    box = f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(name)}">'
    return f"{box}<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"


def _data(metrics):
    about, counts = metrics["data"], (metrics["train_counts"], metrics["test_counts"])
    kind = "" if about.get("is_real", True) else " These are stand-in data."
    text = f"{about['name']}, from {about['source']}.{kind} {about.get('description', '')}"
    if metrics.get("copies"):
        text += f" {metrics['copies']} of the test images are copies of training images."
    rows = [*zip(metrics["class_names"], *counts, strict=True), ("all", *map(sum, counts))]
    note = "The training images include those that were set aside for validation."
    return _paragraph(text) + _table(["class", "training", "test"], rows, "Images of each class") + _paragraph(note)


def _learning_curve(history):
    heads = [epoch for epoch in history if epoch.get("phase") == "head"]
    epochs, text = [epoch for epoch in history if "phase" not in epoch], ""
    for head in heads:
        text = f"First, a head alone was trained on frozen features: validation accuracy {head['val_accuracy']:.3f}."
        if head.get("kept"):
            text += " The fine-tuning in the figure did not become better, so the model keeps this head."
    return _paragraph(text) * bool(text) + (report_figures.draw_curves(epochs) if epochs else "")


def _classes(labels, probs, names):
    options = {"labels": range(len(names)), "zero_division": np.nan}
    scores = precision_recall_fscore_support(labels, probs.argmax(axis=1), **options)
    rows = []
    for name, precision, recall, f1, count in zip(names, *scores, strict=True):
        low, high = evaluate.wilson_interval(recall, count) if count else (0, 1)
        in_words = ["–" if np.isnan(score) else f"{score:.3f}" for score in (precision, recall, f1)]
        rows.append([name, *in_words[:2], f"{low:.2f} to {high:.2f}" if count else "–", in_words[2], count])
    head = ["class", "precision", "recall", "its 95% interval", "F1", "test images"]
    return _table(head, rows, "Precision, recall and F1 of each class")


def _mistakes(arrays, names):
    chosen = arrays["mistakes"]
    if not len(chosen):
        return _paragraph("No test image was classified wrongly.")
    text = "Wrong answers with the highest probabilities. Look for wrong labels, too, and for what such images share."
    labels, probs = arrays["labels"][chosen], arrays["probs"][chosen]
    return _paragraph(text) + report_figures.draw_mistakes(arrays["mistake_images"], labels, probs, names)


def _calibration(labels, probs):
    confidence, correct = probs.max(axis=1), probs.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    found = [
        (float(confidence[bins == k].mean()), float(correct[bins == k].mean()), int((bins == k).sum()))
        for k in np.unique(bins)
    ]
    error = sum(count * abs(p - accuracy) for p, accuracy, count in found) / len(labels)
    text = (
        "Of the answers with a probability of 80%, about 80% should be correct. Points below the diagonal are too "
        f"confident. The expected calibration error, the mean distance from it, is {error:.3f} in {BINS} bins."
    )
    return _paragraph(text) + report_figures.draw_calibration(found)


def _grad_cam(run, images):
    if figure := report_figures.draw_grad_cam(run.model, images, run.class_names):
        text = "Bright regions raised the logit of the predicted class. Do they lie on the objects?"
        return _paragraph(text) + figure
    return _paragraph(
        "Grad-CAM needs a layer with rows and columns behind a convolution, which this model does not have."
    )


def _conditions(metrics):
    rows = [[text, _in_words(metrics[key])] for key, text in CONDITIONS.items() if key in metrics]
    return _table(["condition", "value"], [*rows, *metrics["versions"].items()], "Conditions of the training")


def _in_words(value):
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "as stored"}[value]
    if isinstance(value, (int, float)):
        return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
    return value or "the first layer"


def _again(metrics):
    place = _paragraph(f'In the folder that contains "{metrics["data"]["name"]}":') if _is_folder(metrics) else ""
    return f"{place}<pre>{html.escape(command(metrics))}</pre>"
