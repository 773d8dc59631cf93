"""Learning curves end to end on toy backbones: what is compared, on what, and what is given up for lack of time."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import headstart
from headstart import CurveOptions, Reading
from headstart.errors import BackboneError, BudgetError, DataError, MissingExtraError, OptionError
from headstart.pipeline import _curve, _draws
from headstart.pipeline._affordable import Costs, Extent, affordable
from headstart.strategies import Probe, Scratch, Tuning, TuningForecast
from tests.conftest import make_label_sets, make_texts, make_values

QUICK = CurveOptions(backbone="toy:text", offline=True, seeds=2, most=30)
SHORT = replace(QUICK, most=12)
STEPS = 3


@pytest.fixture
def _few_steps(monkeypatch):
    """Train every network for a moment only."""
    tune = Tuning.tune

    def short(self, *args, **kwargs):
        return tune(replace(self, steps=STEPS), *args, **kwargs)

    monkeypatch.setattr(Tuning, "tune", short)


def write(path: Path, texts, labels, **columns) -> Path:
    rows = zip(texts, labels, *columns.values(), strict=True)
    lines = [",".join(("text", "label", *columns)), *(",".join(map(str, row)) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def spy_on_probes(monkeypatch) -> list[tuple]:
    """Collect the items of every probe."""
    seen, fit = [], Probe.fit

    def spy(self, backbone, train, task, *, run):
        seen.append(train.items)
        return fit(self, backbone, train, task, run=run)

    monkeypatch.setattr(Probe, "fit", spy)
    return seen


@pytest.mark.usefixtures("_few_steps")
def test_three_arms_are_measured_with_the_same_labels_on_the_same_test_part(texts_csv, tmp_path):
    said = []
    result = headstart.curve(texts_csv, tmp_path / "c.png", options=QUICK, say=said.append)
    assert list(result.points) == ["probe", "finetuned", "scratch"]
    assert {tuple(point.n for point in points) for points in result.points.values()} == {(8, 12, 19, 30)}
    assert (result.n_test, result.how, result.metric, result.task) == (30, "holdout", "accuracy", "text-classification")
    for points in result.points.values():
        assert all(
            len(point.values) == 2 and point.interval.low <= point.value <= point.interval.high for point in points
        )
    assert result.saving is not None
    assert result.transfer in ("probe", "finetuned")
    assert "labels" in result.sentence
    assert "100 more labels than 30 would bring about" in result.next_sentence
    assert "accuracy" in result.next_sentence
    assert result.picture == tmp_path / "c.png"
    assert result.picture.stat().st_size > 0
    assert list(result.notes) == said
    assert any("a third (30) is held out, once for all draws" in note for note in said)
    assert any("Time allowed: 10 min" in note for note in said)
    assert any(note.startswith(f"Transfer stands for {result.transfer}") for note in said)


@pytest.mark.usefixtures("_few_steps")
def test_the_same_seed_gives_the_same_curve_and_json_is_plain(texts_csv):
    one, other = (headstart.curve(texts_csv, options=SHORT).to_dict() for _ in range(2))
    assert one["points"] == other["points"]
    assert one["label_saving"] == other["label_saving"]
    assert one["picture"] is None
    again = json.loads(json.dumps(one, allow_nan=False))
    assert {"arm", "n", "value", "interval"} <= set(again["points"][0])
    assert {"factor", "interval", "bound", "n", "N", "level", "sentence"} <= set(again["label_saving"])
    assert set(again["next_100"]) == {"gain", "interval", "arm", "sentence"}
    assert again["test"] == {"n": 30, "how": "holdout"}
    assert len(again["label_saving"]["interval"]) == 2


@pytest.mark.usefixtures("_few_steps")
@pytest.mark.parametrize(
    ("make", "task", "metric"),
    [(make_label_sets, None, "micro_f1"), (make_values, "regression", "rmse")],
)
def test_labels_and_values_have_curves_too(tmp_path, make, task, metric):
    data = write(tmp_path / "d.csv", *make(90))
    result = headstart.curve(data, reading=Reading(task=task), options=SHORT)
    assert result.metric == metric
    assert list(result.points) == ["probe", "finetuned", "scratch"]


@pytest.mark.usefixtures("_few_steps")
def test_probabilities_are_scored_after_calibration_in_every_draw(texts_csv, monkeypatch):
    fitted = []
    fit = Tuning.fit
    monkeypatch.setattr(Tuning, "fit", lambda self, *a, **k: fitted.append(str(self)) or fit(self, *a, **k))
    result = headstart.curve(texts_csv, options=replace(SHORT, metric="log_loss"))
    assert result.metric == "log_loss"
    assert len(fitted) == 2 * 2 * 2  # two arms, two seeds, two sizes
    assert "cannot be said from fewer than four sizes" in result.next_sentence
    assert result.gain is None
    assert result.to_dict()["next_100"]["gain"] is None


@pytest.mark.usefixtures("_few_steps")
def test_a_given_test_part_is_never_trained_on_and_subsets_are_nested(tmp_path, monkeypatch):
    texts, labels = make_texts(120)
    write(tmp_path / "d" / "train.csv", texts[:80], labels[:80])
    write(tmp_path / "d" / "test.csv", texts[80:], labels[80:])
    trained = []
    fit = Probe.fit
    monkeypatch.setattr(
        Probe, "fit", lambda self, b, train, *a, **k: trained.append(train.items) or fit(self, b, train, *a, **k)
    )
    result = headstart.curve(tmp_path / "d", options=SHORT)
    assert (result.how, result.n_test) == ("test", 40)
    assert all(set(items) <= set(texts[:80]) for items in trained)
    first, second = trained[:2], trained[2:]
    for drawn in (first, second):
        assert all(set(few) < set(more) for few, more in pairwise(drawn))
    assert set(first[-1]) != set(second[-1])


@pytest.mark.usefixtures("_few_steps")
def test_a_fold_column_gives_one_fold_as_the_test_part(tmp_path):
    texts, labels = make_texts(90)
    data = write(tmp_path / "d.csv", texts, labels, fold=[str(i // 3 % 5) for i in range(90)])
    result = headstart.curve(data, options=SHORT)
    assert (result.how, result.n_test) == ("holdout", 18)
    assert any("fold '0' (18 examples)" in note for note in result.notes)


@pytest.mark.usefixtures("_few_steps")
def test_groups_stay_on_one_side_and_enter_whole(tmp_path, monkeypatch):
    texts, labels = make_texts(120)
    groups = [f"g{i // 6}" for i in range(120)]
    data = write(tmp_path / "d.csv", texts, labels, who=groups)
    of = dict(zip(texts, groups, strict=True))
    trained = []
    fit = Probe.fit
    monkeypatch.setattr(
        Probe, "fit", lambda self, b, train, *a, **k: trained.append(train.items) or fit(self, b, train, *a, **k)
    )
    result = headstart.curve(data, reading=Reading(group="who"), options=QUICK)
    assert all(len(items) % 6 == 0 for items in trained)
    assert all(len({of[item] for item in items}) > 1 for items in trained)
    assert all(one.n < other.n for one, other in pairwise(result.points["probe"]))


def test_one_group_leaves_nothing_to_choose_settings_on(tmp_path):
    texts, labels = make_texts(60)
    data = write(tmp_path / "d.csv", texts, labels, who=["a"] * 30 + ["b"] * 30)
    with pytest.raises(DataError, match="at least 2 separate training examples or groups"):
        headstart.curve(data, reading=Reading(group="who"), options=QUICK)


@pytest.mark.usefixtures("_few_steps")
def test_a_network_without_cut_points_is_probed_and_trained_from_scratch(texts_csv, monkeypatch):
    said = []

    def no_cut(self, backbone):
        if isinstance(self, Scratch):
            return
        raise BackboneError("it has no cut points")

    monkeypatch.setattr(Tuning, "cut_of", no_cut)
    result = headstart.curve(texts_csv, options=SHORT, say=said.append)
    assert list(result.points) == ["probe", "scratch"]
    assert result.transfer == "probe"
    assert "There is no arm finetuned: it has no cut points." in said


def test_the_picture_is_refused_before_any_compute(texts_csv, tmp_path):
    (tmp_path / "there.png").write_bytes(b"mine")
    (tmp_path / "folder.png").mkdir()
    for name, expected in (
        ("c.pdf", "expected a name ending in .png or .svg, found 'c.pdf'"),
        ("no/c.png", "the folder does not exist"),
        ("there.png", "the file exists. Choose another -o, or add --overwrite"),
        ("folder.png", "the folder exists"),
    ):
        with pytest.raises(OptionError, match=expected):
            headstart.curve(texts_csv, tmp_path / name, options=QUICK)
    assert (tmp_path / "there.png").read_bytes() == b"mine"


@pytest.mark.usefixtures("_few_steps")
def test_a_picture_that_fails_costs_no_numbers(texts_csv, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise MissingExtraError("pictures need matplotlib")

    monkeypatch.setattr(_curve, "plot_curve", broken)
    (tmp_path / "c.svg").write_bytes(b"old")
    result = headstart.curve(texts_csv, tmp_path / "c.svg", options=SHORT, overwrite="file")
    assert result.picture is None
    assert "No picture: pictures need matplotlib" in result.notes
    assert result.points


def test_options_that_cannot_work_are_refused(texts_csv):
    with pytest.raises(OptionError, match="at least 2 seeds, found 1"):
        headstart.curve(texts_csv, options=replace(QUICK, seeds=1))
    with pytest.raises(OptionError, match="at least 8 labels, found 5"):
        headstart.curve(texts_csv, options=replace(QUICK, most=5))
    with pytest.raises(OptionError, match="above zero"):
        headstart.curve(texts_csv, options=replace(QUICK, budget=0))
    with pytest.raises(OptionError, match="--sizes: expected --sizes or --most, found both"):
        headstart.curve(texts_csv, options=replace(QUICK, sizes=(8, 12)))


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ((5, 12), "at least 8 labels, found 5. Give 8 or more"),
        ((8, 12, 12), "rising numbers of labels up to the 60 of the training part, found 8, 12, 12. Leave out"),
        ((8, 61), "rising numbers of labels up to the 60 of the training part, found 8, 61"),
    ],
)
def test_sizes_that_cannot_be_drawn_are_refused(texts_csv, wanted, problem):
    with pytest.raises(OptionError, match=f"--sizes: expected {problem}"):
        headstart.curve(texts_csv, options=replace(QUICK, most=None, sizes=wanted))


@pytest.mark.usefixtures("_few_steps")
def test_the_sizes_asked_for_are_tried(texts_csv):
    result = headstart.curve(texts_csv, options=replace(SHORT, most=None, sizes=(9, 14)))
    assert [point.n for point in result.points["probe"]] == [9, 14]


NO_WAIT = (0.0,) * 5


def costs(*training: float) -> Costs:
    return Costs(training, NO_WAIT, NO_WAIT)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (1000, (3, 5, 5)),
        (108, (3, 5, 5)),  # 3 * (5 + 31)
        (107, (3, 5, 4)),
        (36, (3, 5, 3)),
        (35, (3, 4, 3)),
        (32, (2, 5, 3)),
        (19, (2, 5, 2)),
        (15, (2, 4, 2)),
        (11, (2, 2, 2)),
        (9, (2, 0, 2)),
        (5, (2, 2, 0)),
    ],
)
def test_scratch_gives_up_sizes_then_draws_go_then_sizes_of_both_then_scratch(left, expected):
    found = affordable(costs(1, 1, 1, 1, 1), costs(1, 2, 4, 8, 16), draws=3, sizes=5, left=left)
    assert found == Extent(*expected)


def test_without_two_draws_of_two_sizes_there_is_no_curve():
    assert affordable(costs(1, 1, 1), costs(9, 9, 9), draws=3, sizes=3, left=3) is None
    assert affordable(costs(2, 1, 1), Costs(), draws=3, sizes=1, left=4) == Extent(2, 1, 0)


def test_a_curve_costs_activations_once_and_those_of_new_examples_again():
    one = Costs((1.0, 2.0, 4.0), (10.0, 20.0, 40.0), (3.0, 6.0, 9.0))
    assert one.total(3, 2) == 3 * (1 + 2) + 20 + 2 * 6
    assert one.total(3, 0) == 0


def test_a_budget_too_small_for_the_fewest_draws_is_refused_with_the_time_needed(texts_csv, monkeypatch):
    monkeypatch.setattr(_draws, "forecast", lambda *args, **kwargs: TuningForecast(10.0, 1000.0, 1.0))
    with pytest.raises(
        BudgetError, match=r"fine-tuning 2 sizes with 2 seeds needs about 36 min more.*Give \d+ s more"
    ) as error:
        headstart.curve(texts_csv, options=replace(QUICK, budget=120))
    assert error.value.where == "--budget"


@pytest.mark.usefixtures("_few_steps")
def test_scratch_is_left_out_where_two_sizes_do_not_fit_and_the_time_for_them_is_said(texts_csv, monkeypatch):
    def expensive(strategy, *args, **kwargs):
        return TuningForecast(0.0, 1e6 if isinstance(strategy, Scratch) else 0.1, 1.0)

    monkeypatch.setattr(_draws, "forecast", expensive)
    result = headstart.curve(texts_csv, options=replace(SHORT, budget=120))
    assert list(result.points) == ["probe", "finetuned"]
    assert result.saving is None
    assert result.to_dict()["label_saving"]["factor"] is None
    assert "nothing was trained from scratch" in result.sentence
    assert any("scratch is left out: everything would take" in note for note in result.notes)
    assert any("For 2 sizes from scratch give about" in note for note in result.notes)
