import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facecond.config.networks import ClassifierConfig, ClassifierKind, ParserConfig, ParserKind
from facecond.config.training import ParserTrainingConfig
from facecond.faces.labels import colourise
from facecond.judges.classifier import build_classifier
from facecond.judges.parser import build_parser
from facecond.learners.classifier import ClassifierLearner
from facecond.learners.parser import ParserLearner
from facecond.learners.rarity import class_weights
from facecond.training.loop import fit
from tests.learners.faces import SIZE, last_state, step_of, trainer

PLAIN = ParserTrainingConfig(blur=0, noise=0, brightness=0)


def make_parser(pictures, config=PLAIN, **changes):
    torch.manual_seed(0)
    parser = build_parser(ParserConfig(kind=ParserKind.small, input_size=None, width=8))
    settings = trainer(**({"learning_rate": 4e-3} | changes))
    return ParserLearner(parser, config, settings, train=pictures[0], validation=pictures[1], identity={})


def make_classifier(pictures, config=PLAIN, **changes):
    torch.manual_seed(0)
    classifier = build_classifier(ClassifierConfig(kind=ClassifierKind.small, input_size=None, width=8))
    settings = trainer(**({"learning_rate": 4e-3} | changes))
    return ClassifierLearner(classifier, config, settings, train=pictures[0], validation=pictures[1], identity={})


def test_class_weights():
    counts = np.zeros(19, np.int64)
    counts[[0, 1, 13]] = 8000, 1500, 500
    weights = class_weights(counts, 0.4).double().numpy()
    assert weights[1] / weights[0] == pytest.approx((0.8 / 0.15) ** 0.4, rel=1e-5)
    assert weights[13] / weights[1] == pytest.approx(3**0.4, rel=1e-5)
    assert (counts / counts.sum() * weights).sum() == pytest.approx(1, rel=1e-5)
    assert weights[18] == weights.max() == pytest.approx(weights[0] * (0.8 / 5e-5) ** 0.4, rel=1e-5)
    assert class_weights(counts, 0.0)[[0, 1, 13]].tolist() == [1, 1, 1]


def test_parser_loss_is_the_weighted_cross_entropy(pictures):
    learner = make_parser(pictures)
    learner.network.eval()
    step = step_of(learner, count=3)
    loss, _ = learner.loss("parser", step)
    images, labels, _ = pictures[0].images(step.indices_B, step.flips_B)
    labels = labels.long()
    chances = learner.network(images).log_softmax(1).gather(1, labels[:, None])[:, 0]
    assert loss.item() == pytest.approx(-(chances * learner.weights_K[labels]).mean().item(), rel=1e-5)
    weights = learner.weights_K[labels].mean().item()
    assert weights == pytest.approx(1, abs=0.2)  # the mean weight of a pixel is 1 over the whole split


def test_unspecified_pixels_do_not_count(pictures, monkeypatch):
    learner = make_parser(pictures)
    learner.network.eval()
    step = step_of(learner, count=2)
    images, labels, attributes = pictures[0].images(step.indices_B, step.flips_B)
    before, _ = learner.loss("parser", step)
    labels[:, :16] = 255
    monkeypatch.setattr(pictures[0], "images", lambda *asked: (images.clone(), labels.clone(), attributes))
    after, _ = learner.loss("parser", step)
    kept = F.cross_entropy(
        learner.network(images)[:, :, 16:], labels[:, 16:].long(), learner.weights_K, reduction="sum"
    )
    assert after.item() == pytest.approx(kept.item() / labels.numel(), rel=1e-5)
    assert after < before


def test_parser_learns(pictures, tmp_path):
    learner = make_parser(pictures, ParserTrainingConfig(), images=960, learning_rate=1e-2)
    fit(learner, learner.trainer, tmp_path / "run", weights_config={})
    learner.network.eval()
    with torch.no_grad():
        after = learner.evaluate(960)
    labels = pictures[1].labels(np.arange(len(pictures[1])))
    commonest = labels.flatten().int().bincount().max() / labels.numel()
    assert after.figures["accuracy"] > commonest + 0.15
    assert after.figures["miou"] > 2 * commonest / 19
    assert after.figures["miou"] > 0.12
    assert after.grid.shape == (3 * SIZE, 2 * SIZE, 3)
    truth = pictures[1].labels(np.array([0])).numpy()[0]
    assert np.array_equal(after.grid[SIZE : 2 * SIZE, :SIZE], colourise(truth))


def test_classifier_learns_by_heart(pictures, tmp_path):
    learner = make_classifier((pictures[0], pictures[0]), images=960, learning_rate=1e-2, flips=False)
    fit(learner, learner.trainer, tmp_path / "run", weights_config={})
    learner.network.eval()
    with torch.no_grad():
        figures = learner.evaluate(960).figures
    assert figures["accuracy"] > figures["majority"] + 0.05
    assert figures["balanced"] > 0.7


def test_unknown_attributes_do_not_count(pictures, monkeypatch):
    learner = make_classifier(pictures)
    learner.network.eval()
    step = step_of(learner, count=4)
    images, labels, attributes = pictures[0].images(step.indices_B, step.flips_B)
    attributes[:, 10:] = 0
    monkeypatch.setattr(pictures[0], "images", lambda *asked: (images, labels, attributes))
    loss, figures = learner.loss("classifier", step)
    logits = learner.network(images)[:, :10]
    signs = attributes[:, :10].float()
    assert loss.item() == pytest.approx(F.softplus(-signs * logits).mean().item(), rel=1e-5)
    assert figures["accuracy"].item() == pytest.approx(((logits > 0) == (signs > 0)).float().mean().item())


@pytest.mark.parametrize("make", [make_parser, make_classifier])
def test_stopped_and_continued_ends_the_same(make, pictures, tmp_path):
    whole = make(pictures, ParserTrainingConfig(), images=96)
    fit(whole, whole.trainer, tmp_path / "whole", weights_config={})
    stopped = make(pictures, ParserTrainingConfig(), images=96, stop_after_minutes=1e-9)
    fit(stopped, stopped.trainer, tmp_path / "parts", weights_config={})
    again = make(pictures, ParserTrainingConfig(), images=96)
    fit(again, again.trainer, tmp_path / "parts", weights_config={})
    expected = last_state(tmp_path / "whole")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in last_state(tmp_path / "parts").items())
