import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import time

import pytest
import torch

from facecond.errors import CheckpointError, ConfigError, TrainingError
from facecond.io.checkpoint import find_states, load_state, load_weights
from facecond.io.documents import Record, read_json, read_records
from facecond.processes import Processes
from facecond.training.loop import fit
from facecond.training.run import TrainingStoppedError
from tests.training.toy import Toy, main, trainer


@pytest.fixture(scope="module")
def processes():
    """Makes processes of which torch was loaded once: a fresh one of Python that the others are copies of."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.toy", "torch._dynamo", "torch.distributed"])
    return context


def start(processes, folder, settings="{}", options="{}", **environment):
    """A process that trains; its standard error goes to a file beside the folder."""
    said = folder.with_name(f"{folder.name}-{environment.get('RANK', 0)}.txt")
    process = processes.Process(
        target=alone, args=(said, str(folder), settings, options), kwargs=environment, daemon=True
    )
    process.start()
    return process, said


def alone(said, folder, settings, options, **environment):
    """The whole of such a process."""
    os.environ.update({"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"} | environment)
    with said.open("w") as stream:
        os.dup2(stream.fileno(), sys.stderr.fileno())
    main(folder, settings, options)


def run(folder, learner=None, **settings):
    return fit(learner or Toy(), trainer(**settings), folder, weights_config={"toy": True})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    events = []
    learner = Toy()
    fit(learner, trainer(), folder, weights_config={"toy": True}, on_event=events.append)
    return folder, learner, events


def end_of(folder):
    """Everything a run ends with: weights, averages, optimisers; and the figures that do not depend on the clock."""
    state = load_state(find_states(folder / "checkpoints")[0])
    tensors = {f"{group}/{name}": tensor for group, held in state.groups.items() for name, tensor in held.items()}
    clocks = {"seconds", "images_per_second"}
    lines = [
        {k: v for k, v in line.items() if k not in clocks} for line in read_records(folder / "metrics.jsonl", Record)
    ]
    return tensors, lines


def assert_same_end(folder, whole_folder):
    tensors, lines = end_of(folder)
    expected, expected_lines = end_of(whole_folder)
    assert tensors.keys() == expected.keys()
    assert len(tensors) > 20
    for name, tensor in tensors.items():
        assert torch.equal(tensor, expected[name]), name
    assert (
        load_weights(folder / "weights.safetensors").sha256 == load_weights(whole_folder / "weights.safetensors").sha256
    )
    places = [(line["images_seen"], line["kind"]) for line in lines]
    assert places == [(line["images_seen"], line["kind"]) for line in expected_lines]
    for line, expected_line in zip(lines, expected_lines, strict=True):
        figures = {name: value for name, value in expected_line.items() if name != "kind"}
        assert {name: value for name, value in line.items() if name != "kind"} == pytest.approx(figures, rel=1e-5)


def test_what_a_run_leaves(whole):
    folder, learner, events = whole
    assert {entry.name for entry in folder.iterdir()} == {
        "metrics.jsonl", "grids", "checkpoints", "weights.safetensors", "done.json"
    }  # fmt: skip
    lines = read_records(folder / "metrics.jsonl", Record)
    assert [line["images_seen"] for line in lines if line["kind"] == "training"] == [16, 32, 48, 64, 80, 96]
    assert [line["images_seen"] for line in lines if line["kind"] == "evaluation"] == [32, 64, 96]
    assert sorted(int(grid.stem) for grid in (folder / "grids").iterdir()) == [32, 64, 96]
    assert lines[-1]["error"] < lines[0]["error"] * 0.8
    assert [event.kind for event in events if event.kind != "training"][:4] == [
        "start", "checkpoint", "evaluation", "checkpoint"
    ]  # fmt: skip
    assert events[-1].kind == "finished"
    assert all(event.seconds_left is not None and event.seconds_left >= 0 for event in events[1:])
    weights = load_weights(folder / "weights.safetensors")
    assert weights.config == {"toy": True}
    assert weights.metadata["images_seen"] == 96
    assert weights.sha256 == read_json(folder / "done.json", Record)["weights_sha256"]
    average = load_state(find_states(folder / "checkpoints")[0]).groups["average"]
    assert weights.tensors.keys() == average.keys()
    assert all(torch.equal(weights.tensors[name], tensor) for name, tensor in average.items())
    assert not torch.equal(average["generator.0.weight"], learner.modules["generator"][0].weight)
    assert torch.equal(average["generator.0.bias"], Toy().modules["generator"][0].bias)


def test_a_finished_run_returns_at_once(whole):
    folder, _, _ = whole
    before = (folder / "metrics.jsonl").read_bytes()
    learner = Toy(break_at=0)
    state = run(folder, learner)
    assert state.finished
    assert state.images_seen == 96
    assert learner.evaluations == []
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_clean_stop_and_again_ends_bitwise_the_same(whole, tmp_path, monkeypatch):
    """Two stops at odd places (not at a checkpoint), by the signal a person's Ctrl-C sends."""
    monkeypatch.setattr(
        signal, "getsignal", lambda number: signal.default_int_handler
    )  # a shell in the background ignores it
    folder = tmp_path / "stopped"
    for images in (40, 72):
        learner = Toy()
        loss = learner.loss

        def interrupting(phase, step, loss=loss, images=images):
            if step.images_seen == images and phase == "critic":
                os.kill(os.getpid(), signal.SIGINT)
            return loss(phase, step)

        learner.loss = interrupting
        with pytest.raises(TrainingStoppedError, match=f"SIGINT at {images + 8} of 96 images") as caught:
            run(folder, learner)
        assert caught.value.exit_status == 130
        assert "same command" in str(caught.value)
    assert run(folder).finished
    assert_same_end(folder, whole[0])


