"""Normalization by hand, views by name, and rows that are read when asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from goldvein.errors import InputError
from goldvein.training import inputs
from goldvein.training.inputs import Inputs, Transform

CPU = torch.device("cpu")


class Lazy:
    """Rows that are only there when they are asked for."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.shape, self.dtype, self.asked = x, x.shape, x.dtype, 0

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: Any) -> np.ndarray:
        self.asked += 1
        return self.x[rows]


def test_a_network_sees_crops_in_training_and_the_middle_afterwards() -> None:
    x = np.random.default_rng(0).integers(0, 256, (5, 3, 256, 250)).astype(np.uint8)
    transform = Transform((3, 256, 250), "flip_crop").fit(x, "none")
    assert transform.seen_shape == (3, 224, 219)
    assert Transform((3, 256, 256), "flip_crop").seen_shape == (3, 224, 224)
    assert Transform((3, 256, 250)).seen_shape == (3, 256, 250)
    served = Inputs(x, transform, CPU)
    raw = served.read(torch.arange(5))
    assert served.view(raw, "plain").tolist() == x[:, :, 16:240, 15:234].tolist()
    assert served.view(raw, "weak").shape == (5, 3, 224, 219)


def test_the_mean_of_crops_is_that_of_the_middle() -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 16)).astype(np.uint8)
    transform = Transform((1, 8, 16), "flip_crop").fit(x, "mean")
    seen = Inputs(x, transform, CPU).view(torch.as_tensor(x), "plain")
    assert seen.shape == (4, 1, 7, 14)
    torch.testing.assert_close(seen.mean(0), torch.zeros(1, 7, 14), atol=1e-6, rtol=0)
    middle = torch.as_tensor(x[:, :, :7, 1:15]).float() / 255
    torch.testing.assert_close(seen, middle - middle.mean(0))


def test_an_image_smaller_than_the_reach_stays_inside_itself() -> None:
    x = torch.arange(2 * 64).reshape(1, 1, 2, 64)
    seen = Transform((1, 2, 64), "shift").weak(x.expand(50, 1, 2, 64))
    assert seen.shape == (50, 1, 2, 64)
    assert set(seen.flatten().tolist()) <= set(range(128))
    assert Transform((1, 1, 32), "shift").weak(torch.zeros(9, 1, 1, 32)).shape == (9, 1, 1, 32)


@pytest.mark.parametrize(
    ("shape", "augment"), [((3, 8, 8), "flip_shift"), ((1, 8, 8), "shift"), ((7,), "none")], ids=str
)
def test_auto_views(shape: tuple[int, ...], augment: str) -> None:
    assert Transform(shape).augment == augment


def test_views_of_a_callable() -> None:
    transform = Transform((2,), lambda x: -x).fit(np.zeros((3, 2), np.float32), "none")
    served = Inputs(np.array([[1.0, 2.0]], np.float32), transform, CPU)
    raw = served.read(torch.tensor([0]))
    assert served.view(raw, "weak").tolist() == [[-1, -2]]
    assert served.view(raw, "plain").tolist() == [[1, 2]]


@pytest.mark.parametrize("augment", ["blur", "shift", "flip_shift", "flip_crop"])
def test_views_that_do_not_fit(augment: str) -> None:
    with pytest.raises(InputError, match=f"augment='{augment}'"):
        Transform((4,), augment)


def test_standard_by_hand() -> None:
    x = np.array([[1.0, 5.0, 2.0], [3.0, 5.0, -4.0]], np.float32)
    transform = Transform((3,)).fit(x, "standard")
    # means 2, 5, -1; deviations 1, 0 (a constant stays 0), 3
    assert transform.normalize(torch.as_tensor(x)).tolist() == [[-1, 0, 1], [1, 0, -1]]
    assert transform.normalize(torch.tensor([[2.0, 6.0, 2.0]])).tolist() == [[0, 1, 1]]


