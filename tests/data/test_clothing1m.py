import numpy as np
import pytest
from PIL import Image

from goldvein.data import standard
from goldvein.errors import InputError

KEYS = [f"images/{i % 3}/{i},{i}.jpg" for i in range(8)]


def write_official(root):
    root.mkdir()
    lists = {
        "category_names_eng.txt": ["T-Shirt", "Shirt", "Knitwear", *(f"Class {i}" for i in range(3, 14))],
        "noisy_label_kv.txt": [f"{key} {label}" for key, label in zip(KEYS[:5], [0, 13, 2, 5, 5], strict=True)],
        "clean_label_kv.txt": [f"{key} {label}" for key, label in zip(KEYS[3:], [1, 7, 9, 3, 4], strict=True)],
        "noisy_train_key_list.txt": KEYS[:4],
        "clean_train_key_list.txt": KEYS[3:6],
        "clean_val_key_list.txt": KEYS[6:7],
        "clean_test_key_list.txt": KEYS[7:],
    }
    for name, lines in lists.items():
        (root / name).write_text("\n".join(lines) + "\n")
    for i, key in enumerate(KEYS):
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (10 * i, 0, 200)).save(root / key)


@pytest.mark.parametrize("folder", ["clothing1M", "Clothing1M"])
def test_reads_the_official_layout(folder, tmp_path):
    write_official(tmp_path / folder)
    data = standard.load_dataset("clothing1m", tmp_path)
    assert data.classes[:3] == ("T-Shirt", "Shirt", "Knitwear")
    assert len(data.classes) == 14
    # Row 3 of the noisy list is clean as well, and is kept once, with its clean label 1.
    assert data.ids.tolist() == KEYS[:6]
    assert data.y.tolist() == [0, 13, 2, 1, 7, 9]
    assert data.trusted.tolist() == [False, False, False, True, True, True]
    assert data.y_test.tolist() == [4]
    assert data.x.shape == (6, 3, 256, 256)
    assert data.x_test.shape == (1, 3, 256, 256)
    assert standard.describe("clothing1m", tmp_path).complete


def test_each_kind_of_labels_alone(tmp_path):
    write_official(tmp_path / "clothing1M")
    noisy, clean = (standard.load_dataset(f"clothing1m_{kind}", tmp_path) for kind in ("noisy", "clean"))
    assert noisy.ids.tolist() == KEYS[:3]  # the fourth of its list is clean
    assert noisy.y.tolist() == [0, 13, 2]
    assert not noisy.trusted.any()
    assert clean.ids.tolist() == KEYS[3:6]
    assert clean.y.tolist() == [1, 7, 9]
    assert clean.trusted.all()
    for data in (noisy, clean):
        assert len(data.x) == len(data.y) == 3
        assert data.y_test.tolist() == [4]


def test_images_are_decoded_on_access(tmp_path):
    write_official(tmp_path / "clothing1M")
    data = standard.load_dataset("clothing1m", tmp_path)
    for key in KEYS[:4]:
        (tmp_path / "clothing1M" / key).unlink()
    images = data.x[np.array([5, 4])]
    assert images.shape == (2, 3, 256, 256)
    np.testing.assert_allclose(images[:, 0, 128, 128], [50, 40], atol=3)
    np.testing.assert_allclose(data.x_test[np.array([0])][0, 2, 128, 128], 200, atol=3)


def test_bad_images_are_skipped_on_request(tmp_path):
    write_official(tmp_path / "clothing1M")
    for key in (KEYS[1], KEYS[7]):  # a training and the test image
        path = tmp_path / "clothing1M" / key
        path.write_bytes(path.read_bytes()[:200])
    data = standard.load_dataset("clothing1m", tmp_path)
    with pytest.raises(InputError, match=r"1,1\.jpg: .*--skip-bad"):
        data.x[:3]
    good = data.without_bad_images()
    assert good.ids.tolist() == [KEYS[0], *KEYS[2:6]]
    assert good.y.tolist() == [0, 2, 1, 7, 9]
    assert good.trusted.tolist() == [False, False, True, True, True]
    assert good.x[:].shape == (5, 3, 256, 256)
    assert len(good.x_test) == len(good.y_test) == 0
    assert [path.split("clothing1M/")[1] for path, _ in good.skipped] == [KEYS[1], KEYS[7]]
    assert all(reason for _, reason in good.skipped)
    digits = standard.load_dataset("digits")
    assert digits.without_bad_images() is digits


@pytest.mark.parametrize("line", ["images/0/0,0.jpg 14", "images/0/0,0.jpg", "images/0/0,0.jpg x", "7"])
def test_a_bad_label_line_is_reported(line, tmp_path):
    write_official(tmp_path / "clothing1M")
    with (tmp_path / "clothing1M" / "noisy_label_kv.txt").open("a") as file:
        file.write(line)
    with pytest.raises(InputError, match=r"noisy_label_kv\.txt has the line .* from 0 to 13"):
        standard.load_dataset("clothing1m", tmp_path)


def test_a_key_without_a_label_is_reported(tmp_path):
    write_official(tmp_path / "clothing1M")
    (tmp_path / "clothing1M" / "clean_test_key_list.txt").write_text("images/9/9.jpg\n")
    with pytest.raises(InputError, match=r"clean_label_kv\.txt has no label for the key 'images/9/9.jpg'"):
        standard.load_dataset("clothing1m", tmp_path)
