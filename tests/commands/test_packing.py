"""`data pack` on folders with something wrong in them, and at sizes that a first stage cannot halve."""

import json
from pathlib import Path

import pytest

from facecond.commands.defaults import choose_size
from facecond.config.compose import compose
from tests.commands.conftest import MODEL, TINY, Facecond, call
from tests.data.makers import write_pairs


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Twelve pictures with their label maps, one picture torn."""
    root = write_pairs(tmp_path / "pairs", 12)
    (root / "images" / "p004.jpg").write_bytes(b"torn")
    return root


def test_one_unusable_file_is_excluded_and_named_at_every_run(pairs: Path, facecond: Facecond, tmp_path: Path) -> None:
    words = ["data=label_maps", f"data.root={pairs}", "resolution=64", "name=one", "workers=1", f"workspace={tmp_path}"]
    for command in (["data", "pack", "--json", *words], ["data", "inspect", "--json", "one", words[-1]]) * 2:
        status, out, err = facecond(*command)
        assert status == 0, err
        result = json.loads(out)
        assert result["facts"]["excluded"] == 1
        assert result["facts"]["train"] + result["facts"]["validation"] == 11
        (_, row) = result["tables"]["excluded"]
        assert row[0] == "p004"
        assert row[1].startswith("unreadable_picture: ")
        assert result["tables"]["suspicious"][1][:2] == ["unreadable_picture", "1"]


def test_many_unusable_files_are_counted_and_some_named(tmp_path: Path) -> None:
    root = write_pairs(tmp_path / "pairs", 40)
    for number in range(10, 40):
        (root / "images" / f"p{number:03d}.jpg").write_bytes(b"torn")
    words = [f"workspace={tmp_path}", "data=label_maps", f"data.root={root}", "resolution=64", "workers=1"]
    result = call("data pack", *words)
    assert result.facts["excluded"] == 30
    assert len(result.tables["excluded"]) == 1 + 20 + 1
    assert result.tables["excluded"][-1][0] == "and 10 more"


def test_drawn_faces_are_counted_in_the_same_words(tmp_path: Path) -> None:
    facts = call("data draw", f"workspace={tmp_path}", "data.count=6", "data.validation=2").facts
    assert facts == {"items": 6, "resolution": 64, "train": 4, "validation": 2, "excluded": 0}


@pytest.mark.parametrize(("resolution", "nearest"), [(50, "32 and 64"), (100, "64 and 128"), (250, "128 and 256")])
@pytest.mark.parametrize("command", ["pack", "draw"])
def test_a_size_that_cannot_be_halved_is_refused_at_once(
    command: str, resolution: int, nearest: str, tmp_path: Path, facecond: Facecond
) -> None:
    data = ["data=label_maps", f"data.root={write_pairs(tmp_path / 'pairs', 2)}"] if command == "pack" else []
    words = [*data, f"resolution={resolution}", f"workspace={tmp_path / 'outputs'}"]
    for dry in ([], ["--dry-run"]):
        status, out, err = facecond("data", command, *words, *dry)
        assert (status, out) == (2, "")
        assert f"resolution={resolution}" in err
        assert nearest in err
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("resolution", [16, 32, 64, 128, 256])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_sizes_that_are_taken_suit_every_model_as_it_is(resolution: int, device: str) -> None:
    import torch

    from facecond.assembly.generator import diffusion_networks
    from facecond.autoencoder.vq import VQModel
    from facecond.commands.data_pack import check_halving

    check_halving(resolution)
    size, _ = choose_size(resolution, device)
    with torch.device("meta"):
        factor = VQModel(compose("train", ["model=vq"], size=size).config.model.network).factor
        for model in ("uncond", "attr", "mask", "mask_pooled", "multicond"):
            config = compose("train", [f"model={model}"], size=size).config.model
            denoiser, _ = diffusion_networks(config, 3, resolution)
            assert resolution % (factor * denoiser.multiple) == 0


def test_the_smallest_size_goes_the_whole_way(tmp_path: Path) -> None:
    here = f"workspace={tmp_path / 'outputs'}"
    root = write_pairs(tmp_path / "pairs", 24)
    call(
        "data pack",
        here,
        "data=label_maps",
        f"data.root={root}",
        "data.validation_fraction=0.4",
        "resolution=16",
        "workers=1",
    )
    call("train", here, "model=vq", "model.network.ch=8", *TINY)
    assert "reconstruction PSNR" not in call("encode", here).facts
    call("train", here, "model=multicond", *MODEL, *TINY)
    assert call("sample", here, "count=2").facts["images"] == 2


def test_a_first_stage_of_another_pack_says_how_well_it_reconstructs(workspace: Path, tmp_path: Path) -> None:
    here = f"workspace={tmp_path}"
    call("data draw", here, "data.count=60", "data.validation=40", "data.seed=9")
    for _ in range(2):  # and again when the latents are there
        facts = call("encode", here, f"first_stage={workspace / 'runs' / 'vq'}").facts
        assert facts["validation pictures reconstructed"] == 32
        assert 3 < facts["reconstruction PSNR"] < 40
