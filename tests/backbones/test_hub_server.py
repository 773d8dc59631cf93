"""Names on the hub through the hub's own client, against a server on this machine."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import timm
import torch

from headstart.backbones import load
from tests.backbones.hub_server import Failure, Hub, closed_port, serving
from tests.backbones.hub_worker import Worker
from tests.backbones.layouts import write_folder
from tests.backbones.test_transformers import tiny

ARGUMENTS = {"layers": [1, 1, 1, 1], "channels": [4, 4, 8, 8]}
UNWANTED = ("pytorch_model.bin", "modeling_net.py", "onnx/model.safetensors", "README.md")


@dataclass(frozen=True)
class Place:
    """The server, what it serves, and a process that may ask it."""

    hub: Hub
    worker: Worker
    folders: dict[str, Path]
    commits: dict[str, str]

    def sha256(self, name: str = "net") -> str:
        return hashlib.sha256((self.folders[name] / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("hub")
    with serving() as hub:
        worker = Worker(hub.address, home)
        torch.manual_seed(0)
        folders = {name: tiny(home / name, "bert") for name in ("net", "newer", "closed")}
        folders["pickled"] = tiny(home / "pickled", "bert")
        (folders["pickled"] / "model.safetensors").rename(folders["pickled"] / "pytorch_model.bin")
        for name in UNWANTED:
            (folders["net"] / name).parent.mkdir(exist_ok=True)
            (folders["net"] / name).write_text("not to be read")
        config = {"architecture": "resnet18", "num_classes": 1000, "model_args": ARGUMENTS}
        state = timm.create_model("resnet18", **ARGUMENTS).state_dict()
        folders["timm"] = write_folder(home / "timm", config, state)
        commits = {name: hub.add(f"org/{name}", folders[name]) for name in ("net", "closed", "pickled")}
        commits["newer"] = hub.add("org/net", folders["newer"], revision="v2")
        hub.add("timm/resnet18.a1_in1k", folders["timm"])
        hub.gated.add("org/closed")
        yield Place(hub, worker, folders, commits)
        worker.close()


def test_what_the_hub_serves_is_what_the_folder_holds_and_then_needs_no_connection(
    place: Place, tmp_path: Path
) -> None:
    expected = load(f"dir:{place.folders['net']}").weights_hash
    with place.hub.watched() as first:
        assert place.worker.ask("load", "hf:org/net", tmp_path) == {"weights_hash": expected}
    assert [ask for ask in first if ask.startswith("GET /store/")] == [f"GET /store/{place.sha256()}"]
    assert not [ask for ask in first if ask.endswith(UNWANTED)]
    with place.hub.watched() as second:
        assert place.worker.ask("load", "hf:org/net", tmp_path, offline=True) == {"weights_hash": expected}
    assert second == []


def test_a_timm_network_comes_from_its_repository(place: Place, tmp_path: Path) -> None:
    expected = load(f"dir:{place.folders['timm']}").weights_hash
    assert place.worker.ask("load", "timm:resnet18.a1_in1k", tmp_path) == {"weights_hash": expected}


def test_offline_with_an_empty_cache_asks_nothing(place: Place, tmp_path: Path) -> None:
    with place.hub.watched() as asked:
        answer = place.worker.ask("load", "hf:org/net", tmp_path, offline=True)
    assert answer == {"error": "org/net: not in the local cache. Load it once without --offline."}
    assert asked == []


def test_a_revision_is_a_branch_or_a_commit(place: Place, tmp_path: Path) -> None:
    old, new = (load(f"dir:{place.folders[name]}").weights_hash for name in ("net", "newer"))
    assert old != new
    for revision, expected in [("v2", new), (place.commits["net"], old), (place.commits["newer"], new)]:
        assert place.worker.ask("load", f"hf:org/net@{revision}", tmp_path) == {"weights_hash": expected}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf:org/net@v9", "org/net@v9: the repository has no such revision. Leave out @REVISION."),
        ("hf:org/other", "org/other: the hub has no such repository. Check the spelling;"),
        ("hf:org/private", "org/private: the hub answered with an error (HfHubHTTPError: "),
        ("hf:org/closed", "org/closed: the repository asks for agreement to its terms. Accept its terms at https://"),
        ("hf:org/pickled", "org/pickled: the repository has no safetensors weights, and pickled ones can run code"),
    ],
)
def test_what_cannot_be_had_is_told_and_no_weights_are_asked_for(
    name: str, message: str, place: Place, tmp_path: Path
) -> None:
    with place.hub.watched() as asked:
        assert place.worker.ask("load", name, tmp_path)["error"].startswith(message)
    assert asked
    assert not [ask for ask in asked if ask.startswith("GET /store") or ask.endswith((".bin", ".py"))]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("error", r"answered with an error \(.*500"),
        ("forbidden", r"answered with an error \(.*403 Forbidden: Your token may not read this.*hf auth login"),
        ("not json", "did not answer as it should .*--offline"),
        ("hang up", "did not answer as it should|cannot be reached"),  # by the version of the hub's client
        ("reset", "did not answer as it should"),
        ("break off", r"answered with an error \(.*500"),
        ("short", "did not answer as it should"),
    ],
)
def test_a_failing_hub_is_told_and_nothing_of_it_is_used_later(
    failure: Failure, message: str, place: Place, tmp_path: Path
) -> None:
    with place.hub.failing(failure):
        answer = place.worker.ask("load", "hf:org/net", tmp_path)
    assert re.match(f"org/net: the hub ({message})", answer.get("error", "no error")), answer
    assert place.worker.ask("load", "hf:org/net", tmp_path, offline=True)["error"].startswith(
        "org/net: not in the local cache."
    )
    expected = load(f"dir:{place.folders['net']}").weights_hash
    assert place.worker.ask("load", "hf:org/net", tmp_path) == {"weights_hash": expected}


def test_what_is_in_the_cache_loads_while_the_hub_fails(place: Place, tmp_path: Path) -> None:
    before = place.worker.ask("load", "hf:org/net", tmp_path)
    with place.hub.failing("error"):
        assert place.worker.ask("load", "hf:org/net", tmp_path) == before


def test_weights_that_came_changed_are_refused_until_what_is_advised_is_done(place: Place, tmp_path: Path) -> None:
    with place.hub.failing("changed"):
        answer = place.worker.ask("load", "hf:org/net", tmp_path)
    assert f"model.safetensors: expected SHA-256 {place.sha256()}, found " in answer["error"]
    for offline in (True, False):
        assert place.worker.ask("locate", "hf:org/net", tmp_path, offline=offline) == answer
    advised = answer["error"].rpartition("Delete ")[2].removesuffix(" and load it again.")
    Path(advised).unlink()
    expected = load(f"dir:{place.folders['net']}").weights_hash
    assert place.worker.ask("load", "hf:org/net", tmp_path) == {"weights_hash": expected}


def test_weights_other_than_those_the_catalogue_names_are_refused(place: Place, tmp_path: Path) -> None:
    known = {"hf:org/net": place.sha256(), "timm:resnet18.a1_in1k": place.sha256("net")}
    assert "weights_hash" in place.worker.ask("load", "hf:org/net", tmp_path, pins=known)
    assert "weights_hash" in place.worker.ask("load", "hf:org/net@v2", tmp_path, pins=known), "it names another"
    refused = place.worker.ask("load", "timm:resnet18.a1_in1k", tmp_path, pins=known)["error"]
    assert f"expected SHA-256 {place.sha256('net')}, found {place.sha256('timm')}. If you trust this file" in refused


def test_the_command_prints_a_folder_or_one_line(place: Place, tmp_path: Path) -> None:
    served = place.worker.ask("print", "hf:org/net", tmp_path)
    assert (served["status"], served["out"].count("\n")) == (0, 1)
    folder = Path(served["out"].removesuffix("\n"))
    assert load(f"dir:{folder}").weights_hash == load(f"dir:{place.folders['net']}").weights_hash
    refused = place.worker.ask("print", "hf:org/net@v9", tmp_path)
    told = "Error: org/net@v9: the repository has no such revision. Leave out @REVISION.\n"
    assert refused == {"status": 1, "out": "", "err": told}


def test_a_hub_that_is_not_there_is_told_unless_the_cache_has_it(place: Place, tmp_path: Path) -> None:
    nowhere = {"ENDPOINT": f"http://127.0.0.1:{closed_port()}"}
    refused = place.worker.ask("print", "hf:org/net", tmp_path, constants=nowhere)
    assert (refused["status"], refused["out"]) == (1, "")
    assert refused["err"].startswith("Error: org/net: the hub cannot be reached, and the model is not in the local ")
    assert refused["err"].endswith("Check the connection, or use a starter: or dir: backbone.\n")
    before = place.worker.ask("load", "hf:org/net", tmp_path)
    assert place.worker.ask("load", "hf:org/net", tmp_path, constants=nowhere) == before


def test_a_variable_that_forbids_connections_is_named(place: Place, tmp_path: Path) -> None:
    barred = {"HF_HUB_OFFLINE": True}
    with place.hub.watched() as asked:
        answer = place.worker.ask("load", "hf:org/net", tmp_path, constants=barred)
    told = "org/net: not in the local cache, and HF_HUB_OFFLINE is set. Load it once with HF_HUB_OFFLINE unset."
    assert (answer, asked) == ({"error": told}, [])
