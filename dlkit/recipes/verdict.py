"""Whether a result is worth anything, in words: the line that `dlkit train` ends with, and warnings."""

from sklearn.metrics import accuracy_score

from dlkit import evaluate


def describe(metrics):
    """The result of a finished run in a sentence, with what is wrong with it.

    A result is worth a ✓ if the interval of its accuracy lies above what one answer for all images would reach, even if
    copies of training images counted as mistakes, and if no class is recognized less often than by guessing.

    Args:
        metrics: Dictionary, the content of `metrics.json`.

    Returns:
        Tuple (result, warnings) of a string, which begins with ✓ if it is worth one, and a list of strings.
    """
    (low, high), (largest, share) = metrics["accuracy_interval_95"], metrics["largest_class"]
    recall, counts = metrics["recall"], metrics["test_counts"]
    lowest = min(range(len(recall)), key=lambda k: (recall[k], -counts[k]))
    tested, name = counts[lowest], metrics["class_names"][lowest]
    copies, warnings = metrics.get("copies", 0), []
    if low <= share:
        warnings.append(
            "That is not clearly better than always giving the same answer. Look at the images; pass --no-flip if left "
            "and right matter; collect more images; or train longer."
        )
    if tested and (recall[lowest] == 0 or evaluate.wilson_interval(recall[lowest], tested)[1] < 1 / len(recall)):
        trained, all_trained = metrics["train_counts"][lowest], sum(metrics["train_counts"])
        advice = "Look in confusion.png for what it is taken for, and at its images."
        if trained < all_trained / len(recall) / 2:
            weights = "" if metrics.get("class_weights") else ", or try --class-weights"
            advice = f"Collect more images of it{weights}."
        warnings.append(
            f'Only {round(recall[lowest] * tested)} of {tested} test images of "{name}" are recognized; {trained} of '
            f"{all_trained} training images show it. {advice}"
        )
    is_good = not warnings and low - copies / sum(counts) > share
    if copies:
        warnings.append(
            f"{copies} of {sum(counts)} test images are copies of training images, so the accuracy on new images will "
            "be lower. Remove them from one of the two."
        )
    seconds = f", {metrics['seconds']:.0f} s of training" if "seconds" in metrics else ""
    result = (
        f"{'✓ test' if is_good else 'Test'} accuracy {metrics['accuracy']:.4f} (95% interval {low:.3f} to {high:.3f}; "
        f'always answering "{largest}" would reach {share:.3f}; lowest recall {recall[lowest]:.3f}, of "{name}", test '
        f"images: {tested}){seconds}."
    )
    return result, warnings


def report_flips(model, val_split):
    """Says so if test-time augmentation with flips costs accuracy on the validation images."""
    images, labels = (part[:1000] for part in val_split)  # enough to see it
    with_flips, without = (
        accuracy_score(labels, evaluate.predict_probs(model, images, flip_tta=flip).argmax(axis=1))
        for flip in (True, False)
    )
    if with_flips < evaluate.wilson_interval(without, len(labels))[0]:
        print(
            f"Validation accuracy is {without:.3f}, and {with_flips:.3f} with the mean over each image and its mirror "
            "image, which this recipe predicts with: left and right seem to matter. Train again with flip=False (on "
            "the command line: --no-flip)."
        )
