"""What a finished fit shows: what is compared with what, how it was scored, and a verdict where ours was compared."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from headstart.cli._render import fit_text, prediction_line
from headstart.evaluation import Comparison, Interval, Score
from headstart.pipeline import FitResult
from headstart.search import Outcome

RANDOM = Comparison(0.3, Interval(0.2, 0.4, ""), 0.5, Interval(0.4, 0.6, ""), 12.34, "pretrained probe")
MAJORITY = Comparison(0.4, Interval(0.3, 0.5, ""), 0.4, Interval(0.3, 0.5, ""), 0.04)
SCRATCH = Comparison(0.5, Interval(0.4, 0.6, ""), 0.3, Interval(0.2, 0.4, ""), 45.6)


def shown(*, how="cv", chosen_once=False, helped=None, **baselines):
    score = Score("accuracy", 0.8, Interval(0.7, 0.9, ""), 60, how, {"accuracy": 0.8})
    model = SimpleNamespace(backbone=SimpleNamespace(name="toy:text"), strategy="probe()")
    names = {"random": "random weights, probe", "majority": "majority class", "scratch": "from scratch"}
    compared = {names[name]: other for name, other in baselines.items()}
    outcome = Outcome(model, {}, score, {}, compared, helped, (), (), (), chosen_once)
    result = FitResult(outcome, "text-classification", Path("m"), 1.0, 0.5, 2.0)
    lines = [line for line in fit_text(result).splitlines() if line]
    return {line[:13].strip() or line[14:].split("  ")[0]: line[14:] for line in lines}


def test_every_comparison_says_what_is_compared_and_what_it_took():
    rows = shown(random=RANDOM, majority=MAJORITY, scratch=SCRATCH, helped=True)
    assert rows["Baselines"].endswith("ours minus it +0.300 [+0.200, +0.400], 45.6 s")
    assert rows["majority class"].endswith("ours minus it +0.400 [+0.300, +0.500], 0.0 s")
    assert rows["random weights, probe"].endswith("pretrained probe minus it +0.500 [+0.400, +0.600], 12.3 s")


@pytest.mark.parametrize(
    ("how", "chosen_once", "words"),
    [
        ("cv", False, "by repeating the whole choice on outer folds, 60 examples scored"),
        ("cv", True, "by training what was chosen anew on outer folds, 60 examples scored"),
        ("test", False, "on 60 examples of the test part, scored once"),
        ("holdout", False, "on 60 examples held out once"),
    ],
)
def test_where_the_score_comes_from_is_what_was_repeated(how, chosen_once, words):
    assert shown(how=how, chosen_once=chosen_once)["Accuracy"].endswith(words)


@pytest.mark.parametrize(
    ("baselines", "helped", "words"),
    [
        ({"majority": MAJORITY, "random": RANDOM}, True, "yes: better than every model without pretraining"),
        ({"majority": replace(MAJORITY, difference_interval=Interval(-1, 1, ""))}, None, "not shown: the difference"),
        ({"random": RANDOM}, None, "not measured: there is no model without pretraining to compare with"),
        ({}, None, "not measured"),
    ],
)
def test_a_verdict_is_given_where_ours_was_compared(baselines, helped, words):
    assert shown(helped=helped, **baselines)["Transfer"].startswith(words)


def test_an_input_that_cannot_be_read_is_named_once():
    row = {"input": "a/b.txt", "error": "a/b.txt: expected a file, found no such file. Check the path."}
    assert prediction_line(row) == "-\terror\ta/b.txt\texpected a file, found no such file. Check the path."
