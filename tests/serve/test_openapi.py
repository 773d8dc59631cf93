"""A server does what its own OpenAPI says, whatever it is sent."""

import json
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.serve import Access, Limits
from headstart.serve._docs import ERROR, ROWS, describe, example_answer
from tests.serve.conftest import TOKEN, Echo, Running, running
from tests.serve.test_page import CLASSES, Answers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    schemathesis = pytest.importorskip("schemathesis")

EXAMPLES = 25


@pytest.fixture(scope="module", params=["text", "image"])
def server(request):
    model = Echo() if request.param == "text" else Answers("image", "classification", CLASSES)
    with running(model, access=Access.at("127.0.0.1", token=TOKEN), seconds=5) as found:
        yield found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_answer_is_one_that_is_described(server: Running):
    url = f"http://127.0.0.1:{server.port}"
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {operation.path for operation in operations} == {"/predict", "/health", "/metrics"}
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
        def ask(case) -> None:
            answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
            assert answer.status_code < 500, answer.text
            case.validate_response(answer)

        ask()


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_the_example_of_an_answer_is_one_that_is_described(kind):
    jsonschema = pytest.importorskip("jsonschema_rs")
    model = Answers("text", kind)
    model.classes = ("a", "b", "c")
    found = example_answer(model)
    described = describe(model, Limits())["responses"][200]["content"]["application/json"]["schema"]
    jsonschema.validate(described, found)
    assert ERROR["required"] == [*found["predictions"][1]]


VALUES = st.recursive(st.none() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of))
KINDS = ["application/json", "multipart/form-data; boundary=X", "multipart/form-data", "text/plain", "a;;=", ""]


@settings(max_examples=40, suppress_health_check=list(HealthCheck), database=None)
@given(
    body=st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()),
    kind=st.sampled_from(KINDS),
    token=st.sampled_from([TOKEN, "", "x" * 10_000]),
)
def test_odd_requests_are_refused_and_never_a_fault(server, body, kind, token):
    headers = {"content-type": kind, "authorization": f"Bearer {token}"}
    status, answered, content = server.ask("POST", "/predict", body, headers)
    assert status in (200, 401, 413, 415, 422)
    assert (status == 401) == (token != TOKEN)
    assert answered["content-type"] == "application/json"
    json.loads(content)
