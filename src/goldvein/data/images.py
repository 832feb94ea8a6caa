"""Image files -> uint8 arrays of one shape: upright, without transparency, resized, read in threads.

Sizes are fixed for a whole data set: images are squeezed to it, so nothing is cut off and the aspect ratio is
not kept. Of animations and stacks the first frame counts.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from goldvein.errors import InputError
from goldvein.rows import Rows

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's EPS would start another program
_NAMES = ["bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"]
SUFFIXES = frozenset(f".{name}" for name in _NAMES)
MAX_PIXELS = 100_000_000
IN_MEMORY = 2 * 2**30  # bytes of decoded images; more than that stays in the files
KEPT = 64  # largest side of images that share one size and keep it
SIDES = (28, 32)  # what training from nothing on a processor can afford; image_size goes beyond
AHEAD = 1024  # files handed to the threads at a time, so that a million paths do not become a million futures


@dataclass(frozen=True)
class Decoding:
    """How image files are read; the arguments of :func:`goldvein.data.read.read_data` that concern them."""

    image_size: int | None = None
    skip_bad: bool = False
    progress: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.image_size is not None and not 1 <= self.image_size <= 4096:
            raise InputError(f"image_size={self.image_size}: it must be 1..4096 pixels; give for example 64")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers={self.workers}: at least 1 thread is needed; leave it out for a default")


class Images(NamedTuple):
    """What became of a list of files."""

    x: Rows  # (M, C, H, W) uint8
    kept: np.ndarray  # (M,) int64, which of the files these are
    skipped: tuple[tuple[str, str], ...]
    spec: dict[str, Any]


def decode(path: str | Path, size: tuple[int, int], channels: int) -> np.ndarray:
    """One image file as an array.

    EXIF orientation is applied, transparency is laid on white, 16 bits become the upper 8, palettes and CMYK
    become RGB. Big JPEGs are decoded at a fraction of their size, not below twice the size asked for.

    Parameters
    ----------
    path : str or Path
    size : (height, width), pixels
    channels : {1, 3}
        Grey or RGB.

    Returns
    -------
    ndarray of shape (channels, height, width), uint8

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, no image, floating-point, or above 100 megapixels.

    Examples
    --------
    >>> decode("nowhere.png", (32, 32), 3)
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: nowhere.png: no such file; replace it, or leave bad files out with skip_bad (--skip-bad)
    """
    try:
        return _decode(path, size, channels)
    except Exception as error:
        raise _bad(path, _reason(error)) from error


def picture(path: str | Path, side: int) -> Image.Image:
    """One image file as a person is to see it: upright, its longer side at most ``side`` pixels; else InputError."""
    from PIL import ImageOps

    try:
        with _open(path) as image:
            image.draft("RGB", (2 * side, 2 * side))
            ImageOps.exif_transpose(image, in_place=True)
            flat = _flatten(image, "RGB")
        flat.thumbnail((side, side))
        return flat
    except Exception as error:
        raise InputError(f"{_shown(path)}: {_reason(error)}") from error


class ImageFiles:
    """Images that stay in their files until they are asked for.

    Parameters
    ----------
    paths : sequence of str or Path, length N
    size : (height, width), pixels
    channels : {1, 3}
        Grey or RGB.
    workers : int, optional
        Threads that decode; by default one for each processor, at most 8.

    Attributes
    ----------
    shape : (N, channels, height, width)
    dtype : uint8

    Examples
    --------
    >>> ImageFiles(["a.png", "b.png"], (32, 32), 3).shape
    (2, 3, 32, 32)
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, paths: Sequence[str | Path], size: tuple[int, int], channels: int, workers: int | None = None
    ) -> None:
        self.paths = np.array([str(path) for path in paths], dtype=object)
        self.size = size
        self.channels = channels
        self.workers = workers

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.paths), self.channels, *self.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Any, /) -> np.ndarray:
        """Decode the rows of an int array or a slice: (B, channels, height, width) uint8."""
        chosen = self.paths[rows]
        if isinstance(chosen, str):
            return decode(chosen, self.size, self.channels)
        out = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)
        with ThreadPoolExecutor(_threads(self.workers)) as pool:
            for i, image in enumerate(pool.map(lambda path: decode(path, self.size, self.channels), chosen)):
                out[i] = image
        return out

    def problems(self, *, progress: bool = False) -> dict[int, str]:
        """Rows that cannot be decoded, and why; one pass over all files."""
        how = Decoding(skip_bad=True, progress=progress, workers=self.workers)
        work = partial(_decode, size=self.size, channels=self.channels)
        found = _each(work, self.paths.tolist(), range(len(self)), how, "checking images")
        return {row: result for row, result in found if isinstance(result, str)}

    def without(self, rows: Collection[int]) -> ImageFiles:
        """All but these rows."""
        kept = np.delete(self.paths, list(rows))
        return ImageFiles(kept.tolist(), self.size, self.channels, self.workers)


