"""Inputs on the device: normalization, random views, batches by row number.

Images stay uint8 until they are looked at; vectors are normalized once. A view is a random change that keeps the
label: all rows of a batch are changed by a few tensor operations on the device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from goldvein.data.dataset import Rows
from goldvein.errors import InputError

Augment = Callable[[Tensor], Tensor]
NORMALIZE = ("auto", "none", "unit", "mean", "standard")
MOMENT_ROWS = 20_000  # rows that estimate a mean and a spread when inputs are decoded from files


class Transform(nn.Module):
    """``(x - mean) * scale``, and the random views.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one input.
    augment : {"auto", "none", "shift", "flip_shift"} or callable, default="auto"
        The view ``weak``. ``shift`` moves an image by up to an eighth of its side, mirrored at the border;
        ``flip_shift`` also flips it left to right; a callable maps a batch to a batch of the same shape.
        ``auto`` is ``flip_shift`` for color images, ``shift`` for grey ones, ``none`` for vectors.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, input_shape: tuple[int, ...], augment: str | Augment = "auto") -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(input_shape))
        self.register_buffer("scale", torch.ones(input_shape))
        if augment == "auto":
            color = "flip_shift" if input_shape[0] > 1 else "shift"
            augment = color if len(input_shape) == 3 else "none"
        if isinstance(augment, str) and augment not in ("none", "shift", "flip_shift"):
            raise InputError(f"augment={augment!r}: it must be auto, none, shift, flip_shift or a callable")
        if augment in ("shift", "flip_shift") and len(input_shape) != 3:
            raise InputError(f"augment={augment!r} needs images, and an input has shape {input_shape}: give none")
        self.augment = augment

    def fit(self, x: Rows, how: str) -> Transform:
        """Set mean and scale from the inputs.

        ``unit`` brings uint8 to [0, 1] and leaves floats; ``mean`` subtracts the mean of each pixel or feature
        as well; ``standard`` also divides by its standard deviation (images: one for each channel); ``auto`` is
        ``standard`` for images and for vectors with values outside [0, 1], and one common scale for vectors
        inside it (pixels, TF-IDF), where the zeros mean something.
        """
        if how not in NORMALIZE:
            raise InputError(f"normalize={how!r}: it must be one of {', '.join(NORMALIZE)}")
        unit = 1 / 255 if x.dtype == np.uint8 and how != "none" else 1.0
        self.scale.fill_(unit)
        if how in ("none", "unit"):
            return self
        step = max(1, -(-len(x) // MOMENT_ROWS))
        sample = torch.tensor(np.asarray(x[::step]), dtype=torch.float64) * unit
        if how == "auto" and sample.dim() == 2 and sample.min() >= 0 and sample.max() <= 1:
            self.scale.fill_(float(unit / sample.square().mean().sqrt().clamp(min=1e-6)))
            return self
        over = (0, 2, 3) if sample.dim() == 4 and how in ("auto", "standard") else (0,)
        mean = sample.mean(over, keepdim=True)[0]
        self.mean.copy_((mean / unit).expand_as(self.mean))
        if how in ("auto", "standard"):
            deviation = (sample - mean).square().mean(over, keepdim=True)[0].sqrt()
            deviation[deviation < 1e-8] = 1.0  # a constant feature stays 0
            self.scale.copy_((unit / deviation).expand_as(self.scale))
        return self

    def normalize(self, x: Tensor) -> Tensor:
        """Raw values (B, *input_shape) of any dtype -> float32."""
        return (x.float() - self.mean).mul_(self.scale)

    def weak(self, x: Tensor) -> Tensor:
        """A random view of raw values, same shape and dtype."""
        if callable(self.augment):
            return self.augment(x)
        if self.augment == "none":
            return x
        return shift_and_flip(x, max(1, x.shape[-1] // 8), flip=self.augment == "flip_shift")


def shift_and_flip(x: Tensor, reach: int, *, flip: bool) -> Tensor:
    """Move each image by up to ``reach`` pixels both ways, mirrored at the border, and flip half of them.

    One gather by a flat index: 13 times the speed of torchvision's transforms, which go image by image.

    Parameters
    ----------
    x : Tensor of shape (B, C, H, W), any dtype
    reach : int, pixels
    flip : bool
        Whether half of the images, at random, are mirrored left to right.

    Examples
    --------
    >>> x = torch.arange(9).reshape(1, 1, 3, 3)
    >>> torch.equal(shift_and_flip(x, 0, flip=False), x)
    True
    """
    n, channels, height, width = x.shape
    dy, dx = torch.randint(-reach, reach + 1, (2, n, 1), device=x.device)
    row = _mirror(torch.arange(height, device=x.device) + dy, height)  # (B, H)
    column = _mirror(torch.arange(width, device=x.device) + dx, width)  # (B, W)
    if flip:
        column = torch.where(torch.rand(n, 1, device=x.device) < 0.5, column.flip(1), column)
    index = (row[:, :, None] * width + column[:, None, :]).reshape(n, 1, -1)
    return x.reshape(n, channels, -1).gather(2, index.expand(-1, channels, -1)).reshape(x.shape)


def _mirror(index: Tensor, size: int) -> Tensor:
    # an image smaller than the reach has no more to mirror: its border is repeated
    return ((size - 1) - ((size - 1) - index.abs()).abs()).clamp_(min=0)


class Inputs:
    """All rows of a data set, served as batches that a network takes.

    Parameters
    ----------
    x : Rows
        ``(N, *input_shape)``; a numpy array goes to the device whole, anything else is read batch by batch.
    transform : Transform
        Normalization and views.
    device : torch.device
        Where the batches are.
    """

    def __init__(self, x: Rows, transform: Transform, device: torch.device) -> None:
        self.transform = transform.to(device)
        self.device = device
        self.lazy = None if isinstance(x, np.ndarray) else x
        self.n_samples = len(x)
        self.ready = transform.augment == "none"
        if self.lazy is None:
            resident = torch.as_tensor(np.require(x, requirements="W")).to(device)  # torch has no read-only memory
            self.resident = transform.normalize(resident) if self.ready else resident

    def __len__(self) -> int:
        return self.n_samples

    def view(self, x: Tensor, name: str) -> Tensor:
        """A view of rows that :meth:`read` gave: float32 (B, *input_shape)."""
        if self.ready:
            return x
        return self.transform.normalize(self.transform.weak(x) if name == "weak" else x)

    def read(self, rows: Tensor) -> Tensor:
        """Rows as they are stored, on the device."""
        if self.lazy is None:
            return self.resident.index_select(0, rows)
        raw = torch.as_tensor(self.lazy[rows.cpu().numpy()]).to(self.device)
        return self.transform.normalize(raw) if self.ready else raw

    def stream(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """:meth:`read` for one batch of rows after the other, files two batches ahead."""
        if self.lazy is None:
            yield from map(self.read, batches)
            return
        ahead: deque = deque()
        with ThreadPoolExecutor(1) as pool:
            for rows in batches:
                ahead.append(pool.submit(self.read, rows))
                if len(ahead) > 2:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
