"""Every answer of a server but the good ones: who asks for what is refused with which status, in one form."""

import base64
import http.client
import json
import socket
import threading
import time

import pytest

from headstart.serve import Access
from tests.conftest import make_image
from tests.serve.conftest import TOKEN, Echo, Running, eventually, running
from tests.serve.test_page import CLASSES, Answers

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=X"}
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Parts of a form: their names, names of files and contents."""
    found = b""
    for name, file, content in parts:
        named = "" if file is None else f'; filename="{file}"'
        found += f'--X\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"
    return found + b"--X--\r\n"


def error(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str]:
    """Status and message of a refusal, which has one form."""
    status, headers, body = answer
    assert headers["content-type"] == "application/json"
    document = json.loads(body)
    assert list(document) == ["error"]
    assert "Traceback" not in document["error"]
    assert "/a/secret" not in document["error"]
    return status, document["error"]


def raw(server: Running, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(sent)
    return connection


def head(connection: socket.socket) -> int:
    """Status of what comes back on a connection; 0 where it was closed."""
    line = connection.makefile("rb").readline()
    return int(line.split()[1]) if line else 0


def test_texts_are_answered_in_order_and_a_bad_one_fails_alone(echo):
    status, answer = echo.predict(["short", "unreadable", "poison", "odd", "infinite", " ", "\ud800", "a longer text"])
    assert status == 200
    first, *middle, last = answer["predictions"]
    assert first == {"label": "short", "probabilities": {"short": 0.75, "other": 0.25}, "novelty": 0.5}
    assert last["label"] == "long"
    assert [row["error"] for row in middle] == [
        "expected something else. Send it.",
        "the model failed on this item. The server's log says why.",
        "the item cannot be read. Send it in another format.",
        "the answer is no finite number. Send another item.",
        "expected a text, found an empty one. Write something into it.",
        "expected a text in UTF-8, found bytes or half characters that are none. Send it as UTF-8.",
    ]
    counts = echo.counts()
    assert counts['headstart_items_total{outcome="answered"}'] == 2
    assert counts['headstart_items_total{outcome="failed"}'] == 6
    assert counts['headstart_requests_total{route="/predict",status="200"}'] == 1
    assert counts["headstart_queue_items"] == counts["headstart_accepted_items"] == 0


def test_files_in_a_form_are_texts_too_and_their_names_mean_nothing(echo):
    body = form(("files", "../../etc/passwd", b"one"), ("files", "/etc/passwd", "zw\u00f6lf Worte".encode()))
    status, _, content = echo.ask("POST", "/predict", body, FORM)
    assert status == 200
    assert [row["label"] for row in json.loads(content)["predictions"]] == ["short", "long"]


def test_pictures_come_as_base64_or_as_files_and_limits_are_told_in_their_place(tmp_path):
    path = tmp_path / "a.png"
    make_image((1, 2, 3), seed=0).save(path)
    model = Answers("image", "classification", CLASSES)
    with running(model, pixels=400) as server:
        large = tmp_path / "large.png"
        make_image((1, 2, 3), seed=0, size=(21, 20)).save(large)
        encoded = [{"base64": base64.b64encode(file.read_bytes()).decode()} for file in (path, large)]
        status, answer = server.predict([*encoded, {"base64": "!!"}, {"base64": ""}])
        assert status == 200
        good, *bad = answer["predictions"]
        assert good == CLASSES
        assert [row["error"].partition(".")[0] for row in bad] == [
            "expected at most 400 pixels, found 21 x 20 (a decompression bomb?)",
            "expected base64, found something else",
            "expected an image, found an empty file (0 bytes)",
        ]
        body = form(("files", "a.png", path.read_bytes()))
        assert json.loads(server.ask("POST", "/predict", body, FORM)[2]) == {"predictions": [CLASSES]}
        assert [item.content for item in model.items] == [path.read_bytes()] * 2


@pytest.mark.parametrize(
    "item", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/", {"path": "/etc/passwd"}, {"url": "http://a/"}]
)
def test_paths_and_addresses_are_not_followed(item):
    with running(Answers("image", "classification", CLASSES)) as server:
        body = json.dumps({"inputs": [item]}).encode()
        status, said = error(server.ask("POST", "/predict", body, JSON))
        assert (status, said) == (
            422,
            'inputs[0]: expected a file\'s bytes, as in {"inputs": [{"base64": "..."}, ...]}; '
            "paths and addresses are not read",
        )


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"inputs": "a"}', b'{"inputs": []}', b'{"inputs": [1]}', b'{"inputs": [["a"]]}',
        b'{"inputs": ["a"], "coverage": 0.5}', b'{"inputs": [NaN]}', b"\xff\xfe", b'{"inputs": ["\xff"]}',
        b"[" * 200_000, b'{"inputs": [' + b"9" * 10_000 + b"]}",
        b'{"inputs": ' + json.dumps(["a"] * 65).encode() + b"}",
    ],
)  # fmt: skip
def test_json_of_another_form_is_refused(echo, body):
    assert error(echo.ask("POST", "/predict", body, JSON))[0] == 422


@pytest.mark.parametrize(
    "body",
    [
        b"", b"hello", b"--X", form(("other", "a", b"x")), form(("files", None, b"x")), form(("files", "a", b"x"))[:-9],
        form(*[("files", "a", b"x")] * 65), form(("files", "a", b"x"), ("more", "b", b"y")),
        b"--X\r\n\r\n\r\n--X--\r\n",
    ],
)  # fmt: skip
def test_forms_of_another_form_are_refused(echo, body):
    assert error(echo.ask("POST", "/predict", body, FORM))[0] == 422


def test_a_form_without_a_boundary_is_refused(echo):
    answer = echo.ask("POST", "/predict", b"x", {"content-type": "multipart/form-data"})
    assert error(answer)[0] == 422


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/octet-stream", None])
def test_bodies_of_another_type_are_refused(echo, kind):
    status, said = error(echo.ask("POST", "/predict", b"x", {} if kind is None else {"content-type": kind}))
    assert status == 415
    assert said.startswith("expected a body of application/json or multipart/form-data, found ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/predict", 405), ("DELETE", "/", 405), ("GET", "/nothing", 404), ("GET", "/static/../_app.py", 404),
     ("GET", "/static/%2e%2e/_app.py", 404), ("GET", "/static//etc/passwd", 404), ("OPTIONS", "/predict", 405)],
)  # fmt: skip
def test_other_paths_and_methods_are_refused_in_the_same_form(echo, method, path, status):
    answer = echo.ask(method, path)
    assert error(answer)[0] == status
    assert "access-control-allow-origin" not in answer[1]


def test_a_body_that_says_it_is_too_large_is_refused_before_it_arrives():
    with running(Echo(), body=1000) as server:
        with raw(server, HEAD + b"Content-Length: 1001\r\n\r\n") as connection:
            assert head(connection) == 413
        assert error(server.ask("POST", "/predict", b"x" * 3000, JSON))[0] == 413  # and it is read to its end
        assert server.predict(["a"])[0] == 200


def test_a_body_in_chunks_is_counted():
    with running(Echo(), body=100_000) as server:
        sent = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        with raw(server, sent + (b"c350\r\n" + b"x" * 50_000 + b"\r\n") * 3) as connection:  # and no end
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.getheader("connection")) == (413, "close")
            assert json.loads(answer.read())["error"].startswith("expected a request of at most 100,000 bytes")
            connection.sendall(b"0\r\n\r\n")
            assert connection.recv(1) == b"", "it is closed"
            answer.close()
        assert eventually(lambda: server.server.guard.held == 0)


def test_bodies_that_would_fill_the_memory_together_are_refused():
    with running(Echo(), body=1000) as server:
        server.server.guard.held = 16 * 1000 - 10
        answer = server.ask("POST", "/predict", json.dumps({"inputs": ["a"]}).encode(), JSON)
        assert error(answer)[0] == 503
        server.server.guard.held = 0


def test_a_slow_body_and_a_slow_head_are_given_up():
    with running(Echo(), seconds=0.4) as server:
        sent = HEAD + b"Content-Length: 50\r\n\r\n{"
        started = time.monotonic()
        with raw(server, sent) as connection:
            assert head(connection) == 408
        with raw(server, b"POST /predict HTTP/1.1\r\nHos") as connection:
            assert head(connection) == 0
        with raw(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") as connection:
            assert head(connection) == 200
            connection.sendall(b"GET /hea")
            assert connection.recv(1 << 16) is not None
            while connection.recv(1 << 16):
                pass
        assert time.monotonic() - started < 10


def test_a_full_queue_answers_503_with_retry_after_and_works_again_later():
    gate = threading.Event()
    model = Echo(gate=gate)
    with running(model, queue=6, items=4) as server:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(server.predict(["a"] * 3)[0])) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert eventually(lambda: server.server.service.accepted == 6)
        answer = server.ask("POST", "/predict", b'{"inputs": ["a"]}', JSON)
        assert error(answer) == (503, "the queue is full (6 items of at most 6). Try again later.")
        assert 1 <= int(answer[1]["retry-after"]) <= 60
        gate.set()
        for thread in threads:
            thread.join(10)
        assert found == [200, 200]
        assert server.predict(["a"])[0] == 200
        assert server.counts()['headstart_items_total{outcome="refused"}'] == 1


def test_an_answer_that_takes_too_long_is_503_and_what_waited_is_dropped():
    gate = threading.Event()
    model = Echo(gate=gate)
    with running(model, seconds=0.3, batch=1) as server:
        answer = server.ask("POST", "/predict", json.dumps({"inputs": ["a", "b", "c"]}).encode(), JSON)
        assert error(answer)[0] == 503
        assert "retry-after" in answer[1]
        assert server.server.service.accepted == 0
        gate.set()
        assert eventually(lambda: server.server.service.waiting == 0)
        assert server.predict(["z"])[0] == 200
        assert model.seen == ["a", "z"]


def test_what_a_client_that_left_has_asked_for_is_dropped():
    gate = threading.Event()
    model = Echo(gate=gate)
    with running(model, batch=1) as server:
        body = json.dumps({"inputs": ["a", "b", "c"]}).encode()
        sent = (
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        connection = raw(server, sent % len(body) + body)
        assert eventually(lambda: len(model.seen) == 1)
        connection.close()
        assert eventually(lambda: server.server.service.accepted == 0)
        gate.set()
        assert server.predict(["z"])[0] == 200
        assert model.seen == ["a", "z"]
        counts = server.counts()
        assert counts['headstart_items_total{outcome="dropped"}'] == 3
        assert counts['headstart_requests_total{route="/predict",status="499"}'] == 1


def test_a_token_guards_predictions_and_counts():
    with running(Echo(), access=Access.at("127.0.0.1", token=TOKEN)) as server:
        for header in (
            None,
            "",
            TOKEN,
            f"Basic {TOKEN}",
            f"Bearer {TOKEN}x",
            "Bearer ",
            f"Bearer {TOKEN[:-1]}",
            "Bearer \xff",
        ):
            headers = {} if header is None else {"authorization": header}
            for method, path in (("POST", "/predict"), ("GET", "/metrics")):
                answer = server.ask(method, path, b'{"inputs": ["a"]}' if method == "POST" else None, JSON | headers)
                assert error(answer)[0] == 401
                assert answer[1]["www-authenticate"].startswith("Bearer")
        assert server.predict(["a"], authorization=f"Bearer {TOKEN}")[0] == 200
        assert server.counts(TOKEN)['headstart_requests_total{route="/predict",status="401"}'] == 8
        for path in ("/", "/health", "/docs", "/openapi.json", "/static/page.js"):
            status, _, body = server.ask("GET", path)
            assert status == 200
            assert TOKEN.encode() not in body
        described = json.loads(server.ask("GET", "/openapi.json")[2])
        assert described["paths"]["/predict"]["post"]["security"] == [{"token": []}]
        assert "security" not in described["paths"]["/health"]["get"]


def test_a_name_that_is_led_here_is_refused(echo):
    for host, status in (
        ("evil.example", 421),
        ("evil.example:80", 421),
        ("", 421),
        ("localhost:1", 200),
        ("[::1]:2", 200),
    ):
        assert echo.ask("GET", "/health", headers={"host": host})[0] == status
    with running(Echo(), access=Access.at("127.0.0.1", token=None, names=["my.proxy"])) as server:
        assert server.ask("GET", "/health", headers={"host": "My.Proxy"})[0] == 200


def test_pages_of_other_sites_are_refused(echo):
    for origin, status in (
        ("http://evil.example", 403), ("null", 403), ("http://[", 403), (f"http://127.0.0.1:{echo.port}", 200),
    ):  # fmt: skip
        assert echo.ask("GET", "/health", headers={"origin": origin})[0] == status


def test_health_says_what_is_served_and_the_limits(echo):
    status, headers, body = echo.ask("GET", "/health")
    document = json.loads(body)
    assert status == 200
    assert (document["status"], document["model"], document["token"]) == ("ok", "echo", False)
    assert document["limits"]["items"] == 64
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_bugs_are_500_without_their_text(echo, monkeypatch):
    monkeypatch.setattr(echo.server.service, "predict", lambda payloads: 1 / 0)
    answer = echo.ask("POST", "/predict", b'{"inputs": ["a"]}', JSON)
    assert error(answer) == (500, "the server failed; its log says why")


def test_many_clients_share_batches():
    model = Echo(seconds=0.005)
    with running(model, batch=8) as server:
        threads = [threading.Thread(target=server.predict, args=([f"{i}"] * 2,)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sum(model.batches) == 24
        assert 1 < max(model.batches) <= 8
        counts = server.counts()
        assert counts["headstart_batch_items_sum"] == 24


def test_a_connection_is_kept_for_the_next_request(echo):
    connection = http.client.HTTPConnection("127.0.0.1", echo.port, timeout=20)
    for _ in range(3):
        connection.request("POST", "/predict", b'{"inputs": ["a"]}', JSON)
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
        assert not answer.will_close
    connection.close()
