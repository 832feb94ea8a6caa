"""Image files to uint8 arrays of one shape: upright, without transparency, resized, decoded in threads.

All images of a data set get the same size. They are stretched to it, so nothing is cut off and the aspect ratio is
lost. Only the first frame of an animation or a stack is read.
"""

from __future__ import annotations

import os
import re
import statistics
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from goldvein.data.spec import ImagesSpec
from goldvein.errors import InputError
from goldvein.progress import Progress
from goldvein.rows import Rows

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # not EPS, for which Pillow starts another program
_NAMES = ["bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp"]
SUFFIXES = frozenset(f".{name}" for name in _NAMES)
MAX_PIXELS = 100_000_000  # 300 MB as RGB; a few bytes of header can claim any size
IN_MEMORY = 2 * 2**30  # bytes of decoded images above which images stay in their files
KEPT = 64  # pixels: images that all have one size with sides up to this keep it
SIDES = (28, 32)  # pixels that training from scratch on a CPU can afford; image_size can ask for more
AHEAD = 1024  # files given to the threads at a time, so that a million paths do not become a million futures

Size = tuple[int, int]  # height, width in pixels
Pixels = NDArray[np.uint8]
T = TypeVar("T")


@dataclass(frozen=True)
class Decoding:
    """How to read image files; see the arguments of :func:`goldvein.data.read.read_data`."""

    image_size: int | None = None
    skip_bad: bool = False
    progress: bool = False
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.image_size is not None and not 1 <= self.image_size <= 4096:
            raise InputError(f"image_size={self.image_size}: it must be 1 to 4096 pixels; use for example 64")
        if self.workers is not None and self.workers < 1:
            raise InputError(f"workers={self.workers}: it must be at least 1 thread; leave it out for the default")


class Images(NamedTuple):
    """The images of a list of files."""

    x: Rows  # (M, C, H, W) uint8
    kept: NDArray[np.int64]  # (M,) index of each image in the list
    skipped: tuple[tuple[str, str], ...]  # path and reason
    spec: ImagesSpec


def decode(path: str | Path, size: Size, channels: int) -> Pixels:
    """Return one image file as an array.

    EXIF orientation is applied, transparent pixels become white, 16-bit values keep their upper 8 bits, and palettes
    and CMYK become RGB. Large JPEGs are decoded at a fraction of their size, but at least twice ``size``.

    Parameters
    ----------
    path : str or Path
    size : (height, width), pixels
    channels : {1, 3}
        Gray or RGB.

    Returns
    -------
    ndarray of shape (channels, height, width), uint8

    Raises
    ------
    InputError
        If the file is missing, empty, truncated, not an image, floating-point, or above 100 megapixels.

    Examples
    --------
    >>> decode("nowhere.png", (32, 32), 3)
    Traceback (most recent call last):
    ...
    goldvein.errors.InputError: nowhere.png: no such file; replace it, or skip bad files with skip_bad (--skip-bad)
    """
    try:
        return _decode(path, size, channels)
    except Exception as error:  # Pillow's decoders raise many types
        raise _bad_file(path, _explain(error)) from error


def picture(path: str | Path, side: int) -> Image.Image:
    """Return one image file for display: upright, its longer side at most ``side`` pixels.

    Raises
    ------
    InputError
        As for :func:`decode`.
    """
    from PIL import ImageOps

    try:
        with _open(path) as image:
            image.draft("RGB", (2 * side, 2 * side))  # decodes a large JPEG at a fraction of its size
            ImageOps.exif_transpose(image, in_place=True)
            flat = _flatten(image, "RGB")
        flat.thumbnail((side, side))
        return flat
    except Exception as error:
        raise InputError(f"{_printable(path)}: {_explain(error)}") from error


