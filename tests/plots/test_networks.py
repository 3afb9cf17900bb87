"""dlkit.plots.networks: diagrams show the numbers of the model."""

import numpy as np
import pytest

from dlkit import models, plots
from tests.plots.helpers import texts


def test_plot_network_shows_every_layer():
    model = models.build_classic_cnn((32, 32, 3), 10)
    drawn = texts(plots.plot_network(model))
    for layer in model.layers:
        assert layer.name in drawn
    assert any("65,600" in text and "64" in text for text in drawn)
    assert "classic_cnn: 122,570 parameters" in drawn
    assert "pool_1" not in texts(plots.plot_network(model, min_params=1))


def test_plot_dense_network_shows_every_number():
    fig = plots.plot_dense_network(
        [[1.0, 2.0], [0.25]], [np.array([[0.5], [-0.5]])], [[0.1, 0.2], [0.3]], [np.array([[7.0], [8.0]])]
    )
    assert {"1.00", "2.00", "0.25", "0.50", "-0.50", "+7.00", "+8.00", "+0.30"} <= set(texts(fig))


def test_plot_dense_network_shows_sums_below_the_units():
    activations, weights = [[1.0, 2.0], [0.25, 0.0]], [np.array([[0.5, 3.0], [-0.5, 4.0]])]
    z, b = [[0.75, -6.0]], [[1.25, -17.0]]
    drawn = texts(plots.plot_dense_network(activations, weights, pre_activations=z, biases=b))
    assert {"z = 0.75, b = 1.25", "z = -6.00, b = -17.00"} <= set(drawn)
    drawn = texts(plots.plot_dense_network(activations, weights, biases=b))
    assert {"b = 1.25", "b = -17.00"} <= set(drawn)
    assert not any("z" in text for text in drawn)


def test_plot_network_refuses_to_draw_nothing():
    with pytest.raises(ValueError, match="at least 1,000 parameters. Received: none in mlp"):
        plots.plot_network(models.build_mlp((2, 2), 3, hidden=()), min_params=1000)
