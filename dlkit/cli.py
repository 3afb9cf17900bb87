"""Command line: `dlkit lab | doctor | data | train | predict`.

Each command imports what it needs once it has been chosen, so that `dlkit doctor` can examine a machine on which
NumPy or TensorFlow is missing.
"""

from __future__ import annotations

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
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser(arguments[:1]).parse_args(arguments)
        return options.run(options) or 0
    except KeyboardInterrupt:
        resume = " What was finished is saved; the same command resumes from there."
        print(f"\nStopped.{resume if arguments[:1] == ['train'] else ''}", file=sys.stderr)
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


def _parser(chosen):
    """The parser, with the options of the chosen command only, because some of them need imports of their own."""
    parser = argparse.ArgumentParser(prog="dlkit", description="Deep learning, from the neuron to BERT.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, about, add_options in (
        ("lab", "open your own copy of the lessons in JupyterLab", _lab_options),
        ("doctor", "examine this machine and show how to fix every problem", _doctor_options),
        ("data", "list, fetch or verify the data sets", _data_options),
        ("train", "train a recipe; the same command resumes after a stop", _train_options),
        ("predict", "classify image files with the model of a finished run", _predict_options),
    ):
        command = commands.add_parser(name, help=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        if [name] == chosen:
            add_options(command)
    return parser


def _lab_options(command):
    from dlkit import lab

    command.add_argument("--folder", metavar="DIR", help=f"your copy, default {lab.FOLDER} in the project")
    command.add_argument("--copy-only", action="store_true", help="copy or update the lessons without opening them")
    command.add_argument("jupyter", nargs="*", metavar="-- OPTION", help="options that are passed on to JupyterLab")
    command.set_defaults(run=lambda options: lab.run(options.folder, options.jupyter, copy_only=options.copy_only))


def _doctor_options(command):
    from dlkit import doctor

    command.set_defaults(run=lambda options: doctor.main())


def _data_options(command):
    from dlkit import data
    from dlkit.data import loading

    actions = command.add_subparsers(required=True, metavar="list | fetch | verify")
    actions.add_parser("list", help="show which data sets are on this machine").set_defaults(run=_data_list)
    action = actions.add_parser("fetch", help="download a data set into data/ and verify its checksum")
    action.add_argument("name", choices=sorted(loading.fetchable()))
    action.set_defaults(run=_data_fetch)
    action = actions.add_parser("verify", help="read every file of the data sets on this machine")
    action.add_argument("name", nargs="?", choices=data.NAMES)
    action.set_defaults(run=_data_verify)


def _train_options(command):
    command.description = "Trains a recipe into a run folder. Without a recipe it lists them."
    command.add_argument("recipe", nargs="?", help="name of a recipe; without it, the recipes are listed")
    command.add_argument("--data", metavar="DIR", help="folder with train/<class>/* and test/<class>/*")
    command.add_argument("--image-size", type=int, metavar="N", help="resize the images to N x N pixels")
    command.add_argument(
        "--no-flip",
        dest="flip",
        action="store_false",
        default=None,
        help="do not mirror images at random, as most recipes do: for letters, signs, hands, where sides matter",
    )
    command.add_argument("--skip-broken", action="store_true", help="leave out files that cannot be read as images")
    command.add_argument("--out", metavar="RUN", help="run folder for results and checkpoints")
    command.add_argument(
        "--cache", metavar="DIR", help="folder for features of frozen networks; several runs can share it"
    )
    command.add_argument("--epochs", type=int, metavar="N", help="number of epochs, default that of the recipe")
    command.add_argument("--unfreeze", metavar="STAGE", help='fine-tune from this stage on, such as conv5; "" for all')
    command.add_argument("--weights", metavar="W", help="imagenet (default), a weights file, or none for random")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything random, default 0")
    command.set_defaults(run=_train)


def _predict_options(command):
    command.add_argument("run_folder", metavar="RUN", help="the run folder, or the model.keras in it")
    command.add_argument("images", metavar="IMAGE", nargs="+", help="image files")
    command.set_defaults(run=_predict)


def _data_list(options):
    from dlkit import data
    from dlkit.data import loading

    width, fetchable = max(map(len, data.NAMES)), loading.fetchable()
    for name in data.NAMES:
        location = data.locate(name)
        remedy = f" → dlkit data fetch {name}" if name in fetchable else "; data/README.md says where it comes from"
        print(f"{'✓' if location else '–'} {name:{width}} {location or 'not here' + remedy}")


def _data_fetch(options):
    from dlkit.data import loading

    print(f"✓ {loading.fetch(options.name)} is there and verified.")


def _data_verify(options):
    from dlkit import data

    names = [options.name] if options.name else [name for name in data.NAMES if data.locate(name)]
    for name in names:
        print(f"✓ {data.load(name, real=True)}")


def _check_train(options):
    """Reports a mistake before TensorFlow is imported, which takes seconds."""
    from dlkit import validation

    if options.recipe and not options.out:
        raise ValueError("Expected a run folder for the results: --out RUN. Received: none.")
    if options.data and not Path(options.data).is_dir():
        raise ValueError(
            f"{options.data} does not exist. Expected a folder with train/<class>/<image> and test/<class>/<image>. To "
            "train on the recipe's own data set, leave --data out."
        )
    if options.skip_broken and not options.data:
        raise ValueError("Expected --skip-broken only with a folder of images: name it with --data. Received: none.")
    validation.check_seed(options.seed)
    for name in ("epochs", "image_size"):
        if (value := getattr(options, name)) is not None:
            validation.check_integer(name, value)
    if options.weights not in (None, "imagenet", "none") and not Path(options.weights).is_file():
        raise ValueError(
            f"Expected --weights to be imagenet, none or a weights file. Received: {options.weights}, which is not a "
            "file."
        )


def _train(options):
    _check_train(options)
    recipes = _import_recipes()
    if not options.recipe:
        for name, recipe in recipes.RECIPES.items():
            print(f"{name:12} {recipe.description}")
        return
    metrics = recipes.train(
        options.recipe,
        out=options.out,
        data_dir=options.data,
        on_error="skip" if options.skip_broken else "raise",
        cache=options.cache,
        epochs=options.epochs,
        image_size=options.image_size,
        unfreeze=options.unfreeze,
        weights=options.weights,
        flip=options.flip,
        seed=options.seed,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if metrics is None:
        print("✓ this worker has finished; results, figures and model are in the run folder of worker 0.")
        return
    (low, high), (name, fraction) = metrics["accuracy_interval_95"], metrics["largest_class"]
    mark = "✓ test" if low > fraction else "Test"
    print(
        f"{mark} accuracy {metrics['accuracy']:.4f} (95% interval {low:.3f} to {high:.3f}; always answering "
        f'"{name}" would reach {fraction:.3f}), {metrics["seconds"]:.0f} s of training. '
        f"Results, figures and model: {options.out}"
    )
    if low <= fraction:
        print(
            "That is not clearly better than always giving the same answer. Look at the images; pass --no-flip if left "
            "and right matter; or train longer."
        )


def _import_recipes():
    """The recipes; they import TensorFlow and Keras, which takes seconds and writes to standard error."""
    from dlkit import runtime

    with runtime.suppress_native_stderr():
        from dlkit import recipes
    return recipes


def _predict(options):
    for path in (options.run_folder, *options.images):
        if not Path(path).exists():
            raise ValueError(
                f"{path} does not exist. Expected the run folder of a finished training, then image files."
            )
    recipes = _import_recipes()
    for file, classes in zip(options.images, recipes.predict(options.run_folder, options.images), strict=True):
        print(f"{file}: " + ", ".join(f"{name} {probability:.0%}" for name, probability in classes))
