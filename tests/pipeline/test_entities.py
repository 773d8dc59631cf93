"""Entities from fit to predict: what is told of them, in characters, and what is kept where the model is shipped."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import headstart
from headstart import FitOptions, Reading, backbones
from headstart.data import Document
from headstart.errors import DataError, OptionError
from headstart.pipeline import FitResult
from headstart.pipeline._entities import PAGE, with_unseen
from headstart.tasks import Classification, Entity, Tagging, entities_of, write_tags
from tests.conftest import make_image
from tests.tagged import make_easy, write_conll

TOY = FitOptions(backbones=("toy:text",), strategy="probe", offline=True, proof="none")
Tagged = tuple[list[list[str]], list[list[str]]]


def folder(path: Path, train: Tagged, test: Tagged) -> Path:
    write_conll(path / "train.conll", *train)
    write_conll(path / "test.conll", *test)
    return path


def with_slips(sentences: list[list[str]], tags: list[list[str]]) -> Tagged:
    """Add four sentences whose marks a good model contradicts, one kind of mistake each."""
    slips = [
        ("said Anna Berg .", "O O O O"),  # not marked
        ("the dog went .", "O B-LOC O O"),  # missed
        ("the Oslo .", "O B-PER O"),  # another type
        ("saw Anna Berg went .", "O B-PER I-PER I-PER O"),  # other borders
    ]
    return sentences + [words.split() for words, _ in slips], tags + [marks.split() for _, marks in slips]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return folder(tmp_path / "data", make_easy(120), with_slips(*make_easy(36, seed=1)))


@pytest.fixture
def fitted(data: Path, tmp_path: Path) -> FitResult:
    return headstart.fit(data, tmp_path / "model", options=TOY)


def spans(found: Sequence[dict]) -> list[list[list]]:
    return [row["spans"] for row in found]


def test_fit_counts_mistakes_and_shows_them_in_their_sentence(fitted):
    entities = fitted.to_dict()["entities"]
    assert {match: n for match, n in entities["matches"].items() if match != "exact"} == {
        "wrong type": 1, "wrong border": 1, "wrong type and border": 0, "missed": 1, "spurious": 1,
    }  # fmt: skip
    assert (entities["interval_over"], entities["drawn"]) == ("items", 40)
    contexts = {example["match"]: example["context"] for example in entities["examples"]}
    assert contexts == {
        "wrong type": "the [Oslo](PER, predicted LOC) .",
        "wrong border": 'saw [Anna Berg went](PER, predicted "Anna Berg") .',
        "missed": "the [dog](LOC, missed) went .",
        "spurious": "said [Anna Berg](PER, predicted, not marked) .",
    }
    (border,) = (example for example in entities["examples"] if example["match"] == "wrong border")
    assert border["marked"] == [4, 18, "PER"]
    assert border["predicted"][:3] == [4, 13, "PER"]
    assert 0.5 < border["predicted"][3] <= 1
    assert border["place"].startswith("test.conll:")
    classes = fitted.to_dict()["classes"]
    assert set(classes) == {"LOC", "PER"}
    assert fitted.outcome.score.metric == "entity_f1"
    assert sum(row["n"] for row in classes.values()) == sum(entities["matches"].values()) - 1  # but the spurious one


def test_what_is_shipped_holds_no_text_but_in_files_that_may_be_removed(fitted):
    kept = json.loads((fitted.folder / "evaluation.json").read_text())
    assert kept["entities"]["matches"] == dict(fitted.entities.matches)
    assert len(kept["entities"]["examples"]) == 4
    for path in fitted.folder.iterdir():
        if path.suffix == ".json" and path.name != "examples.json":
            assert "Anna" not in path.read_text()
    assert "Anna Berg" in (fitted.folder / PAGE).read_text()
    assert "Anna Berg" in (fitted.folder / "report.html").read_text()
    for name in (PAGE, "report.html", "examples.json"):
        (fitted.folder / name).unlink()
    assert headstart.load(fitted.folder).model.task.types == ("LOC", "PER")


def test_what_is_shipped_quotes_no_text_that_was_read_with_a_note_or_left_out(tmp_path):
    rows = []
    for words, tags in zip(*make_easy(60), strict=True):
        document = Document.of_words(words)
        found = [[*document.span(one.start, one.end), one.type] for one in entities_of(tags)]
        rows.append({"text": document.text, "spans": found, "split": "test" if len(rows) % 3 == 0 else "train"})
    rows[1] = {"text": "said Zacharias Quux .", "spans": [[6, 20, "PER"]], "split": "train"}  # one too far
    rows[2] = {"text": "saw Xanthippe .", "spans": [[4, 13, "PER"], [6, 13, "LOC"]], "split": "train"}
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = headstart.fit(tmp_path / "d.jsonl", tmp_path / "m", reading=Reading(on_error="skip"), options=TOY)
    assert any("did you mean [5, 19] 'Zacharias Quux'?" in note for note in found.notes)
    assert "Xanthippe" in found.to_dict()["left_out"][0]["reason"]
    (tmp_path / "m" / "examples.json").unlink()
    for path in (tmp_path / "m").glob("*.json"):
        assert not any(name in path.read_text() for name in ("Zacharias", "acharias", "Xanthippe")), path
    kept = json.loads((tmp_path / "m" / "evaluation.json").read_text())
    assert "Spans that may be shifted: 1 in d.jsonl" in kept["notes"]
    assert kept["left_out"] == [{"place": "d.jsonl:3", "reason": "expected separate spans"}]


def test_a_page_that_cannot_be_written_costs_no_model(data, tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OptionError("no room")

    monkeypatch.setattr("headstart.pipeline._entities.write_entities", refuse)
    said: list[str] = []
    headstart.fit(data, tmp_path / "m", options=TOY, say=said.append)
    assert "No page of the texts: no room" in said
    headstart.load(tmp_path / "m")


def test_documents_are_what_the_interval_draws_where_they_are_marked(tmp_path):
    train, test = make_easy(80), make_easy(30, seed=1)
    path = folder(tmp_path / "data", train, test)
    lines = (path / "test.conll").read_text().split("\n\n")
    parts = [f"-DOCSTART- O\n\n{sentence}" if i % 5 == 0 else sentence for i, sentence in enumerate(lines)]
    (path / "test.conll").write_text("\n\n".join(parts))
    (path / "train.conll").write_text("-DOCSTART- O\n\n" + (path / "train.conll").read_text())
    found = headstart.fit(path, tmp_path / "m", options=TOY)
    assert (found.entities.interval_over, found.entities.drawn) == ("groups", 6)
    assert "6 groups" in found.outcome.score.interval.method


def test_offsets_are_characters_of_the_input_itself(fitted, tmp_path):
    text = "the 😀 Anna Berg\r\nsaid\tParis e\u0301 .\n"
    (tmp_path / "doc.txt").write_bytes(text.encode())
    (tmp_path / "none.txt").write_text("the dog .")
    (row, none, gone) = headstart.predict(
        fitted.folder, [tmp_path / "doc.txt", tmp_path / "none.txt", tmp_path / "gone.txt"]
    )
    assert [(text[start:end], name) for start, end, name, _ in row["spans"]] == [("Anna Berg", "PER"), ("Paris", "LOC")]
    assert row["texts"] == ["Anna Berg", "Paris"]
    assert all(0 < p <= 1 for *_, p in row["spans"])
    assert none == {"input": str(tmp_path / "none.txt"), "spans": [], "texts": []}
    assert set(gone) == {"input", "error"}
    assert headstart.load(fitted.folder).model.predict([text]) == [
        [Entity(2, 4, "PER", row["spans"][0][3]), Entity(5, 6, "LOC", row["spans"][1][3])]
    ]


def test_a_saved_model_predicts_the_same_slim_or_whole(data, tmp_path, fitted):
    headstart.fit(data, tmp_path / "slim", options=replace(TOY, contents="slim"))
    inputs = [data / "test.conll"]
    expected = spans(list(headstart.predict(fitted.folder, inputs)))
    assert spans(list(headstart.predict(tmp_path / "slim", inputs))) == expected
    assert spans(list(headstart.predict(tmp_path / "slim", inputs, backbone="toy:text"))) == expected
    given = backbones.load("toy:text")
    assert headstart.load(tmp_path / "slim", backbone=given).model.backbone.pooling_of_words in ("first", "mean")
    assert given.pooling_of_words is None


def test_evaluate_counts_types_never_seen_as_missed(fitted, tmp_path):
    sentences, tags = make_easy(30, seed=2)
    known = headstart.evaluate(fitted.folder, write_conll(tmp_path / "known.conll", sentences, tags))
    sentences, tags = [*sentences, ["the", "Acme", "."]], [*tags, ["O", "B-ACME", "O"]]
    found = headstart.evaluate(fitted.folder, write_conll(tmp_path / "new.conll", sentences, tags))
    assert known.notes == ()
    assert found.notes == ("Never seen in training, so every entity of it is missed: 'ACME'.",)
    assert list(found.classes) == ["LOC", "PER", "ACME"]
    assert found.classes["ACME"] == {"precision": None, "recall": 0.0, "f1": 0.0, "n": 1}
    assert found.entities.matches["missed"] == known.entities.matches["missed"] + 1
    assert found.score.metrics["entity_recall"] < known.score.metrics["entity_recall"]
    assert set(found.to_dict()) == {"test", "classes", "notes", "entities"}
    assert known.score.value > 0.9


def test_evaluate_takes_spans_as_well_as_columns(fitted, tmp_path):
    rows = [
        {"text": "said Anna Berg.", "spans": [[5, 14, "PER"]]},
        {"text": "the dog went", "spans": []},
    ]
    (tmp_path / "spans.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = headstart.evaluate(fitted.folder, tmp_path / "spans.jsonl")
    assert found.score.n == 2
    assert found.entities.matches["exact"] == 1


def test_evaluate_refuses_labels_of_another_kind(fitted, texts_csv):
    with pytest.raises(OptionError, match="the model does tagging|does not fit|spans"):
        headstart.evaluate(fitted.folder, texts_csv, reading=Reading(task="classification"))


def test_evaluate_says_whose_task_does_not_fit_where_none_was_asked_for(fitted, tmp_path):
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    make_image((90, 90, 90), seed=1).save(tmp_path / "pictures" / "a" / "x.png")
    with pytest.raises(OptionError, match=r"pictures: the model does tagging: .* holds images .* belong together\."):
        headstart.evaluate(fitted.folder, tmp_path / "pictures")


def test_a_model_is_continued_with_more_labels_and_a_new_type(data, fitted, tmp_path):
    train = make_easy(120)
    more, marks = make_easy(30, seed=3)
    new = ([*train[0], *more, ["the", "Acme", "."]], [*train[1], *marks, ["O", "B-ACME", "O"]])
    path = folder(tmp_path / "more", new, with_slips(*make_easy(36, seed=1)))
    said: list[str] = []
    options = FitOptions(continue_from=str(fitted.folder), offline=True, proof="none")
    result = headstart.fit(path, tmp_path / "m2", options=options, say=said.append)
    assert result.continued.value == pytest.approx(fitted.outcome.score.value)
    assert result.continued.difference is not None
    assert result.outcome.model.task.types == ("ACME", "LOC", "PER")
    assert any("New, and not in the test part: 'ACME'" in line for line in said)


def test_continuing_without_a_type_is_refused_by_its_name(fitted, tmp_path):
    sentences, tags = make_easy(40)
    only = [[tag if tag.endswith("LOC") else "O" for tag in each] for each in tags]
    path = write_conll(tmp_path / "few.conll", sentences, only)
    with pytest.raises(DataError, match="every class of .*model, found none of 'PER'. Add"):
        headstart.fit(path, tmp_path / "m2", options=FitOptions(continue_from=str(fitted.folder), offline=True))


def test_types_that_training_lacks_are_behind_those_it_has():
    task = Tagging(("LOC", "PER"))
    assert with_unseen(task, [write_tags(["B-LOC"])]) == (task, ())
    wider, unseen = with_unseen(task, [write_tags(["B-A", "I-A", "B-PER"])])
    assert (wider, unseen) == (Tagging(("LOC", "PER", "A")), ("A",))
    assert wider.classes[:5] == task.classes
    other = Classification(("a", "b"))
    assert with_unseen(other, ["c"]) == (other, ())
