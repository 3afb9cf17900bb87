"""The code written in notebooks 01 to 08, tested on more cases than the lessons show."""

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.model_selection import KFold

from tools.notebooks import LESSONS, SOLUTIONS, definitions


@pytest.fixture(scope="module")
def lesson():
    """Function from a lesson's number to a module with its definitions."""
    found = {}

    def of(number):
        if number not in found:
            found[number] = definitions(next(path for path in LESSONS if path.name.startswith(number)))
        return found[number]

    return of


def taped(function, *arrays):
    """Value of a TensorFlow function of arrays, and the gradient of its sum with respect to each of them."""
    variables = [tf.Variable(np.asarray(array)) for array in arrays]
    with tf.GradientTape() as tape:
        value = function(*variables)
    return value.numpy(), [np.asarray(tf.convert_to_tensor(g)) for g in tape.gradient(value, variables)]


# --- 01


@pytest.mark.parametrize(
    ("name", "keras_name"),
    [("sigmoid", "sigmoid"), ("relu", "relu"), ("leaky_relu", "leaky_relu"), ("gelu", "gelu")],
)
def test_activations_and_their_slopes_equal_keras_far_out_too(lesson, name, keras_name):
    z = np.concatenate([np.linspace(-30, 30, 301), [0.0, 1e-9, -1e-9]]).reshape(4, -1)
    values, (slopes,) = taped(getattr(keras.activations, keras_name), z)
    np.testing.assert_allclose(getattr(lesson("01"), name)(z), values, atol=1e-6)
    np.testing.assert_allclose(getattr(lesson("01"), f"{name}_slope")(z), slopes, atol=1e-6)


def test_the_slope_of_tanh_equals_keras(lesson):
    z = np.linspace(-10, 10, 101)
    np.testing.assert_allclose(lesson("01").tanh_slope(z), taped(keras.activations.tanh, z)[1][0], atol=1e-9)


@pytest.mark.parametrize("z", [[0.0, 0.0], [3.0, -1.0, 0.5, 2.0], [1000.0, 1001.0, -1000.0]])
def test_softmax_and_its_jacobian_equal_tensorflow(lesson, z):
    z = tf.constant(z, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(z)
        shares = tf.nn.softmax(z)
    np.testing.assert_allclose(lesson("01").softmax(z.numpy()), shares.numpy(), atol=1e-12)
    np.testing.assert_allclose(lesson("01").softmax_jacobian(z.numpy()), tape.jacobian(shares, z), atol=1e-12)


@pytest.mark.parametrize("widths", [(3, 1), (4, 7, 2), (2, 3, 5, 3, 1)])
def test_a_linear_stack_collapses_whatever_its_widths(lesson, widths):
    rng = np.random.default_rng(0)
    stack = [(rng.normal(size=pair), rng.normal(size=pair[1])) for pair in pairwise(widths)]
    x = rng.normal(size=(6, widths[0]))
    W, b = lesson("01").collapse(stack)
    np.testing.assert_allclose(lesson("01").run_stack(x, stack), x @ W + b, atol=1e-12)


def test_the_small_network_equals_keras_for_a_batch(lesson):
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in ((3, 2), (2,), (2, 1), (1,))]
    x = rng.normal(size=(20, 3))
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(1, "sigmoid")])
    network.set_weights(weights)
    np.testing.assert_allclose(lesson("01").forward(x, *weights)[1], network(x), atol=1e-6)


# --- 02


def test_mean_squared_error_equals_keras(lesson):
    rng = np.random.default_rng(0)
    y, y_hat = rng.normal(size=50), rng.normal(size=50)
    loss, (slope,) = taped(lambda p: keras.losses.mean_squared_error(y, p), y_hat)
    np.testing.assert_allclose(lesson("02").mse(y, y_hat), loss, atol=1e-12)
    np.testing.assert_allclose(lesson("02").mse_gradient(y, y_hat), slope, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 5.0, 500.0])
def test_binary_cross_entropy_from_logits_equals_keras_for_huge_logits_too(lesson, scale):
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 2, 50).astype(float), scale * rng.normal(size=50)
    loss, (slope,) = taped(lambda logits: keras.losses.binary_crossentropy(y, logits, from_logits=True), z)
    np.testing.assert_allclose(lesson("02").binary_cross_entropy_from_logits(y, z), loss, rtol=1e-9)
    with np.errstate(over="ignore"):  # of the plain sigmoid, far out; its value 0 is right
        np.testing.assert_allclose(lesson("02").gradient_in_logits(y, z), slope, atol=1e-9)