def test_a_checkpoint_by_signal_changes_nothing_else(whole, tmp_path):
    learner, events = Toy(), []
    loss = learner.loss

    def asking(phase, step):
        if step.images_seen in (32, 56) and phase == "critic":
            os.kill(os.getpid(), signal.SIGUSR1)
        return loss(phase, step)

    learner.loss = asking
    fit(learner, trainer(checkpoint_every=48), tmp_path / "asked", weights_config={"toy": True}, on_event=events.append)
    written = [event.images_seen for event in events if event.kind == "checkpoint"]
    assert written == [40, 48, 64, 96, 96]  # at 96 it was due, and is the end
    assert_same_end(tmp_path / "asked", whole[0])


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -9), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_killed_process_and_again_ends_bitwise_the_same(whole, processes, tmp_path, number, status):
    folder = tmp_path / "killed"
    process, said = start(processes, folder, options='{"pause": 0.15}')
    deadline = time.monotonic() + 120
    while not find_states(folder / "checkpoints"):
        assert process.is_alive(), said.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.4)  # somewhere between the first checkpoint, at 24 images, and the second
    os.kill(process.pid, number)
    process.join(60)
    message = said.read_text()
    assert process.exitcode == status, message
    reached = int(find_states(folder / "checkpoints")[0].name)
    assert 24 <= reached < 96
    assert not (folder / "done.json").exists()
    if number == signal.SIGTERM:
        assert f"stopped by SIGTERM at {reached} of 96 images" in message
    run(folder)
    assert_same_end(folder, whole[0])


def test_torn_files_of_an_interruption_do_no_harm(whole, tmp_path):
    folder = tmp_path / "torn"
    run(folder, images=96, stop_after_minutes=1e-9)
    (folder / "checkpoints" / ".000000000016.partial").mkdir()
    (folder / "checkpoints" / "000000000099").mkdir()
    with (folder / "metrics.jsonl").open("a") as stream:
        stream.write('{"images_seen": 16, "kind": "training", "error": 1.0}\n{"images_seen": 24, "ki')
    assert run(folder).finished
    assert_same_end(folder, whole[0])


def test_stop_after_minutes_comes_back_unfinished(tmp_path):
    state = run(tmp_path / "a", stop_after_minutes=1e-9)
    assert not state.finished
    assert state.images_seen == 8
    assert int(find_states(tmp_path / "a" / "checkpoints")[0].name) == 8


def test_longer_training_goes_on(whole, tmp_path):
    run(tmp_path / "a", images=48)
    state = run(tmp_path / "a", images=96)
    assert state.finished
    assert state.images_seen == 96
    assert read_json(tmp_path / "a" / "done.json", Record)["images_seen"] == 96


def agree(folder, whole_folder, tolerance):
    tensors, _ = end_of(folder)
    expected, _ = end_of(whole_folder)
    for name in expected:
        if not name.startswith("optimiser"):
            assert torch.allclose(tensors[name].float(), expected[name].float(), rtol=tolerance, atol=tolerance), name


@pytest.fixture(scope="module")
def without_norm(tmp_path_factory):
    """An uninterrupted run without BatchNorm, whose statistics depend on how a batch is divided."""
    folder = tmp_path_factory.mktemp("runs") / "plain"
    run(folder, Toy(norm=False, critic_from=32))
    return folder


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
def test_micro_batches_learn_the_same(without_norm, tmp_path, micro_batch):
    run(tmp_path / "a", Toy(norm=False, critic_from=32), micro_batch=micro_batch)
    agree(tmp_path / "a", without_norm, 2e-5)