def read_images(files: Sequence[Path], how: Decoding, spec: dict[str, Any] | None = None) -> Images:
    """Decode files to one array, or to :class:`ImageFiles` where that would take 2 GiB or more.

    Every file is decoded once in either case, so a bad one is found now and not in the middle of training.

    Parameters
    ----------
    files : sequence of Path
    how : Decoding
    spec : dict, optional
        Size and channels of an earlier reading; by default :func:`choose` sets them.

    Raises
    ------
    InputError
        If a file cannot be read and ``how.skip_bad`` is false, if none can be, or if ``how.image_size``
        contradicts ``spec``.
    """
    rows = list(range(len(files)))
    skipped: dict[int, str] = {}
    if spec is None:
        heads: dict[int, tuple[int, int, bool]] = {}
        for i, head in _each(_probe, files, rows, how, "opening images"):
            if isinstance(head, str):
                skipped[i] = head
            else:
                heads[i] = head
        rows = _any_left(list(heads), files, skipped)
        size, channels = choose(list(heads.values()))
        size = (how.image_size, how.image_size) if how.image_size else size
    else:
        size, channels = (spec["size"][0], spec["size"][1]), spec["channels"]
        if how.image_size and (how.image_size, how.image_size) != size:
            trained = f"{size[0]} x {size[1]}"
            raise InputError(f"image_size={how.image_size}: the model was trained on {trained} images; leave it out")
    lazy = len(rows) * channels * size[0] * size[1] >= IN_MEMORY
    x = np.empty((0 if lazy else len(rows), channels, *size), dtype=np.uint8)
    kept: list[int] = []
    for i, image in _each(lambda path: _decode(path, size, channels), files, rows, how, "reading images"):
        if isinstance(image, str):
            skipped[i] = image
            continue
        if not lazy:
            x[len(kept)] = image
        kept.append(i)
    _any_left(kept, files, skipped)
    source: Rows = x[: len(kept)]
    if lazy:
        source = ImageFiles([files[i] for i in kept], size, channels, how.workers)
    left_out = tuple((_shown(files[i]), skipped[i]) for i in sorted(skipped))
    made = {"reader": "images", "size": list(size), "channels": channels}
    return Images(source, np.array(kept, dtype=np.int64), left_out, made)


def choose(heads: Sequence[tuple[int, int, bool]]) -> tuple[tuple[int, int], int]:
    """Size and channels for a set of images.

    Images of one size, at most 64 pixels a side, stay as they are. Otherwise the side is 28 where that reaches
    the median of the shorter sides, else 32. Three channels as soon as one image has color.

    Parameters
    ----------
    heads : sequence of (height, width, grey)

    Returns
    -------
    size : (height, width), pixels
    channels : {1, 3}

    Examples
    --------
    >>> choose([(28, 20, True), (28, 20, True)])
    ((28, 20), 1)
    >>> choose([(375, 500, True), (30, 30, False), (31, 64, True)])
    ((32, 32), 3)
    """
    channels = 1 if all(grey for _, _, grey in heads) else 3
    sizes = {(height, width) for height, width, _ in heads}
    if len(sizes) == 1 and max(max(size) for size in sizes) <= KEPT:
        return sizes.pop(), channels
    median = statistics.median(min(height, width) for height, width, _ in heads)
    side = next((side for side in SIDES if side >= median), SIDES[-1])
    return (side, side), channels