def test_binary_cross_entropy_of_probabilities_is_that_of_their_logits(lesson):
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 2, 50).astype(float), rng.normal(size=50)
    from_probs = lesson("02").binary_cross_entropy(y, lesson("02").sigmoid(z))
    np.testing.assert_allclose(from_probs, lesson("02").binary_cross_entropy_from_logits(y, z), atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 5.0, 5_000.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
def test_cross_entropy_and_its_gradient_equal_keras_with_label_smoothing(lesson, scale, epsilon):
    rng = np.random.default_rng(0)
    z, y = scale * rng.normal(size=(9, 5)), np.eye(5)[rng.integers(0, 5, 9)]

    def of_keras(logits):
        each = keras.losses.categorical_crossentropy(y, logits, from_logits=True, label_smoothing=epsilon)
        return tf.reduce_mean(each)

    loss, (slope,) = taped(of_keras, z)
    ours = lesson("02").cross_entropy_and_gradient(lesson("02").smooth(y, epsilon), z)
    np.testing.assert_allclose(ours[0], loss, rtol=1e-6)
    np.testing.assert_allclose(ours[1], slope, atol=1e-7)


def test_the_naive_formula_agrees_where_it_can(lesson):
    z = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(lesson("02").naive_log_softmax(z), lesson("02").log_softmax(z), atol=1e-12)
    assert np.isnan(lesson("02").naive_log_softmax(np.array([[1000.0, 0.0]]))).any()


# --- 04

BY_HAND = {
    "sgd": lambda rate: keras.optimizers.SGD(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "nesterov": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate),
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.01),
}


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_optimizers_equal_keras_for_fifty_noisy_steps_on_arrays_of_any_shape(lesson, name, rate):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(4, 3)), rng.normal(size=3)]
    variables = [keras.Variable(w, dtype="float64") for w in weights]
    memories, of_keras = [{}, {}], BY_HAND[name](rate)
    for t in range(1, 51):
        gradients = [w + rng.normal(size=w.shape) * 10.0 ** rng.integers(-4, 2) for w in weights]
        weights = [
            getattr(lesson("04"), name)(w, g, memory, t, rate)
            for w, g, memory in zip(weights, gradients, memories, strict=True)
        ]
        of_keras.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    for ours, theirs in zip(weights, variables, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_the_networks_gradients_agree_with_tensorflow(lesson):
    rng = np.random.default_rng(0)
    weights = lesson("04").starting_weights(rng)
    weights[1] += rng.normal(size=64) * 0.1
    x, y = rng.random((12, 784)), rng.integers(0, 10, 12)

    def loss(W1, b1, W2, b2):
        logits = tf.nn.relu(x @ W1 + b1) @ W2 + b2
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))

    value, gradients = taped(loss, *weights)
    ours = lesson("04").loss_and_gradients(x, y, weights)
    np.testing.assert_allclose(ours[0], value, atol=1e-12)
    for mine, theirs in zip(ours[1], gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("curvature", [0.5, 3.0, 40.0])
def test_gradient_descent_is_stable_up_to_two_over_the_curvature(lesson, curvature):
    start, bound = np.array([1.0]), 2 / curvature
    for factor, shrinks in ((0.99, True), (1.01, False)):
        path = lesson("04").hike(lesson("04").sgd, factor * bound, np.array([curvature]), start, 300)
        assert (abs(path[-1, 0]) < 1) == shrinks


@pytest.mark.parametrize(("factor", "patience"), [(0.5, 2), (0.1, 1), (0.3, 3)])
def test_reduce_on_plateau_equals_keras(lesson, factor, patience):
    rng = np.random.default_rng(patience)
    losses = 1 / np.arange(1, 41) ** 0.3 + 0.05 * rng.normal(size=40)
    callback = keras.callbacks.ReduceLROnPlateau(factor=factor, patience=patience)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(keras.optimizers.SGD(0.1), "mse")
    callback.set_model(network)
    callback.on_train_begin()
    theirs = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        theirs.append(float(network.optimizer.learning_rate))
    ours = lesson("04").reduce_on_plateau(losses, 0.1, factor, patience)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


# --- 05


def test_the_three_ways_have_the_same_weights_and_the_class_comes_back_from_its_file(lesson, tmp_path):
    functional, subclass = lesson("05").build_functional(), lesson("05").SubclassMLP()
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype("uint8")
    subclass(images)
    assert [w.shape for w in functional.get_weights()] == [w.shape for w in subclass.get_weights()]
    subclass.set_weights(functional.get_weights())
    np.testing.assert_allclose(subclass(images), functional(images), atol=1e-6)
    subclass.save(tmp_path / "class.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "class.keras")(images), subclass(images))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
def test_the_loop_by_hand_is_fit_step_for_step_with_an_uneven_last_batch(lesson, optimizer):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (90, 28, 28)).astype("uint8"), rng.integers(0, 10, 90)
    lesson("05").cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network = lesson("05").build_functional()
    start, traces = network.get_weights(), []
    for by_hand in (True, False):
        network.set_weights(start)
        network.compile(getattr(keras.optimizers, optimizer)(0.01), lesson("05").cross_entropy)
        if by_hand:
            losses, trace = lesson("05").train_by_hand(network, network.optimizer, images, labels, 32)
        else:
            keeper = lesson("05").KeepWeights()
            history = network.fit(images, labels, 32, shuffle=False, callbacks=[keeper], verbose=0)
            trace = keeper.trace
        traces.append(trace)
    assert [len(trace) for trace in traces] == [3, 3]
    for ours, theirs in zip(*traces, strict=True):
        assert lesson("05").apart(ours, theirs) < 1e-5
    mean = np.average(losses, weights=[32, 32, 26])
    np.testing.assert_allclose(mean, history.history["loss"][0], rtol=1e-5)


def test_scrambling_keeps_every_pixel_value_and_is_the_same_for_all_images(lesson):
    images = np.arange(2 * 784).reshape(2, 28, 28)
    lesson("05").order = np.random.default_rng(1).permutation(784)
    scrambled = lesson("05").scramble(images)
    assert np.array_equal(np.sort(scrambled.ravel()), images.ravel())
    assert np.array_equal(scrambled[1] - scrambled[0], np.full((28, 28), 784))


# --- 06


def ranked(ties, seed=0, count=200):
    rng = np.random.default_rng(seed)
    y = rng.random(count) < 0.2
    scores = rng.normal(size=count) + y
    return y, scores.round(1 if ties else 12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_roc_and_average_precision_equal_scikit_learn_with_equal_scores_too(lesson, ties, seed):
    y, scores = ranked(ties, seed)
    np.testing.assert_allclose(lesson("06").roc_area(y, scores), metrics.roc_auc_score(y, scores), atol=1e-12)
    ours, theirs = lesson("06").average_precision(y, scores), metrics.average_precision_score(y, scores)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    false_rate, true_rate, _ = metrics.roc_curve(y, scores, drop_intermediate=False)
    np.testing.assert_allclose(lesson("06").roc_curve(y, scores), (false_rate, true_rate), atol=1e-12)


@pytest.mark.parametrize("threshold", [-10.0, 0.0, 0.8, 10.0])
def test_precision_recall_and_f1_equal_scikit_learn_for_detectors_that_always_or_never_fire(lesson, threshold):
    y, scores = ranked(ties=False)
    says = scores > threshold
    tp, fp, fn, tn = lesson("06").counts(y, says)
    assert [[tn, fp], [fn, tp]] == metrics.confusion_matrix(y, says).tolist()
    theirs = metrics.precision_recall_fscore_support(y, says, average="binary", zero_division=0)
    np.testing.assert_allclose(lesson("06").precision_recall_f1(tp, fp, fn), theirs[:3], atol=1e-12)


@pytest.mark.parametrize("bins", [3, 5, 10])
def test_the_calibration_curve_equals_scikit_learn(lesson, bins):
    y, scores = ranked(ties=False)
    p = 1 / (1 + np.exp(-scores))
    said, true, error = lesson("06").calibration(y, p, bins)
    np.testing.assert_allclose((true, said), calibration_curve(y, p, n_bins=bins), atol=1e-12)
    assert 0 < error < 1
    assert lesson("06").calibration(np.array([True, False]), np.array([1.0, 0.0]), bins)[2] == 0


@pytest.mark.parametrize(("right", "count"), [(0, 10), (3, 7), (58, 60), (60, 60)])
def test_the_interval_equals_scipy(lesson, right, count):
    from scipy.stats import binomtest

    theirs = binomtest(right, count).proportion_ci(method="wilson")
    np.testing.assert_allclose(lesson("06").wilson(right / count, count), (theirs.low, theirs.high), atol=1e-6)


@pytest.mark.parametrize(("count", "k"), [(10, 5), (23, 4), (7, 7)])
def test_every_row_is_tested_once_and_never_by_a_model_that_saw_it(lesson, count, k):
    order = np.random.default_rng(0).permutation(count)
    folds = list(lesson("06").k_fold(order, k))
    assert len(folds) == k
    assert sorted(row for _, test in folds for row in test) == list(range(count))
    for train, test in folds:
        assert not set(train) & set(test)
        assert len(train) + len(test) == count
    for ours, theirs in zip(lesson("06").k_fold(np.arange(count), k), KFold(k).split(np.zeros(count)), strict=True):
        assert all(map(np.array_equal, ours, theirs))


def test_f1_of_every_class_equals_scikit_learn(lesson):
    rng = np.random.default_rng(0)
    labels, said = rng.integers(0, 5, 100), rng.integers(0, 4, 100)
    theirs = metrics.f1_score(labels, said, average=None, labels=range(6), zero_division=0)
    np.testing.assert_allclose(lesson("06").f1_by_class(labels, said, 6), theirs, atol=1e-12)


def test_rows_in_both_parts_are_found_and_columns_ranked_by_correlation(lesson):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(20, 3)), rng.normal(size=(6, 3))
    test[[1, 4]] = train[[7, 7]]
    assert np.flatnonzero(lesson("06").rows_also_in(train, test)).tolist() == [1, 4]
    x, y = rng.normal(size=(40, 30)), rng.integers(0, 2, 40)
    strength = [abs(np.corrcoef(column, y)[0, 1]) for column in x.T]
    assert lesson("06").best_columns(x, y, 5).tolist() == np.argsort(strength)[::-1][:5].tolist()


@pytest.mark.parametrize(("printed", "count"), [(0.9667, 30), (0.9722, 36), (0.5, 2), (1.0, 1), (0.6667, 3)])
def test_the_smallest_test_set_that_prints_a_number(lesson, printed, count):
    assert lesson("06").smallest_count(printed) == count


# --- 07


@pytest.mark.parametrize("strength", [0.0, 0.01, 3.0])
@pytest.mark.parametrize(("name", "of_keras"), [("l1_penalty", "L1"), ("l2_penalty", "L2")])
def test_penalties_and_slopes_equal_keras(lesson, strength, name, of_keras):
    w = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    value, (slope,) = taped(getattr(keras.regularizers, of_keras)(strength), w)
    ours = getattr(lesson("07"), name)(w, strength)
    np.testing.assert_allclose(ours[0], value, rtol=1e-5)
    np.testing.assert_allclose(ours[1], slope, atol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_equals_keras_in_both_modes(lesson, rate):
    x = np.random.default_rng(0).normal(size=(40, 30)).astype("float32")
    mask = keras.layers.Dropout(rate, seed=7)(np.ones_like(x), training=True).numpy() > 0
    for in_training in (True, False):
        theirs = keras.layers.Dropout(rate, seed=7)(x, training=in_training)
        np.testing.assert_allclose(lesson("07").dropout(x, rate, in_training, mask), theirs, rtol=1e-5)


@pytest.mark.parametrize(("count", "momentum", "epsilon"), [(2, 0.99, 1e-3), (64, 0.9, 1e-5), (7, 0.5, 0.1)])
def test_batch_norm_and_its_gradients_equal_keras_over_several_batches(lesson, count, momentum, epsilon):
    rng = np.random.default_rng(0)
    layer = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype="float64")
    layer.build((None, 3))
    gamma, beta = rng.normal(size=(2, 3))
    moving = rng.normal(size=3), rng.random(3) + 0.5
    layer.set_weights([gamma, beta, *moving])
    for _ in range(3):
        x, dy = rng.normal(1, 2, (count, 3)), rng.normal(size=(count, 3))
        y, moving = lesson("07").batch_norm(x, gamma, beta, moving, True, momentum, epsilon)
        with tf.GradientTape() as tape:
            inputs = tf.Variable(x)
            output = layer(inputs, training=True)
            loss = tf.reduce_sum(output * dy)
        theirs = tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])
        np.testing.assert_allclose(y, output, atol=1e-6)
        for ours, gradient in zip(lesson("07").batch_norm_backward(x, gamma, dy, epsilon), theirs, strict=True):
            np.testing.assert_allclose(ours, gradient, atol=1e-6)
    np.testing.assert_allclose(moving[0], layer.moving_mean.numpy(), atol=1e-6)
    np.testing.assert_allclose(moving[1], layer.moving_variance.numpy(), atol=1e-6)
    in_use, same = lesson("07").batch_norm(x, gamma, beta, moving, False, momentum, epsilon)
    np.testing.assert_allclose(in_use, layer(x, training=False), atol=1e-6)
    assert same is moving


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_the_solutions_early_stopping_stops_where_keras_does(patience):
    solution = definitions(next(path for path in SOLUTIONS if path.name.startswith("07")))
    losses = 1 / np.arange(1, 31) + 0.15 * np.random.default_rng(3).random(30)
    callback = keras.callbacks.EarlyStopping(patience=patience)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    callback.set_model(network)
    network.stop_training = False
    callback.on_train_begin()
    run = 0
    while run < len(losses) and not network.stop_training:
        callback.on_epoch_end(run, {"val_loss": losses[run]})
        run += 1
    assert solution.early_stopping(losses, patience) == (run, callback.best_epoch + 1)


