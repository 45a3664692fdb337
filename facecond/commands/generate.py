"""What the preparation of `sample`, `eval` and `swap-masks` has in common: the run, its sampler, its first stage, its pack."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from facecond.commands.defaults import check_guided, check_sampling, sampling_of
from facecond.commands.prepared import Prepared
from facecond.config.commands import GenerateConfig
from facecond.config.compose import compose, plain
from facecond.io.files import sha256_file
from facecond.workspace.find import find_pack, find_run, read_run
from facecond.workspace.origin import Origin, origin_of, pack_of, weights_file

NO_INFLUENCE = ("workspace", "device", "batch_size", "name", "run", "pack", "first_stage")
"""Keys that do not decide what a picture looks like (run, pack and first stage are named by their content)."""


C = TypeVar("C", bound=GenerateConfig)


def prepare_generation(
    command: str, words: Sequence[str], check: Callable[[Any], None] = lambda config: None
) -> Prepared[Any, Origin]:
    """Compose, find run, pack and first stage, and let the run's own sampler and guidance stand beneath the person's.

    `check` looks at the configuration before anything is looked for on disk, so that a slip of the pen is named first.
    """
    config: GenerateConfig = compose(command, words).config
    check(config)
    found = find_run(config.workspace, config.run, "diffusion")
    run = read_run(found.path)
    beneath, why = sampling_of(run, words, command)
    composed = compose(command, words, beneath=beneath)
    config = composed.config
    weights_file(run)
    check_sampling(run.config["model"], config.sampler, config.guidance, run.path.name)
    pack = find_pack(config.workspace, config.pack) if config.pack else pack_of(run, config.workspace)
    sampler, guidance = config.sampler, config.guidance
    named = run.config["model"]["conditions"]
    check_guided(words, named, f"the model of {run.path.name}")
    used = {
        "run": str(found),
        "pack": str(pack),
        "sampler": f"{sampler.name.name}, {sampler.steps} steps, eta {sampler.eta:g} ({why})",
    }
    if named:
        weights_of = ", ".join(f"{condition} {guidance.weight(condition):g}" for condition in named)
        used["guidance"] = f"{weights_of} ({why})"
    if config.first_stage is not None:
        used["first stage"] = f"{config.first_stage} (named)"
    origin = origin_of(run, pack.path, config.workspace, config.first_stage)
    return Prepared(composed=composed, name=run.path.name, used=used, found=origin)


def digest(prepared: Prepared[C, Any]) -> str:
    """Eight digits that tell apart what is asked of one run: everything that has an influence on the pictures."""
    values = {key: value for key, value in plain(prepared.config).items() if key not in NO_INFLUENCE}
    given = [Path(text) for text in getattr(prepared.config, "given", dict)().values()]
    files = [prepared.found.weights, prepared.found.pack / "manifest.json", *filter(Path.is_file, given)]
    values["content"] = [sha256_file(file) for file in files]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
