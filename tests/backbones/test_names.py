"""Names of backbones, and the right spellings offered for wrong ones."""

import subprocess
import sys

import pytest

import headstart.backbones
from headstart.backbones import parse_name
from headstart.errors import BackboneError


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("timm:resnet18.a1_in1k", ("timm", "resnet18.a1_in1k", None)),
        ("hf:google-bert/bert-base-uncased", ("hf", "google-bert/bert-base-uncased", None)),
        ("hf:org/model@v1.0", ("hf", "org/model", "v1.0")),
        ("dir:C:/nets/a@b", ("dir", "C:/nets/a@b", None)),
        ("starter:minilm-l6", ("starter", "minilm-l6", None)),
    ],
)
def test_a_full_name_has_a_scheme_and_a_target(name: str, parts: tuple[str, str, str | None]) -> None:
    address = parse_name(name)
    assert (address.scheme, address.target, address.revision) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("timm:resnet18.a1_in1k#layer3.1", ("resnet18.a1_in1k", None, "layer3.1")),
        ("hf:org/model@v1.0#h.2", ("org/model", "v1.0", "h.2")),
        ("dir:nets/a#b#stem", ("nets/a#b", None, "stem")),
        ("toy:text#", ("text", None, None)),
    ],
)
def test_a_cut_point_behind_a_name_cuts_the_network_off_there(
    name: str, parts: tuple[str, str | None, str | None]
) -> None:
    address = parse_name(name)
    assert (address.target, address.revision, address.after) == parts
    assert "stem" not in address.name
    with pytest.raises(BackboneError, match="is not the full name of a backbone"):
        parse_name("dir:#stem")


def test_a_folder_with_a_hash_in_its_name_is_that_folder(tmp_path) -> None:
    (tmp_path / "a#b").mkdir()
    assert parse_name(f"dir:{tmp_path}/a#b").target == f"{tmp_path}/a#b"
    address = parse_name(f"dir:{tmp_path}/a#b#stem")
    assert (address.target, address.after) == (f"{tmp_path}/a#b", "stem")


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("resnet18", "timm:resnet18.a1_in1k, timm:resnet18.TAG, hf:resnet18, dir:resnet18"),
        ("resnet18.tv_in1k", "timm:resnet18.tv_in1k, hf:resnet18.tv_in1k, dir:resnet18.tv_in1k"),
        (
            "bert-base-uncased",
            "hf:google-bert/bert-base-uncased, timm:bert-base-uncased.TAG, hf:bert-base-uncased, dir:bert-base-uncased",
        ),
        ("minilm-l6", "starter:minilm-l6, timm:minilm-l6.TAG, hf:minilm-l6, dir:minilm-l6"),
        ("my-org/my-model", "hf:my-org/my-model, dir:my-org/my-model"),
        ("./folder", "dir:./folder"),
        ("a/b/c", "dir:a/b/c"),
        ("huggingface:my-org/my-model", "hf:my-org/my-model, dir:my-org/my-model"),
        ("timm:", "timm:NAME.TAG, hf:NAME, dir:NAME"),
    ],
)
def test_an_ambiguous_name_is_answered_with_all_it_may_mean(name: str, spellings: str) -> None:
    with pytest.raises(BackboneError) as caught:
        parse_name(name)
    assert str(caught.value) == f"{name!r} is not the full name of a backbone. Write one of: {spellings}."


def test_a_folder_that_exists_is_among_the_spellings(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nets").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BackboneError, match=r"Write one of: dir:nets, timm:nets\.TAG"):
        parse_name("nets")


def test_names_and_catalogue_load_no_deep_learning_library() -> None:
    code = (
        "import sys; from headstart.backbones import catalogue, parse_name, Candidate; catalogue(); "
        "parse_name('toy:text'); print([m for m in ('torch', 'timm', 'transformers') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(headstart.backbones, name) is not None for name in headstart.backbones.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = headstart.backbones.nothing
