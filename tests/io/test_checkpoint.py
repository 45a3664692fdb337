import json
import struct

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from facecond.errors import CheckpointError
from facecond.io.checkpoint import (
    find_states,
    join_modules,
    load_state,
    load_strictly,
    load_weights,
    save_state,
    save_weights,
    split_modules,
)
from facecond.io.files import apart, sha256_file


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(3, 4, generator=generator),
        "steps": torch.tensor(7),
        "half": torch.randn(5, generator=generator).bfloat16(),
    }


def test_weights_round_trip(tmp_path, tensors):
    config = {"width": 64, "channel_mult": [1, 2], "name": "Å"}
    digest = save_weights(tmp_path / "w.safetensors", tensors, config, kind="diffusion", images_seen=96)
    weights = load_weights(tmp_path / "w.safetensors")
    assert weights.config == config
    assert weights.metadata == {"kind": "diffusion", "images_seen": 96}
    assert weights.sha256 == digest == sha256_file(tmp_path / "w.safetensors")
    assert weights.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert weights.tensors[name].dtype == tensor.dtype
        assert torch.equal(weights.tensors[name], tensor)


def test_config_stands_in_the_header_as_json(tmp_path, tensors):
    """The format another program would read: 8 bytes of length, then a JSON header (safetensors' own specification)."""
    save_weights(tmp_path / "w.safetensors", tensors, {"width": 64})
    content = (tmp_path / "w.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    assert json.loads(header["__metadata__"]["facecond"])["config"] == {"width": 64}
    assert header["a.weight"]["shape"] == [3, 4]


def test_same_weights_same_bytes(tmp_path, tensors):
    config = {str(number): number for number in range(20)}
    digests = {save_weights(tmp_path / f"{n}.safetensors", tensors, config, a=1, b=2, c=3) for n in range(5)}
    assert len(digests) == 1


def test_views_and_channels_last_are_saved_by_value(tmp_path):
    flat = torch.arange(24.0)
    image = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5).to(memory_format=torch.channels_last)
    views = {"first": flat[:10], "overlapping": flat[5:15], "same": flat[:10], "image": image}
    save_weights(tmp_path / "w.safetensors", views, {})
    loaded = load_weights(tmp_path / "w.safetensors").tensors
    assert all(torch.equal(loaded[name], tensor) for name, tensor in views.items())
    assert (tmp_path / "w.safetensors").stat().st_size < 4 * (30 + 120) + 800


def test_bad_weights_files(tmp_path, tensors):
    with pytest.raises(CheckpointError, match="no such weights file"):
        load_weights(tmp_path / "gone.safetensors")
    (tmp_path / "text.safetensors").write_text("hello, I am no checkpoint")
    with pytest.raises(CheckpointError, match=r"text\.safetensors: not a readable"):
        load_weights(tmp_path / "text.safetensors")
    save_weights(tmp_path / "w.safetensors", tensors, {})
    content = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "torn.safetensors").write_bytes(content[:-5])
    with pytest.raises(CheckpointError, match=r"torn\.safetensors: not a readable"):
        load_weights(tmp_path / "torn.safetensors")
    header = json.dumps({"format": "facecond-weights", "version": 99})
    save_file(tensors, tmp_path / "later.safetensors", {"facecond": header})
    with pytest.raises(CheckpointError, match="version is 99"):
        load_weights(tmp_path / "later.safetensors")


def test_a_flipped_bit_anywhere_is_found_or_does_no_harm(tmp_path, tensors):
    file = tmp_path / "w.safetensors"
    save_weights(file, tensors, {"width": 64, "name": "Å"}, kind="parser")
    whole, before = file.read_bytes(), load_weights(file)
    refused = []
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        file.write_bytes(flipped)
        try:
            after = load_weights(file)
        except CheckpointError as error:
            refused.append(str(error))
            continue
        assert after.config in ({}, before.config)  # {}: the name of our header is another; callers expect a kind in it
        assert all(torch.equal(after.tensors[name], tensor) for name, tensor in before.tensors.items())
    assert all("w.safetensors" in line and "\n" not in line for line in refused)
    assert len(refused) > 0.95 * len(whole)


@pytest.mark.parametrize(
    "header",
    ["[" * 100_000, "null", "[]", "1", "{", '{"version": 1}', '{"format": "facecond-weights", "version": "x"}',
     '{"format": "facecond-weights", "version": 1, "config": 1, "metadata": {}}',
     '{"format": "facecond-weights", "version": 1, "config": {}, "metadata": []}'],
)  # fmt: skip
def test_headers_of_wrong_content_are_one_line(tmp_path, tensors, header):
    save_file(tensors, tmp_path / "w.safetensors", {"facecond": header})
    with pytest.raises(CheckpointError, match=r"the header of .*w\.safetensors"):
        load_weights(tmp_path / "w.safetensors")


