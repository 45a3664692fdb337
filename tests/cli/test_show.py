"""What the terminal shows of figures: every number in digits that say something, and what it was measured with."""

import pytest
from rich.console import Console

from facecond.cli import show
from facecond.cli.show import print_result
from facecond.commands.result import Listing, Result, Row
from facecond.io.results import Figure

KID = Figure(
    name="kid", title="KID", value=0.00042, spread=7e-6, count=5000, better="lower", ceiling=1e-5, ceiling_of="real halves",
    reference="validation split, 5000 items", preprocessing="resized to 299 px", judge="Inception", judge_hash="ab" * 32,
)  # fmt: skip
PSNR = Figure(name="psnr", title="PSNR", value=27.43, unit="dB", count=64)
MIOU = Figure(name="miou", value=0.5, count=64, floor=0.2, marks={"reconstructions": 0.61}, judge="parser")


def shown(capsys: pytest.CaptureFixture[str], *figures: Figure) -> list[list[str]]:
    print_result(Result(command="eval", figures=list(figures)))
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_small_numbers_units_and_directions_are_seen(capsys: pytest.CaptureFixture[str]) -> None:
    head, kid, psnr, *_ = shown(capsys, KID, PSNR)
    assert head == ["measure", "value", "±", "ceiling", "floor", "count"]
    assert kid == ["KID", "(lower", "is", "better)", "0.00042", "0.0000070", "0.000010", "-", "5000"]
    assert psnr == ["PSNR", "27.4", "dB", "-", "-", "-", "64"]


def test_what_figures_share_is_said_once_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    head, _, _, miou, title, *below = shown(capsys, KID, KID, MIOU)
    assert "reconstructions" in head
    assert miou[-2:] == ["0.610", "64"]
    assert title == ["Measured", "with"]
    text = " ".join(word for line in below for word in line)
    assert (
        "kid, kid Inception (abababababab); validation split, 5000 items; resized to 299 px; ceiling: real halves"
        in text
    )
    assert "miou parser; floor: shuffled conditions" in text


@pytest.mark.parametrize("width", [80, 160])
def test_what_many_figures_were_measured_with_is_read_whole(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names of forty figures leave room for what they share."""
    judge = "classifier demo-classifier (0123456789ab)"
    many = [
        Figure(name=f"accuracy_of_attribute_{k}", value=0.5, count=4, judge=judge, judge_hash="") for k in range(40)
    ]
    monkeypatch.setattr(show, "_out", Console(soft_wrap=True, width=width))
    print_result(Result(command="eval", figures=many, next=["facecond report one"]))
    lines = capsys.readouterr().out.splitlines()
    below = lines[lines.index(next(line for line in lines if line.startswith("Measured with"))) :]
    assert "…" not in "".join(below)
    said = " ".join(line[width // 3 :].strip() for line in below)
    assert all(word in said for word in judge.split())
    assert all(f"accuracy_of_attribute_{k}" in "".join(below) for k in range(40))
    assert "  $ facecond report one" in lines  # to be copied


def test_in_a_narrow_terminal_the_widest_columns_of_a_listing_give_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = "facecond sample run=" + "n" * 80
    row = Row(cells=["n" * 60, "ddim, 20 steps, eta 1", "48 MB"], remark="[odd]", commands=[command])
    listing = Listing(title="Samples", head=["name", "sampled with", "size"], rows=[row], note="and 3 more")
    monkeypatch.setattr(show, "_out", Console(soft_wrap=True, width=60))
    print_result(Result(command="runs", listings=[listing]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Samples"
    table = [line for line in lines[1:] if "$" not in line]
    assert max(map(len, table)) <= 60
    assert any(line.split()[-2:] == ["48", "MB"] for line in table)
    assert "ddim, 20 steps, eta 1" in "".join(table)
    assert f"      $ {command}" in lines  # whole, to be copied
    assert "      [odd]" in lines