def test_two_processes_learn_the_same(without_norm, processes, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # as torchrun does
    settings = '{"micro_batch": 2}', '{"norm": false, "critic_from": 32}'
    both = [start(processes, tmp_path / "two", *settings, **told, RANK=rank, LOCAL_RANK=rank) for rank in "01"]
    for process, said in both:
        process.join(240)
        assert process.exitcode == 0, said.read_text()
    agree(tmp_path / "two", without_norm, 2e-5)
    lines, expected = end_of(tmp_path / "two")[1], end_of(without_norm)[1]
    assert [line["images_seen"] for line in lines] == [line["images_seen"] for line in expected]
    for line, other in zip(lines, expected, strict=True):
        assert line["error"] == pytest.approx(other["error"], rel=1e-3)


def test_other_seeds_learn_something_else(without_norm, tmp_path):
    run(tmp_path / "a", Toy(norm=False, critic_from=32), seed=1)
    with pytest.raises(AssertionError):
        agree(tmp_path / "a", without_norm, 1e-3)


def test_a_phase_that_rests_moves_nothing(tmp_path):
    learner = Toy(critic_from=1000)
    before = {name: tensor.clone() for name, tensor in learner.modules["critic"].state_dict().items()}
    run(tmp_path / "a", learner)
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.modules["critic"].state_dict().items())
    assert all(weight.requires_grad for weight in learner.modules["critic"].parameters())


def test_non_finite_loss_stops_at_once_and_is_never_saved(tmp_path):
    with pytest.raises(TrainingError, match="generator loss was nan in the step after 40 images") as caught:
        run(tmp_path / "a", Toy(break_at=40))
    items = Toy().items(40, 8).indices_B
    assert ", ".join(map(str, items)) in str(caught.value)
    assert caught.value.exit_status == 2
    state = load_state(find_states(tmp_path / "a" / "checkpoints")[0])
    assert state.values["images_seen"] == 24
    assert all(tensor.isfinite().all() for held in state.groups.values() for tensor in held.values())


def test_non_finite_weights_are_never_saved(tmp_path):
    learner = Toy()

    def spoil(images_seen, images_total, total):
        if images_seen == 48:
            with torch.no_grad():
                learner.modules["generator"][3].bias[1] = float("inf")
        return {}

    learner.after_step = spoil
    with pytest.raises(TrainingError, match=r"not finite, first generator\.3\.bias"):
        run(tmp_path / "a", learner, evaluate_every=1000)
    assert int(find_states(tmp_path / "a" / "checkpoints")[0].name) == 24


def test_a_gradient_that_is_not_finite_is_named_before_it_spoils_a_weight(tmp_path):
    learner = Toy()
    bias = learner.modules["generator"][3].bias
    seen = []
    bias.register_hook(lambda gradient: gradient * float("inf") if len(seen) == 5 else gradient)
    loss = learner.loss

    def counting(phase, step):
        if phase == "generator":
            seen.append(step.images_seen)
        return loss(phase, step)

    learner.loss = counting
    with pytest.raises(
        TrainingError, match=r"gradient of the generator loss was .* after 32 images, first of .*3\.bias"
    ):
        run(tmp_path / "a", learner)
    assert all(weight.isfinite().all() for weight in learner.modules["generator"].parameters())
    assert int(find_states(tmp_path / "a" / "checkpoints")[0].name) == 24


def short_of_memory(most, *, norm=False):
    """A learner that has room for `most` images at once, and gathers part of its gradients before it finds out."""
    learner = Toy(norm=norm)
    loss = learner.loss

    def limited(phase, step):
        answer = loss(phase, step)
        room = most if step.first > 0 else max(most, 4)  # it may go well for the first micro-batch of four
        if len(step.indices_B) > room:
            answer[0].backward(retain_graph=True)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return answer

    learner.loss = limited
    return learner


def test_a_smaller_micro_batch_when_memory_is_out(tmp_path, caplog):
    run(tmp_path / "small", Toy(norm=False), micro_batch=2)
    with caplog.at_level("WARNING", "facecond"):
        assert run(tmp_path / "halved", short_of_memory(3)).finished
    assert "going on with trainer.micro_batch=4" in caplog.text
    assert "going on with trainer.micro_batch=2, the batch stays 8" in caplog.text
    assert_same_end(tmp_path / "halved", tmp_path / "small")


