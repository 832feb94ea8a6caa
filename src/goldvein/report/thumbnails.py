"""Small pictures: a page with two hundred of them has less than 3 MB."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIDE = 176  # pixels; the page shows at most 88 points, so pictures are sharp on a dense screen too
MOST_BYTES = 10_000  # 200 such pictures take 2.7 MB in base64
TINY = 64  # longest side of pictures that are stored without loss
TRIES = ((1.0, 80), (1.0, 60), (0.75, 55), (0.5, 50), (0.25, 40))  # share of the side, quality of the JPEG


def compress(image: Image.Image, most_bytes: int = MOST_BYTES) -> tuple[str, bytes]:
    """Return a tiny picture as PNG, a larger one as JPEG with the best quality that is small enough.

    Parameters
    ----------
    image : Image
        Gray or RGB.
    most_bytes : int
        Most bytes of the result. A quarter of the side at quality 40 is returned even if it is larger.

    Returns
    -------
    kind : {"image/png", "image/jpeg"}
    content : bytes

    Examples
    --------
    >>> from PIL import Image
    >>> compress(Image.new("L", (8, 8)))[0]
    'image/png'
    """
    if max(image.size) <= TINY:
        content = _save(image, "PNG")
        if len(content) <= most_bytes:
            return "image/png", content
    for share, quality in TRIES:
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        content = _save(image if share == 1 else image.resize(size), "JPEG", quality=quality)
        if len(content) <= most_bytes:
            break
    return "image/jpeg", content


def to_data_url(image: Image.Image) -> str:
    """Return a picture as a ``data:`` URL, for a page without other files."""
    kind, content = compress(image)
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _save(image: Image.Image, form: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, optimize=True, **options)
    return buffer.getvalue()
