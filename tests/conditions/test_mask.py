"""The mask encoder, against torchvision's ResNet-18 where they are the same thing."""

import numpy as np
import pytest
import torch
from torch import nn

from facecond.conditions.encoders import ConditionEncoder
from facecond.conditions.spatial import Pooling
from facecond.conditions.table import CONDITIONS
from facecond.errors import ConfigError
from facecond.faces.labels import flip_labels
from tests.conditions.makers import encoder as make

MASK = CONDITIONS["mask"]


def encoder(*, optional: bool = False, resolution: int = 64, **changes: object) -> ConditionEncoder:
    values = {"width": 8, "channel_mult": [1, 2, 3], "grid": 8} | changes
    return make("mask", optional=optional, resolution=resolution, token_width=24, **values)


def maps(count: int = 2, size: int = 64) -> torch.Tensor:
    return torch.randint(0, 19, (count, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_paper_encoder_is_torchvisions_resnet18_without_its_classifier() -> None:
    from torchvision.models import resnet18

    net = ConditionEncoder(MASK, MASK.settings(), token_width=512, optional=False, resolution=256).eval()
    reference = resnet18(weights=None)
    reference.conv1 = nn.Conv2d(18, 64, 7, stride=2, padding=3, bias=False)
    reference.fc = nn.Identity()
    generator = torch.Generator().manual_seed(3)
    for module in reference.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    net.network.load_state_dict(reference.state_dict(), strict=True)
    labels = maps(1, 256)
    channels = torch.stack([labels == part for part in range(1, 19)], dim=1).float()
    with torch.no_grad():
        expected = reference.eval()(channels)
        tokens = net(labels)
    assert tokens.shape == (1, 64, 512)
    torch.testing.assert_close(tokens.mean(dim=1), expected, rtol=1e-4, atol=1e-5)
    assert sum(p.numel() for p in net.parameters()) == 11_689_512 - 513_000 + 15 * 64 * 49


def test_pooled_token_is_the_mean_of_the_others() -> None:
    net, pooled = (encoder(pooling=pooling) for pooling in (Pooling.none, Pooling.average))
    pooled.load_state_dict(net.state_dict())
    tokens = pooled(maps())
    assert tokens.shape == (2, 1, 24)
    torch.testing.assert_close(tokens[:, 0], net(maps()).mean(dim=1))
    assert pooled.places_TP.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("resolution", "grid", "mult"),
    [(256, 8, [1, 1, 1, 1]), (128, 8, [1, 1, 1, 1]), (64, 8, [1, 1, 1, 1]), (64, 8, [1, 2, 4]), (64, 16, [1, 2, 4]),
     (64, 8, [1, 1]), (32, 8, [1, 1, 1, 1]), (8, 8, [1, 2]), (24, 3, [1, 2, 2])],
)  # fmt: skip
def test_ends_at_the_grid_that_was_asked_for(resolution: int, grid: int, mult: list[int]) -> None:
    net = encoder(resolution=resolution, grid=grid, channel_mult=mult)
    assert net(maps(1, resolution)).shape == (1, grid * grid, 24)
    assert net.places_TP.shape == (grid * grid, 3)


def test_tokens_lie_where_their_places_say() -> None:
    """A change in one cell of the map changes the token of that cell most."""
    net = encoder()
    places = net.places_TP
    assert places[0].tolist() == [0.0625, 0.0625, 1.0]
    assert places[1].tolist() == [0.1875, 0.0625, 1.0]  # x grows first
    for token in (0, 13, 58):
        x, y = (int(place * 64) for place in places[token, :2])
        labels = torch.ones(1, 64, 64, dtype=torch.uint8)
        changed = labels.clone()
        changed[:, y - 4 : y + 4, x - 4 : x + 4] = 13
        difference = (net(changed) - net(labels)).norm(dim=-1)[0]
        assert int(difference.argmax()) == token


@pytest.mark.parametrize("optional", [False, True])
def test_channels_given_as_such_are_the_label_map(optional: bool) -> None:
    net = encoder(optional=optional)
    labels = maps()
    channels = torch.stack([labels == part for part in range(1, 19)], dim=1)
    assert torch.equal(net(channels), net(labels))


def test_overlapping_parts_are_told_apart_from_one_above_the_other() -> None:
    net = encoder()
    skin = torch.zeros(1, 18, 64, 64, dtype=torch.bool)
    skin[:, 0] = True
    both = skin.clone()
    both[:, 12, 16:32] = True
    hair_only = both.clone()
    hair_only[:, 0, 16:32] = False
    assert not torch.allclose(net(both), net(skin))
    assert not torch.allclose(net(both), net(hair_only))


def test_unspecified_pixels() -> None:
    net, paper = encoder(optional=True), encoder()
    assert net.null_tokens is not None
    labels = maps(3)
    labels[0] = 255
    labels[1, :32] = 255
    background = labels.clone()
    background[1, :32] = 0
    tokens = net(labels)
    assert torch.equal(tokens[0], net.null_tokens)
    assert not torch.allclose(tokens[1], net(background)[1])  # not said is not background
    assert torch.equal(paper(labels)[1], paper(background)[1])  # the paper's encoder has no word for it
    assert paper.null_tokens is None
    assert net.network.conv1.weight.shape[1] == 19
    assert paper.network.conv1.weight.shape[1] == 18


def test_group_norm_does_not_depend_on_the_rest_of_the_batch_in_training() -> None:
    net = encoder().train()
    labels = maps(4)
    torch.testing.assert_close(net(labels)[:1], net(labels[:1]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resolution": 100}, "power of two"),
        ({"grid": 3}, r"model.mask.grid=3"),
        ({"resolution": 4}, "power of two"),
        ({"resolution": 512}, "halvings"),
        ({"channel_mult": []}, "channel_mult"),
        ({"channel_mult": [1, 0]}, "channel_mult"),
    ],
)
def test_sizes_that_cannot_be_built_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        encoder(**changes)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [
        torch.zeros(1, 32, 32, dtype=torch.uint8),
        torch.zeros(1, 64, 64),
        torch.zeros(1, 17, 64, 64, dtype=torch.bool),
        torch.zeros(1, 64, 64, dtype=torch.bool),
    ],
)
def test_maps_of_another_form_are_refused(labels: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected|got"):
        encoder()(labels)


def test_a_box_hides_its_pixels_and_no_others() -> None:
    boxes = torch.tensor([[0.25, 0.5, 0.125, 0.75], [0.0, 0.0, 0.0, 0.0]])
    labels = torch.full((2, 16, 8), 3, dtype=torch.uint8)
    expected = labels.clone()
    expected[0, 4:8, 1:6] = 255
    assert torch.equal(MASK.hide(labels, torch.zeros(2, 19, dtype=torch.bool), boxes), expected)


def test_hidden_classes_become_255_and_no_others() -> None:
    labels = torch.arange(19, dtype=torch.uint8).repeat(1, 2, 1)
    labels[0, 0, 0] = 255
    classes = torch.zeros(1, 19, dtype=torch.bool)
    classes[0, [0, 13]] = True
    expected = labels.clone()
    expected[:, :, [0, 13]] = 255
    assert torch.equal(MASK.hide(labels, classes, torch.zeros(1, 4)), expected)


def test_either_classes_or_a_box_are_hidden() -> None:
    classes, boxes = MASK.draw_hidden(torch.full((2000,), 0.5), torch.Generator().manual_seed(0))
    boxed = boxes.any(dim=1)
    assert float(boxed.float().mean()) == pytest.approx(0.5, abs=0.05)
    assert not (boxed & classes.any(dim=1)).any()
    top, bottom, left, right = boxes[boxed].T
    torch.testing.assert_close((bottom - top) * (right - left), torch.full_like(top, 0.5))
    assert 0 <= float(boxes.min()) <= float(boxes.max()) <= 1.0001


def test_mirroring_is_that_of_label_maps() -> None:
    labels = maps()
    np.testing.assert_array_equal(MASK.mirror(labels).numpy(), flip_labels(labels.numpy()))


def test_overlapping_parts_are_written_down_and_read_again(tmp_path) -> None:
    channels = np.random.default_rng(0).random((18, 8, 6)) < 0.3
    name = MASK.record(channels, tmp_path, "ab" * 32)
    again = MASK.recall(name, tmp_path)
    np.testing.assert_array_equal(again, channels)
    assert again.dtype == bool


def test_overlapping_channels_say_where_nothing_is_said() -> None:
    """The 19th channel is what 255 is in a label map; a model that is always told everything does not see it."""
    labels = torch.randint(0, 20, (2, 64, 64), generator=torch.Generator().manual_seed(0))
    labels = torch.where(labels == 19, 255, labels).to(torch.uint8)
    channels = torch.stack([labels == value for value in (*range(1, 19), 255)], dim=1)
    for optional in (True, False):
        assert torch.equal(MASK.channels(channels, optional=optional), MASK.channels(labels, optional=optional))
    with pytest.raises(ValueError, match="18 or 19"):
        MASK.channels(torch.cat([channels, channels], dim=1), optional=True)
    unsaid = MASK.nothing(1, 64)
    as_channels = unsaid[:, None] == torch.tensor([*range(1, 19), 255])[None, :, None, None]
    net = encoder(optional=True)
    assert torch.equal(net(as_channels), net(unsaid))
    assert MASK.says_something(as_channels).tolist() == [False]
    assert MASK.says_everything(channels).tolist() == [False, False]
    assert MASK.says_everything(channels[:, :18]).tolist() == [True, True]
