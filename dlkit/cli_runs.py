"""Commands on finished runs: `dlkit predict | evaluate | report | export`."""

import contextlib
import csv
import json
import sys
from pathlib import Path


def add_commands(add_command):
    """Adds the commands to the parser, by a function (name, run, about) that returns the parser of a command."""
    predict = _add_run(add_command("predict", _predict, "classify image files with the model of a finished run"))
    predict.add_argument(
        "images", metavar="IMAGE", nargs="+", help="image files, folders of images, or patterns (*.jpg)"
    )
    predict.add_argument("--top", type=int, default=3, metavar="N", help="number of classes for each image, default 3")
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const=_write_json, help="print JSON")
    form.add_argument("--csv", dest="form", action="store_const", const=_write_csv, help="print a table as CSV")
    evaluate = _add_run(add_command("evaluate", _evaluate, "measure the accuracy of a finished run on other images"))
    evaluate.add_argument("folder", metavar="FOLDER", help="folder of images with the classes of the run")
    evaluate.add_argument("--json", action="store_true", help="print the result as JSON")
    evaluate.add_argument("--skip-broken", action="store_true", help="leave out files that cannot be read as images")
    report = _add_run(add_command("report", _report, "write the report of a finished run as one HTML file"))
    report.add_argument("--out", metavar="FILE", help="the HTML file, default report.html in the run folder")
    export = _add_run(add_command("export", _export, "write the model of a finished run for phones or other programs"))
    formats = "litert for phones, int8 for phones in a quarter of the space, saved_model for TensorFlow, or onnx"
    export.add_argument("--format", required=True, choices=("litert", "int8", "saved_model", "onnx"), help=formats)
    export.add_argument("--out", metavar="PATH", help="the file or, for saved_model, the folder; default in RUN")
    export.add_argument("--overwrite", action="store_true", help="replace what is there")


def _add_run(command):
    command.add_argument("run_folder", metavar="RUN", help="the run folder, or the model.keras in it")
    return command


def _predict(options):
    check_path(options.run_folder, "the run folder of a finished training, then image files")
    for path in options.images:
        if not any(sign in path for sign in "*?["):
            check_path(path, "an image file, a folder or a pattern")
    from dlkit.data.layouts import find_images

    files = find_images(options.images)
    recipes = import_recipes()
    # What is printed about single files must not end up in JSON or CSV.
    with contextlib.redirect_stdout(sys.stderr) if options.form else contextlib.nullcontext():
        answers = recipes.predict(options.run_folder, files, top=options.top, on_error="skip")
    (options.form or _write_lines)(list(zip(map(str, files), answers, strict=True)))
    return 1 if None in answers else 0


def _write_lines(answers):
    for file, classes in answers:
        if classes:
            print(f"{file}: " + ", ".join(f"{name} {probability:.0%}" for name, probability in classes))


def _write_json(answers):
    """A list with an object for each file; "classes" is null where it could not be read."""
    entries = [
        {"file": file, "classes": classes and [{"class": name, "probability": p} for name, p in classes]}
        for file, classes in answers
    ]
    print(json.dumps(entries, indent=2, ensure_ascii=False))


def _write_csv(answers):
    """A row for each file, which ends after the name where it could not be read."""
    count = max(len(classes or []) for _, classes in answers)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", *(f"{what}_{k + 1}" for k in range(count) for what in ("class", "probability"))])
    for file, classes in answers:
        writer.writerow([file, *(value for name, p in classes or [] for value in (name, f"{p:.6f}"))])


def _evaluate(options):
    check_path(options.run_folder, "the run folder of a finished training, then a folder of images")
    check_path(options.folder, "a folder of images")
    recipes = import_recipes()
    on_error = "skip" if options.skip_broken else "raise"
    with contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext():
        metrics = recipes.evaluate_folder(options.run_folder, options.folder, on_error=on_error)
    if options.json:
        return print(json.dumps(metrics, indent=2, ensure_ascii=False))
    width = max(map(len, ["class", *metrics["class_names"]]))
    print(f"{'class':{width}}  images  recall  most often taken for")
    for k, name in enumerate(metrics["class_names"]):
        row = metrics["confusion"][k]
        wrong = max((count, other) for other, count in enumerate(row) if other != k)
        taken = f'"{metrics["class_names"][wrong[1]]}", {wrong[0]} times' if wrong[0] else ""
        recall = f"{metrics['recall'][k]:6.3f}" if metrics["test_counts"][k] else "     –"
        print(f"{name:{width}}  {metrics['test_counts'][k]:6,}  {recall}  {taken}".rstrip())
    result, warnings = recipes.describe(metrics)
    print(result, *warnings, sep="\n")


def _report(options):
    check_path(options.run_folder, "the run folder of a finished training")
    if options.out:
        check_path(Path(options.out).parent, "an existing folder for the report")
    import_recipes()
    from dlkit.recipes import report

    print(f"✓ Report: {report.write_report(options.run_folder, options.out)}")


def _export(options):
    check_path(options.run_folder, "the run folder of a finished training")
    import_recipes()
    from dlkit.recipes import export_run

    given = {"format": options.format, "out": options.out, "overwrite": options.overwrite}
    print(export_run.in_words(export_run.export_run(options.run_folder, **given)))


def check_path(path, expected):
    """Reports a mistyped path before TensorFlow is imported, which takes seconds."""
    if not Path(path).exists():
        raise ValueError(f"{path} does not exist. Expected {expected}.")


def import_recipes():
    """The recipes; they import TensorFlow and Keras, which takes seconds and writes to standard error."""
    from dlkit import runtime

    with runtime.suppress_native_stderr():
        from dlkit import recipes
    return recipes
