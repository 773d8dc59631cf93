"""The picture of a ranking: every candidate named once, the best three in colour."""

import sys

import numpy as np
import pytest
from PIL import Image

from headstart.errors import OptionError
from headstart.report import _rankings, plot_ranking
from headstart.transferability import Costs, Ranked, Ranking


def ranking(n, *, megabytes=lambda i: 10.0 * (i + 1)):
    fine = [
        Ranked(
            f"dir:networks/number {i}",
            score=1.0 - 0.3 * i,
            interval=(0.8 - 0.3 * i, 1.2 - 0.3 * i),
            costs=Costs(1.0, 2.0 + 3 * i, megabytes(i), 12.0),
        )
        for i in range(n)
    ]
    return Ranking((*fine, Ranked("dir:gone", error="no such folder")), None, None, 100)


def words(path, monkeypatch, n):
    monkeypatch.setitem(sys.modules["headstart.report._drawing"]._STYLE, "svg.fonttype", "none")
    plot_ranking(ranking(n), path / "r.svg", title="Birds")
    return (path / "r.svg").read_text()


def test_every_candidate_is_named_once_and_the_broken_are_not_drawn(tmp_path, monkeypatch):
    text = words(tmp_path, monkeypatch, 5)
    for i in range(5):
        assert text.count(f">dir:networks/number {i}<") == 1
    assert "dir:gone" not in text
    assert ">Birds<" in text


def test_the_best_three_are_blue_and_the_others_grey(tmp_path, monkeypatch):
    text = words(tmp_path, monkeypatch, 5).lower()
    colours = {i: text.split(f">dir:networks/number {i}<")[0].rpartition("<text")[2] for i in range(5)}
    assert all("#0072b2" in colours[i] for i in range(3))
    assert all("#6b6b6b" in colours[i] for i in (3, 4))


def test_a_png_has_its_size_and_equal_rankings_are_equal_files(tmp_path):
    for name in ("a.png", "b.png"):
        plot_ranking(ranking(4), tmp_path / name, title="Birds")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1600, 1000)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_one_candidate_is_enough_and_none_is_refused(tmp_path):
    plot_ranking(ranking(1), tmp_path / "one.png", title="Birds")
    with pytest.raises(OptionError, match="expected a candidate that could be looked at, found none"):
        plot_ranking(ranking(0), tmp_path / "none.png", title="Birds")


def test_networks_without_weights_are_drawn_too(tmp_path):
    plot_ranking(ranking(2, megabytes=lambda _: 0.0), tmp_path / "r.png", title="Birds")


@pytest.mark.parametrize("n", [2, 20, 30])
def test_the_names_of_many_stay_inside_the_picture_and_in_order(n):
    near, in_two = np.linspace(0.96, 0.99, n), np.repeat([0.02, 0.95], n // 2)
    for heights in (near, in_two):
        written = _rankings._within(heights)
        assert -0.101 <= written[0] < written[-1] <= 1.001
        assert np.diff(written).min() > 0.03
