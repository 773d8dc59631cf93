"""The catalogue's entries, and the defaults drawn from it."""

import math
import re
from pathlib import Path

import pytest

from headstart.backbones import Candidate, _starter, candidates, catalogue, parse_name

DOMAINS = {
    "image": {"natural photographs"},
    "text": {"English text", "text in 50 languages"},
    "audio": {"speech", "synthetic speech and sounds", "speech, music and everyday sounds"},
}
SCHEMES = {"package": ("starter",), "hub": ("timm", "hf")}


@pytest.mark.parametrize("known", catalogue(), ids=lambda known: known.name)
def test_an_entry_is_consistent(known: Candidate) -> None:
    assert parse_name(known.name).scheme in SCHEMES[known.source]
    assert known.licence is not None
    assert known.pretraining is not None
    assert known.domain in DOMAINS[known.modality]
    assert known.parameters_millions is not None
    assert known.megabytes is not None
    assert math.isclose(known.megabytes, 4 * known.parameters_millions, abs_tol=0.1)
    assert (known.gmacs is None) == (known.at is None)
    assert (known.prior is None) == (known.prior_source is None)
    assert known.sha256 is None or re.fullmatch("[0-9a-f]{64}", known.sha256)
    assert (known.source == "package") <= (known.sha256 is not None), "a package's weights are checked by their hash"


def test_names_are_unique_and_both_modalities_have_choice() -> None:
    names = [known.name for known in catalogue()]
    assert len(set(names)) == len(names)
    assert min(sum(known.modality == kind for known in catalogue()) for kind in ("image", "text")) >= 8


def test_timm_knows_every_timm_entry_and_states_the_same_licence() -> None:
    timm = pytest.importorskip("timm")
    for known in catalogue():
        address = parse_name(known.name)
        if address.scheme == "timm":
            stated = timm.models.get_pretrained_cfg(address.target).license
            assert stated in (known.licence, None), "old versions of timm state none"


def test_defaults_are_what_can_be_loaded_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_starter, "find_spec", lambda name: object())
    assert [known.name for known in candidates("text")] == ["starter:minilm-l6"]
    assert [known.name for known in candidates("text", offline=False)] == [
        "starter:minilm-l6",
        "hf:sentence-transformers/all-mpnet-base-v2",
    ]
    monkeypatch.setattr(_starter, "find_spec", lambda name: None)
    monkeypatch.setattr(_starter, "HOME", tmp_path)
    assert candidates("image") == candidates("audio") == []
    assert all(known.name.startswith("timm:") for known in candidates("image", offline=False))
    assert candidates("text", offline=True) == []
    online = [known.name for known in candidates("text", offline=False)]
    assert online == ["hf:sentence-transformers/all-MiniLM-L6-v2", "hf:sentence-transformers/all-mpnet-base-v2"]