class ImageFiles:
    """Images that stay in their files and are decoded on access.

    Parameters
    ----------
    paths : sequence of str or Path, length N
    size : (height, width), pixels
    channels : {1, 3}
        Gray or RGB.
    workers : int, optional
        Threads that decode; by default one per processor, at most 8.

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

    def __init__(self, paths: Sequence[str | Path], size: Size, channels: int, workers: int | None = None) -> None:
        self.paths = np.array([str(path) for path in paths], dtype=object)
        self.size = size
        self.channels = channels
        self.workers = workers

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.paths), self.channels, *self.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any, /) -> Pixels:
        """Decode the rows of an int array or a slice: (B, channels, height, width). One int gives one image."""
        chosen = self.paths[index]
        if isinstance(chosen, str):
            return decode(chosen, self.size, self.channels)
        out = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)
        with ThreadPoolExecutor(_count_threads(self.workers)) as pool:
            for i, image in enumerate(pool.map(lambda path: decode(path, self.size, self.channels), chosen)):
                out[i] = image
        return out

    def problems(self, *, progress: bool = False) -> dict[int, str]:
        """Return the rows that cannot be decoded, with the reason; this reads every file once."""
        how = Decoding(skip_bad=True, progress=progress, workers=self.workers)
        work = partial(_decode, size=self.size, channels=self.channels)
        found = _map_files(work, self.paths.tolist(), range(len(self)), how, "checking images")
        return {row: result for row, result in found if isinstance(result, str)}

    def without(self, rows: Collection[int]) -> ImageFiles:
        """Return the images without these rows."""
        kept = np.delete(self.paths, list(rows))
        return ImageFiles(kept.tolist(), self.size, self.channels, self.workers)


def read_images(files: Sequence[Path], how: Decoding, spec: ImagesSpec | None = None) -> Images:
    """Decode files to one array, or to :class:`ImageFiles` if the array would take 2 GiB or more.

    Every file is decoded once in either case.

    Parameters
    ----------
    files : sequence of Path
    how : Decoding
    spec : ImagesSpec, optional
        Size and channels of the training data; by default :func:`choose_size` sets them.

    Raises
    ------
    InputError
        If a file cannot be read and ``how.skip_bad`` is false, if none can be read, or if ``how.image_size``
        contradicts ``spec``.
    """
    rows = list(range(len(files)))
    skipped: dict[int, str] = {}
    if spec is None:
        heads: dict[int, tuple[int, int, bool]] = {}
        # the size depends on all images, so all headers are read before any pixels
        for i, head in _map_files(_read_header, files, rows, how, "opening images"):
            if isinstance(head, str):
                skipped[i] = head
            else:
                heads[i] = head
        rows = list(heads)
        _check_any_left(rows, files, skipped)
        size, channels = choose_size(list(heads.values()))
        size = (how.image_size, how.image_size) if how.image_size else size
    else:
        size, channels = (spec["size"][0], spec["size"][1]), spec["channels"]
        if how.image_size and (how.image_size, how.image_size) != size:
            trained = f"{size[0]} x {size[1]}"
            raise InputError(f"image_size={how.image_size}: the model was trained on {trained} images; leave it out")
    in_files = len(rows) * channels * size[0] * size[1] >= IN_MEMORY
    x = np.empty((0 if in_files else len(rows), channels, *size), dtype=np.uint8)
    kept: list[int] = []
    for i, image in _map_files(partial(_decode, size=size, channels=channels), files, rows, how, "reading images"):
        if isinstance(image, str):
            skipped[i] = image
            continue
        if not in_files:  # otherwise it was decoded only to find bad files now, not during training
            x[len(kept)] = image
        kept.append(i)
    _check_any_left(kept, files, skipped)
    return Images(
        x=ImageFiles([files[i] for i in kept], size, channels, how.workers) if in_files else x[: len(kept)],
        kept=np.array(kept, dtype=np.int64),
        skipped=tuple((_printable(files[i]), skipped[i]) for i in sorted(skipped)),
        spec={"reader": "images", "size": list(size), "channels": channels},
    )


def choose_size(heads: Sequence[tuple[int, int, bool]]) -> tuple[Size, int]:
    """Choose the size and the number of channels for a set of images.

    Images that all have one size with sides of at most 64 pixels keep it. Otherwise both sides are 28 if the median of
    the shorter sides is at most 28, else 32. There are three channels if any image has color.

    Parameters
    ----------
    heads : sequence of (height, width, is_gray)

    Returns
    -------
    size : (height, width), pixels
    channels : {1, 3}

    Examples
    --------
    >>> choose_size([(28, 20, True), (28, 20, True)])
    ((28, 20), 1)
    >>> choose_size([(375, 500, True), (30, 30, False), (31, 64, True)])
    ((32, 32), 3)
    """
    channels = 1 if all(is_gray for _, _, is_gray in heads) else 3
    sizes = {(height, width) for height, width, _ in heads}
    if len(sizes) == 1 and max(max(size) for size in sizes) <= KEPT:
        return sizes.pop(), channels
    median = statistics.median(min(height, width) for height, width, _ in heads)
    side = next((side for side in SIDES if side >= median), SIDES[-1])
    return (side, side), channels


def _decode(path: str | Path, size: Size, channels: int) -> Pixels:
    from PIL import Image, ImageOps

    mode = "L" if channels == 1 else "RGB"
    with _open(path) as image:
        image.draft(mode, (2 * max(size), 2 * max(size)))  # twice the size, so that resizing still averages pixels
        ImageOps.exif_transpose(image, in_place=True)
        flat = _flatten(image, mode)
        # with draft mode, reducing_gap and torch's interpolate are no faster (without it: 0.2 of 1.3 ms)
        small = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.array(small)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Convert to 8 bits without transparency."""
    from PIL import Image

    if image.mode.startswith("I"):  # I, I;16, I;16B: gray with 16 or 32 bits
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