@pytest.mark.parametrize(
    ("most", "norm", "said"), [(0, False, "micro-batch of 1 images"), (4, True, "batch normalisation")]
)
def test_memory_that_is_not_enough_for_anything(tmp_path, most, norm, said):
    with pytest.raises(TrainingError, match=f"memory is not enough for .*{said}"):
        run(tmp_path / "a", short_of_memory(most, norm=norm))


def test_another_run_is_not_continued(tmp_path):
    run(tmp_path / "a", stop_after_minutes=1e-9)
    with pytest.raises(CheckpointError, match=r"trainer\.learning_rate=0\.05, not trainer\.learning_rate=0\.1"):
        run(tmp_path / "a", learning_rate=0.1)
    with pytest.raises(CheckpointError, match=r"started with model\.norm=True, not model\.norm=False"):
        run(tmp_path / "a", Toy(norm=False))
    with pytest.raises(
        CheckpointError, match=r"micro_batch=8, not trainer.micro_batch=4, and its BatchNorm statistics"
    ):
        run(tmp_path / "a", micro_batch=4)
    assert run(tmp_path / "a", log_every=48, micro_batch=8).finished


def test_micro_batches_may_change_without_batchnorm(without_norm, tmp_path):
    run(tmp_path / "a", Toy(norm=False, critic_from=32), stop_after_minutes=1e-9)
    assert run(tmp_path / "a", Toy(norm=False, critic_from=32), micro_batch=2).finished
    agree(tmp_path / "a", without_norm, 2e-5)


def test_batches_that_cannot_be_divided(tmp_path):
    with pytest.raises(ConfigError, match="micro_batch=3 does not divide the 8 images"):
        run(tmp_path, micro_batch=3)
    with pytest.raises(ConfigError, match="batch_size=8 cannot be divided among 3"):
        fit(Toy(), trainer(), tmp_path, weights_config={}, processes=Processes(0, 3, 0))


def test_images_are_rounded_up_to_whole_batches(tmp_path):
    assert run(tmp_path / "a", images=17).images_seen == 24


def test_snapshots_are_kept(tmp_path):
    run(tmp_path / "a", snapshot_every=32)
    names = sorted(path.name for path in (tmp_path / "a" / "snapshots").iterdir())
    assert names == [f"{seen:012d}.safetensors" for seen in (32, 64, 96)]
    last = load_weights(tmp_path / "a" / "snapshots" / names[-1])
    final = load_weights(tmp_path / "a" / "weights.safetensors")
    assert all(torch.equal(last.tensors[name], tensor) for name, tensor in final.tensors.items())


def test_evaluation_changes_nothing(tmp_path, whole):
    run(tmp_path / "a", evaluate_every=8, log_every=8, checkpoint_every=8, snapshot_every=8)
    tensors, expected = end_of(tmp_path / "a")[0], end_of(whole[0])[0]
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors.items())


def test_tensorboard_gets_the_same_figures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path / "a", tensorboard=True)
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard"))
    events.Reload()
    written = {event.step: event.value for event in events.Scalars("evaluation/error")}
    lines = read_records(tmp_path / "a" / "metrics.jsonl", Record)
    assert written == pytest.approx({x["images_seen"]: x["error"] for x in lines if x["kind"] == "evaluation"})
    assert [image.step for image in events.Images("grid")] == [32, 64, 96]


@pytest.mark.parametrize("damaged", ["network.safetensors", "optimiser.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, whole, damaged, caplog):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    logging.getLogger("facecond").propagate = True
    (folder / "done.json").unlink()
    newest, before = find_states(folder / "checkpoints")
    content = bytearray((newest / damaged).read_bytes())
    content[len(content) // 2] ^= 4
    (newest / damaged).write_bytes(content)
    run(folder)
    assert f"going on from {int(before.name)} images" in caplog.text
    assert str(newest) in caplog.text
    assert_same_end(folder, whole[0])
    assert [path.name for path in (folder / "checkpoints").iterdir() if path.name.endswith(".damaged")] == []


def test_without_a_whole_checkpoint_nothing_is_changed(tmp_path):
    run(tmp_path, images=64)
    (tmp_path / "done.json").unlink()
    states = find_states(tmp_path / "checkpoints")
    for state in states:
        (state / "state.json").write_text("{}")
    with pytest.raises(
        CheckpointError, match=r"no checkpoint below .*checkpoints is whole; of the newest: .*state\.json"
    ):
        run(tmp_path)
    assert find_states(tmp_path / "checkpoints") == states
