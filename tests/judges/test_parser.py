import pytest
import torch

from facecond.config.networks import ParserConfig, ParserKind
from facecond.judges.bisenet import BiSeNet
from facecond.judges.parser import PARSERS, build_parser, parse
from facecond.judges.pixels import IMAGENET_MEAN, IMAGENET_STD
from tests.denoisers.golden import arrays, names_and_shapes, relative


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Draw every parameter in the way the reference network's were drawn: vectors of scale 0.02, around 1 where they
    were 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.02 if parameter.ndim < 2 else parameter[0].numel() ** -0.5
            drawn = torch.randn(parameter.shape, generator=generator) * scale
            centred_on_one = parameter.ndim == 1 and parameter.mean().item() == 1
            parameter.copy_(drawn + 1 if centred_on_one else drawn)


def small(input_size: int | None = None) -> ParserConfig:
    return ParserConfig(kind=ParserKind.small, input_size=input_size)


def test_bisenet_equals_face_parsing() -> None:
    _, data, _ = arrays("bisenet_128")
    network = BiSeNet(ParserConfig()).eval()
    randomise(network, seed=0)
    with torch.no_grad():
        first, second, third = network.heads(data["x"])
    assert relative(first, data["out"]) < 1e-5
    assert second.shape == third.shape == first.shape


def test_bisenet_names_and_shapes() -> None:
    with torch.device("meta"):
        network = BiSeNet(ParserConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == 13_300_416
    assert [(name, list(value.shape)) for name, value in network.state_dict().items()] == names_and_shapes("bisenet")


def test_bisenet_normalises_and_resizes_by_itself() -> None:
    network = BiSeNet(ParserConfig(input_size=64)).eval()
    randomise(network, seed=1)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    mean, std = torch.tensor(IMAGENET_MEAN)[:, None, None], torch.tensor(IMAGENET_STD)[:, None, None]
    with torch.no_grad():
        expected = network.heads((images / 255 - mean) / std)[0]
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)
        larger = images.repeat_interleave(2, -1).repeat_interleave(2, -2)
        assert network(larger).shape == (2, 19, 128, 128)
        torch.testing.assert_close(network.training_logits(images)[0], expected, rtol=1e-4, atol=1e-4)
    assert [logits.shape for logits in network.training_logits(larger)] == [(2, 19, 128, 128)] * 3


@pytest.mark.parametrize("size", [64, 96, 128])
def test_small_parser_answers_at_the_pictures_size(size: int) -> None:
    parser = build_parser(small()).eval()
    assert 400_000 < sum(parameter.numel() for parameter in parser.parameters()) < 500_000
    images = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    labels = parse(parser, images)
    assert labels.shape == (2, size, size)
    assert labels.dtype == torch.uint8
    assert build_parser(small(64)).eval()(images).shape == (2, 19, size, size)


@pytest.mark.parametrize("kind", list(PARSERS))
def test_every_parser_trains_and_refuses_pictures_that_are_not_uint8(kind: ParserKind) -> None:
    parser = build_parser(ParserConfig(kind=kind, input_size=64))
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    labels = torch.randint(0, 19, (2, 64, 64))
    loss = sum(torch.nn.functional.cross_entropy(logits, labels) for logits in parser.training_logits(images))
    loss.backward()
    assert all(parameter.grad is not None for parameter in parser.parameters())
    with pytest.raises(TypeError, match="uint8"):
        parser(images.float())


def test_small_parser_learns_where_things_are() -> None:
    """Red squares on noise: two classes told apart by position only (left or right half), as the subject's two eyes
    are."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    parser = build_parser(ParserConfig(kind=ParserKind.small, input_size=None, width=8))

    def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.randint(0, 100, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
        labels = torch.zeros(count, 32, 32, dtype=torch.int64)
        for index in range(count):
            y, x = torch.randint(0, 24, (2,), generator=generator).tolist()
            images[index, 0, y : y + 8, x : x + 8] = 230
            labels[index, y : y + 8, x : x + 8] = 4 if x >= 12 else 5
        return images, labels

    optimiser = torch.optim.AdamW(parser.parameters(), lr=1e-2)
    for _ in range(60):
        images, labels = draw(16)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(parser(images), labels).backward()
        optimiser.step()
    parser.eval()
    images, labels = draw(64)
    found = parse(parser, images).long()
    assert float((found == labels)[labels > 0].float().mean()) > 0.8
    assert float((found == labels)[labels == 0].float().mean()) > 0.97