def test_mean_by_hand() -> None:
    x = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
    assert Transform((2,)).fit(x, "mean").normalize(torch.as_tensor(x)).tolist() == [[-1, 0], [1, 0]]


def test_mean_of_images_is_of_each_pixel() -> None:
    x = np.array([[[[0, 255]]], [[[255, 255]]]], np.uint8)  # (2, 1, 1, 2)
    seen = Transform((1, 1, 2)).fit(x, "mean").normalize(torch.as_tensor(x))
    torch.testing.assert_close(seen, torch.tensor([[[[-0.5, 0.0]]], [[[0.5, 0.0]]]]))


@pytest.mark.parametrize("how", ["standard", "auto"])
def test_images_are_standardized_by_channel(how: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (40, 2, 3, 3)).astype(np.uint8)
    x[:, 1] //= 4
    seen = Transform((2, 3, 3)).fit(x, how).normalize(torch.as_tensor(x)).double()
    torch.testing.assert_close(seen.mean((0, 2, 3)), torch.zeros(2).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(seen.square().mean((0, 2, 3)), torch.ones(2).double(), atol=1e-5, rtol=0)


def test_unit_and_none() -> None:
    x = np.array([[[[0, 51, 255]]]], np.uint8)
    torch.testing.assert_close(
        Transform((1, 1, 3)).fit(x, "unit").normalize(torch.as_tensor(x)).flatten(), torch.tensor([0, 0.2, 1])
    )
    assert Transform((1, 1, 3)).fit(x, "none").normalize(torch.as_tensor(x)).flatten().tolist() == [0, 51, 255]
    floats = np.array([[2.0, -3.0]], np.float32)
    assert Transform((2,)).fit(floats, "unit").normalize(torch.as_tensor(floats)).tolist() == [[2, -3]]


def test_colors_of_imagenet() -> None:
    x = np.array([[[[0]], [[255]], [[51]]]], np.uint8)
    seen = Transform((3, 1, 1)).fit(x, "imagenet").normalize(torch.as_tensor(x)).flatten()
    torch.testing.assert_close(seen, torch.tensor([-0.485 / 0.229, 0.544 / 0.224, -0.206 / 0.225]))
    floats = Transform((3, 1, 1)).fit(x / 255.0, "imagenet").normalize(torch.as_tensor(x / 255.0)).flatten()
    torch.testing.assert_close(floats, seen)
    for shape in ((1, 4, 4), (3,)):
        with pytest.raises(InputError, match="'imagenet' needs color images"):
            Transform(shape).fit(np.zeros((2, *shape), np.uint8), "imagenet")


def test_auto_keeps_the_zeros_of_vectors_inside_the_unit_interval() -> None:
    x = np.array([[0.0, 0.5], [0.5, 0.0]], np.float32)
    seen = Transform((2,)).fit(x, "auto").normalize(torch.as_tensor(x))
    torch.testing.assert_close(seen, torch.tensor([[0, 2**0.5], [2**0.5, 0]]))  # root mean square 1


def test_auto_standardizes_other_vectors() -> None:
    x = np.array([[0.0], [4.0]], np.float32)
    assert Transform((1,)).fit(x, "auto").normalize(torch.as_tensor(x)).tolist() == [[-1], [1]]


def test_vectors_of_zeros_stay_finite() -> None:
    x = np.zeros((3, 2), np.float32)
    assert Transform((2,)).fit(x, "auto").normalize(torch.as_tensor(x)).tolist() == [[0, 0]] * 3


def test_unknown_normalization() -> None:
    with pytest.raises(InputError, match=r"normalize='zca': it must be one of auto, none"):
        Transform((2,)).fit(np.zeros((1, 2)), "zca")


def test_moments_of_many_rows_come_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOMENT_ROWS", 2)
    x = Lazy(np.array([[1.0], [100.0], [3.0], [100.0]], np.float32))
    assert Transform((1,)).fit(x, "mean").mean.tolist() == [2]


def test_moments_of_large_images_come_from_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOMENT_VALUES", 9)
    x = np.arange(24).reshape(6, 1, 2, 2).astype(np.uint8)  # two of six are within nine values
    expected = x[::3].mean(0) / 255
    assert Transform((1, 2, 2)).fit(Lazy(x), "mean").mean.numpy() / 255 == pytest.approx(expected)
    assert Transform((1, 2, 2)).fit(x, "mean").mean.numpy() / 255 == pytest.approx(x.mean(0) / 255)


@pytest.mark.parametrize(("how", "over"), [("standard", (0, 2, 3)), ("mean", (0,))])
def test_moments_of_an_array_come_from_all_rows_a_part_at_a_time(
    how: str, over: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MOMENT_VALUES", 25)  # two of seven rows
    x = np.random.default_rng(0).integers(0, 256, (7, 3, 2, 2)).astype(np.uint8)
    transform = Transform((3, 2, 2)).fit(x, how)
    assert transform.mean.numpy() == pytest.approx(np.broadcast_to(x.mean(over, keepdims=True)[0], (3, 2, 2)))
    deviation = x.std((0, 2, 3), keepdims=True)[0] if how == "standard" else 255
    assert 1 / transform.scale.numpy() == pytest.approx(np.broadcast_to(deviation, (3, 2, 2)))


def test_a_value_outside_the_unit_interval_counts_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOMENT_VALUES", 2)
    x = np.array([[0.0], [1.0], [0.5], [1.5]], np.float32)
    assert Transform((1,)).fit(x, "auto").mean.item() == 0.75
    assert Transform((1,)).fit(x[:3], "auto").mean.item() == 0


@pytest.mark.parametrize("augment", ["none", "flip_shift", "flip_crop"])
def test_what_is_read_when_asked_for_is_the_same(augment: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (11, 3, 4, 4)).astype(np.uint8)
    lazy = Lazy(x)
    served = [Inputs(rows, Transform((3, 4, 4), augment).fit(x, "auto"), CPU) for rows in (x, lazy)]
    assert lazy.asked == 0
    batches = [torch.tensor(rows) for rows in ([0, 3], [10], [5, 5, 1], [2], [7, 8])]
    views = []
    for rows in served:
        torch.manual_seed(0)
        views.append([rows.view(raw, name) for raw in rows.stream(batches) for name in ("weak", "plain")])
    assert len(views[0]) == 10
    assert all(torch.equal(a, b) for a, b in zip(*views, strict=True))
    assert views[0][0].dtype == torch.float32
    assert lazy.asked == len(batches)


def test_a_stream_reads_no_further_than_two_batches_ahead() -> None:
    lazy = Lazy(np.zeros((100, 1), np.float32))
    stream = Inputs(lazy, Transform((1,)), CPU).stream(torch.arange(100).split(1))
    next(stream)
    assert lazy.asked <= 3
    stream.close()


def test_trouble_while_reading_reaches_the_caller() -> None:
    served = Inputs(Lazy(np.zeros((2, 1), np.float32)), Transform((1,)), CPU)
    with pytest.raises(IndexError):
        list(served.stream([torch.tensor([0]), torch.tensor([5])]))


def test_the_array_of_the_user_stays_as_it_is() -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    before = x.copy()

    def spoil(batch: torch.Tensor) -> torch.Tensor:
        return batch.zero_()

    served = Inputs(x, Transform((2,), spoil).fit(x, "standard"), CPU)
    served.view(served.read(torch.arange(6)), "weak")
    assert np.array_equal(x, before)


def test_an_unknown_view_is_refused() -> None:
    for augment in ("shift", "none"):
        rows = Inputs(np.zeros((4, 1, 8, 8), dtype=np.uint8), Transform((1, 8, 8), augment), CPU)
        with pytest.raises(InputError, match="unknown view 'strong': known: plain, weak"):
            rows.view(rows.read(torch.arange(4)), "strong")
