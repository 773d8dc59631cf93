"""Carrying backbones to a machine without a network: one file, read without trusting it."""

import hashlib
import json
import zipfile

import pytest
import torch

from headstart import backbones
from headstart.backbones import Limits
from headstart.backbones._packs import PACK, added_folder
from headstart.errors import BackboneError

NAME = "hf:org/tiny"


def record_of(folder, *, files=None, **changes):
    """The record of a pack with one small network."""
    kept = files or {"config.json": b"{}"}
    listed = {inside: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for inside, c in kept.items()}
    return {"format": 2, "networks": [{"name": NAME, "licence": "mit", "files": listed, **changes}]}


def inside(name=NAME):
    return f"networks/{added_folder(name).name}"


def make(path, record, files, *, change=None):
    """Write an archive by hand; `change` alters the entry of a name before it is written."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(PACK, record if isinstance(record, str) else json.dumps(record))
        for name, content in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100644 << 16
            if change:
                change(entry)
            archive.writestr(entry, content)
    return path


def nothing_added():
    models = added_folder(NAME).parent
    return not models.exists() or not any(models.iterdir())


@pytest.fixture
def source():
    return backbones.locate("starter:minilm-l6")


@pytest.fixture
def packed(tmp_path, source):
    backbones.write_pack({NAME: source}, tmp_path / "pack.zip")
    return tmp_path / "pack.zip"


def test_an_added_backbone_is_found_by_its_name_without_hub_or_package(packed):
    with pytest.raises(BackboneError, match="not in the local cache"):
        backbones.load(NAME, offline=True)
    (added,) = backbones.add_pack(packed)
    assert added.name == NAME
    assert added.megabytes > 80
    found, original = backbones.load(NAME, offline=True), backbones.load("starter:minilm-l6")
    assert found.weights_hash == original.weights_hash
    with torch.inference_mode():
        assert torch.equal(found.forward(found.prepare(["a b"])), original.forward(original.prepare(["a b"])))


def test_several_networks_go_into_one_file_and_the_same_ones_give_the_same_bytes(tmp_path):
    for name, licence in (("a", "mit"), ("b", None)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"license": licence} if licence else {}))
        (folder / "LICENSE-MIT").write_text("Permission is granted")
        (folder / "code.py").write_text("raise SystemExit")
    sources = {"hf:org/b": tmp_path / "b", "hf:org/a": tmp_path / "a"}
    packed = backbones.write_pack(sources, tmp_path / "one.zip")
    assert [(network.name, network.licence) for network in packed] == [("hf:org/a", "mit"), ("hf:org/b", None)]
    (tmp_path / "a" / "config.json").touch()
    backbones.write_pack(dict(reversed(sources.items())), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert [network.name for network in backbones.add_pack(tmp_path / "one.zip")] == ["hf:org/a", "hf:org/b"]
    assert sorted(path.name for path in added_folder("hf:org/a").iterdir()) == ["LICENSE-MIT", "config.json"]


def test_what_is_known_of_a_licence_in_the_catalogue_is_packed(tmp_path, source):
    (packed,) = backbones.write_pack({"timm:resnet18.a1_in1k": source}, tmp_path / "pack.zip")
    assert packed.licence == "apache-2.0"


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.json", "/etc/secret.json", "C:/secret.json", "a\\b.json", "a/./b.json", "a//b.json", "a.json/"),
        *("a/..", "a\n.json", "a .json/b. "),
    ],
)
def test_a_pack_cannot_reach_outside_its_folder(tmp_path, name):
    record = record_of(tmp_path, files={name: b"x"})
    path = make(tmp_path / "pack.zip", record, [(f"{inside()}/{name}", b"x")])
    with pytest.raises(BackboneError, match="names a file outside its folder"):
        backbones.add_pack(path)
    hidden = make(tmp_path / "hidden.zip", record_of(tmp_path), [(name, b"x"), (f"{inside()}/config.json", b"{}")])
    with pytest.raises(BackboneError, match="names a file outside its folder"):
        backbones.add_pack(hidden)
    assert nothing_added()


def link(entry):
    entry.external_attr = 0o120777 << 16


def squeezed(entry):
    entry.compress_type = zipfile.ZIP_DEFLATED


@pytest.mark.parametrize(("change", "said"), [(link, "is a link"), (squeezed, "is compressed")])
def test_what_is_no_plain_file_is_refused(tmp_path, change, said):
    files = {"config.json": b"0" * 100}
    named = [(f"{inside()}/{name}", content) for name, content in files.items()]
    path = make(tmp_path / "pack.zip", record_of(tmp_path, files=files), named, change=change)
    with pytest.raises(BackboneError, match=said):
        backbones.add_pack(path)
    assert nothing_added()


def test_an_encrypted_entry_is_refused(tmp_path):
    path = make(tmp_path / "pack.zip", record_of(tmp_path), [(f"{inside()}/config.json", b"{}")])
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag of the last entry in the table of contents
    path.write_bytes(content)
    with pytest.raises(BackboneError, match="is encrypted"):
        backbones.add_pack(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_one_file_somewhere_are_refused(tmp_path):
    once = (f"{inside()}/config.json", b"{}")
    for other in (once, (f"{inside()}/CONFIG.json", b"{}")):
        path = make(tmp_path / "pack.zip", record_of(tmp_path), [once, other])
        with pytest.raises(BackboneError, match="twice"):
            backbones.add_pack(path)
    assert nothing_added()


def test_too_much_is_refused_with_the_option_that_allows_it(packed):
    with pytest.raises(BackboneError, match=r"unpacks to 0\.1 GB, at most 0\.01 are allowed.*--max-gb 0\.2"):
        backbones.add_pack(packed, limits=Limits(gigabytes=0.01))
    with pytest.raises(BackboneError, match=r"files, at most 3 are unpacked.*--max-files"):
        backbones.add_pack(packed, limits=Limits(files=3))
    assert nothing_added()


def test_a_changed_file_is_refused_and_nothing_is_added(tmp_path):
    record = record_of(tmp_path)
    path = make(tmp_path / "pack.zip", record, [(f"{inside()}/config.json", b"[]")])  # as long, and another
    with pytest.raises(BackboneError, match=r"config\.json does not match its SHA-256"):
        backbones.add_pack(path)
    assert nothing_added()
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"[]")] ^= 1  # which the archive's own checksum tells
    path.write_bytes(damaged)
    with pytest.raises(BackboneError, match="not a complete zip archive"):
        backbones.add_pack(path)


def test_one_bad_network_keeps_the_others_out(tmp_path):
    record, other = record_of(tmp_path), record_of(tmp_path, name="hf:org/other")
    record["networks"] += other["networks"]
    files = [(f"{inside()}/config.json", b"{}"), (f"{inside('hf:org/other')}/config.json", b"[]")]
    with pytest.raises(BackboneError, match="does not match"):
        backbones.add_pack(make(tmp_path / "pack.zip", record, files))
    assert nothing_added()


@pytest.mark.parametrize("files", [[], [("config.json", b"{}")], "more"])
def test_files_that_are_missing_or_not_named_are_refused(tmp_path, files):
    if files == "more":
        files = [(f"{inside()}/config.json", b"{}"), (f"{inside()}/vocab.txt", b"a")]
    with pytest.raises(BackboneError, match="its files are not those that"):
        backbones.add_pack(make(tmp_path / "pack.zip", record_of(tmp_path), files))


def test_files_that_no_network_is_read_from_are_refused(tmp_path):
    record = record_of(tmp_path, files={"model.bin": b"x"})
    path = make(tmp_path / "pack.zip", record, [(f"{inside()}/model.bin", b"x")])
    with pytest.raises(BackboneError, match="of a kind that no network is read from"):
        backbones.add_pack(path)


@pytest.mark.parametrize(
    "record",
    [
        *("", "[]", "{}", "[" * 5000),
        *({"format": 2}, {"format": 2, "networks": []}, {"format": 2, "networks": [1]}),
        {"format": 2, "networks": [{"name": NAME, "licence": None, "files": {"config.json": {"bytes": "x"}}}]},
    ],
)
def test_a_file_that_is_no_pack_says_how_to_make_one(tmp_path, record):
    with pytest.raises(BackboneError, match=r"headstart models pack NAME|Update headstart"):
        backbones.add_pack(make(tmp_path / "pack.zip", record, []))


@pytest.mark.parametrize("name", ["dir:/etc", "toy:text", "hf:org/tiny#embeddings"])
def test_a_pack_names_networks_of_the_hub_only(tmp_path, name):
    with pytest.raises(BackboneError, match=r"only hub networks|expected a pack"):
        backbones.add_pack(make(tmp_path / "pack.zip", record_of(tmp_path, name=name), []))


def test_a_file_that_is_no_archive_or_newer_or_absent_says_so(tmp_path):
    path = tmp_path / "pack.zip"
    with pytest.raises(BackboneError, match="no such file"):
        backbones.add_pack(path)
    path.write_bytes(b"PK" * 50)
    with pytest.raises(BackboneError, match="not a complete zip archive"):
        backbones.add_pack(path)
    with pytest.raises(BackboneError, match="expected a pack of format 2, found '3'. Update headstart"):
        backbones.add_pack(make(path, {"format": 3}, []))


def test_an_existing_file_is_never_written_over(tmp_path, source):
    (tmp_path / "pack.zip").write_text("mine")
    with pytest.raises(BackboneError, match="it exists"):
        backbones.write_pack({NAME: source}, tmp_path / "pack.zip")


def test_places_that_cannot_be_written_say_so(packed, tmp_path, monkeypatch, source):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackboneError, match="the pack cannot be written"):
        backbones.write_pack({NAME: source}, tmp_path / "file" / "x")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackboneError, match="the pack cannot be written"):
        backbones.add_pack(packed)


def test_only_networks_of_the_hub_are_packed(tmp_path):
    for name in ("dir:somewhere", "starter:minilm-l6"):
        with pytest.raises(BackboneError, match="only hub networks"):
            backbones.write_pack({name: tmp_path}, tmp_path / "x")


def test_a_toy_backbone_has_no_folder():
    with pytest.raises(BackboneError, match="made by code and have no folder"):
        backbones.locate("toy:text")


def test_a_pack_holds_the_whole_network_whatever_was_cut_off(tmp_path, source):
    backbones.write_pack({f"{NAME}#embeddings": source}, tmp_path / "p")
    assert backbones.add_pack(tmp_path / "p")[0].name == NAME
    found = backbones.load(f"{NAME}#embeddings", offline=True)
    assert (found.name, found.cuts) == (f"{NAME}#embeddings", ("embeddings",))


@pytest.fixture
def folder(tmp_path):
    """A pack as the first format had it."""
    kept = tmp_path / "packed"
    kept.mkdir()
    (kept / "config.json").write_text("{}")
    record = {"format": 1, "name": NAME, "files": {"config.json": hashlib.sha256(b"{}").hexdigest()}}
    (kept / PACK).write_text(json.dumps(record))
    return kept


def test_a_folder_that_an_earlier_version_packed_is_still_added(folder):
    assert backbones.add_pack(folder)[0].name == NAME
    assert (added_folder(NAME) / "config.json").read_text() == "{}"


def test_a_changed_missing_or_linked_file_of_a_folder_is_refused(folder):
    config = folder / "config.json"
    elsewhere = folder.parent / "elsewhere.json"
    elsewhere.write_text("{}")
    for change in (lambda: config.write_text("{ }"), config.unlink, lambda: config.symlink_to(elsewhere)):
        change()
        with pytest.raises(BackboneError, match=r"config\.json: the file is missing or does not match its SHA-256"):
            backbones.add_pack(folder)
    assert nothing_added()


def test_a_folder_that_is_no_pack_says_how_to_make_one(tmp_path):
    with pytest.raises(BackboneError, match="headstart models pack NAME -o FILE"):
        backbones.add_pack(tmp_path)


def test_a_folder_cannot_reach_outside(folder):
    record = json.loads((folder / PACK).read_text())
    record["files"] = {"../secret": "0"}
    (folder / PACK).write_text(json.dumps(record))
    with pytest.raises(BackboneError, match="names a file outside its folder"):
        backbones.add_pack(folder)
