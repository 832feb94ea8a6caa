"""A folder of images: one subfolder per class, ``unlabeled`` for the rest, ``trusted`` for labels known to be right."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from goldvein.data.check import check_labels
from goldvein.data.dataset import Dataset
from goldvein.data.images import SUFFIXES, Decoding, read_images
from goldvein.data.labels import Classes, encode_labels, natural_key
from goldvein.data.spec import ImagesSpec
from goldvein.errors import InputError

UNLABELED = frozenset(("unlabeled", "unlabelled"))  # American and British spelling
TRUSTED = "trusted"
IGNORED = frozenset(("thumbs.db", "desktop.ini", "__macosx"))  # files that Windows and macOS leave behind
SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test"))  # parts of a data set, not classes


def read_folder(path: Path, how: Decoding, spec: ImagesSpec | None = None) -> Dataset:
    """Return the images in a folder and their labels.

    Folders inside a class folder belong to that class. If a folder ``trusted`` holds folders of the same classes, the
    labels of the images in them are known to be right; otherwise ``trusted`` is a class. Names that begin with a dot,
    ``Thumbs.db``, ``desktop.ini``, ``__MACOSX`` and other files at the top that are not images are ignored. Every other
    file in a class folder must be an image. Classes are always str, even if the folder names are numbers.

    Parameters
    ----------
    path : Path
    how : Decoding
    spec : ImagesSpec, optional
        Spec of the training data. Then images may also lie at the top, and labels are optional.

    Raises
    ------
    InputError
        If there is no image, no class folder (without ``spec``), a class folder that ``spec`` does not have, a file
        that is not an image (unless ``how.skip_bad``), or a trusted image without a class, or if
        :func:`check_labels` refuses the labels.
    """
    loose, folders = _list_files(path)
    trusted_files = _take_trusted(folders, None if spec is None else [str(c) for c in spec["classes"]])
    if spec is None:
        _check_layout(path, loose, folders)
    else:
        _check_known(folders, spec)
    found = [(file, "") for file in loose]
    for folder, files in folders.items():
        found += [(file, "" if folder.lower() in UNLABELED else folder) for file in files]
    found += trusted_files
    if not found:
        raise InputError(f"{path} holds no images; give a folder with one subfolder of images per class")
    found.sort(key=lambda item: natural_key(item[0]))  # the system lists files in any order
    folder_names = sorted(set(folders) - _find_unlabeled(folders), key=natural_key)
    classes: Classes = tuple(folder_names if spec is None else spec["classes"])
    y, _ = encode_labels([label for _, label in found], classes)
    if spec is None:
        check_labels(y, classes)  # before the images are decoded, which may take long
    images = read_images([path / file for file, _ in found], how, spec)
    y, ids = y[images.kept], np.array([found[i][0] for i in images.kept])
    # by path, because sorting and bad files have moved the rows
    trusted = np.isin(ids, [file for file, _ in trusted_files]) if trusted_files else None
    if spec is None:
        check_labels(y, classes)  # again, because images that cannot be read are gone
        spec = {**images.spec, "classes": list(classes)}
    return Dataset(str(path), "image", images.x, y, classes, ids, None, trusted, spec=spec, skipped=images.skipped)


def _list_files(top: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Return the images at the top, and all files of each folder, as paths relative to the top with ``/``."""
    loose, folders = [], {}
    for entry in _list_visible(top):
        if entry.is_dir():
            folders[entry.name] = _list_below(Path(entry.path), entry.name + "/", ())
        elif Path(entry.name).suffix.lower() in SUFFIXES:
            loose.append(entry.name)
    return loose, folders


def _take_trusted(folders: dict[str, list[str]], classes: list[str] | None) -> list[tuple[str, str]]:
    """Remove ``trusted`` from the folders and return its files with their classes; nothing if it is a class itself."""
    name = next((name for name in folders if name.lower() == TRUSTED), None)
    known = set(folders if classes is None else classes) - _find_unlabeled(folders) - {name}
    found = [(file, file.split("/")[1]) for file in folders.get(name or "", ())]
    if name is None or not any(label in known for _, label in found):
        return []
    for file, label in found:
        if label not in known:
            raise InputError(
                f"{file!r} is trusted but not in a class folder; move it to {name}/ and its class, one of "
                f"{', '.join(sorted(known)[:10])}"
            )
    del folders[name]
    return found


def _list_below(folder: Path, prefix: str, parents: tuple[Path, ...]) -> list[str]:
    real = folder.resolve()
    if real in parents:  # the recursion would never end
        raise InputError(f"{folder} is a link to a folder that contains it; remove the link")
    files = []
    for entry in _list_visible(folder):
        if entry.is_dir():
            files += _list_below(Path(entry.path), f"{prefix}{entry.name}/", (*parents, real))
        else:
            files.append(prefix + entry.name)
    return files


def _list_visible(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [e for e in entries if not e.name.startswith(".") and e.name.lower() not in IGNORED]


def _find_unlabeled(folders: dict[str, list[str]]) -> set[str]:
    return {name for name in folders if name.lower() in UNLABELED}


def _check_layout(path: Path, loose: list[str], folders: dict[str, list[str]]) -> None:
    if loose and not folders:
        raise InputError(f"{path} holds images but no class folders; move the images of each class into a subfolder")
    if loose:
        raise InputError(f"{loose[0]!r} lies next to the class folders; move it into one of them or into 'unlabeled'")
    if folders and {name.lower() for name in folders} <= SPLITS:
        # suggest the training part, or else the largest one
        first = max(folders, key=lambda name: (name.lower().startswith("train"), len(folders[name])))
        raise InputError(f"{path} holds {', '.join(sorted(folders))} instead of classes; give {path / first}")


def _check_known(folders: dict[str, list[str]], spec: ImagesSpec) -> None:
    known = [str(c) for c in spec["classes"]]
    for name in sorted(set(folders) - _find_unlabeled(folders) - set(known)):
        raise InputError(
            f"folder {name!r} is not one of the model's classes ({', '.join(known[:10])}); "
            "rename it, or move its images to 'unlabeled'"
        )
