"""The page's modules against the program's own functions, in Node: noise, samplers, guidance, quantisation, rounding."""

import hashlib
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facecond import rng
from facecond.assembly.first_stage import to_pictures
from facecond.autoencoder.quantise import VectorQuantiser
from facecond.config.diffusion import ScheduleConfig, ScheduleShape, Target
from facecond.denoisers.denoiser import LatentScale
from facecond.diffusion.classes import of_classes
from facecond.diffusion.guidance import guide, shares_of
from facecond.diffusion.prediction import Prediction, convert, predictor
from facecond.diffusion.samplers import SAMPLERS, ddim_plan, dpmpp_plan
from facecond.diffusion.schedule import BetaSchedule, Spacing, schedule_of
from facecond.errors import ConfigError
from facecond.faces.attributes import format_attributes
from facecond.faces.names import ATTRIBUTES
from facecond.sampling.folder import digest_of
from facecond.sampling.noise import StepNoise, start_noise
from facecond.types import Level

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node: apt-get install nodejs")

NOISE = {"rtol": 0, "atol": 2e-6}
"""torch takes logarithms and sines in float32 and by vectors of eight; the largest normal number has an ulp of 5e-7."""


def ask(*questions: dict[str, Any]) -> list[Any]:
    """Answers of answers.mjs."""
    script = Path(__file__).with_name("answers.mjs")
    done = subprocess.run(
        ["node", "--no-warnings", str(script)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers


def one(**question: Any) -> Any:
    return ask(question)[0]


def described(schedule: Any) -> dict[str, Any]:
    if isinstance(schedule, BetaSchedule):
        return {"shape": "linear", "alphas_cumprod": schedule.alphas_cumprod.tolist()}
    return {"shape": "straight"}


SCHEDULES = {shape.name: schedule_of(ScheduleConfig(shape=shape)) for shape in ScheduleShape}


def test_hashes_and_seeds_are_those_of_the_program() -> None:
    texts = [bytes(range(256)) * 2, b"", *(b"a" * n for n in (1, 55, 56, 63, 64, 65, 119, 120))]
    seeds = [(0, "image", 0), (3, "start", 7), (2**63 - 1, "step", 12), (2**53 + 1, "map", 0)]
    answers = ask(
        *({"what": "sha256", "bytes": list(text)} for text in texts),
        *({"what": "mix", "seed": str(seed), "stream": stream, "index": index} for seed, stream, index in seeds),
    )
    assert answers[: len(texts)] == [hashlib.sha256(text).hexdigest() for text in texts]
    assert answers[len(texts) :] == [str(rng.mix(*seed)) for seed in seeds]


@pytest.mark.parametrize("count", [16, 17, 31, 768, 1000, 19 * 64 * 64])
def test_normal_numbers_are_torchs(count: int) -> None:
    """torch draws blocks of sixteen, and the last sixteen anew where they do not come out even."""
    seed = rng.mix(count, "test")
    expected = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    np.testing.assert_allclose(one(what="randn", seed=str(seed), count=count), expected.numpy(), **NOISE)


def test_fewer_numbers_than_sixteen_are_refused() -> None:
    assert "torch draws fewer than 16 in another way" in one(what="randn", seed="1", count=15)["error"]


def test_noise_of_a_picture_is_a_function_of_seed_and_step() -> None:
    seed, shape = rng.mix(5, "image", 2), (3, 4, 4)
    steps = [0, 15, 16, 3, 40]
    start, fresh = ask(
        {"what": "start", "seed": str(seed), "size": 48},
        {"what": "steps", "seed": str(seed), "size": 48, "steps": steps},
    )
    np.testing.assert_allclose(start, start_noise([seed], shape).flatten().numpy(), **NOISE)
    with StepNoise([seed], shape) as noise:
        for step, found in zip(steps, fresh, strict=True):
            np.testing.assert_allclose(found, noise(step).flatten().numpy(), **NOISE)


@pytest.mark.parametrize("shape", SCHEDULES)
@pytest.mark.parametrize("sampler", ["ddim", "dpmpp"])
def test_plans_are_those_of_the_program(sampler: str, shape: str) -> None:
    schedule, plan_of = SCHEDULES[shape], {"ddim": ddim_plan, "dpmpp": dpmpp_plan}[sampler]
    cases = [(steps, eta) for steps in (1, 2, 7, 20, 250, 990, 1000) for eta in (0.0, 0.4, 1.0)]
    found = ask(
        *(
            {"what": "plan", "sampler": sampler, "schedule": described(schedule), "steps": steps, "eta": eta}
            for steps, eta in cases
        )
    )
    for (steps, eta), there in zip(cases, found, strict=True):
        expected = plan_of(schedule, steps, eta)
        assert len(there) == len(expected) == steps
        for theirs, ours in zip(there, expected, strict=True):
            level = theirs.pop("level")
            np.testing.assert_allclose([level[key] for key in ("alpha", "sigma", "time")], ours.level, rtol=1e-12)
            np.testing.assert_allclose(list(theirs.values()), ours[1:], rtol=1e-9, atol=1e-12)


def test_too_many_steps_and_too_much_noise_are_refused() -> None:
    beta = SCHEDULES["linear"]
    with pytest.raises(ConfigError):
        beta.falling(1001, Spacing.time)
    found = ask(
        {"what": "plan", "sampler": "ddim", "schedule": described(beta), "steps": 1001, "eta": 0},
        {"what": "plan", "sampler": "ddim", "schedule": {"shape": "straight"}, "steps": 0, "eta": 0},
        {"what": "plan", "sampler": "ddim", "schedule": {"shape": "straight"}, "steps": 4, "eta": 9},
    )
    assert [answer["error"] for answer in found] == [
        "1001 steps: expected 1 to 1000",
        "0 steps: expected at least 1",
        "eta 9 adds more noise than a step can hold: expected 0 to 1",
    ]


def test_answers_are_converted_bit_for_bit() -> None:
    drawn = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    level = Level(alpha=0.8, sigma=math.sqrt(1 - 0.64), time=100.0)
    pairs = [(source, to) for source in Target for to in Target]
    found = ask(
        *(
            {
                "what": "convert", "raw": drawn[0].tolist(), "z": drawn[1].tolist(), "level": level._asdict(),
                "source": source.name, "to": to.name,
            }
            for source, to in pairs
        )
    )  # fmt: skip
    for (source, to), there in zip(pairs, found, strict=True):
        np.testing.assert_array_equal(there, convert(drawn[0], drawn[1], level, source, to).numpy(), f"{source} {to}")


@pytest.mark.parametrize("weights", [[1.0], [2.0], [2.0, 2.0], [1.5, 3.0], [0.0, 1.0], [1.0, 1.0, 4.0]])
def test_guidance_sums_as_the_program_does(weights: list[float]) -> None:
    parts = torch.randn(len(weights) + 1, 1, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    shares = shares_of(weights)
    found = one(what="guided", weights=weights, parts=[part.flatten().tolist() for part in parts])
    assert found["shares"] == shares
    guided = guide(lambda z, time: parts.flatten(0, 1), shares)(parts[0], torch.zeros(1))
    np.testing.assert_array_equal(found["total"], guided.flatten().numpy())


@pytest.mark.parametrize("sigma", [0.05, 0.5, 1.0])
def test_maps_are_read_off_logits_as_the_program_does(sigma: float) -> None:
    answer, z = torch.randn(2, 1, 5, 3, 4, generator=torch.Generator().manual_seed(4))
    mean, std = torch.tensor([0.4, 0.3, 0.2, 0.05, 0.05]), torch.tensor([1.8, 1.7, 1.5, 1.2, 1.1])
    level = Level(1 - sigma, sigma, 1000 * sigma)
    found = one(
        what="classes", answer=answer.flatten().tolist(), z=z.flatten().tolist(), level=level._asdict(),
        scale={"mean": mean.tolist(), "std": std.tolist()}, temperature=0.5,
    )  # fmt: skip
    read = of_classes(lambda z_BCHW, level: Prediction(answer, Target.x0, z_BCHW, level), mean, std, 0.5)
    np.testing.assert_allclose(found, read(z, level).x0.flatten().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("shape", "target"), [("straight", "velocity"), ("straight", "x0"), ("linear_sqrt", "eps"), ("linear_sqrt", "v")]
)
def test_sampling_ends_where_the_program_does(shape: str, target: str, eta: float) -> None:
    """A network whose answer is 0.3 z + 0.1: noise, steps and fresh noise together."""
    schedule, seed = SCHEDULES[shape], 11
    noise = start_noise([seed], (1, 4, 8))
    predict = predictor(lambda z, time: 0.3 * z + 0.1, Target[target])
    asked = {
        "what": "sample", "schedule": described(schedule), "target": target, "noise": noise.flatten().tolist(),
        "steps": 20, "eta": eta, "seed": str(seed), "slope": 0.3, "offset": 0.1,
    }  # fmt: skip
    found = ask(*({**asked, "sampler": sampler.name} for sampler in SAMPLERS))
    for (name, sample), there in zip(SAMPLERS.items(), found, strict=True):
        with StepNoise([seed], (1, 4, 8)) as fresh:
            expected = sample(predict, noise, schedule, steps=20, eta=eta, noise_source=fresh)
        np.testing.assert_allclose(there, expected.flatten().numpy(), rtol=2e-5, atol=2e-5, err_msg=name.name)


def test_cells_get_the_code_that_the_program_gives_them() -> None:
    generator = torch.Generator().manual_seed(2)
    quantiser = VectorQuantiser(300, 3)
    codes = torch.randn(300, 3, generator=generator)
    codes[17] = codes[5]  # equally far: the first counts
    quantiser.embedding.weight.data.copy_(codes)
    latents = torch.randn(1, 3, 16, 16, generator=generator)
    latents[0, :, 0, 0] = codes[5]
    with torch.no_grad():
        expected = quantiser(latents).codes
    asked = {"latents": latents.flatten().tolist(), "codebook": codes.flatten().tolist(), "channels": 3}
    np.testing.assert_array_equal(one(what="quantised", **asked), expected.flatten().numpy())


def test_the_scale_of_latents_and_bytes_are_as_the_program_rounds() -> None:
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(1, 3, 5, 5, generator=generator)
    scale = LatentScale(3, [0.1, -0.7, 2.0], [1.3, 0.4, 0.9])
    levels = (torch.arange(-20, 560) / 2 / 127.5 - 1)[:579].reshape(1, 3, 1, -1)  # halves, and beyond both ends
    found, pixels = ask(
        {
            "what": "restored", "z": z.flatten().tolist(),
            "scale": {"mean": scale.mean.tolist(), "std": scale.std.tolist()},
        },
        {"what": "pixels", "image": levels.flatten().tolist()},
    )  # fmt: skip
    np.testing.assert_array_equal(found, scale.restore(z).flatten().numpy())
    rgba = np.array(pixels, dtype=np.uint8).reshape(-1, 4)
    np.testing.assert_array_equal(rgba[:, :3], to_pictures(levels)[0, 0])
    assert (rgba[:, 3] == 255).all()


def test_values_are_named_and_hashed_as_in_records() -> None:
    signs = np.random.default_rng(4).integers(-1, 2, 40).astype(np.int8)
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    words, digest, other = ask(
        {"what": "words", "signs": signs.tolist(), "names": list(ATTRIBUTES)},
        {"what": "digest", "values": signs.tolist(), "dtype": "int8", "shape": [40]},
        {"what": "digest", "values": labels.flatten().tolist(), "dtype": "uint8", "shape": [8, 8]},
    )
    assert words == format_attributes(signs)
    assert (digest, other) == (digest_of(signs), digest_of(labels))
