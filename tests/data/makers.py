"""Small packs and releases made from random numbers, for the tests of this room."""

from pathlib import Path

import numpy as np
from PIL import Image

from facecond.data.pack import Pack, PackWriter


def random_items(count: int, resolution: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return random pictures, label maps (0..18) and attributes (-1, 0, 1) of `count` items."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (count, resolution, resolution, 3)).astype(np.uint8)
    labels = generator.integers(0, 19, (count, resolution, resolution)).astype(np.uint8)
    attributes = generator.integers(-1, 2, (count, 40)).astype(np.int8)
    return images, labels, attributes


def random_pack(path: Path, count: int = 10, resolution: int = 8, validation: int = 3) -> Pack:
    """Write a pack of random items, the last `validation` of them held out."""
    writer = PackWriter(path, count=count, resolution=resolution, source={"kind": "random"})
    writer.write(slice(0, count), *random_items(count, resolution))
    splits = ["train"] * (count - validation) + ["validation"] * validation
    return writer.finish([f"face{index}" for index in range(count)], splits, [])


def face_labels(size: int = 64, seed: int = 0) -> np.ndarray:
    """Return a blocky label map of a face, uint8 (size, size), that no check objects to; sides as the subject's own."""
    step = size // 16
    labels = np.zeros((16, 16), dtype=np.uint8)
    labels[12:, 2:14] = 18
    labels[11:13, 6:10] = 17
    labels[1:12, 2:14] = 13
    labels[3:12, 4:12] = 1
    labels[4, 8:11], labels[4, 5:7] = 6, 7
    labels[5, 9:11], labels[5, 5:7] = 4, 5
    labels[6:8, 7:9] = 2
    labels[9, 6:10], labels[10, 6:10] = 11, 12
    labels[6:8, 12], labels[6:8, 3] = 8, 9
    if seed % 3 == 0:
        labels[5, 4:12] = 3
    if seed % 4 == 1:
        labels[1:3, 3:13] = 14
    return np.kron(np.roll(labels, seed % 2, axis=0), np.ones((step, step), dtype=np.uint8))


def picture(size: int = 64, seed: int = 0) -> np.ndarray:
    """Return a smooth colour picture, uint8 (size, size, 3)."""
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(2 * np.pi * ((k + 1) * x + (seed % 5) * y)) for k in range(3)]
    return ((np.stack(waves, -1) + 1) * 127).astype(np.uint8)


def write_release(root: Path, indices: list[int], size: int = 64, part_names: dict[str, str] | None = None) -> Path:
    """Write a release of blocky faces in the official layout; `part_names` renames parts in the file names."""
    from facecond.faces.attributes import ATTRIBUTES
    from facecond.faces.labels import PARTS

    (root / "CelebA-HQ-img").mkdir(parents=True)
    lines = [str(len(indices)), " ".join(ATTRIBUTES)]
    for index in indices:
        Image.fromarray(picture(2 * size, index)).save(root / "CelebA-HQ-img" / f"{index}.jpg", quality=95)
        labels = face_labels(size, index)
        folder = root / "CelebAMask-HQ-mask-anno" / str(index // 2000)
        folder.mkdir(parents=True, exist_ok=True)
        for value, part in enumerate(PARTS, 1):
            if (labels == value).any():
                name = (part_names or {}).get(part, part)
                Image.fromarray(((labels == value) * 255).astype(np.uint8)).save(folder / f"{index:05d}_{name}.png")
        values = np.where(np.random.default_rng(index).random(40) < 0.5, -1, 1)
        lines.append(f"{index}.jpg  " + " ".join(map(str, values)))
    (root / "CelebAMask-HQ-attribute-anno.txt").write_text("\n".join(lines) + "\n")
    return root


def release_attributes(index: int) -> np.ndarray:
    """Return the attributes `write_release` gave to a picture."""
    return np.where(np.random.default_rng(index).random(40) < 0.5, -1, 1).astype(np.int8)


def write_pairs(root: Path, count: int, order: str = "celebamaskhq") -> Path:
    """Write `count` pictures with palette label maps numbered in `order`."""
    from facecond.faces.labels import PALETTE, reorder_table

    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    table = reorder_table("celebamaskhq", order)
    for index in range(count):
        Image.fromarray(picture(64, index)).save(root / "images" / f"p{index:03d}.jpg")
        labels = Image.fromarray(table[face_labels(64, index)])
        labels.putpalette(PALETTE.ravel().tolist())
        labels.save(root / "labels" / f"p{index:03d}.png")
    return root
