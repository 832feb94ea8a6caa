"""Rows like no other in the features of a network."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from goldvein import NoisyLabelClassifier
from goldvein.noise import synthetic as noise
from goldvein.selectors.neighbors import deviations
from goldvein.training.outliers import kth_distance, unit


def test_the_distance_is_that_to_the_fifth_nearest_by_enumeration():
    x, base = unit(torch.randn(7, 3)), unit(torch.randn(30, 3))
    by_hand = (x[:, None] - base[None]).norm(dim=2).sort(1).values[:, 4]
    assert torch.allclose(kth_distance(x, base), by_hand, atol=1e-3)


def test_a_deviation_is_the_way_from_the_median_to_the_84th_percentile():
    usual = np.r_[np.zeros(501), np.arange(1, 501) / 500]
    assert deviations(np.array([3 * 0.6826]), usual) == pytest.approx(3, abs=0.01)


def test_equal_distances_tell_nothing():
    assert not deviations(np.array([0.3, 0.9]), np.full(100, 0.3)).any()


@pytest.fixture(scope="module")
def digits():
    """1,500 digits with a tenth of the labels wrong, and then 30 pictures of noise with labels by chance."""
    x, truth = load_digits(return_X_y=True)
    x, truth = x[:1500] / 16, truth[:1500]
    rng = np.random.default_rng(0)
    y = noise.corrupt(truth, noise.transition("symmetric", 10, 0.1), 0)
    return np.r_[x, rng.random((30, 64))].astype(np.float32), np.r_[y, rng.integers(0, 10, 30)]


def test_a_run_finds_rows_of_none_of_its_classes(digits):
    X, y = digits
    model = NoisyLabelClassifier("cross_entropy", epochs=15, normalize="none", random_state=0).fit(X, y)
    table = model.label_issues().set_index("id")
    strange = table.index[table["kind"] == "none_of_these"]
    assert (strange >= 1500).sum() >= 5
    assert (strange < 1500).sum() <= 4
    blind = replace(model.evidence_, outlier=None).audit(model.classes_).table
    assert (blind["kind"] == "none_of_these").sum() <= 2


def test_a_network_without_features_and_few_rows_say_nothing(digits):
    X, y = digits
    few = NoisyLabelClassifier("cross_entropy", epochs=1, random_state=0).fit(X[::16], y[::16])
    assert few.evidence_.outlier is None

    plain = NoisyLabelClassifier("cross_entropy", model=Plain, epochs=1, random_state=0).fit(X, y)
    assert plain.evidence_.outlier is None


class Plain(torch.nn.Module):
    """No features."""

    def __init__(self, input_shape, n_classes):
        super().__init__()
        self.head = torch.nn.Linear(int(np.prod(input_shape)), n_classes)

    def forward(self, x):
        return self.head(x.flatten(1))


class Maps(torch.nn.Module):
    """Features that are maps, as those of some networks of torchvision."""

    def __init__(self, input_shape, n_classes):
        super().__init__()
        self.features = torch.nn.Conv2d(input_shape[0], 4, 3)
        self.head = torch.nn.Linear(4, n_classes)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("network", "tells"), [(Plain, False), (Maps, True)])
def test_networks_of_others_are_taken_as_they_are(digits, network, tells, precision):
    X, y = digits
    images = (255 * X[::8]).astype(np.uint8).reshape(-1, 1, 8, 8)
    model = NoisyLabelClassifier("cross_entropy", model=network, epochs=1, precision=precision, random_state=0)
    assert (model.fit(images, y[::8]).evidence_.outlier is not None) == tells
