"""The routes. The only file that imports fastapi and starlette."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from headstart.errors import DataError
from headstart.serve._docs import describe, health, page_of, secure
from headstart.serve._guard import App
from headstart.serve._metrics import CONTENT_TYPE, Metrics
from headstart.serve._payloads import payloads_of
from headstart.serve._refusals import Refused
from headstart.serve._served import Payload, Row
from headstart.serve._service import Service

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
STATIC: Final = {
    "page.js": "text/javascript",
    "recorder.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}
PART: Final = "files"


class _InMemory(MultiPartParser):
    """Keeps files in memory, whose size is limited before; what users send is not written to disk."""

    spool_max_size = 2**62

    def close(self) -> None:
        """Close all files, also of a form that was cut off."""
        for file in self._files_to_close_on_error:
            file.close()


def build(service: Service, metrics: Metrics, *, token: bool) -> App:
    """Make the routes.

    Args:
        service: Answers.
        metrics: Counts.
        token: Whether requests need one, for the descriptions.

    Returns:
        An ASGI application; `Guard` belongs around it.
    """
    served = service.served
    app = FastAPI(
        title=f"{served.name}: {served.modality} {served.kind}",
        version=version("headstart"),
        description="A model served by Headstart.",
        docs_url=None,
        redoc_url=None,
    )
    _errors(app)
    _pages(app, service, token=token)

    @app.post("/predict", response_class=_Answer, **describe(served, service.limits))
    async def predict(request: Request) -> Response:
        """Answer every input, in order; one that fails becomes an error in its place."""
        payloads = await _payloads(request, service)
        try:
            rows = await _unless_gone(request, service.predict(payloads))
        except Refused:
            metrics.items("refused", len(payloads))
            raise
        if rows is None:
            metrics.items("dropped", len(payloads))
            raise ClientDisconnect
        metrics.rows(rows)
        return _Answer({"predictions": rows})

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics_(request: Request) -> Response:  # noqa: ARG001  (FastAPI tells routes by their signatures)
        """Counts in the text format of Prometheus."""
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    secure(app.openapi(), token=token)
    return app


class _Answer(Response):
    """JSON in which letters of any language stay as they are."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _pages(app: FastAPI, service: Service, *, token: bool) -> None:
    served, folder = service.served, files("headstart.serve") / "page"
    static = {name: ((folder / name).read_bytes(), kind) for name, kind in STATIC.items()}
    index = (folder / "index.html").read_bytes()
    facts = {
        "model": served.name,
        "modality": served.modality,
        "kind": served.kind,
        "promises": list(served.promises),
        "limits": service.limits.to_dict(),
        "token": token,
        "version": version("headstart"),
    }

    @app.get("/health", response_class=_Answer, responses=health())
    async def health_() -> Response:
        """Say whether the server takes requests (503 where it is stopping), what it serves, and its limits."""
        status = "stopping" if service.stopping else "ok"
        return _Answer({"status": status, **facts}, status_code=503 if service.stopping else 200)

    @app.get("/", include_in_schema=False)
    async def try_it() -> Response:
        return Response(index, media_type="text/html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return Response(page_of(app.openapi(), served, service.limits, token=token), media_type="text/html")

    @app.get("/static/{name}", include_in_schema=False)
    async def static_file(name: str) -> Response:
        if name not in static:
            raise HTTPException(404)
        content, kind = static[name]
        return Response(content, media_type=kind)


def _errors(app: FastAPI) -> None:
    """Give every error one form."""

    def error(status: int, message: str, headers: Any = None) -> Response:
        return _Answer({"error": message}, status_code=status, headers=headers)

    @app.exception_handler(Refused)
    async def refused(_: Request, found: Refused) -> Response:
        return error(found.status, found.message, found.headers)

    @app.exception_handler(HTTPException)
    async def of_route(_: Request, found: HTTPException) -> Response:
        said = {404: "there is nothing here; see /docs", 405: "this is asked with another method; see /docs"}
        return error(found.status_code, said.get(found.status_code, str(found.detail)), found.headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return error(499, "the client has left")

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:
        return error(500, "the server failed; its log says why")


async def _payloads(request: Request, service: Service) -> list[Payload | DataError]:
    """Read the items of a request, in whichever form they come."""
    modality, most = service.served.modality, service.limits.items
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        body = b"".join([chunk async for chunk in request.stream()])
        return payloads_of(body, modality=modality, most=most)
    if kind == FORM:
        return await _files(request, most)
    raise Refused(415, f"expected a body of {JSON} or {FORM}, found {kind[:100] or 'no Content-Type'}")


async def _files(request: Request, most: int) -> list[Payload | DataError]:
    parser = _InMemory(request.headers, _chunks(request), max_files=most, max_fields=0)
    try:
        parts = (await parser.parse()).multi_items()
        found = [part for name, part in parts if name == PART and isinstance(part, UploadFile)]
        if not found or len(found) < len(parts):
            raise Refused(422, f"expected 1 to {most} parts called {PART!r} with a file each, and nothing else")
        return [await part.read() for part in found]
    except MultiPartException as error:
        raise Refused(422, f"expected 1 to {most} files in a form: {error.message.rstrip('.')}") from None
    finally:
        parser.close()


async def _chunks(request: Request) -> Any:
    stream: AsyncIterator[bytes] = request.stream()
    async for chunk in stream:
        yield chunk


async def _unless_gone(request: Request, rows: Awaitable[list[Row]]) -> list[Row] | None:
    """Wait for an answer, or for the client to leave: then what it asked for is dropped."""
    answering = asyncio.ensure_future(rows)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await answering if answering.done() else None
    finally:
        for task in (answering, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Refused):
                await task


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
