import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldvein.errors import InputError
from goldvein.noise import synthetic as noise
from goldvein.noise.transition import bayes_accuracy

MNIST_TRAIN = np.array([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])
MNIST_TEST = np.array([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
CIFAR10 = np.full(10, 5000)

seeds = st.integers(0, 2**32 - 1)
rates = st.floats(0, 1)
class_counts = st.integers(2, 12)
ways = st.sampled_from(["independent", "exact"])


@st.composite
def labels_and_noise(draw, kinds=("symmetric", "uniform", "pair")):
    n_classes = draw(class_counts)
    y = np.array(draw(st.lists(st.integers(-1, n_classes - 1), max_size=60)), dtype=np.int64)
    return y, noise.transition(draw(st.sampled_from(kinds)), n_classes, draw(rates))


def test_symmetric_flips_to_the_other_classes_alone():
    T = noise.transition("symmetric", 10, 0.2)
    np.testing.assert_allclose(T.diagonal(), 0.8)
    np.testing.assert_allclose(T[~np.eye(10, dtype=bool)], 0.2 / 9)


def test_uniform_includes_the_own_class():
    T = noise.transition("uniform", 10, 0.2)
    np.testing.assert_allclose(T.diagonal(), 0.82)
    np.testing.assert_allclose(T[0, 1:], 0.02)


def test_pair_flips_to_the_next_class_and_the_last_to_the_first():
    expected = [[0.7, 0.3, 0], [0, 0.7, 0.3], [0.3, 0, 0.7]]
    np.testing.assert_allclose(noise.transition("pair", 3, 0.3), expected)


@pytest.mark.parametrize(
    ("name", "flips"),
    [
        ("patrini_mnist", {(2, 7), (3, 8), (7, 1), (5, 6), (6, 5)}),
        ("ding_mnist", {(2, 7), (3, 8), (7, 1), (5, 6)}),
        ("patrini_cifar10", {(9, 1), (2, 0), (4, 7), (3, 5), (5, 3)}),
    ],
)
def test_named_flips(name, flips):
    T = noise.transition(name, 10, 0.6)
    off = {(int(i), int(j)) for i, j in np.argwhere(T) if i != j}
    assert off == flips
    assert all(T[i, j] == 0.6 and T[i, i] == 0.4 for i, j in flips)
    np.testing.assert_allclose(T.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("name", "counts", "overall"),
    [("patrini_mnist", MNIST_TRAIN, 0.297), ("patrini_cifar10", CIFAR10, 0.300)],
)
def test_overall_rate_of_the_papers(name, counts, overall):
    T = noise.transition(name, 10, 0.6)
    assert counts @ (1 - T.diagonal()) / counts.sum() == pytest.approx(overall, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "prior", "plain", "balanced"),
    [
        ("patrini_cifar10", CIFAR10, 0.50, 0.80),
        ("patrini_mnist", MNIST_TEST, 0.508, 0.815),
        ("ding_mnist", MNIST_TEST, 0.604, 1.0),
    ],
)
def test_ceilings(name, prior, plain, balanced):
    T = noise.transition(name, 10, 0.6)
    assert bayes_accuracy(T, prior, balanced=False) == pytest.approx(plain, abs=5e-4)
    assert bayes_accuracy(T, prior, balanced=True) == pytest.approx(balanced, abs=5e-4)
    mild = noise.transition(name, 10, 0.2)
    assert bayes_accuracy(mild, prior, balanced=False) == pytest.approx(1)
    assert bayes_accuracy(mild, prior, balanced=True) == pytest.approx(1)


def test_ceiling_of_a_tie_is_shared():
    half = noise.transition("pair", 2, 0.5)
    assert bayes_accuracy(half, [1, 1], balanced=False) == pytest.approx(0.5)
    assert bayes_accuracy(half, [3, 1], balanced=True) == pytest.approx(0.5)


def test_ceiling_with_a_class_that_nobody_gives():
    T = [[1.0, 0.0], [1.0, 0.0]]
    assert bayes_accuracy(T, [3, 1], balanced=False) == pytest.approx(0.75)
    assert bayes_accuracy(T, [3, 1], balanced=True) == pytest.approx(0.75)


@pytest.mark.parametrize("how", ["independent", "exact"])
@pytest.mark.parametrize("name", noise.noise_names())
def test_the_noise_that_comes_out_is_within_five_sigma(name, how):
    n = 4000
    y = np.repeat(np.arange(10), n)
    T = noise.transition(name, 10, 0.4)
    came_out = noise.describe(y, noise.corrupt(y, T, random_state=3, how=how)).transition
    assert (np.abs(came_out - T) <= 5 * np.sqrt(T * (1 - T) / n) + 1e-12).all()


def test_independent_draws_are_one_multinomial_per_row():
    y = np.arange(10).repeat(3)
    T = noise.transition("patrini_cifar10", 10, 0.6)
    rng = np.random.RandomState(5)
    expected = [int(np.flatnonzero(rng.multinomial(1, T[label]))[0]) for label in y]
    assert noise.corrupt(y, T, random_state=5).tolist() == expected


@given(labels_and_noise(), seeds, ways)
def test_missing_stays_missing_and_the_input_is_left_alone(case, seed, how):
    y, T = case
    before = y.copy()
    noisy = noise.corrupt(y, T, seed, how)
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(noisy == -1, y == -1)
    assert noisy.dtype == np.int64
    assert ((noisy >= -1) & (noisy < len(T))).all()


@given(labels_and_noise(), seeds, ways)
def test_the_same_seed_gives_the_same_labels(case, seed, how):
    y, T = case
    np.testing.assert_array_equal(noise.corrupt(y, T, seed, how), noise.corrupt(y, T, seed, how))


@given(labels_and_noise(), seeds, ways)
def test_no_label_appears_that_has_probability_zero(case, seed, how):
    y, T = case
    noisy = noise.corrupt(y, T, seed, how)
    labeled = y >= 0
    assert (T[y[labeled], noisy[labeled]] > 0).all()


@given(class_counts, seeds, ways)
def test_symmetric_noise_at_rate_one_never_gives_the_own_class(n_classes, seed, how):
    y = np.arange(n_classes).repeat(4)
    noisy = noise.corrupt(y, noise.transition("symmetric", n_classes, 1.0), seed, how)
    assert (noisy != y).all()


@given(labels_and_noise(), seeds)
def test_exact_counts_are_hit(case, seed):
    y, T = case
    wrong = noise.corrupt(y, T, seed, "exact") != y
    shares = np.bincount(y[y >= 0], minlength=len(T)) * (1 - T.diagonal())
    assert abs(wrong.sum() - shares.sum()) <= 0.5 + 1e-6
    per_class = np.bincount(y[wrong], minlength=len(T))
    assert (np.abs(per_class - shares) < 1).all()


@pytest.mark.parametrize(("rate", "per_class"), [(0.1, 1), (0.2, 2), (0.3, 3), (0.5, 5), (0.9, 9)])
def test_exact_counts_of_a_hundred_labels(rate, per_class):
    y = np.arange(10).repeat(10)
    T = noise.transition("symmetric", 10, rate)
    wrong = noise.corrupt(y, T, random_state=0, how="exact") != y
    assert np.bincount(y[wrong]).tolist() == [per_class] * 10


def test_exact_counts_spread_what_does_not_divide():
    y = np.arange(10).repeat(10)
    T = noise.transition("symmetric", 10, 0.25)
    per_class = np.array([np.bincount(y[noise.corrupt(y, T, s, "exact") != y]) for s in range(20)])
    assert (per_class.sum(axis=1) == 25).all()
    assert set(per_class.ravel()) == {2, 3}
    assert len(np.unique(per_class, axis=0)) > 5  # the ties fall to other classes under other seeds


@given(labels_and_noise(), seeds, ways)
def test_rate_zero_changes_nothing(case, seed, how):
    y, T = case
    identity = noise.transition("symmetric", len(T), 0.0)
    np.testing.assert_array_equal(noise.corrupt(y, identity, seed, how), y)


@given(st.lists(st.integers(3, 9), min_size=1, max_size=6), st.integers(1, 3), seeds)
def test_keep_labels_keeps_as_many_in_each_class(counts, per_class, seed):
    y = np.r_[np.repeat(np.arange(len(counts)), counts), -1, -1]
    kept = noise.keep_labels(y, per_class, seed)
    assert np.bincount(kept[kept >= 0]).tolist() == [per_class] * len(counts)
    assert (kept[kept >= 0] == y[kept >= 0]).all()
    np.testing.assert_array_equal(kept, noise.keep_labels(y, per_class, seed))


def test_keep_labels_draws_other_rows_under_another_seed():
    y = np.zeros(100, dtype=int)
    assert (noise.keep_labels(y, 10, 0) != noise.keep_labels(y, 10, 1)).any()


def test_both_orders_of_use():
    y = np.arange(10).repeat(100)
    T = noise.transition("symmetric", 10, 0.3)
    by_given = noise.keep_labels(noise.corrupt(y, T, 0), 10, 1)
    assert np.bincount(by_given[by_given >= 0]).tolist() == [10] * 10
    by_true = noise.describe(y, noise.corrupt(noise.keep_labels(y, 10, 0), T, 1, "exact"))
    assert (by_true.n_labeled, by_true.n_wrong) == (100, 30)
    np.testing.assert_allclose(by_true.rate_per_class, 0.3)


def test_describe_counts_by_hand():
    y_true = np.array([0, 0, 0, 0, 2, 2, -1, 1])
    y = np.array([0, 0, 2, -1, 2, 0, 1, -1])
    came_out = noise.describe(y_true, y)
    assert (came_out.n_labeled, came_out.n_wrong, came_out.rate) == (5, 2, 0.4)
    np.testing.assert_allclose(came_out.rate_per_class, [1 / 3, np.nan, 1 / 2])
    np.testing.assert_allclose(came_out.transition, [[2 / 3, 0, 1 / 3], [np.nan] * 3, [1 / 2, 0, 1 / 2]])


def test_a_matrix_is_checked_and_copied():
    given_matrix = np.array([[0.9, 0.1], [0.2, 0.8]])
    T = noise.transition(given_matrix, 2)
    np.testing.assert_allclose(T, given_matrix)
    T[0, 0] = 0
    assert given_matrix[0, 0] == 0.9


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1.0, 0.0]], r"shape \(1, 2\): it must be 2 x 2"),
        (np.eye(3), r"shape \(3, 3\): it must be 2 x 2"),
        (0.2, r"shape \(\)"),
        ([[1.0, 0.0], [0.1, np.nan]], "holds nan"),
        ([[1.0, 0.0], [-0.1, 1.1]], "holds -0.1"),
        ([[0.9, 0.2], [0.1, 0.8]], "row 0 of the transition matrix sums to 1.1"),
        ([["a", "b"], ["c", "d"]], "not numeric"),
        ([[1.0], [0.0, 1.0]], "not numeric"),
    ],
)
def test_a_bad_matrix_is_refused(matrix, message):
    with pytest.raises(InputError, match=message):
        noise.transition(matrix, 2)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("symetric", 10, 0.2), "unknown noise 'symetric': did you mean 'symmetric'"),
        (("symmetric", 10, None), "rate=None"),
        (("symmetric", 10, 1.1), "rate=1.1"),
        (("symmetric", 10, float("nan")), "rate=nan"),
        (("symmetric", 1, 0.2), "n_classes=1"),
        (("patrini_mnist", 14, 0.2), "is for 10 classes, not 14"),
        ((np.eye(2), 2, 0.2), "rate=0.2 with a matrix"),
    ],
)
def test_bad_noise_is_refused(args, message):
    with pytest.raises(InputError, match=message):
        noise.transition(*args)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([0, 2]), "y holds 2: the transition matrix ends at class 1"),
        (np.array([0, -2]), "y holds -2"),
        (np.array([0.0, 1.0]), "float64"),
        (np.array([[0, 1]]), r"shape \(1, 2\)"),
    ],
)
def test_bad_labels_are_refused(y, message):
    with pytest.raises(InputError, match=message):
        noise.corrupt(y, np.eye(2), 0)


