"""Texts that were encoded twice are found, and others are left in peace."""

from pathlib import Path

import pytest

from headstart.data import Dataset, Document, inspect
from headstart.data._encoding import about_encoding, repaired

RIGHT = ["La Coruña", "Barberà del Vallès", "Straße", "naïve café", "Москва", "東京", "it’s – quoted “so”", "Ångström"]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("text", RIGHT)
def test_what_was_encoded_twice_is_put_right(text: str, encoding: str) -> None:
    try:
        wrong = text.encode().decode(encoding)
    except UnicodeDecodeError:
        pytest.skip("not a text that this encoding can hold")
    found = repaired(wrong)
    assert found is not None
    assert found[1] in text


@pytest.mark.parametrize("text", [*RIGHT, "plain", "", "Â", "Ã gran velocità", "São Paulo – Ã", "€ 5, 20 °C, ½"])
def test_what_is_right_stays(text: str) -> None:
    assert repaired(text) is None


def test_the_finding_names_the_first_and_how_many() -> None:
    wrong = "La Coruña".encode().decode("latin-1")
    items = (Document.of_text("Madrid"), Document.of_text(wrong), Document.of_text(wrong))
    (found,) = about_encoding(Dataset("text", items, ("a:1", "a:2", "a:3"), kind="tagging"))
    assert (found.kind, found.severity, found.where) == ("encoded-twice", "warning", "a:2")
    assert found.found == "2 texts look like UTF-8 that was encoded twice, such as 'CoruÃ±a' for 'Coruña'"
    assert "iconv -f UTF-8 -t LATIN1" in found.fix
    assert about_encoding(Dataset("image", (), ())) == about_encoding(Dataset("text", ("Coruña",), ("b:1",))) == []


@pytest.mark.shared
def test_real_data_in_spanish_is_found_out(shared: Path) -> None:
    found = inspect(shared / "data" / "ner" / "conll2002-es").findings
    assert "encoded-twice" in {each.kind for each in found}
