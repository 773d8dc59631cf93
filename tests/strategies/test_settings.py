"""Settings of strategies: what they may be, in Python and in call strings, and their way into a string and back."""

from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import OptionError
from headstart.strategies import STRATEGIES, Contrastive, DeepAdaptation, FineTune, LoRA, Probe, Scratch, parse
from headstart.strategies._values import RANGES, hints_of

positive = st.floats(1e-6, 1.0)
shares = st.floats(0, 0.99)
wholes = st.integers(1, 99)
VALUES = {
    "alpha": wholes, "average": shares, "batch": wholes, "decay": positive, "k": wholes, "pull": shares,
    "rank": wholes, "last": wholes | st.sampled_from(["auto", "all"]), "rate": positive, "smoothing": shares,
    "steps": st.integers(0, 9), "views": st.integers(1, 16), "batch_norm": st.sampled_from(["frozen", "trained"]),
    "unfreezing": st.sampled_from(["none", "gradual"]), "head": st.sampled_from(["logistic", "nearest_mean", "knn"]),
    "class_weight": st.sampled_from(["auto", "balanced", "none"]), "flips": st.sampled_from(["on", "off"]),
    "activations": st.sampled_from(["float32", "float16"]), "patience": st.integers(0, 9),
    "view": st.sampled_from(["auto", "last", "mean"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", STRATEGIES.values())
@given(data=st.data())
def test_a_strategy_comes_back_from_its_string(kind, data):
    settings = {name: data.draw(VALUES[name]) for name in hints_of(kind) if data.draw(st.booleans())}
    strategy = kind(**settings)
    assert parse(str(strategy)) == strategy


def test_every_number_has_a_range():
    kinds = (*STRATEGIES.values(), DeepAdaptation)  # the latter needs a target, so no call string names it
    numbers = [n for kind in kinds for n, hint in hints_of(kind).items() if "str" not in str(hint)]
    words = {"head", "class_weight", "unfreezing", "batch_norm", "flips", "activations", "method", "view"}
    assert set(numbers) - words == set(RANGES)
    assert all(get_type_hints(kind) for kind in kinds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("finetune(last='all', rate=1)", FineTune(last="all", rate=1)),
        ("finetune(last=2, unfreezing='gradual')", FineTune(last=2, unfreezing="gradual")),
        ("contrastive(steps=9)", Contrastive(steps=9)),
        ("lora(rank=4)", LoRA(rank=4)),
        ("scratch(views=1)", Scratch(views=1)),
        ("finetune(activations='float16', patience=3)", FineTune(activations="float16", patience=3)),
        ("contrastive(flips='off')", Contrastive(flips="off")),
        ("probe(views=2, flips='off')", Probe(views=2, flips="off")),
    ],
)
def test_call_strings_of_tuning_become_strategies(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        (FineTune, {"rate": 0.0}, "'rate' cannot be 0.0 in 'finetune'.*rate: a number above 0"),
        (FineTune, {"rate": float("inf")}, "'rate' cannot be inf"),
        (FineTune, {"rate": float("nan")}, "'rate' cannot be nan"),
        (FineTune, {"rate": "fast"}, "'rate' cannot be 'fast'"),
        (FineTune, {"last": 0}, "'last' cannot be 0.*last: a whole number from 1 or 'auto' or 'all'"),
        (FineTune, {"last": 1.0}, "'last' cannot be 1.0"),
        (FineTune, {"last": True}, "'last' cannot be True"),
        (FineTune, {"last": "half"}, "'last' cannot be 'half'"),
        (FineTune, {"steps": -1}, "'steps' cannot be -1.*steps: a whole number from 0"),
        (FineTune, {"batch": 0}, "'batch' cannot be 0"),
        (FineTune, {"decay": 0.0}, "'decay' cannot be 0.0.*decay: a number above 0, at most 1"),
        (FineTune, {"decay": 1.1}, "'decay' cannot be 1.1"),
        (FineTune, {"pull": -0.1}, "'pull' cannot be -0.1"),
        (FineTune, {"views": 17}, "'views' cannot be 17.*views: a whole number from 1 to 16"),
        (FineTune, {"smoothing": 1.0}, "'smoothing' cannot be 1.0.*smoothing: a number from 0 to below 1"),
        (FineTune, {"average": 1.0}, "'average' cannot be 1.0"),
        (FineTune, {"batch_norm": "moving"}, "'batch_norm' cannot be 'moving'"),
        (FineTune, {"unfreezing": 1}, "'unfreezing' cannot be 1"),
        (FineTune, {"activations": "bfloat16"}, "'activations' cannot be.*activations: 'float32' or 'float16'"),
        (FineTune, {"patience": -1}, "'patience' cannot be -1.*patience: a whole number from 0"),
        (LoRA, {"flips": True}, "'flips' cannot be True.*flips: 'on' or 'off'"),
        (LoRA, {"rank": 0}, "'rank' cannot be 0 in 'lora'"),
        (LoRA, {"alpha": None}, "'alpha' cannot be None"),
        (Scratch, {"views": 0}, "'views' cannot be 0 in 'scratch'"),
        (Contrastive, {"batch": False}, "'batch' cannot be False"),
        (Probe, {"k": 0}, "'k' cannot be 0 in 'probe'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_in_python_and_in_call_strings(kind, setting, message):
    with pytest.raises(OptionError, match=message):
        kind(**setting)
    ((name, value),) = setting.items()
    with pytest.raises(OptionError, match=f"'{name}' cannot be"):
        parse(f"{kind.__name__.lower()}({name}={value!r})")


def test_a_setting_given_twice_or_unknown_is_refused():
    with pytest.raises(OptionError, match=r"'k' cannot be 4 in 'probe\(k=3, k=4\)'"):
        parse("probe(k=3, k=4)")
    with pytest.raises(OptionError, match=r"'last' cannot be 1 in 'scratch\(last=1\)'"):
        parse("scratch(last=1)")
    with pytest.raises(OptionError, match="'activations' cannot be 'float16' in .scratch"):
        parse("scratch(activations='float16')")
