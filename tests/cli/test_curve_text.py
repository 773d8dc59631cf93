"""How a learning curve and a ranking name what was counted."""

from dataclasses import replace
from types import SimpleNamespace

from headstart.cli._curve_text import curve_text
from headstart.cli._rank_text import rank_text
from headstart.evaluation import CurvePoint, Interval
from headstart.pipeline import CurveResult

POINTS = {"probe": tuple(CurvePoint("probe", n, 0.5, Interval(0.4, 0.6, ""), (0.4, 0.6)) for n in (8, 1200))}
RESULT = CurveResult(
    *(POINTS, "probe", None, "It saves nothing.", None, "probe", "It would bring 0.1.", "entity_f1", "text-tagging"),
    *("toy:text", 40, "test", 1.0),
)


def test_the_sizes_of_a_curve_are_named_by_what_they_count():
    of_texts = curve_text(replace(RESULT, unit="labelled texts")).splitlines()
    assert of_texts[1] == "labelled texts  probe" + " " * 15
    assert [line[:16] for line in of_texts[2:4]] == ["             8  ", "         1,200  "]
    assert "More texts    It would bring 0.1." in of_texts
    assert (
        "More          It would bring 0.1." in curve_text(replace(RESULT, unit="transcribed recordings")).splitlines()
    )
    of_labels = curve_text(replace(RESULT, metric="accuracy", task="text-classification")).splitlines()
    assert of_labels[1].split() == ["labels", "probe"]
    assert "More labels   It would bring 0.1." in of_labels


def test_a_ranking_on_tagged_texts_says_so():
    ranking = SimpleNamespace(candidates=(), prior=None, signal=None, notes=(), n=1200)
    result = SimpleNamespace(
        ranking=ranking, task="text-tagging", seconds=2.0, picture=None, elsewhere=(), shortlist=(), source="d.conll"
    )
    assert "Looked at     1,200 training texts in 2.0 s" in rank_text(result)
    result.task = "image-classification"
    assert "Looked at     1,200 training examples in 2.0 s" in rank_text(result)
