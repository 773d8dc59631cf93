"""The items of a JSON request. Names of files and addresses are never followed: an item is the thing itself."""

import base64
import binascii
import json
from typing import Any, Final

from headstart.errors import DataError
from headstart.serve._refusals import Refused
from headstart.serve._served import Payload

TEXT_FORM: Final = '{"inputs": ["a text", ...]}'
FILE_FORM: Final = '{"inputs": [{"base64": "..."}, ...]}'


def payloads_of(body: bytes, *, modality: str, most: int) -> list[Payload | DataError]:
    """Read the items of a JSON document.

    Args:
        body: The document.
        modality: What the model takes.
        most: How many items it may have.

    Returns:
        Its items, or what is wrong with one, in its place.

    Raises:
        Refused: 422, it is of another form.
    """
    form = TEXT_FORM if modality == "text" else FILE_FORM
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else _reason(error)
        raise Refused(422, f"expected JSON such as {form}, found none ({reason})") from None
    if not isinstance(document, dict) or list(document) != ["inputs"] or not isinstance(document["inputs"], list):
        raise Refused(422, f"expected {form} and nothing else")
    inputs = document["inputs"]
    if not 1 <= len(inputs) <= most:
        raise Refused(422, f"expected 1 to {most} inputs, found {len(inputs)}")
    read = _text if modality == "text" else _file
    return [read(value, number, form) for number, value in enumerate(inputs)]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}"
    return "it is not UTF-8" if isinstance(error, UnicodeError) else "a value in it is none of JSON's"


def _text(value: Any, number: int, form: str) -> str:
    if not isinstance(value, str):
        raise Refused(422, f"inputs[{number}]: expected a text, as in {form}")
    return value


def _file(value: Any, number: int, form: str) -> bytes | DataError:
    if not isinstance(value, dict) or list(value) != ["base64"] or not isinstance(value["base64"], str):
        raise Refused(422, f"inputs[{number}]: expected a file's bytes, as in {form}; paths and addresses are not read")
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, ValueError):
        return DataError("expected base64, found something else", fix="Encode the file's bytes, without line breaks.")
