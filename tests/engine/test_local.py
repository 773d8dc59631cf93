import threading
import time

import pytest

from headstart.engine import Engine, LocalEngine, Resources
from headstart.engine._local import available_processors
from headstart.errors import DataError, OptionError


def test_results_come_in_the_order_of_the_items_whatever_the_threads_do():
    def slow_at_first(i: int) -> int:
        time.sleep(0.02 / (i + 1))
        return i * i

    assert list(LocalEngine(4).map(slow_at_first, range(40))) == [i * i for i in range(40)]
    assert list(LocalEngine(4).map(slow_at_first, [])) == []


def test_several_threads_work_at_once():
    meeting = threading.Barrier(3, timeout=10)  # passes only when three calls run at the same time
    assert len(list(LocalEngine(3).map(lambda _: meeting.wait(), range(3)))) == 3


def test_a_failure_is_raised_at_the_place_of_its_item():
    def fail_at_three(i: int) -> int:
        if i == 3:
            raise DataError("expected a picture", where="d.png")
        return i

    results = LocalEngine(2).map(fail_at_three, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"d\.png: expected a picture"):
        next(results)


def test_items_are_read_no_further_ahead_than_allowed():
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = LocalEngine(2).map(lambda i: i, items(), resources=Resources(ahead=5))
    assert taken == []
    next(results)
    assert len(taken) <= 7
    results.close()
    assert len(taken) <= 7


def test_a_caller_that_stops_listening_does_not_wait_for_the_rest():
    def work(i: int) -> int:
        time.sleep(0.01)
        return i

    results = LocalEngine(1).map(work, range(1000), resources=Resources(ahead=500))
    next(results)
    start = time.perf_counter()
    results.close()
    assert time.perf_counter() - start < 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("headstart")]


def test_the_default_is_a_thread_per_processor_this_process_may_use(monkeypatch):
    assert LocalEngine().workers == available_processors() >= 1
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert LocalEngine().workers == 1


def test_a_device_that_is_not_there_is_refused():
    torch = pytest.importorskip("torch")
    from headstart.engine import pick_device

    assert pick_device("cpu") == "cpu"
    assert pick_device() in ("cpu", "cuda", "mps")
    if not torch.cuda.is_available():
        with pytest.raises(
            OptionError, match=r"device 'cuda:0' is not available on this machine. Choose one of: auto, cpu"
        ):
            pick_device("cuda:0")


def test_an_engine_must_say_how_it_maps():
    with pytest.raises(TypeError, match="abstract"):
        Engine()