# --- 08


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_deep_sweep_equals_keras_in_every_layer(lesson, activation, skip):
    deep = lesson("08")
    deep.depth, deep.units = 6, 12
    deep.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network = deep.build(activation, "glorot_normal", skip=skip)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 28, 28)).astype("uint8"), rng.integers(0, 10, 20)
    x = images.reshape(20, -1) / 255
    weights = deep.pairs(network)
    assert len(weights) == 7
    logits = deep.forward(x, weights, getattr(deep, activation), skip)[-1]
    np.testing.assert_allclose(logits, network(images), atol=1e-4)
    of_keras = deep.gradient_norms(network, images, labels)
    by_hand = deep.norms_by_hand(network, images, labels, getattr(deep, activation), skip)
    np.testing.assert_allclose(by_hand, of_keras, rtol=1e-3)


def test_batch_norm_and_skip_change_only_what_they_say(lesson):
    deep = lesson("08")
    deep.depth, deep.units = 4, 8
    counts = {
        (bn, skip): deep.build("relu", "he_normal", batch_norm=bn, skip=skip).count_params()
        for bn in (False, True)
        for skip in (False, True)
    }
    assert counts[False, False] == counts[False, True] == 784 * 8 + 8 + 3 * (8 * 8 + 8) + 8 * 10 + 10
    assert counts[True, True] == counts[True, False] == counts[False, False] + 3 * 4 * 8


