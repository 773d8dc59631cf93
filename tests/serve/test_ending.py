"""The end of a server: what was accepted is answered, what comes later hears of it, and the process ends with 0."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from tests.serve.conftest import Echo, eventually, running

JSON = {"content-type": "application/json"}
PROGRAM = """
    import sys, time
    from headstart.serve import Access, Address, Limits, run, text_of

    class Slow:
        name, modality, kind, classes, promises = "slow", "text", "classification", ("a",), ()
        def read(self, payload, limits):
            return text_of(payload, limits)
        def answer(self, items):
            time.sleep(float(sys.argv[1]) * len(items))
            return [{"label": item, "probabilities": {"a": 1.0}} for item in items]

    def ready(served, url):
        print(url, flush=True)

    run(Slow, address=Address("127.0.0.1", 0), access=Access.at("127.0.0.1", token=None), limits=Limits(), batch=4,
        stop_within=float(sys.argv[2]), ready=ready)
    assert "torch" not in sys.modules
    print("ended", flush=True)
"""


def started(seconds: float, stop_within: float) -> tuple[subprocess.Popen[str], int]:
    """Run a server in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(seconds), str(stop_within)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline().rpartition(":")[2])


class Client(threading.Thread):
    """Asks again and again on one connection until the server says that it is stopping."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.port, self.number = port, number
        self.found: list[int | str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        for count in range(10_000):
            text = f"{self.number} {count}"
            try:
                connection.request("POST", "/predict", json.dumps({"inputs": [text]}), JSON)
                answer = connection.getresponse()
                body = json.loads(answer.read())
            except OSError as error:
                self.found.append(f"lost: {error!r}")
                break
            self.found.append(answer.status)
            if answer.status != 200:
                break
            assert body["predictions"][0]["label"] == text, "each gets its own answer"
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_under_load_nothing_is_lost(number):
    process, port = started(0.002, 20)
    clients = [Client(port, i) for i in range(8)]
    for client in clients:
        client.start()
    time.sleep(0.7)
    process.send_signal(number)
    for client in clients:
        client.join(30)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.strip() == "ended"
    assert err == ""
    for client in clients:
        *answered, last = client.found
        assert answered.count(200) == len(answered) > 0
        assert last == 503, "and that is not lost: the client knows that nobody has answered it"


@pytest.mark.slow
def test_what_takes_too_long_is_told_and_the_process_ends(tmp_path):
    process, port = started(60, 1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/predict", json.dumps({"inputs": ["a"]}), JSON)
    time.sleep(0.3)
    process.terminate()
    before = time.monotonic()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]) == (503, "the server is stopping. Try again later.")
    assert answer.getheader("retry-after")
    connection.close()
    assert process.wait(20) == 0
    assert time.monotonic() - before < 10, "a thread that is still busy does not keep the process"
    process.communicate()


def test_while_stopping_new_requests_are_refused_and_old_ones_answered():
    gate = threading.Event()
    with running(Echo(gate=gate), stop_within=20) as server:
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(server.predict(["a"])[0]))
        thread.start()
        assert eventually(lambda: server.server.service.accepted == 1)
        server.server.stop()
        assert eventually(lambda: server.server.service.stopping)
        status, headers, body = server.ask("POST", "/predict", b'{"inputs": ["b"]}', JSON)
        assert (status, json.loads(body)["error"]) == (503, "the server is stopping. Try again later.")
        assert headers["connection"] == "close"
        assert "retry-after" in headers
        status, _, body = server.ask("GET", "/health")
        assert (status, json.loads(body)["status"]) == (503, "stopping")
        gate.set()
        thread.join(20)
        assert found == [200]
        server.thread.join(20)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_a_second_signal_waits_for_nothing():
    gate = threading.Event()
    with running(Echo(gate=gate), stop_within=60) as server:
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(server.predict(["a"])[0]))
        thread.start()
        assert eventually(lambda: server.server.service.accepted == 1)
        server.server.stop()
        assert eventually(lambda: server.server.service.stopping)
        server.server.stop()
        thread.join(20)
        assert found == [503]
        gate.set()


def test_the_package_loads_neither_torch_nor_what_serves_and_serving_no_torch():
    code = """
        import sys
        import headstart.serve
        for name in ("torch", "transformers", "pandas", "fastapi", "uvicorn", "prometheus_client", "numpy"):
            assert name not in sys.modules, name
        import headstart.serve._server
        import headstart.data
        for name in ("torch", "transformers", "pandas", "sklearn"):
            assert name not in sys.modules, name
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
