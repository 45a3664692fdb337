"""Seeds of a plan: a longer plan starts like a shorter one, rows share noise, nothing else does."""

import numpy as np

from facecond.sampling.plans import Prompt, one_each, same_noise, several

PROMPTS = [Prompt(values={"attributes": np.full(40, value, np.int8)}, source=str(value)) for value in (-1, 0, 1)]


def seeds(plan: list) -> dict:
    return {(*request.place.values(), request.prompt.source): request.seed for request in plan}


def test_one_each_gives_every_prompt_its_own_seed() -> None:
    plan = one_each(PROMPTS, 7)
    assert [request.index for request in plan] == [0, 1, 2]
    assert [request.prompt for request in plan] == PROMPTS
    assert len({request.seed for request in plan}) == 3
    assert [request.seed for request in one_each(PROMPTS[:2], 7)] == [request.seed for request in plan][:2]
    assert one_each(PROMPTS, 8)[0].seed != plan[0].seed


def test_several_samples_keep_their_seeds_when_more_are_asked_for() -> None:
    few, many = several(PROMPTS[:2], 3, 7), several(PROMPTS, 10, 7)
    assert [request.index for request in many] == list(range(30))
    assert len({request.seed for request in many}) == 30
    assert seeds(few).items() <= seeds(many).items()


def test_same_noise_shares_a_seed_along_a_row_only() -> None:
    plan = same_noise([PROMPTS] * 4, 7)
    table = np.array([request.seed for request in plan]).reshape(4, 3)
    assert (table == table[:, :1]).all()
    assert len(set(table[:, 0])) == 4
    assert [request.prompt for request in plan[:3]] == PROMPTS
    assert [dict(request.place) for request in plan[3:5]] == [{"row": 1, "column": 0}, {"row": 1, "column": 1}]
