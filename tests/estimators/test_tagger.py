"""TransferTagger as a scikit-learn estimator: tokens with tags, and texts with spans."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from headstart import TransferTagger, backbones
from headstart.data import Document
from headstart.errors import BackboneError, DataError
from headstart.tasks import entities_of
from tests.tagged import make_easy


def toy(**settings: object) -> TransferTagger:
    return TransferTagger("toy:text", **settings)


def spans_of(tokens, tags):
    documents = [Document.of_words(words) for words in tokens]
    return [
        [(*document.span(each.start, each.end), each.type) for each in entities_of(marks)]
        for document, marks in zip(documents, tags, strict=True)
    ]


def closed(tag, after):
    """The BIOES tag for an IOB2 one."""
    if tag == "O" or after.startswith("I"):
        return tag
    return {"B": "S", "I": "E"}[tag[0]] + tag[1:]


@pytest.fixture(scope="module")
def lists():
    return make_easy(90)


def test_tokens_have_tags(lists):
    tokens, tags = lists
    model = toy().fit(tokens[:60], tags[:60])
    assert model.classes_.tolist() == ["LOC", "PER"]
    assert model.tags_.tolist() == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    predicted = model.predict(tokens[60:])
    assert [len(each) for each in predicted] == [len(each) for each in tokens[60:]]
    probabilities = model.predict_proba(tokens[60:])
    assert [p.shape for p in probabilities] == [(len(each), 5) for each in tokens[60:]]
    np.testing.assert_allclose(np.concatenate(probabilities).sum(axis=1), 1)
    assert model.score(tokens[60:], predicted) == 1
    assert model.score(tokens[60:], tags[60:]) > 0.5


def test_the_schemes_mean_the_same_and_iob2_comes_back(lists):
    tokens, tags = lists
    bioes = [list(map(closed, each, [*each[1:], "O"])) for each in tags]
    assert {tag[0] for each in bioes for tag in each} == set("OBES")
    models = [toy().fit(tokens, y) for y in (tags, bioes)]
    assert models[0].predict(tokens) == models[1].predict(tokens)
    assert models[0].score(tokens, tags) == models[0].score(tokens, bioes)


def test_strings_have_spans(lists):
    tokens, tags = lists
    texts, spans = [" ".join(words) for words in tokens], spans_of(tokens, tags)
    model = toy().fit(texts, spans)
    predicted, sure = model.predict(texts), model.predict_proba(texts)
    assert [[span[:3] for span in each] for each in sure] == predicted
    assert all(0 < span[3] <= 1 for each in sure for span in each)
    assert model.score(texts, predicted) == 1
    by_words = toy().fit(tokens, tags)
    assert spans_of(tokens, by_words.predict(tokens)) == predicted
    right = sum(len(set(a) & set(b)) for a, b in zip(predicted, spans, strict=True))
    expected = 2 * right / (sum(map(len, predicted)) + sum(map(len, spans)))
    assert model.score(texts, spans) == pytest.approx(expected)


def test_a_span_inside_a_word_counts_as_missed_not_as_an_error(lists):
    tokens, tags = lists
    texts = [" ".join(words) for words in tokens]
    model = toy().fit(texts, spans_of(tokens, tags))
    with pytest.warns(UserWarning, match="Spans that"):
        assert model.score([texts[1]], [[(0, 1, "LOC")]]) == 0
    assert model.score(["the of and"], [[]]) == 1


def test_it_works_in_cross_validation_and_a_grid_search(lists):
    tokens, tags = lists
    groups = [f"document {i // 6}" for i in range(90)]
    scores = cross_val_score(toy(), tokens, tags, cv=GroupKFold(3), groups=groups)
    assert scores.shape == (3,)
    assert scores.mean() > 0.5
    grid = {"strategy": ["probe", "probe(k=3)"]}
    search = GridSearchCV(toy(), grid, cv=2).fit(tokens, tags)
    assert search.best_params_["strategy"] in grid["strategy"]
    assert search.predict(tokens[:3]) == search.best_estimator_.predict(tokens[:3])


def test_groups_stay_together_inside(lists):
    tokens, tags = lists
    model = toy().fit(tokens, tags, groups=[i // 5 for i in range(90)])
    assert model.model_.task.types == ("LOC", "PER")
    with pytest.raises(DataError, match="groups: expected 90 values, one per item, found 2"):
        toy().fit(tokens, tags, groups=[1, 2])


def test_a_clone_has_the_settings_and_not_the_fit(lists):
    fitted = toy(random_state=3, metric="macro_f1").fit(*lists)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert set(copy.get_params()) == {"backbone", "strategy", "metric", "device", "offline", "random_state"}
    assert not hasattr(copy, "model_")
    assert copy.set_params(random_state=4).random_state == 4


def test_impossible_tags_are_mended_with_a_warning(lists):
    tokens, tags = lists
    odd = [["I-LOC", *tags[0][1:]], *tags[1:]]
    with pytest.warns(UserWarning, match=r"Impossible tag sequences \(IOB2\), mended: 1 \(first: y\[0\]\[0\]"):
        toy().fit(tokens, odd)


def test_what_does_not_fit_is_refused(lists):
    tokens, tags = lists
    with pytest.raises(DataError, match="y: expected entities, found none"):
        toy().fit(tokens, [["O"] * len(each) for each in tokens])
    with pytest.raises(DataError, match=r"y\[0\]: expected 6 tags|y\[0\]: expected \d+ tags, one per token, found 1"):
        toy().fit(tokens, [["O"], *tags[1:]])
    with pytest.raises(BackboneError, match="no tokenizer"):
        TransferTagger("toy:image").fit(tokens, tags)
    with pytest.raises(NotFittedError):
        toy().predict(["a"])


def test_a_loaded_backbone_is_taken_as_it_is(lists):
    backbone = backbones.word_backbone(backbones.load("toy:text"), "mean")
    model = TransferTagger(backbone).fit(*lists)
    assert model.model_.backbone.pooling_of_words == "mean"


def test_scikit_learns_checks_of_the_estimator_itself():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        checks = list(estimator_checks_generator(toy()))
    assert checks
    for estimator, check in checks:
        check(estimator)
