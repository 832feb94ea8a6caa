"""Pictures small enough that two hundred of them fit into a page of 3 MB."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIDE = 176  # pixels; shown at up to 88 points, so sharp on a dense screen too
MOST_BYTES = 10_000  # 200 of them, in base64, are 2.7 MB
TINY = 64  # longest side up to which pixels are kept as they are
TRIES = ((1.0, 80), (1.0, 60), (0.75, 55), (0.5, 50), (0.25, 40))  # share of the side, quality of the JPEG


def encode(image: Image.Image, most_bytes: int = MOST_BYTES) -> tuple[str, bytes]:
    """A picture as PNG where it is tiny, else as JPEG of falling quality until it is small enough.

    Parameters
    ----------
    image : Image
        Grey or RGB.
    most_bytes : int
        What the result takes at most; the last try, a quarter of the side, is taken as it comes.

    Returns
    -------
    kind : {"image/png", "image/jpeg"}
    content : bytes

    Examples
    --------
    >>> from PIL import Image
    >>> encode(Image.new("L", (8, 8)))[0]
    'image/png'
    """
    if max(image.size) <= TINY:
        content = _saved(image, "PNG")
        if len(content) <= most_bytes:
            return "image/png", content
    for share, quality in TRIES:
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        content = _saved(image if share == 1 else image.resize(size), "JPEG", quality=quality)
        if len(content) <= most_bytes:
            break
    return "image/jpeg", content


def as_url(image: Image.Image) -> str:
    """A picture as a ``data:`` address, for a page without other files."""
    kind, content = encode(image)
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _saved(image: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, optimize=True, **options)
    return buffer.getvalue()
