"""The picture of robustness: every corruption and every model is named, and equal figures are equal files."""

import sys

import pytest
from PIL import Image

from headstart.errors import OptionError
from headstart.evaluation import ConditionScore, Interval, Measured, Robustness
from headstart.report import plot_robustness


def measured(value, reach=0.05):
    return Measured(value, Interval(value - reach, value + reach, "bootstrap"))


def found(clean=0.9, *, step=0.1, names=("blur", "noise", "low-pass")):
    rows = [
        ConditionScore(name, severity, "", measured(clean - step * severity), measured(-step * severity))
        for name in names
        for severity in (1, 2, 3)
    ]
    return Robustness("accuracy", measured(clean), tuple(rows), (), measured(0.7), measured(-0.2), measured(0.2))


def test_models_and_corruptions_are_named_and_the_second_of_two_is_grey(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules["headstart.report._drawing"]._STYLE, "svg.fonttype", "none")
    plot_robustness({"ours": found(), "scratch": found(0.6)}, tmp_path / "r.svg", title="Flowers")
    text = (tmp_path / "r.svg").read_text()
    for word in ("ours", "scratch", "blur", "noise", "low-pass", "Flowers", "accuracy (higher is better)"):
        assert f">{word}<" in text, word
    assert "#6b6b6b" in text.split(">scratch<")[0].rpartition("<text")[2].lower()


def test_a_png_has_its_size_and_equal_figures_are_equal_files(tmp_path):
    for name in ("a.png", "b.png"):
        plot_robustness({"ours": found()}, tmp_path / name, title="Flowers")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1600, 1000)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_what_is_not_defined_or_open_is_left_out_of_the_picture(tmp_path):
    open_ended = Measured(0.5, Interval(0.4, float("inf"), "open"))
    rows = [ConditionScore("noise", s, "", m, m) for s, m in enumerate((Measured(None, None), open_ended), start=1)]
    nothing = Measured(None, None)
    arm = Robustness("rmse", nothing, tuple(rows), (), nothing, nothing, nothing)
    plot_robustness({"a model with a very long name" * 3: arm, "b": arm, "c": arm}, tmp_path / "r.png", title="T")
    assert (tmp_path / "r.png").is_file()


def test_no_model_and_another_kind_of_file_are_refused(tmp_path):
    with pytest.raises(OptionError, match="expected the scores of one model or more, found none"):
        plot_robustness({}, tmp_path / "r.png", title="T")
    with pytest.raises(OptionError, match=r"expected a name ending in \.png or \.svg, found 'r\.pdf'"):
        plot_robustness({"ours": found()}, tmp_path / "r.pdf", title="T")