def _read_header(path: str | Path) -> tuple[int, int, bool]:
    """Return height, width and whether the image is gray, without decoding it."""
    from PIL import ExifTags

    with _open(path) as image:
        width, height = image.size
        # getexif would decode the whole of a PNG that has no EXIF in its header
        if "exif" in image.info and image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
            width, height = height, width  # orientations 5 to 8 turn the image by 90 degrees
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


def _explain(error: Exception) -> str:
    """Return why a file cannot be read; ``error`` may have any type."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return f"not an image of a known format ({', '.join(FORMATS)})"
    if isinstance(error, Image.DecompressionBombError):
        found = re.search(r"\d{3,}", str(error))  # Pillow's limit is above MAX_PIXELS, but it is checked first
        return f"its {found[0] if found else 'many'} pixels are more than {MAX_PIXELS // 10**6} megapixels"
    return str(error) or type(error).__name__


def _bad_file(path: str | Path, reason: str) -> InputError:
    return InputError(f"{_printable(path)}: {reason}; replace it, or skip bad files with skip_bad (--skip-bad)")


def _printable(path: str | Path) -> str:
    """Return a path that can be printed even if it is not UTF-8."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _check_any_left(kept: list[int], files: Sequence[Path], skipped: dict[int, str]) -> None:
    if not kept:
        first = min(skipped)
        raise InputError(f"none of the {len(files)} images can be read; {_printable(files[first])}: {skipped[first]}")


def _map_files(
    work: Callable[[Path], T], files: Sequence[Path], rows: Sequence[int], how: Decoding, title: str
) -> Iterator[tuple[int, T | str]]:
    """Yield ``(row, work(file))`` in order, computed in threads; for a bad file the reason (str) is the result."""

    def attempt(row: int) -> T | str:
        try:
            str(files[row]).encode()  # ids are written to UTF-8 tables
            return work(files[row])
        except UnicodeEncodeError:
            return "its name is not UTF-8"
        except Exception as error:
            return _explain(error)

    with ThreadPoolExecutor(_count_threads(how.workers)) as pool, closing(Progress(quiet=not how.progress)) as bar:
        bar.stage(title, len(rows))
        for start in range(0, len(rows), AHEAD):
            chunk = rows[start : start + AHEAD]
            for row, result in zip(chunk, pool.map(attempt, chunk), strict=True):
                if isinstance(result, str) and not how.skip_bad:
                    raise _bad_file(files[row], result)
                bar.step()
                yield row, result


def _count_threads(workers: int | None) -> int:
    return workers or min(8, os.cpu_count() or 1)