def test_an_unknown_way_to_corrupt_is_refused():
    with pytest.raises(InputError, match="unknown way to corrupt 'exactly': did you mean 'exact'"):
        noise.corrupt(np.array([0, 1]), np.eye(2), 0, how="exactly")


def test_keep_labels_refuses_what_it_cannot_give():
    with pytest.raises(InputError, match="class 1 has 1 labels: per_class=2"):
        noise.keep_labels(np.array([0, 0, 1]), 2, 0)
    with pytest.raises(InputError, match="class 1 has 0 labels"):
        noise.keep_labels(np.array([0, 0, 2]), 1, 0)
    with pytest.raises(InputError, match="per_class=0"):
        noise.keep_labels(np.array([0, 1]), 0, 0)
    with pytest.raises(InputError, match="y holds no label"):
        noise.keep_labels(np.array([-1, -1]), 1, 0)


def test_describe_refuses_rows_that_do_not_match():
    with pytest.raises(InputError, match="y_true has 2 labels and y 3"):
        noise.describe(np.array([0, 1]), np.array([0, 1, 1]))
    with pytest.raises(InputError, match="no row has both"):
        noise.describe(np.array([0, -1]), np.array([-1, 1]))


@pytest.mark.parametrize("prior", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, np.inf]])
def test_a_bad_prior_is_refused(prior):
    with pytest.raises(InputError, match="class frequencies"):
        bayes_accuracy(np.eye(2), prior, balanced=True)