def _decode(path: str | Path, size: tuple[int, int], channels: int) -> np.ndarray:
    from PIL import Image, ImageOps

    mode = "L" if channels == 1 else "RGB"
    with _open(path) as image:
        image.draft(mode, (2 * max(size), 2 * max(size)))
        ImageOps.exif_transpose(image, in_place=True)
        flat = _flatten(image, mode)
        # reducing_gap and torch's interpolate save 0.2 ms of 1.3 before the draft mode, nothing after it
        small = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.array(small)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """To 8 bits without transparency."""
    from PIL import Image

    if image.mode.startswith("I"):
        deep = np.asarray(image)
        if deep.min() < 0 or deep.max() > 65535:
            raise ValueError("its values lie outside 0..65535")
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert(mode)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, not 8 or 16 bits")
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert(mode)


def _probe(path: str | Path) -> tuple[int, int, bool]:
    """Height, width, grey or not, from the header alone."""
    from PIL import ExifTags

    with _open(path) as image:
        width, height = image.size
        # asking a PNG for EXIF that its header lacks would decode the whole file
        if "exif" in image.info and image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
            width, height = height, width
        return height, width, image.mode[0] in "1LIF" and image.mode != "LAB"


def _open(path: str | Path) -> Image.Image:
    from PIL import Image

    if os.path.getsize(path) == 0:
        raise ValueError("it is empty")
    image = Image.open(path, formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise ValueError(f"its {width} x {height} pixels are more than {MAX_PIXELS // 10**6} megapixels")
    return image


def _reason(error: Exception) -> str:
    """Why a file could not be read. Pillow's decoders raise whatever they stumble over: any type comes
    here."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of a known format ({', '.join(FORMATS)})"
    if isinstance(error, Image.DecompressionBombError):
        found = re.search(r"\d{3,}", str(error))  # Pillow's own limit, above ours, comes first
        return f"its {found[0] if found else 'many'} pixels are more than {MAX_PIXELS // 10**6} megapixels"
    return str(error) or type(error).__name__


def _bad(path: str | Path, reason: str) -> InputError:
    return InputError(f"{_shown(path)}: {reason}; replace it, or leave bad files out with skip_bad (--skip-bad)")


def _shown(path: str | Path) -> str:
    """A name that can be printed, also where it is not UTF-8."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _any_left(kept: list[int], files: Sequence[Path], skipped: dict[int, str]) -> list[int]:
    if not kept:
        first = min(skipped)
        raise InputError(f"none of the {len(files)} images can be read; {_shown(files[first])}: {skipped[first]}")
    return kept


def _each(
    work: Callable[[Path], Any], files: Sequence[Path], rows: Sequence[int], how: Decoding, title: str
) -> Iterator[tuple[int, Any]]:
    """``(row, work(file))`` in order, in threads; a reason (str) in place of a result where a file is bad."""

    def attempt(row: int) -> Any:
        try:
            str(files[row]).encode()
            return work(files[row])
        except UnicodeEncodeError:
            return "its name is not UTF-8"
        except Exception as error:
            return _reason(error)

    with ThreadPoolExecutor(_threads(how.workers)) as pool, _bar(how.progress, title, len(rows)) as advance:
        for start in range(0, len(rows), AHEAD):
            chunk = rows[start : start + AHEAD]
            for row, result in zip(chunk, pool.map(attempt, chunk), strict=True):
                if isinstance(result, str) and not how.skip_bad:
                    raise _bad(files[row], result)
                advance()
                yield row, result


@contextmanager
def _bar(show: bool, title: str, total: int) -> Iterator[Callable[[], Any]]:
    if not (show and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)


def _threads(workers: int | None) -> int:
    return workers or min(8, os.cpu_count() or 1)
