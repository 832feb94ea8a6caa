"""Inputs on the device: normalization, views by name, batches by row number.

Images stay uint8 until a batch of them is needed; vectors are normalized once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn

from goldvein.errors import InputError, unknown
from goldvein.rows import Rows
from goldvein.training.views import AUGMENT, View, crop_and_flip, shift_and_flip

NORMALIZE = ("auto", "none", "unit", "mean", "standard", "imagenet")
MOMENT_ROWS = 20_000  # rows that mean and standard deviation are estimated from
MOMENT_VALUES = 2**25  # values at a time: a quarter of a gigabyte in float64
IMAGENET = (
    (0.485, 0.456, 0.406),
    (0.229, 0.224, 0.225),
)  # mean and standard deviation that torchvision's weights expect


class Transform(nn.Module):
    """Normalization ``(x - mean) * scale``, and the views.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one input.
    augment : {"auto", "none", "shift", "flip_shift", "flip_crop"} or callable, default="auto"
        The view ``weak``. ``shift`` moves an image by up to an eighth of its side, mirrored at the border;
        ``flip_shift`` also flips it left to right; a callable maps a batch to a batch of the same shape.
        ``flip_crop`` flips it and cuts out seven eighths of each side (224 of 256 pixels) anywhere; the view
        ``plain`` is then the middle. ``auto`` is ``flip_shift`` for color images, ``shift`` for grey ones, ``none``
        for vectors.

    Attributes
    ----------
    seen_shape : tuple of int
        Shape of one input as a network sees it.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, input_shape: tuple[int, ...], augment: str | View = "auto") -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(input_shape))
        self.register_buffer("scale", torch.ones(input_shape))
        if augment == "auto":
            color = "flip_shift" if input_shape[0] > 1 else "shift"
            augment = color if len(input_shape) == 3 else "none"
        if isinstance(augment, str) and augment not in AUGMENT:
            raise InputError(f"augment={augment!r}: it must be one of {', '.join(AUGMENT)}, or a callable")
        if augment in ("shift", "flip_shift", "flip_crop") and len(input_shape) != 3:
            raise InputError(f"augment={augment!r} needs images, and an input has shape {input_shape}: give none")
        self.augment = augment
        self.seen_shape = tuple(input_shape)
        if augment == "flip_crop":
            self.seen_shape = (input_shape[0], *(side - side // 8 for side in input_shape[1:]))

    def fit(self, x: Rows, how: str) -> Transform:
        """Set mean and scale from the inputs.

        ``unit`` brings uint8 to [0, 1] and leaves floats; ``mean`` subtracts the mean of each pixel or feature
        as well; ``standard`` also divides by its standard deviation (images: one for each channel); ``auto`` is
        ``standard`` for images and for vectors with values outside [0, 1], and one common scale for vectors
        inside it (pixels, TF-IDF), whose zeros have a meaning. ``imagenet`` is ``standard`` by the color channels
        of ImageNet, for networks that were trained on it.
        """
        if how not in NORMALIZE:
            raise InputError(f"normalize={how!r}: it must be one of {', '.join(NORMALIZE)}")
        unit = 1 / 255 if x.dtype == np.uint8 and how != "none" else 1.0
        self.scale.fill_(unit)
        if how in ("none", "unit"):
            return self
        if how == "imagenet":
            return self._imagenet(unit)
        if how == "auto" and len(x.shape) == 2:
            ends = [part.aminmax() for part in _sampled(x, unit)]
            if min(low for low, _ in ends) >= 0 and max(high for _, high in ends) <= 1:
                square, _ = _moments(part.square_() for part in _sampled(x, unit))
                self.scale.fill_(float(unit / square.mean().sqrt().clamp(min=1e-6)))
                return self
        mean, variance = _moments(_sampled(x, unit), by_channel=len(x.shape) == 4 and how in ("auto", "standard"))
        self.mean.copy_((mean / unit).expand_as(self.mean))
        if how in ("auto", "standard"):
            deviation = variance.sqrt()
            deviation[deviation < 1e-8] = 1.0  # a constant feature stays 0
            self.scale.copy_((unit / deviation).expand_as(self.scale))
        return self

    def _imagenet(self, unit: float) -> Transform:
        if self.mean.dim() != 3 or len(self.mean) != 3:
            shape = tuple(self.mean.shape)
            raise InputError(f"normalize='imagenet' needs color images, and an input has shape {shape}: give auto")
        mean, deviation = torch.tensor(IMAGENET, dtype=torch.float64)[:, :, None, None]
        self.mean.copy_((mean / unit).expand_as(self.mean))
        self.scale.copy_((unit / deviation).expand_as(self.scale))
        return self

    def normalize(self, x: Tensor) -> Tensor:
        """Raw values (B, *seen_shape) of any dtype -> float32."""
        return (x.float() - self.middle(self.mean)).mul_(self.middle(self.scale))

    def middle(self, x: Tensor) -> Tensor:
        """The plain view: the part of raw values (..., *input_shape) that a network sees when nothing is random."""
        if self.augment != "flip_crop":
            return x
        height, width = self.seen_shape[1:]
        top, left = (x.shape[-2] - height) // 2, (x.shape[-1] - width) // 2
        return x[..., top : top + height, left : left + width]

    @property
    def views(self) -> dict[str, View]:
        """The views by name."""
        return {"plain": self.middle, "weak": self.weak}

    def weak(self, x: Tensor) -> Tensor:
        """The view ``weak``: a random change (B, *seen_shape) of raw values, same dtype."""
        if callable(self.augment):
            return self.augment(x)
        if self.augment == "none":
            return x
        if self.augment == "flip_crop":
            return crop_and_flip(x, self.seen_shape[1], self.seen_shape[2])
        return shift_and_flip(x, max(1, x.shape[-1] // 8), flip=self.augment == "flip_shift")


def _sampled(x: Rows, unit: float) -> Iterator[Tensor]:
    """Rows to estimate moments from, evenly spread, in parts (n, *input_shape) of float64.

    Inputs in files give no more rows than one part has.
    """
    each = max(1, MOMENT_VALUES // math.prod(x.shape[1:]))
    most = MOMENT_ROWS if isinstance(x, np.ndarray) else min(MOMENT_ROWS, each)
    step = max(1, -(-len(x) // most))
    for start in range(0, len(x), each * step):
        yield torch.tensor(np.asarray(x[start : start + each * step : step]), dtype=torch.float64).mul_(unit)


def _moments(parts: Iterable[Tensor], *, by_channel: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance over the rows of all parts, with ``by_channel`` also over the pixels of each channel.

    Parts are combined pairwise (Chan, Golub & LeVeque 1983).

    Examples
    --------
    >>> _moments(iter([torch.tensor([[1.0], [2.0]]), torch.tensor([[6.0]])]))
    (tensor([3.]), tensor([4.6667]))
    """
    n, mean, squares = 0, torch.zeros(()), torch.zeros(())
    for part in parts:
        over = (0, 2, 3) if by_channel else (0,)
        k, own = len(part), part.mean(over, keepdim=True)
        away = own[0] - mean
        mean = mean + away * (k / (n + k))
        squares = squares + k * part.sub_(own).square_().mean(over, keepdim=True)[0] + away**2 * (n * k / (n + k))
        n += k
    return mean, squares / n


class Inputs:
    """All rows of a data set, and batches of them for a network.

    Parameters
    ----------
    x : Rows
        ``(N, *input_shape)``; a numpy array goes to the device whole, anything else is read batch by batch.
    transform : Transform
        Normalization and views.
    device : torch.device
        Device of the batches.
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
        """A view of rows from :meth:`read`: float32 (B, *seen_shape).

        Raises
        ------
        InputError
            If there is no view of that name.
        """
        views = self.transform.views
        if name not in views:
            raise unknown("view", name, views)
        return x if self.ready else self.transform.normalize(views[name](x))

    def read(self, rows: Tensor) -> Tensor:
        """Raw rows, on the device."""
        if self.lazy is None:
            return self.resident.index_select(0, rows)
        raw = torch.as_tensor(self.lazy[rows.cpu().numpy()]).to(self.device)
        return self.transform.normalize(raw) if self.ready else raw

    def stream(self, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """:meth:`read` for one batch of rows after the other, files two batches ahead."""
        if self.lazy is None:
            yield from map(self.read, batches)
            return
        ahead: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(1) as pool:
            for rows in batches:
                ahead.append(pool.submit(self.read, rows))
                if len(ahead) > 2:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
