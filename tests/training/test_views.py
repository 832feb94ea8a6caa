"""Random views against a slow reference that enumerates all of them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from goldvein.training.views import crop_and_flip, shift_and_flip


def all_views(image: np.ndarray, reach: int, flip: bool) -> list[np.ndarray]:
    """Every view of one image (C, H, W): padded by its mirror image, cut out, flipped."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    steps = range(2 * reach + 1)
    cuts = [padded[:, dy : dy + height, dx : dx + width] for dy in steps for dx in steps]
    return cuts + [cut[:, :, ::-1] for cut in cuts] * flip


@settings(max_examples=15)
@given(st.integers(1, 3), st.integers(3, 6), st.integers(3, 7), st.integers(0, 2), st.booleans(), st.integers(0, 2**31))
def test_every_view_is_one_of_the_slow_reference(
    channels: int, height: int, width: int, reach: int, flip: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    x = torch.randint(0, 256, (6, channels, height, width), dtype=torch.uint8)
    seen = shift_and_flip(x, reach, flip=flip)
    assert seen.dtype == torch.uint8
    for image, view in zip(x.numpy(), seen.numpy(), strict=True):
        assert any(np.array_equal(view, candidate) for candidate in all_views(image, reach, flip))


def test_all_views_occur_and_half_are_flipped() -> None:
    torch.manual_seed(0)
    image = np.arange(20).reshape(1, 4, 5)
    candidates = [view.tobytes() for view in all_views(image, 1, True)]
    many = torch.as_tensor(image).expand(3600, 1, 4, 5)
    drawn = [candidates.index(view.tobytes()) for view in shift_and_flip(many, 1, flip=True).numpy()]
    counts = np.bincount(drawn, minlength=18)
    assert counts.min() > 130  # 200 is expected; 5 standard deviations are 69
    assert counts.max() < 270


@settings(max_examples=15)
@given(st.integers(1, 3), *(st.integers(1, 6),) * 2, *(st.integers(0, 2),) * 2, st.integers(0, 99))
def test_every_crop_is_a_part_of_the_image(
    channels: int, height: int, width: int, more_rows: int, more_columns: int, seed: int
) -> None:
    torch.manual_seed(seed)
    x = torch.randint(0, 256, (6, channels, height + more_rows, width + more_columns), dtype=torch.uint8)
    seen = crop_and_flip(x, height, width)
    assert seen.dtype == torch.uint8
    for image, view in zip(x.numpy(), seen.numpy(), strict=True):
        places = [(top, left) for top in range(more_rows + 1) for left in range(more_columns + 1)]
        cuts = [image[:, top : top + height, left : left + width] for top, left in places]
        assert any(np.array_equal(view, cut[:, :, ::step]) for cut in cuts for step in (1, -1))


def test_all_crops_occur_and_half_are_flipped() -> None:
    torch.manual_seed(0)
    image = np.arange(20).reshape(1, 4, 5)
    cuts = [image[:, top : top + 3, left : left + 3] for top in (0, 1) for left in (0, 1, 2)]
    candidates = [cut[:, :, ::step].tobytes() for cut in cuts for step in (1, -1)]
    many = torch.as_tensor(image).expand(2400, 1, 4, 5)
    counts = np.bincount([candidates.index(view.tobytes()) for view in crop_and_flip(many, 3, 3).numpy()], minlength=12)
    assert counts.min() > 130  # 200 is expected; 5 standard deviations are 68
    assert counts.max() < 270
