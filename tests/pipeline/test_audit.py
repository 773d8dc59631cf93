"""An audit finds what was planted in real data, names it, and finds next to nothing where nothing was planted."""

import csv
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

import headstart
from headstart.audit import Leak, label_errors
from headstart.data import load, make_folds, united_groups
from headstart.errors import OptionError
from headstart.examples import digits
from headstart.features import FeatureSource, Store
from headstart.linear import cross_validate
from headstart.pipeline import Reading, audit, check_page, write_audit_page
from headstart.pipeline._audit import _said_of_leak
from headstart.pipeline._candidates import load_one, names_for
from headstart.tasks import task_from_labels
from tests.conftest import make_image, make_texts

TOY = "toy:image"


def kinds(found) -> dict[str, list]:
    named: dict[str, list] = {}
    for finding in found.inspection.findings:
        named.setdefault(finding.kind, []).append(finding)
    return named


def reencoded(image: Image.Image, *, share: float, quality: int) -> Image.Image:
    small = image.resize([round(side * share) for side in image.size], Image.Resampling.LANCZOS)
    written = io.BytesIO()
    small.save(written, "JPEG", quality=quality)
    return Image.open(written)


def drawn(seed: int) -> Image.Image:
    """A picture with structure of its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(9, 9, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC)


@pytest.fixture
def drawings(tmp_path):
    """40 pictures of two classes in training and 20 in test, two of them copies of training pictures, made smaller."""
    root = tmp_path / "drawings"
    for part, n in (("train", 40), ("test", 20)):
        for i in range(n):
            folder = root / part / ("warm", "cold")[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            drawn(i + 1000 * len(part)).save(folder / f"{i}.png")
    for number in (4, 7):
        label = ("warm", "cold")[number % 2]
        copy = reencoded(Image.open(root / "train" / label / f"{number}.png"), share=0.7, quality=60)
        copy.save(root / "test" / label / f"{number}.jpg", quality=60)
    other = reencoded(Image.open(root / "train" / "warm" / "0.png"), share=0.8, quality=70)
    other.save(root / "train" / "cold" / "0 again.jpg", quality=70)
    return root


def test_planted_copies_are_found_and_told_apart(drawings, tmp_path):
    found = audit(drawings, backbone=TOY)
    named = kinds(found)
    (across,) = named["near-duplicates-across-parts"]
    assert across.severity == "warning"
    assert across.found.endswith(": 2")
    (conflict,) = named["conflicting-near-duplicates"]
    assert conflict.found == "nearly the same item with different labels: cold, warm"
    assert "near-duplicates" not in named
    told = json.loads(json.dumps(found.to_dict()))
    assert len(told["deep"]["near_duplicates"]["pairs"]) == 3
    assert {finding["kind"] for finding in told["findings"]} == set(named)
    assert {each["kind"] for each in told["deep"]["suspects"]} >= {"conflicting-near-duplicates"}
    page = tmp_path / "page.html"
    write_audit_page(found, page)
    text = page.read_text()
    assert text.count("<figure>") >= 6
    assert "different labels" in text
    assert "in train and test" in text or "in test and train" in text
    assert "<script" not in text


def test_nothing_is_stored_but_features_of_the_items_themselves(drawings):
    audit(drawings, backbone=TOY)
    hashes = set(load(drawings).hashes)
    assert Store().clear_items(hashes)[0] == len(hashes)
    assert sum(shelf.rows for shelf in Store().shelves()) == 0


def test_the_same_seed_gives_the_same_result(drawings):
    one, other = (audit(drawings, backbone=TOY, seed=3).to_dict() for _ in range(2))
    for each in (one, other):
        del each["deep"]["seconds"]
    assert json.dumps(one) == json.dumps(other)


def test_what_is_not_looked_at_is_said(tmp_path, values_csv):
    few = tmp_path / "few"
    for label in ("a", "b"):
        (few / label).mkdir(parents=True)
        for i in range(4):
            make_image((90, 9, 9), seed=i + len(label)).save(few / label / f"{label}{i}.png")
    assert audit(few, backbone=TOY).unseen == ("Nothing: 20 items are needed, found 8.",)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert audit(nothing).unseen == ("Nothing: no item can be read.",)
    found = audit(values_csv, reading=Reading(task="regression"))
    assert found.unseen == ("Label errors, metadata and grouped splits: they need classes.",)
    assert found.duplicates is not None


def test_tagged_texts_are_refused(tmp_path):
    path = tmp_path / "tags.conll"
    path.write_text("".join(f"Word{i} O\nParis B-LOC\n\n" for i in range(30)))
    with pytest.raises(OptionError, match="--deep looks at items with one answer each, found tagged texts"):
        audit(path)


def test_a_page_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"expected a name ending in .html, found 'x.pdf'"):
        check_page(tmp_path / "x.pdf")
    with pytest.raises(OptionError, match="the folder does not exist"):
        check_page(tmp_path / "no" / "x.html")


def test_texts_with_flipped_labels_and_a_copy(tmp_path):
    texts, labels = make_texts(120)
    labels[3] = "food" if labels[3] != "food" else "weather"
    texts.append(texts[10].upper() + " !")
    labels.append(labels[10])
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    named = kinds(audit(path))
    assert named["near-duplicates"][0].where == "t.csv:12 ~ t.csv:122"
    assert named["label-errors"][0].where == "t.csv:5"


@pytest.mark.shared
@pytest.mark.slow
def test_planted_leaks_in_photographs_are_found_and_no_others(shared, tmp_path):
    root = tmp_path / "flowers"
    wanted = set()
    for folder in sorted((shared / "data" / "images" / "flowers5").iterdir()):
        for number, path in enumerate(sorted(folder.iterdir())[:100]):
            part = "test" if number >= 80 else "train"
            target = root / part / folder.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            image = Image.open(path).convert("RGB")
            if folder.name == "tulip":
                image = ImageOps.expand(image.crop((6, 6, 122, 122)), 6, (128, 128, 128))
                image.save(target, quality=90)
            else:
                shutil.copy(path, target)
            if part == "train" and number < 6:
                copy = root / "test" / folder.name / f"again {number}.jpg"
                copy.parent.mkdir(parents=True, exist_ok=True)
                wanted.add((path.name, copy.name))
                reencoded(image, share=0.75, quality=50).save(copy, quality=50)
    found = audit(root)
    named = kinds(found)
    pairs = {
        tuple(place.split("/")[-1] for place in pair["items"])
        for pair in found.to_dict()["deep"]["near_duplicates"]["pairs"]
    }
    hit = {pair for pair in wanted if pair in pairs or pair[::-1] in pairs}
    assert len(hit) == len(wanted), wanted - hit
    assert len(pairs) - len(hit) <= 3  # true near-duplicates of the set itself among them
    leak = next(each for each in found.leaks if each.kind == "made")
    assert leak.alarm
    assert leak.by.startswith("border")
    assert any("'tulip'" in finding.found and finding.severity == "warning" for finding in named["metadata-leak"])


def test_metadata_that_is_no_leak_is_not_called_one():
    leak = Leak("made", 0.7, 0.9, 0.5, 0.1, 0.3, 0, 0.8, 0.7, 0.6, 0.95, "bytes", 0.75)
    assert leak.worth_saying
    assert not leak.alarm
    said = _said_of_leak(leak, "cat", "pets")
    assert (said.kind, said.severity) == ("metadata", "info")
    assert said.found.startswith("no leak, but class 'cat' is told by 'bytes' alone")
    alarm = replace(leak, area=0.95)
    assert alarm.alarm
    assert (_said_of_leak(alarm, "cat", "pets").kind, _said_of_leak(alarm, "cat", "pets").severity) == (
        "metadata-leak",
        "warning",
    )


@pytest.mark.slow
def test_handwritten_digits_give_no_alarm_and_at_most_a_false_pair_in_a_thousand(tmp_path):
    found = audit(digits(tmp_path / "digits", per_class=120, test_per_class=30))
    assert found.inspection.n > 1400
    assert len(found.duplicates.pairs) <= 1
    assert not any(each.alarm for each in found.leaks)


@pytest.mark.shared
@pytest.mark.slow
def test_radiographs_of_known_patients_and_flipped_labels(shared, tmp_path):
    root = tmp_path / "xray"
    source = shared / "data" / "images" / "chest-xray"
    root.mkdir()
    shutil.copytree(source / "train", root / "train")
    with (source / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    two, three = audit(root), audit(root, reading=Reading(label="subtype"))
    assert not any(each.alarm for each in two.leaks)
    assert two.flattery.n_groups == three.flattery.n_groups > 500
    assert two.flattery.low <= 0 <= two.flattery.high, "an honest answer: patients hardly matter here"
    for found in (two, three):
        (said,) = kinds(found)["groups-flatter"]
        assert "under random splits" in said.found
    precision, recall = _on_flipped(root)
    assert precision > 0.75
    assert recall > 0.6


def _on_flipped(source) -> tuple[float, float]:
    """Flip 5 % of the labels three times, and judge the list of label errors."""
    dataset = load(source)
    backbone = load_one(names_for(dataset.modality, ())[0], dataset.modality, offline=True, device="auto")
    X = FeatureSource().features(backbone, dataset)
    task = task_from_labels("classification", dataset.labels)
    y, scores = np.asarray(task.encode(dataset.labels)), []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        flipped = rng.permutation(len(y))[: round(0.05 * len(y))]
        wrong = y.copy()
        wrong[flipped] = (y[flipped] + rng.integers(1, task.n_outputs, len(flipped))) % task.n_outputs
        folds = make_folds(wrong, groups=united_groups(dataset), n_splits=5, repeats=3, seed=seed)
        outputs = cross_validate(X, wrong, folds, n_classes=task.n_outputs).outputs
        items = label_errors(wrong, outputs).items
        hit = np.isin(items, flipped).sum()
        scores.append((hit / max(len(items), 1), hit / len(flipped)))
    return tuple(np.mean(scores, axis=0).tolist())


def test_a_model_is_fitted_on_corrected_labels(drawings, tmp_path):
    rows = [["place", "content", "corrected"]]
    dataset = load(drawings)
    rows += [[dataset.places[i], dataset.hashes[i], label] for i, label in ((0, ""), (1, "warm"))]
    table = tmp_path / "corrected.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    result = headstart.fit(
        drawings,
        tmp_path / "m",
        reading=Reading(labels_from=str(table)),
        options=headstart.FitOptions(backbones=(TOY,), strategy="probe", proof="none"),
    )
    assert [item.place for item in result.left_out] == [dataset.places[0]]
    assert any(note.startswith("Labels changed by corrected.csv: ") for note in result.notes)
