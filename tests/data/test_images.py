import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from goldvein.data import images
from goldvein.data.images import Decoding, ImageFiles, choose_size, decode, read_images
from goldvein.errors import InputError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def save(image, path, **options):
    image.save(path, **options)
    return path


def huge_png(path):
    """A PNG whose header says 30,000 x 30,000, without the pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b"")]
    framed = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))
    return path


def truncated_jpeg(path):
    Image.effect_noise((64, 64), 60).save(path)
    path.write_bytes(path.read_bytes()[:600])
    return path


def halves(mode, left, right, size=(8, 4)):
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def test_rgb_keeps_its_pixels_channels_first(tmp_path):
    got = decode(save(halves("RGB", RED, GREEN), tmp_path / "a.png"), (4, 8), 3)
    assert (got.shape, got.dtype) == ((3, 4, 8), np.uint8)
    assert (got[:, 0, 0].tolist(), got[:, 0, 7].tolist()) == ([255, 0, 0], [0, 255, 0])


def test_grey_and_color_go_into_each_other(tmp_path):
    grey = save(Image.new("L", (5, 5), 77), tmp_path / "grey.png")
    assert np.array_equal(decode(grey, (5, 5), 3), np.full((3, 5, 5), 77))
    color = save(Image.new("RGB", (5, 5), GREEN), tmp_path / "color.png")
    assert np.array_equal(decode(color, (5, 5), 1), np.full((1, 5, 5), 150))  # 0.587 * 255


def test_transparency_is_laid_on_white(tmp_path):
    path = save(halves("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)), tmp_path / "a.png")
    assert decode(path, (4, 8), 3)[:, 0, [0, 7]].tolist() == [[255, 0]] * 3
    path = save(halves("LA", (0, 0), (50, 255)), tmp_path / "la.png")
    assert decode(path, (4, 8), 1)[0, 0, [0, 7]].tolist() == [255, 50]


def test_palettes_cmyk_one_bit_and_sixteen_bits(tmp_path):
    palette = save(halves("RGB", RED, BLUE).quantize(2), tmp_path / "p.png")
    assert decode(palette, (4, 8), 3)[:, 0, 7].tolist() == [0, 0, 255]
    cmyk = save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "c.tif")
    assert decode(cmyk, (8, 8), 3)[:, 0, 0].tolist() == [255, 0, 0]
    bits = save(halves("1", 0, 1), tmp_path / "1.png")
    assert decode(bits, (4, 8), 1)[0, 0, [0, 7]].tolist() == [0, 255]
    deep = save(Image.fromarray(np.full((4, 4), 0x1234, dtype=np.uint16)), tmp_path / "16.png")
    assert np.all(decode(deep, (4, 4), 1) == 0x12)


def test_exif_orientation_turns_the_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left edge of the file is the top of the scene
    path = save(halves("RGB", RED, BLUE, (64, 32)), tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    got = decode(path, (64, 32), 3).astype(int)
    assert np.abs(got[:, 5, 16] - RED).max() < 10
    assert np.abs(got[:, 60, 16] - BLUE).max() < 10
    assert read_images([path], Decoding()).x.shape == (1, 3, 64, 32)


def test_resizing_averages_instead_of_picking(tmp_path):
    stripes = np.zeros((64, 64), dtype=np.uint8)
    stripes[:, ::2] = 200
    got = decode(save(Image.fromarray(stripes), tmp_path / "a.png"), (8, 8), 1)
    assert np.abs(got.astype(int) - 100).max() <= 5


def test_big_jpegs_in_draft_mode_look_the_same(tmp_path):
    gradient = np.linspace(0, 255, 800).astype(np.uint8)[None].repeat(600, 0)
    path = save(Image.fromarray(gradient), tmp_path / "a.jpg", quality=95)
    exact = np.asarray(Image.fromarray(gradient).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decode(path, (32, 32), 1)[0] - exact).max() <= 3


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ([(40, 64, True)] * 3, ((40, 64), 1)),
        ([(65, 64, True)] * 3, ((32, 32), 1)),
        ([(20, 30, True), (21, 30, True)], ((28, 28), 1)),
        ([(30, 90, False), (30, 91, True)], ((32, 32), 3)),
        ([(375, 500, False), (500, 375, False)], ((32, 32), 3)),
    ],
)
def test_size_and_channels_follow_the_data(heads, expected):
    assert choose_size(heads) == expected


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_text("hello"), "not an image of a known format"),
        (truncated_jpeg, "truncated"),
        (huge_png, "more than 100 megapixels"),
        (lambda path: None, "no such file"),
        (lambda path: Image.fromarray(np.ones((4, 4), np.float32)).save(path, "TIFF"), "floating-point"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path, make, reason):
    make(tmp_path / "bad.jpg")
    with pytest.raises(InputError, match=rf"bad\.jpg: .*{reason}.*; replace it"):
        decode(tmp_path / "bad.jpg", (32, 32), 3)


def test_the_limit_of_pixels_is_read_from_the_header(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    path = save(Image.new("L", (20, 10)), tmp_path / "a.png")
    with pytest.raises(InputError, match="its 20 x 10 pixels are more than"):
        decode(path, (8, 8), 1)


def test_skipping_bad_files_lists_them_and_keeps_the_order(tmp_path):
    good = [save(Image.new("L", (8, 8), 10 * i), tmp_path / f"{i}.png") for i in range(3)]
    files = [good[0], huge_png(tmp_path / "huge.png"), good[1], truncated_jpeg(tmp_path / "cut.jpg"), good[2]]
    with pytest.raises(InputError, match="huge"):
        read_images(files, Decoding())
    got = read_images(files, Decoding(skip_bad=True, workers=2))
    assert got.kept.tolist() == [0, 2, 4]
    assert got.x[:, 0, 3, 3].tolist() == [0, 10, 20]
    assert [path.rsplit("/", 1)[1] for path, _ in got.skipped] == ["huge.png", "cut.jpg"]
    with pytest.raises(InputError, match=r"none of the 1 images can be read; .*cut\.jpg"):
        read_images([files[3]], Decoding(skip_bad=True))


def test_what_is_too_big_for_memory_stays_in_the_files(tmp_path, monkeypatch):
    files = [save(Image.new("RGB", (10, 6), (i, 0, 0)), tmp_path / f"{i}.png") for i in range(5)]
    whole = read_images(files, Decoding())
    assert isinstance(whole.x, np.ndarray)
    monkeypatch.setattr(images, "IN_MEMORY", 5 * 3 * 6 * 10)
    lazy = read_images(files, Decoding())
    assert isinstance(lazy.x, ImageFiles)
    assert (lazy.x.shape, lazy.x.dtype, len(lazy.x), lazy.spec) == ((5, 3, 6, 10), np.uint8, 5, whole.spec)
    rows = np.array([4, 0, 4])
    assert np.array_equal(lazy.x[rows], whole.x[rows])
    assert np.array_equal(lazy.x[::2], whole.x[::2])
    assert np.array_equal(lazy.x[3], whole.x[3])
    assert lazy.x[np.array([], dtype=int)].shape == (0, 3, 6, 10)


def test_an_earlier_reading_sets_size_and_channels(tmp_path):
    path = save(Image.new("RGB", (100, 50), RED), tmp_path / "a.png")
    spec = {"reader": "images", "size": [16, 24], "channels": 1}
    got = read_images([path], Decoding(), spec)
    assert (got.x.shape, got.spec) == ((1, 1, 16, 24), spec)
    with pytest.raises(InputError, match="trained on 16 x 24 images"):
        read_images([path], Decoding(image_size=32), spec)


@pytest.mark.parametrize("bad", [{"image_size": 0}, {"image_size": 5000}, {"workers": 0}])
def test_impossible_arguments_are_refused(bad):
    with pytest.raises(InputError, match=r"=\d+: "):
        Decoding(**bad)


def test_a_log_shows_how_many_images_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("goldvein.progress.SECONDS_BETWEEN_LINES", 0.0)
    files = [save(Image.new("L", (8, 8), i), tmp_path / f"{i}.png") for i in range(2)]
    read_images(files, Decoding(progress=True))
    assert capsys.readouterr().err.splitlines()[1:3] == ["opening images: 2 of 2", "reading images: 1 of 2"]
    read_images(files, Decoding())
    assert capsys.readouterr().err == ""
