"""A cluster on this machine: order, faults, deaths of workers, and refusals that say what to do."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from headstart.engine import LocalEngine, Lost, open_engine
from headstart.errors import DataError, MissingExtraError, OptionError

ray = pytest.importorskip("ray")
from headstart.engine import _ray  # noqa: E402
from headstart.engine._ray import RayEngine  # noqa: E402


@pytest.fixture(scope="module")
def engine():
    with RayEngine(workers=2) as found:
        until = time.monotonic() + 120
        while len(set(found.spread(lambda _: time.sleep(0.1) or os.getpid(), range(4)))) < 2:
            assert time.monotonic() < until, "the second worker does not come up"
        yield found


def die_once(marker: Path, number: int):
    """A call that kills its process, the first time it is given this number."""

    def call(given: int) -> int:
        if given == number and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return given * 10

    return call


def test_results_come_in_the_order_of_the_items_whatever_each_takes(engine):
    def slow(number: int) -> tuple[int, int]:
        time.sleep(0.2 if number % 3 == 0 else 0.0)
        return number, os.getpid()

    found = list(engine.spread(slow, range(12)))
    assert [number for number, _ in found] == list(range(12))
    assert os.getpid() not in {process for _, process in found}
    assert len({process for _, process in found}) == 2
    assert engine.elsewhere
    assert not LocalEngine().elsewhere


def test_items_are_taken_as_results_are(engine):
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = engine.spread(lambda number: number, items())
    assert next(results) == 0
    assert len(taken) <= _ray.AHEAD * 2 + 1
    results.close()
    assert list(engine.spread(lambda number: -number, range(3))) == [0, -1, -2]


def test_an_error_is_raised_at_its_place_with_all_it_says(engine):
    def careful(number: int) -> int:
        if number == 3:
            raise DataError("expected a picture, found a poem", where="a.png", fix="Replace it.")
        return number

    results = engine.spread(careful, range(6))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"^a.png: expected a picture, found a poem. Replace it.$"):
        next(results)
    with pytest.raises(ZeroDivisionError):
        list(engine.spread(lambda number: 1 // number, range(2)))
    assert list(engine.spread(lambda number: number, range(2))) == [0, 1]


def test_a_worker_that_dies_costs_nothing_but_time(engine, tmp_path):
    assert list(engine.spread(die_once(tmp_path / "died", 4), range(8))) == [10 * n for n in range(8)]
    assert (tmp_path / "died").exists()


def test_a_call_at_which_every_worker_dies_is_lost_in_its_place(engine):
    def deadly(number: int) -> int:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    first, lost, last = engine.spread(deadly, range(3))
    assert (first, last) == (0, 2)
    assert isinstance(lost, Lost)
    assert lost.times == _ray.ATTEMPTS
    assert lost.reason


def test_calls_within_the_results_of_others_share_the_workers(engine):
    found = []
    for number in engine.spread(lambda number: number, range(4)):
        found.append((number, list(engine.spread(lambda inner: inner + 1, [number, number]))))
    assert found == [(n, [n + 1, n + 1]) for n in range(4)]


def test_light_calls_stay_in_this_process(engine):
    assert set(engine.map(lambda _: os.getpid(), range(4))) == {os.getpid()}


def test_more_workers_than_there_is_room_for_are_not_waited_for(engine):
    assert RayEngine(workers=50).workers == engine.workers


def test_a_worker_that_fits_nowhere_is_refused(engine):
    with pytest.raises(
        OptionError, match=r"expected room for a worker of 640 processors and 0 GPUs, found 1 nodes with"
    ):
        RayEngine(processors=640)
    with pytest.raises(OptionError, match="of 1 processors and 99 GPUs"):
        RayEngine(gpus=99)


def test_nodes_with_other_versions_are_refused(engine, monkeypatch):
    installed = _ray.installed
    monkeypatch.setattr(_ray, "installed", lambda names: installed(names) | {"torch": "1.0"})
    with pytest.raises(OptionError, match=r"expected torch 1.0, as here, found 2\..*Install the same packages"):
        RayEngine()
    assert installed(["headstart", "no-such-package"])["no-such-package"] == "none"


class _Alone(_ray._Workers):
    """Workers with one call to make."""

    def run(self):
        try:
            yield from _ray._Calls(abs, [1], ahead=1).run(self)
        finally:
            self.close()


def test_no_worker_in_time_is_said(engine, monkeypatch):
    monkeypatch.setattr(_ray, "PATIENCE", 0.2)
    with pytest.raises(
        OptionError, match=r"--engine ray: expected 1 workers, none has come up in 0 s. See: ray status"
    ):
        list(_Alone(1, {"num_cpus": 1, "num_gpus": 99.0}).run())


def test_workers_that_die_as_they_come_up_are_said(engine, monkeypatch):
    class Broken(_ray._Worker):
        def ready(self) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(_ray, "_Actor", ray.remote(max_restarts=0, max_task_retries=0)(Broken))
    with pytest.raises(OptionError, match=r"--engine ray: workers die before they begin \(.+\). See: ray logs"):
        list(_Alone(1, {"num_cpus": 0}).run())


def test_a_cluster_that_does_not_answer_is_refused(monkeypatch):
    monkeypatch.setattr(_ray.ray, "is_initialized", lambda: False)

    def refuse(**_):
        raise ConnectionError("nobody at 10.0.0.1:6379\nand so on")

    monkeypatch.setattr(_ray.ray, "init", refuse)
    with pytest.raises(OptionError, match=r"head:1: no Ray cluster can be used \(nobody at 10.0.0.1:6379\). Start one"):
        open_engine("ray", address="head:1")


def test_options_of_a_cluster_need_one_and_ray(monkeypatch):
    assert isinstance(open_engine(), LocalEngine)
    with pytest.raises(OptionError, match=r"--ray-address, --workers and --worker-gpus are of a cluster"):
        open_engine(workers=2)
    monkeypatch.setitem(sys.modules, "headstart.engine._ray", None)
    with pytest.raises(MissingExtraError, match=r"Type: pip install 'headstart\[cluster\]'"):
        open_engine("ray")
