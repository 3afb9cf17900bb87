"""Command line: `dlkit lab | doctor | data | train | predict | evaluate | report | export`.

Each command imports what it needs once it has been chosen, so that `dlkit doctor` can examine a machine on which
NumPy or TensorFlow is missing.
"""

import argparse
import errno
import os
import sys
from pathlib import Path

from dlkit import cli_runs
from dlkit.cli_runs import check_path, import_recipes

OS_ADVICE = {
    errno.ENOSPC: " Free some space, and give the same command again.",
    errno.EACCES: " Choose another place, or give yourself the right to use this one.",
    errno.EROFS: " Choose another place.",
}
STAGES = (
    "Stages: mobilenet conv1, conv_dw_1 to conv_dw_13; resnet50 conv1 to conv5; efficientnet-lite0 stem, block1 to "
    "block7, top"
)


def main(arguments=None):
    """Runs one command.

    Args:
        arguments: List of strings, default those of the command line.

    Returns:
        Integer, the exit status: 0 after success, 1 after a problem that was reported, 130 after Ctrl-C.

    Raises:
        SystemExit: With status 2 if the command or an option does not exist, and with 0 after `--help`.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")  # for ✓ on consoles with an old code page
    options = _parser().parse_args(arguments)
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        resume = " What was finished is saved; the same command resumes from there."
        print(f"\nStopped.{resume if options.run is _train else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has seen enough, as in `dlkit predict RUN photos | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more when it ends
        return 1
    except Exception as error:
        if not (message := _explain(error)):
            raise
        print(f"✗ {message}", file=sys.stderr)
        return 1


def _explain(error):
    """One line about an error, or None for a mistake in this program."""
    if isinstance(error, ImportError):
        return f"{error}. `dlkit doctor` says what is missing and how to install it."
    if isinstance(error, OSError) and error.errno and error.filename:
        advice = OS_ADVICE.get(error.errno, "")
        return f"{error.filename}: {error.strerror}.{advice}"
    if isinstance(error, (ValueError, OSError)):  # a DataError is a ValueError
        return str(error)
    from dlkit import runtime

    if runtime.is_out_of_memory(error):
        return "Memory ran out. Close other programs, or pass a smaller --image-size with --data."
    if "tensorflow" in sys.modules and isinstance(error, sys.modules["tensorflow"].errors.OpError):
        # What failed stands before the name of the node; the lines above say where it was defined.
        lines = error.message.split("[[")[0].strip().splitlines() or [type(error).__name__]
        return f"TensorFlow stopped: {lines[-1]}"
    return None


def _parser():
    parser = argparse.ArgumentParser(prog="dlkit", description="Deep learning, from the neuron to BERT.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def add_command(name, run, about):
        command = commands.add_parser(name, help=about)
        command.set_defaults(run=run)
        return command

    lab = add_command("lab", _lab, "open your own copy of the lessons in JupyterLab")
    lab.add_argument("--folder", metavar="DIR", help="your copy, default my-notebooks in the project")
    lab.add_argument("--progress", action="store_true", help="list the exercises solved in your copy, and stop")
    lab.add_argument("jupyter", nargs="*", metavar="-- OPTION", help="options that are passed on to JupyterLab")
    add_command("doctor", _doctor, "examine this machine and show how to fix every problem")
    data = add_command("data", _data, "list, fetch or verify the data sets, or check a folder of your own images")
    data.add_argument(
        "action",
        choices=("list", "fetch", "verify", "check"),
        help="list shows what is on this machine, fetch downloads into data/, verify reads every file, check says what "
        "is in a folder of images and whether it can be trained on",
    )
    data.add_argument("name", nargs="?", help="data set, all without it for list and verify; the folder for check")
    data.add_argument("--sheet", metavar="FILE", help="picture with some images of each class that check draws")
    _add_train_options(add_command("train", _train, "train a recipe; the same command resumes after a stop"))
    cli_runs.add_commands(add_command)
    return parser


def _add_train_options(train):
    """The options of `train`, which are stored under the names of the arguments of `recipes.train`."""
    resize = "fit the aspect ratio of the images by cropping (default) or black borders, or distort them"
    no_flip = "do not mirror images at random, as most recipes do: for letters, signs, hands, where sides matter"
    weighted = "let every class count alike in the loss, however many images it has"
    skip = "leave out files that cannot be read as images"
    stage = f'fine-tune from this stage on; "" for all, "head" for the head alone. {STAGES}'
    add = train.add_argument
    add("name", metavar="recipe", nargs="?", help="name of a recipe; without it, the recipes are listed")
    add("--data", dest="data_dir", metavar="DIR", help="folder of images; `dlkit data check DIR` says what is in it")
    add("--image-size", type=int, metavar="N", help="resize the images to N x N pixels")
    add("--resize", choices=("crop", "pad", "stretch"), help=resize)
    add("--val-split", type=float, metavar="F", help="fraction of the training images for validation, default 0.1")
    add("--no-flip", dest="flip", action="store_false", default=None, help=no_flip)
    add("--class-weights", action="store_true", default=None, help=weighted)
    add("--skip-broken", dest="on_error", action="store_const", const="skip", default="raise", help=skip)
    add("--out", metavar="RUN", help="run folder for results and checkpoints")
    add("--overwrite", action="store_true", help="delete the results of another training in the run folder")
    add("--cache", metavar="DIR", help="folder for features of frozen networks; runs can share it")
    add("--epochs", type=int, metavar="N", help="number of epochs; more of them continue a finished training")
    add("--batch-size", type=int, metavar="N", help="images in a step, default by their number")
    add("--learning-rate", type=float, metavar="R", help="default that of the recipe, by the batch size")
    add("--unfreeze", metavar="STAGE", help=stage)
    add("--weights", metavar="W", help="imagenet (default), a weights file, or none for random")
    add("--seed", type=int, default=0, metavar="N", help="seed of everything random, default 0")
    add("--device", metavar="D", help="cpu, gpu, or one of several GPUs such as gpu:1; default all GPUs")


def _lab(options):
    from dlkit import lab

    if options.progress:
        return print(*lab.progress(options.folder), sep="\n")
    arguments = lab.prepare(options.folder)
    print("  Opening JupyterLab. Stop it here with Ctrl-C.", flush=True)
    from jupyterlab import labapp  # takes seconds

    return labapp.main([*arguments, *options.jupyter])


def _doctor(options):
    from dlkit import doctor

    return doctor.main()


def _data(options):
    if options.action == "check":
        return _check_folder(options)
    if options.sheet:
        raise ValueError(f"Expected --sheet only with check. Received it with {options.action}.")
    from dlkit import data
    from dlkit.data import loading

    fetchable = loading.fetchable()
    if options.action == "fetch":
        if options.name not in fetchable:
            raise ValueError(f"Expected a data set to fetch: {', '.join(fetchable)}. Received: {options.name}.")
        print(f"✓ {loading.fetch(options.name)} is there and verified.")
        return
    for name in [options.name] if options.name else data.NAMES:
        location = data.locate(name)
        if options.action == "list":
            fetch = f" → dlkit data fetch {name}" if name in fetchable else ""
            print(f"{'✓' if location else '–'} {name:13} {location or f'not here{fetch}; see data/README.md'}")
        elif location or options.name:
            print(f"✓ {data.load(name, real=True)}")


def _check_folder(options):
    if not options.name:
        raise ValueError("Expected a folder to check: dlkit data check FOLDER. Received: none.")
    check_path(options.name, "a folder of images")
    import_recipes()
    from dlkit.recipes import folder_check

    return 0 if folder_check.check_folder(options.name, sheet=options.sheet or "contact-sheet.png") else 1


def _train(options):
    if options.name and not options.out:
        raise ValueError("Expected a run folder for the results: --out RUN. Received: none.")
    if options.on_error == "skip" and not options.data_dir:
        raise ValueError("Expected --skip-broken only with a folder of images: name it with --data. Received: none.")
    if options.data_dir:
        check_path(options.data_dir, "a folder of images, such as a folder for each class")
        if not Path(options.data_dir).is_dir():
            raise ValueError(f"Expected a folder of images: --data DIR. Received: {options.data_dir}, which is a file.")
    if options.weights not in (None, "imagenet", "none"):
        check_path(options.weights, "imagenet, none or a weights file")
    recipes = import_recipes()
    if not options.name:
        for name, recipe in recipes.RECIPES.items():
            print(f"{name:18} {recipe.description}")
        return
    given = {name: value for name, value in vars(options).items() if name != "run"}
    metrics = recipes.train(**given, verbose=1 if sys.stdout.isatty() else 2)
    if metrics is None:
        print("✓ this worker has finished; results, figures and model are in the run folder of worker 0.")
    else:
        result, warnings = recipes.describe(metrics)
        print(f"{result} Results, figures and model: {options.out}", *warnings, sep="\n")
        if (report := Path(options.out) / "report.html").exists():  # a run that was finished before may have none
            print(f"Report: {report}")