@pytest.mark.parametrize("limit", [0.1, 1.0, 1e6])
def test_clipping_equals_tensorflow_and_keras(lesson, limit):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(2, 2, 2))]
    theirs, _ = tf.clip_by_global_norm(gradients, limit)
    ours = lesson("08").clip_by_global_norm(gradients, limit)
    variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradients]
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=limit)
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    for mine, of_tensorflow, variable in zip(ours, theirs, variables, strict=True):
        np.testing.assert_allclose(mine, of_tensorflow, atol=1e-12)
        np.testing.assert_allclose(mine, -variable.numpy(), atol=1e-6)


@pytest.mark.parametrize("units", [64, 400])
def test_he_keeps_the_size_of_the_signal_and_glorot_halves_its_square(lesson, units):
    x = np.random.default_rng(0).normal(size=(200, units))
    halved = {}
    for name, deviation in (("He", lambda n, _: np.sqrt(2 / n)), ("Glorot", lambda n, m: np.sqrt(2 / (n + m)))):
        sizes = lesson("08").signal_sizes(x, deviation, 8, units, np.random.default_rng(1))
        halved[name] = (sizes[-1] / sizes[0]) ** 2
    assert 0.2 < halved["He"] < 5
    assert 0.2 < halved["Glorot"] * 2**7 < 5


def test_each_broken_training_shows_the_sign_of_its_mistake():
    from dlkit.exercises.part1_depth import broken_trainings

    curves = {letter: {k: np.array(v) for k, v in pair.items()} for letter, pair in broken_trainings().items()}
    chance = np.log(10)
    mixed, twice, large, zero = (curves[letter] for letter in "ABCD")
    assert mixed["training"][-1] < chance - 0.1
    assert mixed["validation"][-1] > chance + 0.1
    assert 1.461 < twice["training"][-1] < 1.9
    assert abs(twice["training"] - twice["validation"]).max() < 0.1
    assert large["training"].min() > 2 * chance
    assert abs(zero["training"] - chance).max() < 0.01
