import numpy as np
import pytest

from facecond.data.latents import LatentStore, LatentWriter
from facecond.errors import DataError
from facecond.io.files import sha256_file
from tests.data.makers import random_pack

FIRST_STAGE = "0123456789abcdef" * 4


def latents(count=10, seed=0):
    return np.random.default_rng(seed).normal(3, 2, (count, 3, 2, 2)).astype(np.float32)


def test_written_in_pieces_read_whole(tmp_path):
    pack = random_pack(tmp_path / "p")
    plain, mirrored = latents(), latents(seed=1)
    for piece in (slice(6, 10), slice(0, 6)):
        writer = LatentWriter(pack.path, FIRST_STAGE, count=10, shape=(3, 2, 2), flips=True)
        writer.write(piece, plain[piece], mirrored[piece])
    store = writer.finish(pack.indices("train"))
    assert store.path.name == FIRST_STAGE[:12]
    np.testing.assert_array_equal(store.latents, plain.astype(np.float16))
    np.testing.assert_array_equal(store.latents_flipped, mirrored.astype(np.float16))
    used = np.concatenate([plain[:7], mirrored[:7]]).astype(np.float16).astype(np.float64)
    np.testing.assert_allclose(store.mean, used.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(store.std, used.std((0, 2, 3)), rtol=1e-6)
    assert store.manifest["sha256"]["latents.npy"] == sha256_file(store.path / "latents.npy")
    assert LatentStore.available(pack.path) == [store.first_stage]


def test_missing_unfinished_and_foreign_latents(tmp_path):
    pack = random_pack(tmp_path / "p")
    with pytest.raises(DataError, match=r"do not exist .*facecond encode"):
        LatentStore.open(pack.path, FIRST_STAGE)
    writer = LatentWriter(pack.path, FIRST_STAGE, count=10, shape=(3, 2, 2), flips=False)
    with pytest.raises(DataError, match="are not finished"):
        LatentStore.open(pack.path, FIRST_STAGE)
    with pytest.raises(DataError, match="begun with flips=False, not True"):
        LatentWriter(pack.path, FIRST_STAGE, count=10, shape=(3, 2, 2), flips=True)
    writer.write(slice(0, 10), latents())
    assert writer.finish(pack.indices("train")).latents_flipped is None
    with pytest.raises(DataError, match="was computed by the first stage"):
        LatentStore.open(pack.path, FIRST_STAGE[:12] + "f" * 52)
    with pytest.raises(DataError, match="complete already"):
        LatentWriter(pack.path, FIRST_STAGE, count=10, shape=(3, 2, 2), flips=False)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_values_half_precision_cannot_hold_are_refused(tmp_path, bad):
    pack = random_pack(tmp_path / "p")
    writer = LatentWriter(pack.path, FIRST_STAGE, count=10, shape=(3, 2, 2), flips=False)
    values = latents()
    values[4, 1, 0, 0] = bad
    with pytest.raises(DataError, match="not finite or beyond 65504"):
        writer.write(slice(0, 10), values)
