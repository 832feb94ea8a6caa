"""Makes a small synthetic version of Clothing1M: official folder and file names, drawn pictures, 39 % wrong labels.

    python perf/make_clothing1m.py DIR [--images 20000] [--distinct 2000] [--seed 0]

Use the folder DIR/clothing1M in place of the official one (``--data-dir DIR``). A picture is a JPEG with sides of 256
to 600 pixels. The class sets the color and the stripes. Both vary at random, so that the classes overlap. A tenth of
the images is the clean training set, a twentieth the clean validation set, and a tenth the test set. The other images
have noisy labels: 39 % are wrong, and most of these are the next class. After ``--distinct`` different pictures, the
same ones are written again under other names. So the folder is good for measuring speed, not for judging a
classifier.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = (
    *("T-Shirt", "Shirt", "Knitwear", "Chiffon", "Sweater", "Hoodie", "Windbreaker"),
    *("Jacket", "Downcoat", "Suit", "Shawl", "Dress", "Vest", "Underwear"),
)
WRONG, NEXT = 0.39, 0.6  # share of wrong labels, and the part of them that is the next class
SIDES = (256, 600)


def make(folder: Path, n_images: int, *, distinct: int = 2000, seed: int = 0, sides: tuple[int, int] = SIDES) -> float:
    """Write ``folder/clothing1M``, and return the share of noisy labels that are wrong.

    Parameters
    ----------
    folder : Path
    n_images : int
        Number of images in all splits together, at least 140.
    distinct : int
        Number of different pictures, at most.
    seed : int
        Random seed.
    sides : (int, int)
        Shortest and longest side of a picture, in pixels.
    """
    rng = np.random.default_rng(seed)
    root = folder / "clothing1M"
    keys = [f"images/{i % 10}/{i // 10 % 10}/{i}.jpg" for i in range(n_images)]
    rows, y_true = rng.permutation(n_images), np.zeros(n_images, dtype=int)
    y_true[rows] = np.arange(n_images) % len(CLASSES)
    sizes = [len(CLASSES) * max(1, n_images // share // len(CLASSES)) for share in (10, 20, 10)]
    train, val, test, noisy = np.split(rows, np.cumsum(sizes))  # the same number of each class, except in the noisy set
    y = flip(y_true, rng)
    for part in {Path(key).parent for key in keys}:
        (root / part).mkdir(parents=True, exist_ok=True)
    write_images(root, keys, y_true, distinct, sides, rng)
    both = train[: len(train) // 2]  # officially, some clean images have a noisy label as well
    write_lines(root, "category_names_eng.txt", CLASSES)
    write_lines(root, "noisy_label_kv.txt", [f"{keys[i]} {y[i]}" for i in (*noisy, *both)])
    write_lines(root, "clean_label_kv.txt", [f"{keys[i]} {y_true[i]}" for i in (*train, *val, *test)])
    lists = {"noisy_train": noisy, "clean_train": train, "clean_val": val, "clean_test": test}
    for name, rows in lists.items():
        write_lines(root, f"{name}_key_list.txt", [keys[i] for i in rows])
    return float((y != y_true)[noisy].mean())


def flip(y_true: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return labels of which some are wrong: the next class, or any other."""
    n, n_classes = len(y_true), len(CLASSES)
    step = np.where(rng.random(n) < NEXT, 1, rng.integers(1, n_classes, n))
    return np.asarray((y_true + step * (rng.random(n) < WRONG)) % n_classes)


def write_images(
    root: Path, keys: list[str], y_true: np.ndarray, distinct: int, sides: tuple[int, int], rng: np.random.Generator
) -> None:
    per_class = max(1, distinct // len(CLASSES))
    pool: list[list[bytes]] = [[] for _ in CLASSES]
    seen = [0] * len(CLASSES)
    for key, c in zip(keys, y_true.tolist(), strict=True):
        if len(pool[c]) < per_class:
            pool[c].append(draw_picture(c, sides, rng))
        content = pool[c][seen[c] % per_class]
        comment = key.encode()  # makes all files different
        marked = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (root / key).write_bytes(content[:2] + marked + content[2:])
        seen[c] += 1


def draw_picture(c: int, sides: tuple[int, int], rng: np.random.Generator) -> bytes:
    """Draw a JPEG of a class: stripes of its direction and width on its color, with random light and noise."""
    height, width = rng.integers(sides[0], sides[1] + 1, 2)
    hue = 2 * np.pi * (c + rng.normal(0, 0.5)) / len(CLASSES)
    color = 128 + 45 * np.cos(hue + np.array([0, 2, 4]) * np.pi / 3) + rng.normal(0, 15)
    angle = np.pi * (c % 7 + rng.normal(0, 0.5)) / 7
    wave = 2 * np.pi * (6 + 6 * (c // 7)) * rng.uniform(0.8, 1.25)
    down, along = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    stripes = 30 * np.sin(wave * (np.cos(angle) * along + np.sin(angle) * down) + rng.uniform(0, 6))
    pixels = color + stripes[..., None] + rng.integers(-20, 21, (height, width, 1))
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=70)
    return file.getvalue()


def write_lines(root: Path, name: str, lines: Iterable[str]) -> None:
    (root / name).write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="writes DIR/clothing1M")
    parser.add_argument("--images", type=int, default=20_000, help="number of images, at least 140")
    parser.add_argument("--distinct", type=int, default=2000, help="number of different pictures")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    args = parser.parse_args()
    start = time.perf_counter()
    wrong = make(args.folder, args.images, distinct=args.distinct, seed=args.seed)
    print(f"{args.images:,} images in {time.perf_counter() - start:.0f} s, {wrong:.1%} of the noisy labels wrong")