def test_weights_from_before_their_header_vouched_for_them_are_read(tmp_path, tensors):
    header = json.dumps({"format": "facecond-weights", "version": 1, "config": {"a": 1}, "metadata": {}})
    save_file(tensors, tmp_path / "w.safetensors", {"facecond": header})
    assert load_weights(tmp_path / "w.safetensors").config == {"a": 1}


def test_foreign_safetensors_have_no_config(tmp_path, tensors):
    save_file(tensors, tmp_path / "foreign.safetensors")
    assert load_weights(tmp_path / "foreign.safetensors").config == {}


def test_strict_loading_names_what_is_wrong():
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    wrong = {"0.weight": torch.zeros(3, 2), "0.bias": torch.zeros(5), "extra": torch.zeros(1), "1.bias": torch.zeros(4)}
    with pytest.raises(CheckpointError) as caught:
        load_strictly(module, wrong, "w.safetensors")
    message = str(caught.value)
    assert "w.safetensors" in message
    assert "1 missing: 1.weight" in message
    assert "1 unexpected: extra" in message
    assert "0.bias is (5,), expected (3,)" in message
    assert "\n" not in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    load_strictly(module, {name: tensor + 1 for name, tensor in before.items()}, "w.safetensors")
    assert all(torch.equal(tensor, before[name] + 1) for name, tensor in module.state_dict().items())


def test_modules_join_and_split():
    one, two = nn.Linear(2, 2).state_dict(), nn.Sequential(nn.Linear(2, 2)).state_dict()
    joined = join_modules({"unet": one, "conditioner": two})
    assert set(joined) == {"unet.weight", "unet.bias", "conditioner.0.weight", "conditioner.0.bias"}
    again = split_modules(joined)
    assert again.keys() == {"unet", "conditioner"}
    assert again["conditioner"].keys() == two.keys()


def test_state_round_trip_keeps_only_the_newest(tmp_path, tensors):
    folder = tmp_path / "checkpoints"
    assert find_states(folder) == []
    save_state(folder, 96, {"network": tensors, "optimiser": {}}, {"seconds": 1.5})
    save_state(folder, 1056, {"network": tensors, "optimiser": {}}, {"seconds": 2.5})
    assert sorted(entry.name for entry in folder.iterdir()) == ["000000001056"]
    state = load_state(find_states(folder)[0])
    assert state.values == {"images_seen": 1056, "seconds": 2.5}
    assert state.groups["optimiser"] == {}
    assert all(torch.equal(state.groups["network"][name], tensor) for name, tensor in tensors.items())


def test_as_many_states_stay_as_are_to_be_kept(tmp_path, tensors):
    for images in (8, 16, 24, 32):
        save_state(tmp_path, images, {"network": tensors}, {}, keep=2)
    assert [path.name for path in find_states(tmp_path)] == ["000000000032", "000000000024"]


@pytest.mark.parametrize(
    "manifest",
    ["null", "[]", "{}", '{"format": "facecond-state"}', '{"format": "facecond-state", "version": "x", "sha256": {}}',
     '{"format": "facecond-state", "version": 1, "sha256": {}}', '{"format": "facecond-state", "version": 1, "sha256": 3}',
     '{"format": "facecond-state", "version": 1, "sha256": {"state.json": 3}}',
     '{"format": "facecond-state", "version": 1, "sha256": {"../../secret": "ab", "state.json": "ab"}}', "[" * 10_000],
)  # fmt: skip
def test_manifests_of_wrong_content_are_one_line(tmp_path, tensors, manifest):
    path = save_state(tmp_path, 96, {"network": tensors}, {})
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        load_state(path)


def test_hashes_are_shown_where_they_differ():
    assert apart("a" * 64, "b" * 64) == ("a" * 12, "b" * 12)
    assert apart("a" * 40 + "c" * 24, "a" * 40 + "d" * 24) == ("..." + "c" * 12, "..." + "d" * 12)


def test_incomplete_states_are_passed_over(tmp_path, tensors):
    folder = tmp_path / "checkpoints"
    save_state(folder, 96, {"network": tensors}, {})
    unfinished = folder / "000000000192"
    unfinished.mkdir()
    save_weights(unfinished / "network.safetensors", tensors, {})
    (folder / ".000000000288.partial").mkdir()
    assert find_states(folder)[0].name == "000000000096"
    save_state(folder, 192, {"network": tensors}, {})
    assert find_states(folder)[0].name == "000000000192"
    assert [entry.name for entry in folder.iterdir()] == ["000000000192"]


@pytest.mark.parametrize("damaged", ["network.safetensors", "state.json"])
def test_damage_is_noticed(tmp_path, tensors, damaged):
    path = save_state(tmp_path, 96, {"network": tensors}, {"seconds": 10})
    content = bytearray((path / damaged).read_bytes())
    content[-4] ^= 1
    (path / damaged).write_bytes(content)
    with pytest.raises(CheckpointError, match=damaged):
        load_state(path)
    (path / damaged).unlink()
    with pytest.raises(CheckpointError, match="missing"):
        load_state(path)
