"""Names on the hub, with the hub's client replaced or kept offline."""

import errno
import hashlib
from pathlib import Path

import huggingface_hub
import pytest
import timm
from huggingface_hub import errors

from headstart.backbones import _load, add_pack, load, locate, write_pack
from headstart.errors import BackboneError
from tests.backbones.layouts import write_folder

ARGUMENTS = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def store(cache: Path, repository: str, *, revision: str = "main") -> Path:
    """Lay out a downloaded repository as the hub's client does."""
    home = cache / f"models--{repository.replace('/', '--')}"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / revision).write_text(commit)
    network = timm.create_model("resnet18", **ARGUMENTS)
    config = {"architecture": "resnet18", "num_classes": 1000, "model_args": ARGUMENTS}
    return write_folder(home / "snapshots" / commit, config, network.state_dict())


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("timm:resnet18.a1_in1k", "timm/resnet18.a1_in1k", "main"),
        ("hf:org/net", "org/net", "main"),
        ("hf:org/net@v2", "org/net", "v2"),
    ],
)
def test_what_is_in_the_cache_loads_offline(name: str, repository: str, revision: str, cache: Path) -> None:
    folder = store(cache, repository, revision=revision)
    backbone = load(name, offline=True)
    assert backbone.name == name
    assert locate(name, offline=True) == folder
    assert backbone.weights_hash == load(f"dir:{folder}").weights_hash
    assert backbone.source == load(f"dir:{folder}").source


def test_offline_names_what_is_not_or_not_wholly_in_the_cache(cache: Path) -> None:
    with pytest.raises(BackboneError, match=r"org/net: not in the local cache.*without --offline"):
        load("hf:org/net", offline=True)
    folder = store(cache, "org/net")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match="org/net: not in the local cache"):
        load("hf:org/net", offline=True)
    with pytest.raises(BackboneError, match="org/net@v9: not in the local cache"):
        load("hf:org/net@v9", offline=True)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.GatedRepoError, r"agreement to its terms\. Accept its terms at https://huggingface\.co/org/net"),
        (errors.RevisionNotFoundError, "org/net@v1: the repository has no such revision"),
        (errors.RepositoryNotFoundError, "the hub has no such repository"),
        (errors.LocalEntryNotFoundError, "the hub cannot be reached, and the model is not in the local cache"),
        (errors.HfHubHTTPError, "the hub answered with an error"),
        (ConnectionError, "the hub did not answer"),
    ],
)
def test_answers_of_the_hub_are_told_in_one_line(
    kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise kind.__new__(kind)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(BackboneError, match=message):
        load("hf:org/net@v1")


def test_a_malformed_repository_name_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(BackboneError, match=r"not the name of a hub repository\. Write hf:org/model"):
        load("hf:a/b/c")


def test_a_repository_without_safetensors_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def download(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BackboneError, match="org/net: the repository has no safetensors weights"):
        load("hf:org/net")
    assert (asked["repository"], asked["revision"], asked["local_files_only"]) == ("org/net", None, False)
    assert not [pattern for pattern in asked["allow_patterns"] if pattern.endswith((".bin", ".py", ".pt"))]


def test_an_incomplete_download_is_named_offline_without_its_configuration(cache: Path) -> None:
    (store(cache, "org/net") / "config.json").unlink()
    with pytest.raises(BackboneError, match=r"org/net: not in the local cache.*without --offline"):
        load("hf:org/net", offline=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_cache_that_cannot_be_written_is_named(
    number: int, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = (str(cache / "blobs"),) if number == errno.EACCES else ()  # a full disk names no file

    def refuse(*_: object, **__: object) -> str:
        raise OSError(number, "refused", *where)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(BackboneError, match=r"/hub: the hub's cache cannot be written \(refused\)\. .*HF_HOME"):
        load("hf:org/net")


@pytest.mark.parametrize("shared", [False, True])
def test_a_file_that_changed_in_the_cache_is_refused_offline_too(shared: bool, cache: Path) -> None:
    weights = store(cache, "org/net") / "model.safetensors"
    right = weights.read_bytes()
    stored = cache / "blobs" / hashlib.sha256(right).hexdigest()
    stored.parent.mkdir()
    weights.rename(stored)
    weights.symlink_to(stored)
    if shared:  # under a hash of another kind, in a store for all repositories
        stored = stored.rename(cache / ("0" * 64))
        weights.readlink().symlink_to(stored)
    assert load("hf:org/net", offline=True).weights_hash
    stored.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    with pytest.raises(BackboneError, match=rf"expected SHA-256 {weights.readlink().name}, found .*Delete {stored} "):
        load("hf:org/net", offline=True)


def test_an_added_pack_is_held_to_the_hash_in_the_catalogue(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store(cache, "org/net")
    write_pack({"hf:org/net": folder}, tmp_path / "pack")
    add_pack(tmp_path / "pack")
    known = {"hf:org/net": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()}
    monkeypatch.setattr(_load, "pinned", known.get)
    assert load("hf:org/net").weights_hash
    (locate("hf:org/net") / "model.safetensors").write_bytes(b"not weights, and not read as such")
    with pytest.raises(BackboneError, match=rf"expected SHA-256 {known['hf:org/net']}, found .*with dir:"):
        load("hf:org/net")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    monkeypatch.setattr(_load, "added_folder", lambda name: tmp_path / "none")
    with pytest.raises(BackboneError, match=r"model\.safetensors: cannot be read"):
        load("hf:org/net", offline=True)
