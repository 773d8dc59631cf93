"""The activation store: content-addressed, whole or absent, checked, bounded."""

import errno
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from headstart.engine import cache_folder
from headstart.errors import OptionError, StoreError
from headstart.features import Key, Store, size_limit


def a_key(**changes: str) -> Key:
    facts = {"weights": "w", "preprocessing": "p", "cut": "features", "precision": "float32", "engine": "torch-cpu"}
    return Key(**{**facts, **changes}, views=("last",), library="torch 2", backbone="toy:text")


def some_rows(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 1, 5)).astype(np.float32)


def names(n: int, start: int = 0) -> list[str]:
    return [f"{i:064x}" for i in range(start, start + n)]


def only_shard(store: Store, suffix: str) -> Path:
    (path,) = [p for p in store.root.glob(f"*/*{suffix}") if p.name != "key.json"]
    return path


def test_rows_come_back_in_the_order_asked_for_across_shards_and_stores():
    store, rows = Store(), some_rows(7)
    store.append(a_key(), names(4), rows[:4])
    store.append(a_key(), names(3, 4), rows[4:])
    wanted = [6, 0, 3, 3, 5]
    for reader in (store, Store()):
        found = reader.read(a_key(), [names(7)[i] for i in wanted], view=0)
        np.testing.assert_array_equal(found, rows[wanted, 0])
    assert Store().missing(a_key(), [*names(2), "new", "new"]) == ["new"]


@pytest.mark.parametrize("field", ["weights", "preprocessing", "cut", "precision", "engine", "library"])
def test_whatever_determines_a_row_is_part_of_its_address(field):
    store = Store()
    store.append(a_key(), names(2), some_rows(2))
    other = Key(**{**vars(a_key()), field: "other"})
    assert store.missing(other, names(2)) == names(2)


def test_the_name_a_backbone_was_called_by_is_not_part_of_the_address():
    assert Key(**{**vars(a_key()), "backbone": "dir:elsewhere"}).digest == a_key().digest


def test_a_missing_row_is_an_error_that_names_backbone_and_cut():
    with pytest.raises(StoreError, match=r"toy:text \(features\): no row is stored for item 000000000000"):
        Store().read(a_key(), names(1), view=0)


def damage_content(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[5] ^= 1
    shard.write_bytes(content)


def damage_length(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_content, "does not match its SHA-256"),
        (damage_length, "expected 40 bytes, found 39"),
        (Path.unlink, "found no file"),
    ],
)
def test_a_damaged_shard_is_refused_with_its_path_and_can_be_cleared(damage, message):
    store = Store()
    store.append(a_key(), names(2), some_rows(2))
    store.append(a_key(), names(2, 2), some_rows(2))
    rows = sorted(store.root.glob("*/*.rows"))[0]
    damage(rows)
    with pytest.raises(StoreError, match=message) as caught:
        Store().read(a_key(), names(4), view=0)
    assert str(rows) in str(caught.value)
    assert "headstart cache clear --damaged" in str(caught.value)
    fresh = Store()
    assert fresh.clear_damaged() == [rows.with_suffix(".json")]
    assert len(fresh.missing(a_key(), names(4))) == 2


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 1}', '{"format": 9, "dtype": "<f4", "shape": [2, 1, 5], "items": ["a", "b"]}']
)
def test_a_damaged_manifest_is_refused_with_its_path(text):
    store = Store()
    store.append(a_key(), names(2), some_rows(2))
    manifest = only_shard(store, ".json")
    manifest.write_text(text)
    with pytest.raises(StoreError, match=re.escape(str(manifest))):
        Store().missing(a_key(), names(2))


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Store()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        StoreError, match="the disk is full. Free space there, or name another folder with HEADSTART_CACHE"
    ):
        store.append(a_key(), names(2), some_rows(2))
    assert [p.name for p in store.root.glob("*/*")] == []


def test_a_disk_that_fills_up_before_the_manifest_leaves_no_rows_behind(monkeypatch):
    calls, sync = [], os.fsync

    def full_at_the_third(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:  # the key, the rows, the manifest
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    store = Store()
    monkeypatch.setattr(os, "fsync", full_at_the_third)
    with pytest.raises(StoreError, match="the disk is full"):
        store.append(a_key(), names(2), some_rows(2))
    assert [p.name for p in store.root.glob("*/*")] == ["key.json"]


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="the store cannot be written"):
        Store(tmp_path / "file").append(a_key(), names(1), some_rows(1))


