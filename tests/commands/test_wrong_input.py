"""What people get wrong: each gives one clear line on standard error, exit status 2, and nothing half-written."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from facecond.io.checkpoint import load_weights, save_weights
from facecond.io.documents import Record, read_json, write_json
from facecond.io.files import sha256_file
from tests.commands.conftest import Facecond, all_but_locks, call


class Surprise:
    """What an untrusted checkpoint may hold: it must never be called."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return (print, ("executed",))


def damage(folder: Path) -> dict[str, Path]:
    """Make wrong files of many kinds; return their paths by name."""
    folder.mkdir()
    (folder / "empty").mkdir()
    wrong = folder / "wrong-layout"
    (wrong / "CelebA-HQ-img").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(wrong / "CelebA-HQ-img" / "0.jpg")
    Image.new("RGB", (64, 64), (200, 30, 30)).save(folder / "photo.png")
    Image.fromarray(np.full((64, 64), 77, dtype=np.uint8)).save(folder / "foreign.png")
    (folder / "text.png").write_text("not a picture")
    for name, sizes in {"one": [64], "few": [64] * 4, "mixed": [64, 64, 64, 48]}.items():
        (folder / name).mkdir()
        for index, size in enumerate(sizes):
            Image.new("RGB", (size, size), (index, 30, 30)).save(folder / name / f"{index}.png")
    torch.save({"conv_out.conv_out.weight": torch.zeros(11, 256, 1, 1)}, folder / "eleven.pth")
    torch.save(
        {"state_dict": {"encoder.conv_in.weight": torch.zeros(1)}, "callbacks": Surprise()}, folder / "surprise.ckpt"
    )
    (folder / "raw.pkl").write_bytes(pickle.dumps(Surprise()))
    save_file({"something.else": torch.zeros(2)}, folder / "foreign.safetensors")
    (folder / "torn.safetensors").write_bytes(b"\x10\x00\x00")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def broken(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Damaged copies of packs and runs, and foreign files."""
    folder = tmp_path_factory.mktemp("broken")
    files = damage(folder / "files")
    for name in ("json", "version", "torn", "half"):
        shutil.copytree(
            workspace / "packs" / "drawn-64", folder / f"pack-{name}", ignore=shutil.ignore_patterns("latents")
        )
    (folder / "pack-json" / "manifest.json").write_text("{")
    manifest = json.loads((folder / "pack-version" / "manifest.json").read_text())
    (folder / "pack-version" / "manifest.json").write_text(json.dumps({**manifest, "version": 99}))
    data = (folder / "pack-torn" / "images.npy").read_bytes()
    (folder / "pack-torn" / "images.npy").write_bytes(data[: len(data) // 2])
    (folder / "pack-half" / "manifest.json").unlink()
    for name in ("unfinished", "torn"):
        shutil.copytree(workspace / "runs" / "multicond", folder / f"run-{name}")
    (folder / "run-unfinished" / "weights.safetensors").unlink()
    (folder / "run-torn" / "weights.safetensors").write_bytes(b"torn")
    shutil.copytree(workspace / "runs" / "vq", folder / "run-first")
    (folder / "run-first" / "weights.safetensors").unlink()
    shutil.copytree(workspace / "runs" / "parser", folder / "run-altered")
    judge = load_weights(folder / "run-altered" / "weights.safetensors")
    answers = judge.config["answers"]
    order = [*answers[:2], answers[3], answers[2], *answers[4:]]
    save_weights(folder / "order.safetensors", judge.tensors, {**judge.config, "answers": order})
    save_weights(folder / "shorter.safetensors", judge.tensors, {**judge.config, "answers": answers[:11]})
    altered = {name: tensor + (tensor.ndim == 4) for name, tensor in judge.tensors.items()}
    save_weights(folder / "run-altered" / "weights.safetensors", altered, judge.config)
    call("data draw", f"workspace={folder}", "resolution=32", "data.count=24", "data.validation=8", "name=small")
    files["pack-small"] = folder / "packs" / "small"
    shutil.copytree(workspace / "packs" / "drawn-64", folder / "pack-nineteen")
    labels = np.load(folder / "pack-nineteen" / "labels.npy", mmap_mode="r+")
    labels[30, 3, 3] = 19
    labels.flush()
    vouch(folder / "pack-nineteen", "labels.npy")
    named = [f"run={workspace / 'runs' / 'multicond'}", f"pack={workspace / 'packs' / 'drawn-64'}"]
    named += [f"first_stage={workspace / 'runs' / 'vq'}", "count=2", "sampler.steps=1", "name=two"]
    made = call("sample", f"workspace={folder}", *named).made["images"].parent
    files["two"] = made
    shutil.copytree(made, folder / "samples-lacking")
    promised = read_json(folder / "samples-lacking" / "generation.json", Record)
    write_json(folder / "samples-lacking" / "generation.json", {**promised, "count": 5})
    (latents,) = (workspace / "packs" / "drawn-64" / "latents").glob("[0-9a-f]*")
    files["latents"] = latents
    shutil.copytree(workspace / "packs" / "drawn-64", folder / "pack-unknown")
    attributes = np.load(folder / "pack-unknown" / "attributes.npy", mmap_mode="r+")
    attributes[0, 5] = 0
    attributes.flush()
    vouch(folder / "pack-unknown", "attributes.npy")
    return files | {path.name: path for path in folder.iterdir()}


def vouch(pack: Path, name: str) -> None:
    """Make a pack that was made with other content in one array out of one that was altered."""
    manifest = read_json(pack / "manifest.json", Record)
    write_json(pack / "manifest.json", manifest | {"sha256": manifest["sha256"] | {name: sha256_file(pack / name)}})
    (pack / "finished.json").unlink()


CASES: list[tuple[str, str]] = [
    # words
    ("trian", "Did you mean 'train'"),
    ("sample --etta 1", "--eta"),
    ("sample items=[0,1] count=3", "count=3 has no effect beside items=[0, 1]"),
    ("sample --eta much", "--eta takes a number"),
    ("sample --eta 1 sampler.eta=1", "given twice"),
    ("sample sampler.stesp=3", "did you mean 'sampler.steps'"),
    ("sample sampler=ddin", "did you mean 'ddim'"),
    ("sample sampler.steps=many", "sampler.steps=many is not a whole number"),
    ("sample sampler.steps=0", "at least 1"),
    ("sample sampler.steps=1001 run=multicond", "1000"),
    ("sample sampler.steps=1,2", "add -m"),
    ("sample +steps=3", "cannot be added"),
    ("sample run=${oc.env:SURELY_NOT_SET}", "SURELY_NOT_SET"),
    ("sample items=0", "items takes a list"),
    ("sample guidance=2", "guidance is a section"),
    ("sample count=null", "count needs a value"),
    ("swap-masks pairs=[[3,7]]", "quotes around an entry"),
    ("sample only=[[mask]]", "is not text"),
    ("sample items=[[1]]", "is not a whole number"),
    ("swap-masks --pairs 3:7 --count 2", "both given"),
    ("swap-masks parts=[]", "no parts"),
    ("train model=vq pack={pack-version} size=tiny name=new", "99"),
    ("data pack data.root=nowhere", "no such folder"),
    ("eval", "no measure named"),
    ("eval mio", "did you mean 'miou'"),
    ("eval fid strict=true download=false", "the Inception network of FID is not at"),
    (
        "eval fid inception={foreign.safetensors}",
        "foreign.safetensors is not the Inception network of FID: its SHA-256 is",
    ),
    ("eval lpips lpips_trunk={raw.pkl}", "raw.pkl is not the AlexNet trunk of LPIPS: its SHA-256 is"),
    ("report multicnd", "did you mean 'multicond'"),
    ("report nowhere/run", "neither a folder nor in"),
    ("report multicond name=a/b", "holds a path"),
    ("report records=-1", "at least 0"),
    ("eval lpips strict=true download=false", "the AlexNet trunk of LPIPS is not at"),
    # what is measured, and with what
    ("eval fid samples={empty} reference={few} download=false", "holds 0 pictures"),
    ("eval fid samples={one} reference={few} download=false", "holds 1 picture "),
    ("eval fid samples={few} reference={one} download=false", "holds 1 picture "),
    ("eval fid samples={mixed} reference={few} download=false", "3.png is 48 x 48"),
    ("eval miou run=multicond samples={samples-lacking}", "lacks 3 of 5 images"),
    ("eval precision run=multicond samples={two} download=false", "2 samples and 16 real pictures are too few"),
    ("eval lpips run=multicond samples={two} download=false", "one sample only"),
    ("eval miou run=multicond pack={pack-small} parser=parser", "has 32 px, the run multicond was trained at 64"),
    ("eval miou run=multicond pack={pack-small}", "learnt from drawn at 64 px"),
    ("eval miou run=multicond pack={pack-nineteen} parser=parser", "labels.npy: mask of item 000030 holds 19"),
    ("eval miou run=attr pack={pack-nineteen} parser=parser", "labels.npy: mask of item 000030 holds 19"),
    ("eval miou run=multicond parser={order.safetensors}", "another order: number 2 of 19 is eye_g, expected nose"),
    ("eval miou run=multicond parser={shorter.safetensors}", "number 11 of 11 is nothing, expected u_lip of 19"),
    ("eval miou run=multicond parser={eleven.pth}", "not a BiSeNet of 19 classes"),
    ("eval miou run=multicond parser={run-altered}", "weights.safetensors was altered: its SHA-256 is"),
    # values
    ("sample --attr +Smilling", "Smiling"),
    ("sample --attr +Male,-Male", "both signs"),
    ("sample grid=attributes", "needs attribute sets"),
    ("sample items=[999] run=multicond", "0 to 15"),
    ("sample run=attr --mask {foreign.png}", "not conditioned on mask"),
    ("swap-masks --pairs 3-17", "like 3:17"),
    ("swap-masks --pairs 3:999 run=multicond", "0 to 15"),
    ("swap-masks --parts nos", "nose"),
    ("swap-masks run=attr", "not conditioned on masks"),
    ("data draw data.count=8 data.validation=8", "data.validation"),
    ("train model=vq guidance.mask=2", "no meaning"),
    ("train model=attr model.conditions=[atributes] name=new", "attributes"),
    ("train model=multicond model.denoiser.model_channels=33 size=tiny name=new", "33"),
    ("train model=vq trainer.batch_size=8 trainer.micro_batch=3 size=tiny name=new", "micro_batch"),
    ("train model=attr model.schedule.shape=straight size=tiny name=new", "model.target=velocity"),
    ("train model=attr model.target=noise size=tiny name=new", "eps, v, velocity, x0"),
    ("sample device=cuda", "no CUDA device"),
    ("train model=parser trainer.compile=true size=tiny name=new", "no meaning for a parser"),
    ("train model=classifier trainer.gradient_checkpointing=true size=tiny name=new", "would count twice"),
    ("train model=vq model.training.freeze_encoder=true model.training.quantise_after=0 size=tiny name=new", "init="),
    ("train model=multicond model.mask.grid=24 size=tiny name=new", "power of two"),
    ("train model=classifier init=nowhere size=tiny name=new", "nowhere"),
    ("train model=classifier init=parser size=tiny name=new", "expected classifier"),
    ("sample run=attr guidance.mask=2", "not conditioned on mask"),
    ("train model=attr guidance.mask=2 size=tiny name=new", "not conditioned on mask"),
    (
        "train model=attr pack={pack-unknown} size=tiny model.condition_dropout=0 model.partial_dropout=0 "
        "guidance.scale=1 name=new",
        "some attributes of 1 items are not specified",
    ),
    ("train model=vq init=vq model.training.quantise_after=0.3 size=tiny name=new", "bring a codebook"),
    ("sample run=multicond only=[attributes] --mask {foreign.png}", "leaves the mask out"),
    ("sample run=multicond grid=attributes attribute_sets=[+Smiling] only=[mask]", "leaves the attributes out"),
    ("sample run=multicond grid=checkpoints compare=[multicond]", "the same name"),
    ("sample run=multicond grid=checkpoints samples=3", "no meaning for grid=checkpoints"),
    ("eval miou run=multicond samples={empty} sampler.steps=3", "no effect on samples"),
    ("train model=vq pack={latents} size=tiny name=new", "expected 'facecond-pack'"),
    ("encode first_stage={run-first}", "not finished"),
    # files
    ("data pack", "data.root has no value"),
    ("data pack data.root={empty}/nowhere", "nowhere"),
    ("data pack data.root={empty}", "CelebA-HQ-img"),
    ("data pack data.root={wrong-layout}", "CelebAMask-HQ-mask-anno"),
    ("data pack data=label_maps data.root={empty}", "images"),
    ("data inspect nowhere", "nowhere"),
    ("data inspect {pack-json}", "manifest.json"),
    ("data inspect {pack-version}", "99"),
    ("data inspect {pack-half}", "manifest.json"),
    ("train model=vq pack={pack-torn} size=tiny name=new", "images.npy"),
    ("train model=multicond pack={pack-torn}", "no latents"),
    ("sample --mask {empty}/no.png", "no such label map"),
    ("sample --mask {photo.png} run=multicond", "photo.png"),
    ("sample --mask {foreign.png} run=multicond", "77"),
    ("sample --mask {text.png} run=multicond", "text.png"),
    ("sample run=multicnd", "did you mean 'multicond'"),
    ("sample run=vq", "expected diffusion"),
    ("sample run={run-unfinished}", "not finished"),
    ("sample run={run-torn}", "weights.safetensors"),
    ("encode first_stage=none", "nothing to encode"),
    ("encode first_stage={surprise.ckpt}", "surprise.ckpt"),
    ("encode first_stage={raw.pkl}", "raw.pkl"),
    ("encode first_stage={foreign.safetensors}", "foreign.safetensors: no first stage in the checkpoint"),
    ("encode first_stage={torn.safetensors}", "torn.safetensors"),
    ("eval miou parser={foreign.safetensors} run=multicond", "foreign.safetensors"),
    ("eval miou parser=classifier run=multicond", "expected parser"),
    ("eval miou samples=nowhere run=multicond", "nowhere"),
    ("train model=multicond name=multicond model.token_width=64 size=tiny", "model."),
]


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_one_clear_line_and_status_2(
    line: str, expected: str, workspace: Path, broken: dict[str, Path], facecond: Facecond, tmp_path: Path
) -> None:
    for name, path in broken.items():
        line = line.replace(f"{{{name}}}", str(path))
    words = line.split()
    if words[0] != "trian" and "--etta" not in words:
        words.append(f"workspace={workspace}")
    before = _files(workspace)
    status, out, err = facecond(*words)
    said = [text for text in err.splitlines() if text.startswith("facecond:")]
    assert status == 2, err
    assert out == ""
    assert len(said) == 1
    assert expected in said[0]
    assert "Traceback" not in err
    assert "executed" not in out + err
    assert _files(workspace) == before


def _files(folder: Path) -> set[Path]:
    return {path for path in all_but_locks(folder) if path.is_file()}
