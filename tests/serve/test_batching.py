import asyncio
import threading

from headstart.serve._batching import Batcher


def test_what_waits_is_taken_at_once_up_to_a_batch_and_in_order():
    sizes: list[int] = []
    gate = threading.Event()

    def work(values):
        sizes.append(len(values))
        gate.wait(10)
        return [10 * value for value in values]

    async def main():
        batcher = Batcher(work, most=4, threads=1, name="test")
        first = batcher.submit(0)
        while not sizes:
            await asyncio.sleep(0)
        others = [batcher.submit(value) for value in range(1, 7)]
        assert len(batcher) == 6
        gate.set()
        assert await asyncio.gather(first, *others) == [0, 10, 20, 30, 40, 50, 60]
        assert len(batcher) == 0
        batcher.close()

    asyncio.run(main())
    assert sizes == [1, 4, 2]


def test_a_value_that_is_cancelled_in_the_queue_is_not_computed_and_one_underway_harms_nobody():
    seen: list[int] = []
    gate = threading.Event()

    def work(values):
        seen.extend(values)
        gate.wait(10)
        return list(values)

    async def main():
        batcher = Batcher(work, most=1, threads=1, name="test")
        futures = [batcher.submit(value) for value in range(3)]
        while not seen:
            await asyncio.sleep(0)
        futures[0].cancel()
        futures[1].cancel()
        gate.set()
        assert await futures[2] == 2
        batcher.close()

    asyncio.run(main())
    assert seen == [0, 2]


def test_a_result_that_is_an_exception_is_raised_to_who_asked():
    async def main():
        batcher = Batcher(lambda values: [ValueError(str(v)) if v else v for v in values], most=2, threads=2, name="t")
        good, bad = batcher.submit(0), batcher.submit(1)
        found = await asyncio.gather(good, bad, return_exceptions=True)
        batcher.close()
        return found

    good, bad = asyncio.run(main())
    assert good == 0
    assert isinstance(bad, ValueError)


def test_closing_ends_the_threads_and_a_loop_that_is_gone_is_nobodys_fault():
    gate = threading.Event()
    batcher: list[Batcher] = []

    def work(values):
        gate.wait(10)
        return values

    async def main():
        batcher.append(Batcher(work, most=1, threads=1, name="to-be-closed"))
        batcher[0].submit(1)
        await asyncio.sleep(0.05)

    asyncio.run(main())
    batcher[0].close()
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("to-be-closed"):
            thread.join(10)
            assert not thread.is_alive()
