"""A first stage that came as a file is found by its content, wherever file and workspace go (the paper's own path)."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from facecond.autoencoder.vq import VQModel
from facecond.config.networks import VQConfig
from facecond.io.documents import Record, read_json
from facecond.io.files import sha256_file
from facecond.io.results import read_results
from tests.commands.conftest import MODEL, TINY, Facecond, call

SIZES = VQConfig(
    ch=16, ch_mult=[1, 2, 2], num_res_blocks=1, n_embed=64, z_channels=4, norm_groups=16, attention_levels=[2]
)
OTHER_GROUPS = VQConfig(ch=16, ch_mult=[1, 2], num_res_blocks=1, n_embed=64, mid_attention=False, norm_groups=4)


def compvis_checkpoint(path: Path, config: VQConfig, seed: int = 0) -> VQModel:
    """Save a first stage as latent diffusion's own training does: Lightning's envelope, with the loss's networks."""
    torch.manual_seed(seed)
    network = VQModel(config).eval()
    tensors = dict(network.state_dict()) | {"loss.discriminator.main.0.bias": nn.Parameter(torch.zeros(4)).data}
    torch.save({"epoch": 3, "global_step": 7, "state_dict": tensors}, path)
    return network


@pytest.fixture(scope="module")
def moved(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of latent diffusion was encoded with, named by a relative path, and a model trained; then everything moved."""
    old = tmp_path_factory.mktemp("old")
    shutil.copytree(workspace / "packs", old / "outputs" / "packs", ignore=shutil.ignore_patterns("latents"))
    shutil.copytree(workspace / "runs" / "parser", old / "outputs" / "runs" / "parser")
    network = compvis_checkpoint(old / "vq.ckpt", SIZES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(old)
        encoded = call("encode", "first_stage=vq.ckpt")
        assert encoded.facts["latent shape"] == "3x16x16"
        for _ in range(2):  # named again it is known by its content
            call("train", "model=mask", "name=paper", "first_stage=vq.ckpt", *MODEL, *TINY)
    from facecond.data.latents import LatentStore
    from facecond.data.pack import Pack

    pack = Pack.open(old / "outputs" / "packs" / "drawn-64")
    (named,) = LatentStore.available(pack.path)
    store = LatentStore.open(pack.path, named)
    images = torch.from_numpy(pack.images[:4].copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        torch.testing.assert_close(
            torch.from_numpy(store.latents[:4].copy()).float(), network.encode(images), atol=2e-3, rtol=2e-3
        )
    new = tmp_path_factory.mktemp("new") / "elsewhere"
    shutil.move(old / "outputs", new)
    shutil.copy(old / "vq.ckpt", new.parent / "copy.pt")
    (old / "vq.ckpt").unlink()
    return new


def test_the_papers_path_survives_moving_everything(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = call("sample", f"workspace={moved}", "run=paper", "count=2")
    assert made.facts["images"] == 2
    results = read_results(
        call("eval", f"workspace={moved}", "run=paper", "measures=[miou]", "count=4").made["results"]
    )
    assert results.figures[0].name == "miou"
    again = call("train", f"workspace={moved}", "model=mask", "name=paper", *MODEL, *TINY, "trainer.images=24")
    assert again.facts["images seen"] == 24


def test_a_first_stage_that_is_not_kept_can_be_told(moved: Path, tmp_path: Path, facecond: Facecond) -> None:
    shutil.copytree(moved, tmp_path / "outputs", ignore=shutil.ignore_patterns("first_stages"))
    words = [f"workspace={tmp_path / 'outputs'}", "run=paper", "count=2"]
    status, _, err = facecond("sample", *words)
    assert status == 2
    assert "first_stage=RUN_OR_FILE" in err
    original, kept = moved.parent / "copy.pt", next((moved / "first_stages").glob("*.safetensors"))
    for place in (original, kept):
        status, _, err = facecond("sample", *words, f"first_stage={place}", f"name=told-{place.stem}")
        assert status == 0, err
        status, _, err = facecond("eval", "miou", *words, f"first_stage={place}")
        assert status == 0, err
    compvis_checkpoint(tmp_path / "other.ckpt", SIZES, seed=1)
    status, _, err = facecond("sample", *words, f"first_stage={tmp_path / 'other.ckpt'}", "name=other")
    assert status == 2
    assert "not of" in err


def test_what_is_kept_says_what_it_is(moved: Path) -> None:
    (kept,) = (moved / "first_stages").glob("*.safetensors")
    note = read_json(kept.with_suffix(".json"), Record)
    assert note["sha256"] == sha256_file(kept)
    assert note["sha256"].startswith(kept.stem)
    assert note["made_from"] == {sha256_file(moved.parent / "copy.pt"): "vq.ckpt"}
    assert read_json(moved / "runs" / "paper" / "run.json", Record)["sha256 of the first stage"] == note["sha256"]


def test_weights_of_ours_given_as_a_file_are_kept_byte_for_byte(workspace: Path, tmp_path: Path) -> None:
    shutil.copytree(workspace / "packs", tmp_path / "packs", ignore=shutil.ignore_patterns("latents"))
    shutil.copy(workspace / "runs" / "vq" / "weights.safetensors", tmp_path / "given.safetensors")
    call("encode", f"workspace={tmp_path}", f"first_stage={tmp_path / 'given.safetensors'}")
    digest = sha256_file(tmp_path / "given.safetensors")
    assert sha256_file(tmp_path / "first_stages" / f"{digest[:12]}.safetensors") == digest
    (tmp_path / "given.safetensors").unlink()
    call("train", f"workspace={tmp_path}", "model=attr", "name=a", *MODEL, *TINY)


def test_groups_of_normalisation_can_be_given(workspace: Path, tmp_path: Path, facecond: Facecond) -> None:
    from facecond.assembly.first_stage import load_first_stage

    network = compvis_checkpoint(tmp_path / "vq.ckpt", OTHER_GROUPS)
    images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    given, usual = (load_first_stage(tmp_path / "vq.ckpt", torch.device("cpu"), norm_groups=n) for n in (4, None))
    assert usual.network.config.norm_groups == 16
    assert torch.equal(given.encode(images), network.encode(images.float() / 127.5 - 1))
    assert not torch.equal(given.encode(images), usual.encode(images))
    assert given.sha256 != usual.sha256
    shutil.copytree(workspace / "packs", tmp_path / "packs", ignore=shutil.ignore_patterns("latents"))
    words = [f"workspace={tmp_path}", f"first_stage={tmp_path / 'vq.ckpt'}"]
    for groups, status in ((4, 0), (5, 2)):
        assert facecond("encode", *words, f"norm_groups={groups}")[0] == status
    assert (tmp_path / "packs" / "drawn-64" / "latents" / given.sha256[:12]).is_dir()


def test_init_takes_another_size_and_says_how_to_name_it(workspace: Path, tmp_path: Path, facecond: Facecond) -> None:
    compvis_checkpoint(tmp_path / "vq.ckpt", OTHER_GROUPS)
    here = [f"workspace={tmp_path / 'own'}", f"pack={workspace / 'packs' / 'drawn-64'}"]
    words = [*here, "model=vq", "name=from-file", f"init={tmp_path / 'vq.ckpt'}", *TINY]
    status, _, err = facecond("train", *words, "model.network.norm_groups=4")
    assert status == 2
    hint = err[err.index("train with ") + len("train with ") : err.rindex(")")].split()
    status, _, err = facecond("train", *words, "model.network.norm_groups=4", *hint)
    assert status == 0, err
    status, _, err = facecond("train", *words[:-1], "name=b", "init=gone.ckpt")
    assert status == 2
    assert "was it moved" in err
