"""Where activations lie: stored or live, decided for these items alone; what is predicted once is not stored."""

import numpy as np
import pytest

from headstart.errors import StoreError
from headstart.features import Activations, FeatureSource, Inputs, LiveActivations, Store
from headstart.strategies import FineTune, Probe, Run
from headstart.strategies._thawed import Reading, boundary_once, placed
from tests.strategies.small import live, pictures, task_of, toy, tune

CUT = "conv2"
STRATEGY = FineTune(last=1, steps=3, batch=8, views=2)


class Decisions(dict):
    """Decides once, like a model folder that is being written."""

    def __call__(self, name, choose):
        if name not in self:
            self[name] = choose()
        return self[name]


def test_each_data_set_and_each_number_of_views_is_decided_by_itself():
    decisions, few, many = Decisions(), pictures(6), pictures(9)
    run = Run(FeatureSource(), decide=decisions)
    for dataset, views in ((few, 1), (many, 1), (many, 2), (many, 2)):
        placed(run, toy(few), dataset, cut=CUT, reading=Reading(views))
    assert len(decisions) == 3
    assert all(name.startswith(f"activations at {CUT} of toy:image: ") for name in decisions)


@pytest.mark.parametrize(("room", "answer"), [(1.3, "stored"), (1.2, "live")])
def test_a_fifth_of_the_room_is_left(room, answer, monkeypatch):
    train, backbone, source = pictures(20), toy(pictures(1)), FeatureSource()
    needed = source.predict_activations(backbone, train, cut=CUT).megabytes
    monkeypatch.setattr(Store, "room", lambda *_: int(room * needed * 2**20))
    assert placed(Run(source), backbone, train, cut=CUT, reading=Reading()) == answer
    source.activations(backbone, train, cut=CUT)
    monkeypatch.setattr(Store, "room", lambda *_: 0)
    assert placed(Run(source), backbone, train, cut=CUT, reading=Reading()) == "stored"


def test_few_examples_that_are_stored_do_not_make_many_test_items_fail(tmp_path):
    train, test, decisions = pictures(12), pictures(300, seed=9), Decisions()
    needed = FeatureSource().predict_activations(toy(train), test, cut=CUT).megabytes
    source = FeatureSource(Store(tmp_path, limit=int(0.5 * needed * 2**20)))
    run = Run(source, decide=decisions)
    tuned = STRATEGY.tune(toy(train), train, task_of(train), run=run)
    assert set(decisions.values()) == {"stored"}
    found = tuned.outputs(test, run=run)
    np.testing.assert_allclose(found, tuned.model.predict_proba(test.items), atol=1e-5)
    STRATEGY.keep(tuned.start, test, run=run)  # there is no room, and it says nothing worse
    np.testing.assert_array_equal(tuned.outputs(test, run=run), found)
    assert list(decisions.values()) == ["stored", "live"]
    with pytest.raises(StoreError, match="the store may hold"):
        source.activations(tuned.start, test, cut=CUT)


def test_what_is_predicted_once_is_not_stored_and_what_is_kept_gives_the_same():
    train, test, source = pictures(18), pictures(9, seed=4), FeatureSource()
    run = Run(source)
    tuned = STRATEGY.tune(toy(train), train, task_of(train), run=run)
    computed = source.computed
    once = tuned.outputs(test, run=run)
    assert source.computed == computed
    STRATEGY.keep(tuned.start, test, run=run)
    assert source.computed == computed + 9
    sources = boundary_once(run, tuned.start, test, cut=CUT, precision="float32").sources
    assert [type(source) for source in sources] == [Activations]
    np.testing.assert_allclose(tuned.outputs(test, run=run), once, atol=1e-5)


def test_predictions_read_what_is_there_and_the_input_where_all_trains():
    test, source = pictures(9), FeatureSource()
    run, backbone = Run(source, decide=live), toy(pictures(1))

    def read(cut):
        return type(boundary_once(run, backbone, test, cut=cut, precision="float32").sources[0])

    assert (read(CUT), read(None)) == (LiveActivations, Inputs)
    source.activations(backbone, test.take(np.arange(8)), cut=CUT)
    assert read(CUT) is LiveActivations
    source.activations(backbone, test, cut=CUT)
    assert read(CUT) is Activations
    FineTune(last="all").keep(backbone, pictures(3, seed=8), run=run)
    assert source.computed == 8 + 1


def test_progress_of_predictions_is_told_to_the_last_item():
    train, told = pictures(70), []
    tuned = tune(STRATEGY, toy(train), train.take(np.arange(12)))
    tuned.outputs(train, run=Run(FeatureSource(), progress=lambda *what: told.append(what)))
    assert told == [("features of toy:image", done, 70) for done in (0, 64, 70)]


def test_another_seed_finds_the_views_of_the_first_stored():
    train, source = pictures(18), FeatureSource()
    models = set()
    for seed in (0, 1):
        run = Run(source, seed=seed)
        models.add(STRATEGY.tune(toy(train), train, task_of(train), run=run).model.backbone.weights_hash)
        Probe(views=2).fit(toy(train), train, task_of(train), run=run)
        assert source.computed == 2 * 18 + 2 * 18  # activations and features, of two views each
        assert Probe(views=2).missing(toy(train), train, run=Run(source, seed=7)) == 0
    assert len(models) == 2  # which view a step sees still follows the seed
