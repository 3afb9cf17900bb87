"""Command line: `dlkit lab | doctor | data | train | predict`.

Each command imports what it needs once it has been chosen, so that `dlkit doctor` can examine a machine on which
NumPy or TensorFlow is missing.
"""

import argparse
import sys
from pathlib import Path


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
        return options.run(options) or 0
    except KeyboardInterrupt:
        resume = " What was finished is saved; the same command resumes from there."
        print(f"\nStopped.{resume if options.run is _train else ''}", file=sys.stderr)
        return 130
    except Exception as error:
        if not (message := _explain(error)):
            raise
        print(f"✗ {message}", file=sys.stderr)
        return 1


def _explain(error):
    """One line about an error, or None for a mistake in this program."""
    if isinstance(error, ImportError):
        return f"{error}. `dlkit doctor` says what is missing and how to install it."
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
    lab.add_argument("jupyter", nargs="*", metavar="-- OPTION", help="options that are passed on to JupyterLab")
    add_command("doctor", _doctor, "examine this machine and show how to fix every problem")
    data = add_command("data", _data, "list, fetch or verify the data sets")
    data.add_argument(
        "action",
        choices=("list", "fetch", "verify"),
        help="list shows what is on this machine, fetch downloads into data/, verify reads every file",
    )
    data.add_argument("name", nargs="?", help="name of a data set; list and verify take all without it")
    _add_train_options(add_command("train", _train, "train a recipe; the same command resumes after a stop"))
    predict = add_command("predict", _predict, "classify image files with the model of a finished run")
    predict.add_argument("run_folder", metavar="RUN", help="the run folder, or the model.keras in it")
    predict.add_argument("images", metavar="IMAGE", nargs="+", help="image files")
    return parser


def _add_train_options(train):
    """The options of `train`, which are stored under the names of the arguments of `recipes.train`."""
    no_flip = "do not mirror images at random, as most recipes do: for letters, signs, hands, where sides matter"
    skip = "leave out files that cannot be read as images"
    train.add_argument("name", metavar="recipe", nargs="?", help="name of a recipe; without it, the recipes are listed")
    train.add_argument("--data", dest="data_dir", metavar="DIR", help="folder: train/<class>/*, test/<class>/*")
    train.add_argument("--image-size", type=int, metavar="N", help="resize the images to N x N pixels")
    train.add_argument("--no-flip", dest="flip", action="store_false", default=None, help=no_flip)
    train.add_argument("--skip-broken", dest="on_error", action="store_const", const="skip", default="raise", help=skip)
    train.add_argument("--out", metavar="RUN", help="run folder for results and checkpoints")
    train.add_argument("--cache", metavar="DIR", help="folder for features of frozen networks; runs can share it")
    train.add_argument("--epochs", type=int, metavar="N", help="number of epochs, default that of the recipe")
    train.add_argument("--unfreeze", metavar="STAGE", help='fine-tune from this stage on, such as conv5; "" for all')
    train.add_argument("--weights", metavar="W", help="imagenet (default), a weights file, or none for random")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything random, default 0")


def _lab(options):
    from dlkit import lab

    arguments = lab.prepare(options.folder)
    print("  Opening JupyterLab. Stop it here with Ctrl-C.", flush=True)
    from jupyterlab import labapp  # takes seconds

    return labapp.main([*arguments, *options.jupyter])


def _doctor(options):
    from dlkit import doctor

    return doctor.main()


def _data(options):
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


def _train(options):
    if options.name and not options.out:
        raise ValueError("Expected a run folder for the results: --out RUN. Received: none.")
    if options.on_error == "skip" and not options.data_dir:
        raise ValueError("Expected --skip-broken only with a folder of images: name it with --data. Received: none.")
    if options.data_dir:
        _check_path(options.data_dir, "a folder with train/<class>/<image> and test/<class>/<image>")
    if options.weights not in (None, "imagenet", "none"):
        _check_path(options.weights, "imagenet, none or a weights file")
    recipes = _import_recipes()
    if not options.name:
        for name, recipe in recipes.RECIPES.items():
            print(f"{name:12} {recipe.description}")
        return
    given = {name: value for name, value in vars(options).items() if name != "run"}
    metrics = recipes.train(**given, verbose=1 if sys.stdout.isatty() else 2)
    if metrics is None:
        print("✓ this worker has finished; results, figures and model are in the run folder of worker 0.")
    else:
        _report(metrics, options.out)


def _report(metrics, out):
    (low, high), (name, fraction) = metrics["accuracy_interval_95"], metrics["largest_class"]
    print(
        f"{'✓ test' if low > fraction else 'Test'} accuracy {metrics['accuracy']:.4f} (95% interval {low:.3f} to "
        f'{high:.3f}; always answering "{name}" would reach {fraction:.3f}), {metrics["seconds"]:.0f} s of training. '
        f"Results, figures and model: {out}"
    )
    if low <= fraction:
        print(
            "That is not clearly better than always giving the same answer. Look at the images; pass --no-flip if left "
            "and right matter; or train longer."
        )


def _predict(options):
    for path in (options.run_folder, *options.images):
        _check_path(path, "the run folder of a finished training, then image files")
    recipes = _import_recipes()
    for file, classes in zip(options.images, recipes.predict(options.run_folder, options.images), strict=True):
        print(f"{file}: " + ", ".join(f"{name} {probability:.0%}" for name, probability in classes))


def _check_path(path, expected):
    """Reports a mistyped path before TensorFlow is imported, which takes seconds."""
    if not Path(path).exists():
        raise ValueError(f"{path} does not exist. Expected {expected}.")


def _import_recipes():
    """The recipes; they import TensorFlow and Keras, which takes seconds and writes to standard error."""
    from dlkit import runtime

    with runtime.suppress_native_stderr():
        from dlkit import recipes
    return recipes
