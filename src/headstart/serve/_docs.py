"""What can be asked and what comes back: as OpenAPI for programs, and as a page that loads nothing from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from headstart.serve._limits import Limits
from headstart.serve._served import Row, Served

Schema = dict[str, Any]
NUMBER: Final[Schema] = {"type": "number"}
TEXT: Final[Schema] = {"type": "string"}
SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
PROBABILITIES: Final[Schema] = {"type": "object", "additionalProperties": SHARE}
STATUSES: Final = {
    400: "The request is no HTTP that can be read.",
    401: "The token is missing or wrong.",
    403: "A page of another site asks.",
    408: "The body arrives too slowly.",
    413: "The body is too large.",
    415: "The body is neither JSON nor a form.",
    421: "The server is addressed by a name that is none of its own.",
    422: "The body is not of the form that is expected.",
    500: "The server failed.",
    503: "The queue is full, the answer took too long, or the server is stopping; Retry-After says when to come again.",
}


def _object(properties: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None) -> Schema:
    everything = {**properties, **(optional or {})}
    return {"type": "object", "properties": everything, "required": [*properties], "additionalProperties": False}


def _list(of: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": of, **limits}


ERROR: Final = _object({"error": TEXT})
BESIDE: Final[Mapping[str, Schema]] = {"set": _list(TEXT), "abstain": {"type": "boolean"}, "novelty": SHARE}
ROWS: Final[Mapping[str, Schema]] = {
    "classification": _object({"label": TEXT, "probabilities": PROBABILITIES}, optional=BESIDE),
    "multilabel": _object({"labels": _list(TEXT), "probabilities": PROBABILITIES}, optional={"novelty": SHARE}),
    "regression": _object({"value": NUMBER}, optional={"novelty": SHARE}),
    "tagging": _object({"spans": _list(_list({})), "texts": _list(TEXT)}),
    "transcription": _object({"transcript": TEXT, "words": _list(_list({}))}),
}
ITEMS: Final = {"image": "an image", "text": "a text", "audio": "a sound"}
MEANS: Final = {
    "classification": "label is the most probable class. set holds the classes that it may be, abstain says that the "
    "model would rather not answer, novelty is the share of training examples that are less unusual.",
    "multilabel": "labels are those that are more probable than not.",
    "regression": "value is the number predicted.",
    "tagging": "A span is [start, end, type, probability]; offsets count Unicode code points, the end is exclusive.",
    "transcription": "A word is [start, end, word, probability], in seconds.",
}


def describe(served: Served, limits: Limits) -> dict[str, Any]:
    """Describe `/predict` for FastAPI.

    Args:
        served: The model.
        limits: How much may be asked.

    Returns:
        Arguments of the route.
    """
    item = TEXT if served.modality == "text" else _object({"base64": {**TEXT, "contentEncoding": "base64"}})
    many = {"minItems": 1, "maxItems": limits.items}
    body = {
        "application/json": {"schema": _object({"inputs": _list(item, **many)})},
        "multipart/form-data": {"schema": _object({"files": _list({**TEXT, "format": "binary"}, **many)})},
    }
    answer = _object({"predictions": _list({"anyOf": [ROWS[served.kind], ERROR]})})
    responses = {status: {"description": text, **_json(ERROR)} for status, text in STATUSES.items()}
    return {
        "responses": {200: {"description": MEANS[served.kind], **_json(answer)}, **responses},
        "openapi_extra": {"requestBody": {"required": True, "content": body}},
    }


def health() -> dict[Any, Any]:
    """Describe the answers of `/health` for FastAPI."""
    facts = dict.fromkeys(("status", "model", "modality", "kind", "version"), TEXT)
    limits = {"type": "object", "additionalProperties": NUMBER}
    schema = _object({**facts, "promises": _list(TEXT), "limits": limits, "token": {"type": "boolean"}})
    said = {200: "The server takes requests.", 503: "The server is stopping."}
    return {status: {"description": text, **_json(schema)} for status, text in said.items()}


def _json(schema: Schema) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def secure(description: dict[str, Any], *, token: bool) -> None:
    """Add to a description what every route may answer, and the token.

    Args:
        description: OpenAPI; changed.
        token: Whether one is needed.
    """
    for path, methods in description["paths"].items():
        for route in methods.values():
            for status in (400, 403, 421, 500):
                route["responses"].setdefault(str(status), {"description": STATUSES[status], **_json(ERROR)})
            if token and path in ("/predict", "/metrics"):
                route["security"] = [{"token": []}]
                route["responses"]["401"] = {"description": STATUSES[401], **_json(ERROR)}
    if token:
        scheme = {"token": {"type": "http", "scheme": "bearer"}}
        description.setdefault("components", {})["securitySchemes"] = scheme


def page_of(description: Mapping[str, Any], served: Served, limits: Limits, *, token: bool) -> str:
    """Draw a description as a page.

    Args:
        description: OpenAPI.
        served: The model.
        limits: How much may be asked.
        token: Whether one is needed.

    Returns:
        HTML without scripts.
    """
    title = escape(description["info"]["title"])
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{title}</title><link rel="stylesheet" href="/static/page.css">',
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml"></head><body><main class="docs">',
        f"<h1>{title}</h1>",
        '<p><a href="/">Try it</a> · <a href="/openapi.json">OpenAPI</a></p>',
        *(f"<p>{escape(promise)}</p>" for promise in served.promises),
        f"<h2>Example</h2><pre>{escape(_example(served, token=token))}</pre>",
        f"<p>An answer, the figures made up:</p><pre>{escape(json.dumps(example_answer(served), indent=1))}</pre>",
        *_limits(limits),
        *(part for path, methods in description["paths"].items() for part in _routes(path, methods)),
        "</main></body></html>",
    ]
    return "\n".join(parts)


def _example(served: Served, *, token: bool) -> str:
    key = ' -H "Authorization: Bearer $HEADSTART_TOKEN"' if token else ""
    if served.modality == "text":
        data = json.dumps({"inputs": ["A text.", "Another."]})
        return f"curl{key} -H 'Content-Type: application/json' -d '{data}' URL/predict"
    name = "picture.jpg" if served.modality == "image" else "recording.wav"
    return f"curl{key} -F files=@{name} -F files=@another-{name} URL/predict"


def example_answer(served: Served) -> dict[str, Any]:
    """Return an answer to one good item and one that cannot be read, in the model's own names.

    Args:
        served: The model.

    Returns:
        JSON values of the form that the description promises.
    """
    names = list(served.classes)
    shares = {name: 0.9 if name == names[0] else round(0.1 / (len(names) - 1), 4) for name in names}
    rows: dict[str, Row] = {
        "classification": {"label": names[0] if names else "", "probabilities": shares},
        "multilabel": {"labels": names[:1], "probabilities": shares},
        "regression": {"value": 1.5},
        "tagging": {"spans": [[0, 6, "name", 0.93]], "texts": ["A name"]},
        "transcription": {"transcript": "two words", "words": [[0.2, 0.5, "two", 0.97], [0.6, 1.1, "words", 0.91]]},
    }
    error = f"expected {ITEMS[served.modality]}, found something else"
    return {"predictions": [rows[served.kind], {"error": error}]}


def _limits(limits: Limits) -> Iterator[str]:
    said = {
        "Bytes of a request": limits.body,
        "Items of a request": limits.items,
        "Characters of a text": limits.characters,
        "Pixels of a picture": limits.pixels,
        "Seconds of a recording": limits.audio_seconds,
        "Items that wait": limits.queue,
        "Seconds for a request to arrive, and to be answered": limits.seconds,
    }
    yield "<h2>Limits</h2><table>"
    yield from (f"<tr><th scope=row>{escape(what)}</th><td>{value:,}</td></tr>" for what, value in said.items())
    yield "</table>"


def _routes(path: str, methods: Mapping[str, Any]) -> Iterator[str]:
    for method, route in methods.items():
        yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(route.get('description', ''))}</p>"
        for kind, content in route.get("requestBody", {}).get("content", {}).items():
            yield f"<h3>Body: {escape(kind)}</h3><pre>{escape(json.dumps(content['schema'], indent=1))}</pre>"
        for status, answer in sorted(route["responses"].items()):
            yield f"<h3>{escape(status)}</h3><p>{escape(answer['description'])}</p>"
            schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
            if status == "200" and schema.get("properties"):
                yield f"<pre>{escape(json.dumps(schema, indent=1))}</pre>"
