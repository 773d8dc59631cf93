"""Pictures: what is drawn, equal files for equal points, and nothing left behind in matplotlib."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from headstart.errors import MissingExtraError, OptionError
from headstart.evaluation import Interval, LabelSaving, label_saving, point_of_values
from headstart.report import plot_curve
from headstart.report._curves import _factor_text
from headstart.report._drawing import apart

SIZES = (8, 17, 38, 82, 177, 384)


def arm(name, scale, *, sign=1, bounds=(0.0, 1.0)):
    rng = np.random.default_rng(0)
    errors = 0.05 + scale * np.array(SIZES) ** -0.5
    means = 1 - errors if sign == 1 else errors
    draws = means[:, None] + 0.02 * rng.normal(size=(6, 3))
    return [point_of_values(name, n, v, bounds=bounds, n_test=100) for n, v in zip(SIZES, draws, strict=True)]


ARMS = {"probe": arm("probe", 0.8), "finetune": arm("finetune", 0.7), "scratch": arm("scratch", 2.0)}
SAVING = label_saving(ARMS["finetune"], ARMS["scratch"], metric="accuracy", seed=0)


def text_of(tmp_path, monkeypatch, *args, **kwargs):
    """The words of a picture, which SVG can hold as text."""
    monkeypatch.setitem(sys.modules["headstart.report._drawing"]._STYLE, "svg.fonttype", "none")
    plot_curve(*args, tmp_path / "text.svg", **kwargs)
    return (tmp_path / "text.svg").read_text()


def test_a_png_has_its_size_and_the_colours_of_all_arms(tmp_path):
    plot_curve(ARMS, SAVING, tmp_path / "curve.png", title="Sports", metric="accuracy")
    image = Image.open(tmp_path / "curve.png").convert("RGB")
    assert image.size == (1600, 1000)
    found = {colour for _, colour in image.getcolors(1 << 20)}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x6B, 0x6B, 0x6B)} <= found


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_equal_points_give_equal_files_and_leave_nothing_else(tmp_path, suffix):
    for name in ("a", "b"):
        plot_curve(ARMS, SAVING, tmp_path / f"{name}{suffix}", title="Sports", metric="accuracy")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_settings_and_windows_of_the_user_neither_matter_nor_change(tmp_path):
    plot_curve(ARMS, SAVING, tmp_path / "a.png", title="Sports", metric="accuracy")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 30, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        plot_curve(ARMS, SAVING, tmp_path / "b.png", title="Sports", metric="accuracy")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    code = "import sys, headstart.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_picture_names_arms_sizes_metric_and_saving(tmp_path, monkeypatch):
    text = text_of(tmp_path, monkeypatch, ARMS, SAVING, title="Sports", metric="accuracy")
    ends = [f"{name}  {points[-1].value:.2f}" for name, points in ARMS.items()]
    for words in (*ends, *map(str, SIZES), "accuracy (higher is better)", "Sports"):
        assert words in text


def test_losses_without_a_saving_and_with_open_intervals_can_be_drawn(tmp_path, monkeypatch):
    arms = {"probe": arm("probe", 0.8, sign=-1, bounds=(0, np.inf))}
    arms["flat"] = [point_of_values("flat", n, [0.3, 0.3], bounds=(0, np.inf), n_test=9) for n in (8, 384)]
    text = text_of(tmp_path, monkeypatch, arms, None, title="Error", metric="rmse")
    assert "RMSE (lower is better)" in text
    saving = LabelSaving(48, Interval(30, np.inf, ""), 8, 384, 0.3, "at least")
    assert text_of(tmp_path, monkeypatch, arms, saving, title="Error", metric="rmse") != text


def test_one_point_alone_can_be_drawn(tmp_path):
    saving = LabelSaving(1, Interval(0, np.inf, ""), 384, 384, 0.5, "exact")
    plot_curve({"probe": ARMS["probe"][-1:]}, saving, tmp_path / "one.png", title="", metric="accuracy")
    assert (tmp_path / "one.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("factor", "low", "high", "bound", "expected"),
    [
        (16, 10, 24, "exact", "16× fewer labels"),
        (16, 10, np.inf, "at least", "at least 16× fewer labels"),
        (0.25, 0.1, 0.5, "exact", "4× more labels"),
        (0.25, 0, 0.5, "at most", "at least 4× more labels"),
        (1.5, 0.9, 2.5, "exact", "no saving shown"),
    ],
)
def test_the_factor_is_said_with_its_bound(factor, low, high, bound, expected):
    text = _factor_text(LabelSaving(factor, Interval(low, high, ""), 24, 24 * factor, 0.5, bound))
    assert text.splitlines()[0] == expected


def test_the_factor_is_of_what_was_counted():
    saving = LabelSaving(16, Interval(10, 24, ""), 24, 24 * 16, 0.5, "exact")
    assert _factor_text(saving, "labelled texts").startswith("16\N{MULTIPLICATION SIGN} fewer labelled texts")


def test_names_that_would_touch_are_moved_apart_and_others_stay():
    assert apart([0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9])
    moved = apart([0.5, 0.5, 0.51])
    assert np.diff(moved) == pytest.approx([0.055, 0.055])
    assert np.mean(moved) == pytest.approx(0.5033, abs=1e-3)


def test_another_suffix_no_points_and_no_folder_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"expected a name ending in \.png or \.svg, found 'curve\.pdf'"):
        plot_curve(ARMS, SAVING, tmp_path / "curve.pdf", title="", metric="accuracy")
    with pytest.raises(OptionError, match="expected the points of one curve or more, found none"):
        plot_curve({"probe": []}, None, tmp_path / "curve.png", title="", metric="accuracy")
    with pytest.raises(OptionError, match=r"the picture cannot be written \(No such file or directory\)"):
        plot_curve(ARMS, SAVING, tmp_path / "missing" / "curve.png", title="", metric="accuracy")


def test_a_missing_matplotlib_is_said_with_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MissingExtraError, match=r"pictures need matplotlib, which does not load .* pip install"):
        plot_curve(ARMS, SAVING, tmp_path / "curve.png", title="", metric="accuracy")