@pytest.mark.parametrize("matrix", [[[1.0, 0.0]], [[1.0], [0.0, 1.0]], 0.5, [], np.zeros((0, 0))])
def test_corrupt_and_the_ceiling_check_the_matrix_too(matrix):
    with pytest.raises(InputError, match="transition matrix"):
        noise.corrupt(np.array([0, 1]), matrix, 0)
    with pytest.raises(InputError, match="transition matrix"):
        bayes_accuracy(matrix, [1.0], balanced=False)


# SHA-256 of (y, trusted) for seed 5: independent, then exact draws, each with all labels, with 20 labels and 3 trusted
# ones per class, and with a seventh of the rows trusted as well. Published results depend on these draws.
DIGESTS = {
    "none": "ed2bb2b57d5b 261e0c8a25e4 a418dad045a8 ed2bb2b57d5b 261e0c8a25e4 a418dad045a8",
    "symmetric": "2ece1b70dd76 5b4717e0c1eb 141004302615 e7437567aa8d 318878a9279d a76a17577861",
    "uniform": "762a1b6c80f4 91e4cef38f5c e9b9526899e7 b8ab2fdf97b6 992dfc785c96 abdbf9a18a8a",
    "pair": "29b04e39852b de032ada74e3 19ea2f44a81d 63f1d323497f ae4456ed3f72 371eee0c56cf",
    "patrini_mnist": "c9a150878579 54496f92f6da c43d0b378aca 8d21582e4e5e 9750f7abad23 657ad3dbbb91",
    "ding_mnist": "7b190d23cfc7 92d2f04cf21b 2db9d9bbf82f d8a7664be873 085730ceb020 a80b0f813312",
    "patrini_cifar10": "6785085435ed 285529f06a2b df998f00dcce 04d79d4d8f52 38e0207fb262 a22839ca33d6",
}


@pytest.mark.parametrize("kind", DIGESTS)
def test_the_draws_never_change(kind):
    y, seventh = np.arange(600) % 10, np.arange(600) % 7 == 0
    found = []
    for how in ("independent", "exact"):
        for few, trusted in (({}, None), (FEW, None), (FEW, seventh)):
            chosen = {"noise": None if kind == "none" else kind, "rate": 0.4, "how": how, "trusted": trusted, **few}
            made = noise.make_noisy(y, y, 10, random_state=5, **chosen)
            found.append(hashlib.sha256(np.concatenate(made, dtype="<i8").tobytes()).hexdigest()[:12])
    assert " ".join(found) == DIGESTS[kind]


FEW = {"labels_per_class": 20, "trusted_per_class": 3}


def test_trusted_labels_stay_and_new_ones_come_from_missing_rows():
    y = np.arange(40) % 2
    trusted = np.arange(40) < 10
    made, known = noise.make_noisy(
        y, y, 2, trusted=trusted, noise="pair", rate=1.0, labels_per_class=5, trusted_per_class=2, random_state=0
    )
    assert np.array_equal(made[:10], y[:10])
    assert known[:10].all()
    assert known.sum() == 14
    assert np.array_equal(made[known], y[known])
