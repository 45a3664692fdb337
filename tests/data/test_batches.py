import numpy as np
import pytest
import torch

from facecond.conditions.table import CONDITIONS
from facecond.data import batches
from facecond.data.batches import ResidentData
from facecond.data.latents import LatentWriter
from facecond.errors import DataError
from facecond.faces.labels import flip_labels
from tests.data.makers import random_items, random_pack

FIRST_STAGE = "ab" * 32


@pytest.fixture
def pack(tmp_path):
    return random_pack(tmp_path / "p", count=10, resolution=8, validation=4)


@pytest.mark.parametrize("memory", [400, 2100, 10**6])
def test_a_third_of_the_memory_holds_data(pack, memory, monkeypatch):
    """Six items of 8 x 8 pixels: attributes 240 bytes, labels 384, pictures 1152, in this order; the held-out four apart."""
    monkeypatch.setattr(batches, "total_memory", lambda device: memory)
    splits = [ResidentData(pack, split=split, images=True) for split in ("train", "validation")]
    lying = [{name for name, column in data._columns.items() if column.resident_bytes} for data in splits]
    expected = {
        400: [set(), set()],
        2100: [{"attributes", "labels"}] * 2,
        10**6: [{"attributes", "labels", "images"}] * 2,
    }
    assert lying == expected[memory]
    there = sum(column.resident_bytes for data in splits for column in data._columns.values())
    assert batches.resident_bytes(pack, memory, images=True) == there


def add_latents(pack, flips=True):
    writer = LatentWriter(pack.path, FIRST_STAGE, count=10, shape=(3, 2, 2), flips=flips)
    plain = np.arange(10 * 12, dtype=np.float32).reshape(10, 3, 2, 2)
    writer.write(slice(0, 10), plain, *([-plain] if flips else []))
    return writer.finish(pack.indices("train"))


@pytest.mark.parametrize("resident_bytes", [None, 700, 0])
def test_batches_and_pictures_flip_together(pack, resident_bytes):
    images, labels, attributes = random_items(10, 8)
    data = ResidentData(
        pack, split="validation", latents=add_latents(pack), images=True, conditions=list(CONDITIONS.values()),
        resident_bytes=resident_bytes,
    )  # fmt: skip
    assert len(data) == 4
    assert data.pack_indices.tolist() == [6, 7, 8, 9]
    batch = data.batch(np.array([2, 0, 2]), np.array([False, True, True]))
    assert batch.latents_BCHW.dtype == torch.float32
    plain = np.arange(120, dtype=np.float32).reshape(10, 3, 2, 2)
    np.testing.assert_array_equal(batch.latents_BCHW.numpy(), [plain[8], -plain[6], -plain[8]])
    expected_labels = [labels[8], flip_labels(labels[6]), flip_labels(labels[8])]
    told = batch.conditions
    assert list(told) == list(CONDITIONS)
    np.testing.assert_array_equal(told["mask"].numpy(), expected_labels)
    np.testing.assert_array_equal(told["attributes"].numpy(), attributes[[8, 6, 8]])
    assert (told["mask"].dtype, told["attributes"].dtype) == (torch.uint8, torch.int8)

    pictures, picture_labels, picture_attributes = data.images(torch.tensor([2, 0]), torch.tensor([False, True]))
    assert pictures.shape == (2, 3, 8, 8)
    np.testing.assert_array_equal(pictures[0].permute(1, 2, 0), images[8])
    np.testing.assert_array_equal(pictures[1].permute(1, 2, 0), images[6][:, ::-1])
    np.testing.assert_array_equal(picture_labels, expected_labels[:2])
    np.testing.assert_array_equal(picture_attributes, attributes[[8, 6]])
    np.testing.assert_array_equal(data.labels([1], [True])[0], flip_labels(labels[7]))
    # Batches are copies: what a step does to one must not reach the next.
    told["mask"].zero_()
    pictures.zero_()
    np.testing.assert_array_equal(data.batch([2]).conditions["mask"][0], labels[8])
    np.testing.assert_array_equal(data.images([2])[0][0].permute(1, 2, 0), images[8])


def test_flipping_a_flipped_picture_gives_the_picture(pack):
    data = ResidentData(pack, images=True)
    pictures, labels, _ = data.images([0, 1], [True, True])
    plain, plain_labels, _ = data.images([0, 1])
    assert torch.equal(pictures.flip(-1), plain)
    np.testing.assert_array_equal(flip_labels(labels.numpy()), plain_labels)


def test_what_is_not_there_is_said(pack):
    with pytest.raises(DataError, match="without latents"):
        ResidentData(pack).batch([0])
    store = add_latents(pack, flips=False)
    data = ResidentData(pack, latents=store)
    assert data.batch([0], [False]).latents_BCHW.shape == (1, 3, 2, 2)
    with pytest.raises(DataError, match="no mirrored copy"):
        data.batch([0], [True])
    with pytest.raises(ValueError, match="images=True"):
        data.images([0])


def test_latents_of_another_pack_are_refused(pack, tmp_path):
    store = add_latents(pack)
    with pytest.raises(DataError, match="10 latents for a pack of 5 items"):
        ResidentData(random_pack(tmp_path / "q", count=5), latents=store)


def test_pictures_stand_in_for_latents(pack):
    images, labels, attributes = random_items(10, 8)
    data = ResidentData(pack, split="train", images=True, conditions=list(CONDITIONS.values()))
    batch = data.batch(np.array([2, 0]), np.array([True, False]))
    expected = np.stack([images[2][:, ::-1], images[0]]).transpose(0, 3, 1, 2) / 127.5 - 1
    np.testing.assert_allclose(batch.latents_BCHW.numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(batch.conditions["mask"].numpy(), [flip_labels(labels[2]), labels[0]])
    np.testing.assert_array_equal(batch.conditions["attributes"].numpy(), attributes[[2, 0]])
    mean, std = data.picture_statistics()
    values = images[:6] / 127.5 - 1
    np.testing.assert_allclose(mean, values.mean((0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(std, values.std((0, 1, 2)), rtol=1e-9)