WRITER = """
import sys, numpy as np
from pathlib import Path
from headstart.features import Key, Store
key = Key("w", "p", "features", ("last",), "float32", "torch-cpu", "torch 2", "toy:text")
store = Store(Path(sys.argv[1]))
for i in range(100000):
    store.append(key, [f"{i}-{j}" for j in range(64)], np.full((64, 1, 256), i, np.float32))
    print(i, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_only_whole_shards(tmp_path):
    for delay in (0.05, 0.11, 0.17):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read()
        done = 1 + len(rest.split())
        store = Store(tmp_path)
        stored = [f"{i}-{j}" for i in range(done - 1) for j in range(64)]
        assert store.missing(a_key(), stored) == []
        found = store.read(a_key(), stored, view=0)
        np.testing.assert_array_equal(found[:, 0], np.repeat(np.arange(done - 1), 64))
        assert store.clear_damaged() == []
        store.clear()


def test_what_a_killed_process_left_is_swept_away_after_a_day():
    store = Store()
    store.append(a_key(), names(1), some_rows(1))
    folder = next(store.root.iterdir())
    old, young = folder / "orphan.rows", folder / ".young.tmp"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    assert Store().missing(a_key(), names(1)) == []
    assert not old.exists()
    assert young.exists()


def _append_many(root: str, start: int) -> None:
    store = Store(Path(root))
    for i in range(20):
        store.append(a_key(), [f"{start + i}"], np.full((1, 1, 3), start + i, np.float32))


def test_two_processes_can_write_the_same_key_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(str(tmp_path), start)) for start in (0, 10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    found = Store(tmp_path).read(a_key(), [str(i) for i in range(30)], view=0)
    np.testing.assert_array_equal(found[:, 0], np.arange(30))


def test_above_the_limit_the_least_recently_used_key_goes_and_one_in_use_stays():
    store = Store(limit=10_000)
    for weights, age in (("old", 7200), ("older", 9000), ("in use", 60)):
        store.append(a_key(weights=weights), names(100), some_rows(100))
        used = store.root / a_key(weights=weights).digest / "used"
        os.utime(used, (time.time() - age,) * 2)
        store.limit = 40_000
    store.limit = sum(p.stat().st_size for p in store.root.glob("*/*")) + 100
    Store(store.root.parent.parent, limit=store.limit).append(a_key(weights="new"), names(20), some_rows(20))
    left = {json.loads((folder / "key.json").read_text())["weights"] for folder in store.root.iterdir()}
    assert left == {"old", "in use", "new"}


def test_rows_that_can_never_fit_evict_nothing():
    store = Store(limit=10_000)
    store.append(a_key(weights="old"), names(100), some_rows(100))
    os.utime(store.root / a_key(weights="old").digest / "used", (0, 0))
    with pytest.raises(StoreError, match="the store may hold"):
        store.append(a_key(weights="new"), names(1000), some_rows(1000))
    assert Store().missing(a_key(weights="old"), names(100)) == []


def test_rows_that_alone_exceed_the_limit_are_refused_with_both_sizes():
    with pytest.raises(StoreError, match="the store may hold 0.0 MB and 1.0 MB are needed.*HEADSTART_CACHE_LIMIT"):
        Store(limit=1000).append(a_key(), names(50_000), some_rows(50_000))


def test_the_place_and_the_limit_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("HEADSTART_CACHE_LIMIT", "1.5gb")
    assert cache_folder() == tmp_path / "here"
    assert size_limit() == int(1.5 * 2**30)
    for bad in ("lots", "-3MB", "0", "inf"):
        monkeypatch.setenv("HEADSTART_CACHE_LIMIT", bad)
        with pytest.raises(OptionError, match="HEADSTART_CACHE_LIMIT: expected a size, found"):
            size_limit()


def test_shelves_are_listed_and_cleared():
    store = Store()
    store.append(a_key(), names(3), some_rows(3))
    (shelf,) = store.shelves()
    assert (shelf.backbone, shelf.cut, shelf.rows) == ("toy:text", "features", 3)
    assert store.clear() > 0
    assert store.shelves() == []
    assert store.missing(a_key(), names(3)) == names(3)


def some_pieces(lengths: list[list[int]], seed: int = 0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [[rng.normal(size=(n, 3)).astype(np.float32) for n in each] for each in lengths]


LENGTHS = [[2], [4, 1, 3], [5], [0]]


def test_rows_of_several_lengths_come_back_as_views_of_the_file_across_shards_and_stores():
    store, items, key = Store(), some_pieces(LENGTHS), a_key(cut="layer1")
    store.append_ragged(key, names(2), items[:2])
    store.append_ragged(key, names(2, 2), items[2:])
    wanted = [3, 1, 1, 0, 2]
    for reader in (store, Store()):
        found = reader.read_ragged(key, [names(4)[i] for i in wanted])
        for pieces, i in zip(found, wanted, strict=True):
            assert [len(piece) for piece in pieces] == LENGTHS[i]
            for ours, theirs in zip(pieces, items[i], strict=True):
                np.testing.assert_array_equal(ours, theirs)
        assert found[1] is found[2]
        assert not found[1][0].flags.owndata
        assert not found[1][0].flags.writeable
    assert [shelf.rows for shelf in store.shelves()] == [4]


def test_half_precision_is_kept_as_it_is():
    store, items = Store(), [[np.arange(6, dtype=np.float16).reshape(2, 3)]]
    store.append_ragged(a_key(), names(1), items)
    ((piece,),) = store.read_ragged(a_key(), names(1))
    assert piece.dtype == np.float16
    assert only_shard(store, ".rows").stat().st_size == 12


def test_rows_of_one_shape_can_be_read_as_single_pieces_but_not_the_other_way_round():
    store, rows = Store(), some_rows(3)
    store.append(a_key(), names(3), rows)
    np.testing.assert_array_equal([pieces[0] for pieces in store.read_ragged(a_key(), names(3))], rows)
    store.append_ragged(a_key(cut="layer1"), names(4), some_pieces(LENGTHS))
    with pytest.raises(StoreError, match="expected rows of one shape, found rows of several lengths"):
        store.read(a_key(cut="layer1"), names(4), view=0)


def test_a_reader_of_the_first_format_would_refuse_rows_of_several_lengths():
    store = Store()
    store.append_ragged(a_key(), names(4), some_pieces(LENGTHS))
    manifest = json.loads(only_shard(store, ".json").read_text())
    assert (manifest["format"], manifest["lengths"], manifest["shape"]) == (2, LENGTHS, [15, 3])


def test_rows_of_several_lengths_are_checked_like_others():
    store = Store()
    store.append_ragged(a_key(), names(4), some_pieces(LENGTHS))
    damage_content(only_shard(store, ".rows"))
    with pytest.raises(StoreError, match="does not match its SHA-256"):
        Store().read_ragged(a_key(), names(4))
    with pytest.raises(StoreError, match="no row is stored for item new"):
        Store().read_ragged(a_key(), ["new"])


@pytest.mark.parametrize("lengths", [[[2], [4, 1, 3], [5]], [[2], [4, 1, 3], [5], [1]], [[2], [4, 1, 3], [6], [-1]], 3])
def test_lengths_that_do_not_fit_the_rows_are_refused(lengths):
    store = Store()
    store.append_ragged(a_key(), names(4), some_pieces(LENGTHS))
    path = only_shard(store, ".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "lengths": lengths}))
    with pytest.raises(StoreError, match="its manifest"):
        Store().missing(a_key(), names(4))


def test_room_counts_what_idle_keys_would_give_up_and_never_more_than_the_disk_has(monkeypatch):
    store = Store(limit=100_000)
    assert store.room(a_key()) == 100_000
    for weights, age in (("idle", 7200), ("in use", 60), ("own", 7200)):
        store.append(a_key(weights=weights), names(100), some_rows(100))
        os.utime(store.root / a_key(weights=weights).digest / "used", (time.time() - age,) * 2)
    sizes = {f.name: sum(p.stat().st_size for p in f.iterdir()) for f in store.root.iterdir()}
    key = a_key(weights="own")
    assert store.room(key) == 100_000 - sizes[key.digest] - sizes[a_key(weights="in use").digest]
    monkeypatch.setattr("headstart.features._store.disk_usage", lambda folder: SimpleNamespace(free=1234))
    assert store.room(key) == 1234
    store.limit = 10
    assert store.room(key) == 0


def test_what_room_promises_can_be_stored():
    store = Store(limit=60_000)
    store.append(a_key(weights="idle"), names(1000), some_rows(1000))
    os.utime(store.root / a_key(weights="idle").digest / "used", (0, 0))
    rows = np.zeros((store.room(a_key()) // 4, 1), np.float32)
    store.append_ragged(a_key(), names(1), [[rows]])
    assert store.missing(a_key(weights="idle"), names(1)) == names(1)
