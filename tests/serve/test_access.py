import socket

import pytest

from headstart.errors import MissingExtraError, OptionError
from headstart.serve import Access, Address, Exported, Limits, read_token
from headstart.serve import _running as running_module
from headstart.serve._access import TOKEN_VARIABLE, host_of, is_loopback
from tests.conftest import make_image
from tests.data.sounds import noise, write_sound
from tests.serve.conftest import TOKEN


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("LocalHost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.0.2", False), ("localhost.evil.example", False)],
)  # fmt: skip
def test_which_addresses_only_this_machine_reaches(host, own):
    assert is_loopback(host) == own


@pytest.mark.parametrize(
    ("header", "name"),
    [("a:80", "a"), ("A", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", ""), ("[", ""), (":80", "")],
)
def test_the_name_in_a_host_header(header, name):
    assert host_of(header) == name


def test_others_are_let_in_with_a_token_or_where_that_is_said():
    with pytest.raises(OptionError, match="there is no token"):
        Access.at("0.0.0.0", token=None)
    assert Access.at("0.0.0.0", token=TOKEN).hosts is None
    assert Access.at("0.0.0.0", token=None, open_to_all=True).token is None
    assert Access.at("10.0.0.1", token=TOKEN, names=["A.example"]).hosts == {"10.0.0.1", "a.example"}


def test_the_token_is_not_shown():
    assert TOKEN not in repr(Access(TOKEN))


def test_the_token_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert read_token(None) is None
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert read_token(None) == TOKEN
    file = tmp_path / "token"
    file.write_text("another-token-of-many\n")
    assert read_token(file) == "another-token-of-many"


@pytest.mark.parametrize(
    "content", [b"", b"short", b"two words of a token", "schl\u00fcssel-von-sechzehn".encode(), b"a\nb" * 9]
)
def test_what_is_no_token_is_refused(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(OptionError) as caught:
        read_token(tmp_path / "token")
    assert caught.value.where == str(tmp_path / "token")
    assert "secrets.token_urlsafe" in caught.value.fix


def test_a_token_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OptionError, match="No such file"):
        read_token(tmp_path / "none")


def test_a_taken_address_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OptionError, match="cannot listen at 127.0.0.1"):
            Address("127.0.0.1", other.getsockname()[1]).bind()
    with pytest.raises(OptionError, match="cannot listen"):
        Address("no.such.name.invalid", 1).bind()


def test_limits_are_above_0_and_the_queue_holds_a_request():
    with pytest.raises(OptionError, match="above 0 of body"):
        Limits(body=0)
    with pytest.raises(OptionError, match="a queue that holds the 64 items"):
        Limits(queue=63)


def test_a_package_that_is_missing_is_named_with_what_to_type(monkeypatch):
    def missing(name):
        raise ImportError("no module", name="uvicorn.config")

    monkeypatch.setattr(running_module, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'headstart\[serve\]'"):
        running_module.check_installed()

    def broken(name):
        raise ImportError("a fault of ours", name="headstart.nothing")

    monkeypatch.setattr(running_module, "import_module", broken)
    with pytest.raises(ImportError, match="a fault of ours"):
        running_module.check_installed()


class Runtime:
    """What an export offers."""

    kind, classes, promises = "classification", ("a", "b"), ("kept",)

    def __init__(self, modality):
        self.modality = modality

    def read(self, payload):
        return payload

    def answer(self, items):
        return [{"label": "a", "probabilities": {"a": 1.0, "b": 0.0}} for _ in items]


def test_an_export_is_served_within_the_same_limits(tmp_path):
    served = Exported(Runtime("text"), name="export")
    assert (served.name, served.classes, served.promises) == ("export", ("a", "b"), ("kept",))
    assert served.read(b"hello", Limits()) == "hello"
    assert served.answer(["hello"])[0]["label"] == "a"
    for payload, message in (("", "an empty one"), ("x" * 11, "at most 10 characters")):
        with pytest.raises(ValueError, match=message):
            served.read(payload, Limits(characters=10))
    make_image((1, 2, 3), seed=0).save(tmp_path / "a.png")
    picture = (tmp_path / "a.png").read_bytes()
    assert Exported(Runtime("image"), name="e").read(picture, Limits()).content == picture
    assert Exported(Runtime("image"), name="e").read(picture, Limits(pixels=100)).most_pixels == 100
    with pytest.raises(ValueError, match="found a text"):
        Exported(Runtime("image"), name="e").read("text", Limits())
    sound = write_sound(tmp_path / "a.wav", noise(2.0)).read_bytes()
    assert Exported(Runtime("audio"), name="e").read(sound, Limits()).content == sound
    assert Exported(Runtime("audio"), name="e").read(sound, Limits(audio_seconds=1)).most_seconds == 1
