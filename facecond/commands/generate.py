"""What the preparation of `sample`, `eval` and `swap-masks` has in common: the run, its sampler, its first stage, its pack."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facecond.commands.prepared import Prepared
from facecond.config.commands import GenerateConfig
from facecond.config.compose import compose
from facecond.config.recorded import plain
from facecond.io.files import read_json, sha256_file
from facecond.workspace.find import find_pack, find_run, read_run
from facecond.workspace.origin import Origin, how_trained, origin_of, pack_of, weights_file
from facecond.workspace.sampling import compose_sampling

MOST_ROWS, MOST_COLUMNS = 24, 16
"""Size of the largest grid that is drawn, in pictures; what is beyond stands in the folder only."""


def first_of(shown: int, count: int) -> str:
    """Words behind a grid's title: how many of `count` pictures it shows; "" when it shows all."""
    return "" if shown == count else f": the first {shown} of {count:,}".replace(",", " ")


def prepare_generation(
    command: str,
    words: Sequence[str],
    check: Callable[[Any], None] = lambda config: None,
    made_with: Mapping[str, Any] | None = None,
) -> Prepared[Any, Origin]:
    """Compose, find run, pack and first stage, and take the run's own sampler and guidance where the user names none.

    `check` looks at the configuration before anything is looked for on disk, so that a wrong value is reported first.
    `made_with`, of samples that are there already (see generation.json), takes the place of the run's own.
    """
    typed = compose(command, words)
    config: GenerateConfig = typed.config
    check(config)
    found = find_run(config.workspace, config.run, "diffusion")
    run = read_run(found.path)
    weights_file(run)
    composed, why = compose_sampling(command, words, run, made_with)
    config = composed.config
    pack = find_pack(config.workspace, config.pack) if config.pack else pack_of(run, config.workspace)
    sampler, guidance = config.sampler, config.guidance
    named = run.config["model"]["conditions"]
    used = {
        "run": how_trained(found, pack.path, config.workspace, config.run),
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


def generation_key(origin: Origin, config: GenerateConfig, plan: Mapping[str, Any]) -> str:
    """Return eight digits of everything that decides the pictures of a generation, and of nothing else.

    `plan` (JSON values) says which conditions are drawn in which order, but not how many: the seed of an image is a
    function of (seed, place), so that a larger count continues the same folder.
    """
    from facecond import assembly
    from facecond.training.precision import resolve_precision

    return short_hash({
        "weights": sha256_file(origin.weights),
        "first_stage": origin.run.first_stage,
        "sampler": _chosen(config.sampler),
        "guidance": {name: config.guidance.weight(name) for name in origin.conditions},
        "seed": config.seed,
        "precision": resolve_precision(config.precision, assembly.choose_device(config.device)).name,
        "plan": dict(plan),
    })  # fmt: skip


def _chosen(section: Any) -> dict[str, Any]:
    """The settings that differ from the schema's defaults, so that a key the schema gains later changes no name."""
    usual = plain(type(section)())
    return {key: value for key, value in plain(section).items() if value != usual[key]}


def items_plan(origin: Origin, items: Sequence[int] = ()) -> dict[str, Any]:
    """Return the part of a plan that says: the conditions of validation items; all of them in their order, or `items`."""
    manifest = read_json(origin.pack / "manifest.json")
    content = short_hash([manifest["sha256"], manifest["splits"], manifest["ids"]])
    in_order = list(items) == list(range(len(items)))
    return {"pack": content, "split": "validation", "items": "in order" if in_order else list(items)}


def short_hash(values: Any) -> str:
    """Return the first eight digits of the SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
