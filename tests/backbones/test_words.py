"""Features of words: which tokens stand for which word, in which window, against the network run by hand."""

import json
import random
import unicodedata
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from headstart.backbones import Backbone, from_scratch, load, rebuild, with_lora, word_backbone, write_folder
from headstart.data import Document
from headstart.errors import BackboneError, OptionError
from tests.backbones.layouts import byte_level, randomise, wordpiece

CORPUS = [
    "The cats sat on the mat in 東京 and Ärger, naïve façades: internationalization!",
    "Schöne Grüße aus Berlin. Καλημέρα κόσμε, привет мир; שלום עולם",
    "the the the extraordinary dog and cat and bird house fly red blue",
]
HARD = [
    "The cat sat on the mat.",
    "cafe\u0301 nai\u0308ve fa\u00e7ade \ufb01ne \u2460",  # marks that a normaliser joins, a ligature, a circled number
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 the \U0001f44d\U0001f3fd cat",
    "\u05e9\u05dc\u05d5\u05dd, the \u0645\u06cc\u200c\u0631\u0648\u062f cat!",  # right to left
    "a\u00a0cat\tsat\r\non\u3000the  mat ",
    "\u6771\u4eac\u3078 the cat",
    "\u0130stanbul \u0130\u0130 the \u039f\u0394\u039f\u03a3 cat",  # longer in lower case; a sigma at a word's end
    "the [SEP] cat </s> <end> \u2581 sat",  # what looks like a special token
    "a\ud800b the cat",  # half a character
    "",
    " \n",
    "\u200b\u200b",
]
TINY: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 26,
    "vocab_size": 360,
}
IDS: dict[str, int] = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}


def bpe() -> Tokenizer:
    """A byte-level tokenizer like RoBERTa's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet, special = pre_tokenizers.ByteLevel.alphabet(), ["<s>", "<pad>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=350, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS * 5, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def unigram() -> Tokenizer:
    """A cased tokenizer like XLM-R's: SentencePiece over normalised text."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS * 5, trainer)
    around = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=around)
    return tokenizer


GPT2 = {"vocab_size": 360, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 24}
# The tokenizer, the network, the window in tokens, and how many special tokens a window begins and ends with.
FAMILIES: dict[str, tuple[Callable[[], Tokenizer], Any, int, tuple[int, int]]] = {
    "bert": (wordpiece, transformers.BertConfig(**TINY), 26, (1, 1)),
    "xlm-roberta": (unigram, transformers.XLMRobertaConfig(**TINY, **IDS), 24, (1, 1)),
    "roberta": (bpe, transformers.RobertaConfig(**TINY, **IDS), 24, (1, 1)),
    "gpt2": (byte_level, transformers.GPT2Config(**GPT2, bos_token_id=256, eos_token_id=256), 24, (0, 0)),
    "albert": (wordpiece, transformers.AlbertConfig(**TINY, embedding_size=8), 26, (1, 1)),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp(family) / "net", family)


def tiny(folder: Path, family: str) -> Path:
    tokenizer, config = FAMILIES[family][:2]
    randomise(transformers.AutoModel.from_config(config)).save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    return folder


@cache
def network_in(folder: Path) -> Any:
    return transformers.AutoModel.from_pretrained(folder).eval()


def tokens_of(document: Document, offsets: list[tuple[int, int]]) -> list[list[int]]:
    """For every word the numbers of its tokens, by comparing each with each."""
    found = []
    for start, end in document.words:
        own = [i for i, (s, e) in enumerate(offsets) if e > s and s < end and e > start]
        if not own:
            gaps = [max(s - end, start - e) if e > s else 10**9 for s, e in offsets]
            own = [gaps.index(min(gaps))]
        found.append(own)
    return found


def window_for(own: list[int], n: int, room: int, overlap: int) -> tuple[int, int]:
    """Choose a window as the documentation says, from all there are; returns its first token and the one after it."""
    borders = [(0, min(room, n))]
    while borders[-1][1] < n:
        start = borders[-1][0] + room - overlap
        borders.append((start, min(start + room, n)))

    def merit(border: tuple[int, int]) -> tuple[int, float]:
        start, end = border
        held = [token for token in own if start <= token < end]
        left = held[0] - start if start > 0 else np.inf
        right = end - 1 - held[-1] if end < n else np.inf
        return len(held), min(left, right)

    return max((each for each in borders if each[0] <= own[0] < each[1]), key=merit)  # the first of the best


def by_hand(folder: Path, family: str, document: Document, pooling: str, layer: int = -1) -> torch.Tensor:
    """Run the window of every word by itself through transformers' own forward, and pool its tokens."""
    _, _, window, (before, after) = FAMILIES[family]
    # From the file: two trainings of a tokenizer may differ.
    tokenizer, network = Tokenizer.from_file(str(folder / "tokenizer.json")), network_in(folder)
    whole = tokenizer.encode(document.text.replace("\ud800", "\ufffd"), add_special_tokens=False)
    offsets = [(s, s) if token in "▁Ġ" else (s, e) for token, (s, e) in zip(whole.tokens, whole.offsets, strict=True)]
    room, rows, hidden = window - before - after, [], {}
    around = tokenizer.encode("").ids
    for own in tokens_of(document, offsets):
        start, end = window_for(own, len(offsets), room, window // 4)
        if start not in hidden:
            ids = [*around[:before], *whole.ids[start:end], *around[before:]]
            with torch.no_grad():
                found = network(input_ids=torch.tensor([ids]), output_hidden_states=True)
            hidden[start] = (found.last_hidden_state if layer == -1 else found.hidden_states[layer])[0]
        held = [token - start + before for token in own if token < end]
        rows.append(hidden[start][held[:1] if pooling == "first" else held].mean(0))
    return torch.stack(rows) if rows else torch.empty(0, 16)


def features(backbone: Backbone, documents: list[Any]) -> torch.Tensor:
    with torch.no_grad():
        return backbone.forward(backbone.prepare(documents))


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_words_have_the_features_of_their_tokens(folder: Path, family: str, pooling: Any) -> None:
    backbone = word_backbone(load(f"dir:{folder}"), pooling)
    documents = [Document.of_text(text) for text in HARD]
    expected = [by_hand(folder, family, document, pooling) for document in documents]
    for document, rows in zip(documents, expected, strict=True):
        found = features(backbone, [document])
        assert found.shape == (len(document.words), 16)
        torch.testing.assert_close(found, rows, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(features(backbone, documents), torch.cat(expected), atol=1e-5, rtol=1e-5)
    assert torch.equal(features(backbone, HARD), features(backbone, documents)), "plain texts are documents"
    for cut in backbone.cuts:
        stored = backbone.forward_to(backbone.prepare(documents), cut)
        torch.testing.assert_close(backbone.forward_from(stored, cut), torch.cat(expected), atol=1e-5, rtol=1e-5)


def test_long_documents_have_one_row_for_every_word(folder: Path, family: str) -> None:
    n = 5000 if family == "bert" else 300  # by hand every window runs by itself
    long, rng = "internationalizations" * 4, np.random.default_rng(0)
    words = [*rng.choice([*" ".join(CORPUS).split(), "\u200b\x07"], n - 2).tolist(), long, long]
    document = Document.of_words(words)
    backbone = word_backbone(load(f"dir:{folder}"), "mean")
    prepared = backbone.preparer.read([document])[0]
    assert len(prepared) > n / 25, "windows"
    assert backbone.preparer.cost(prepared) == sum(map(len, prepared[:-1]))
    places = prepared[-1]
    assert np.unique(places[:, 2]).tolist() == list(range(n))
    assert all(len(set(places[places[:, 2] == word, 0])) == 1 for word in range(0, n, 50))
    found = features(backbone, [document])
    torch.testing.assert_close(found, by_hand(folder, family, document, "mean"), atol=1e-5, rtol=1e-5)


def test_neighbours_do_not_change_words(folder: Path) -> None:
    backbone = word_backbone(load(f"dir:{folder}"), "mean")
    documents = [Document.of_text(f"{text} " * repeated) for repeated in (1, 9) for text in HARD]
    together = features(backbone, documents)
    torch.testing.assert_close(together, torch.cat([features(backbone, [each]) for each in documents]))
    back = features(backbone, documents[::-1]).split([len(each.words) for each in documents[::-1]])
    torch.testing.assert_close(torch.cat(back[::-1]), together)
    if len(backbone.views) > 1:
        views = backbone.forward_views(backbone.prepare(documents))
        assert torch.equal(views["last"], together)
        layers = [pooled(backbone, documents, cut) for cut in backbone.cuts]
        torch.testing.assert_close(views["mean"], torch.stack(layers).mean(0))


def pooled(backbone: Backbone, documents: list[Document], cut: str) -> torch.Tensor:
    assert backbone.pool is not None
    return backbone.pool(backbone.forward_to(backbone.prepare(documents), cut))


def test_words_without_a_token_take_the_nearest(tmp_path: Path) -> None:
    backbone = word_backbone(load(f"dir:{tiny(tmp_path, 'bert')}"), "mean")
    document = Document.of_words(["\x07", "the", "cats", "\x07", "\x07\x07", "sat"])
    found = features(backbone, [document])
    own = features(backbone, [Document.of_words(["the", "cats", "sat"])])
    last = backbone.forward_to(backbone.prepare([document]), backbone.cuts[-1]).values[0]  # [CLS] the cat ##s sat [SEP]
    expected = torch.stack([own[0], own[0], own[1], last[3], last[4], own[2]])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("family", "place"), [("bert", 0), ("gpt2", 0), ("xlm-roberta", 0)])
def test_words_of_a_document_without_tokens_take_its_first_place(family: str, place: int, tmp_path: Path) -> None:
    backbone = word_backbone(load(f"dir:{tiny(tmp_path, family)}"), "first")
    document = Document("\x07 \x07", ((0, 1), (2, 3)))
    if family != "bert":  # the others have tokens for it
        document = Document("", ((0, 1), (1, 2)))
    first = backbone.forward_to(backbone.prepare([document]), backbone.cuts[-1]).values[0]
    if family != "gpt2":  # which has a norm after its last block
        assert torch.equal(features(backbone, [document]), first[[place, place]])
    assert features(backbone, [document]).shape == (2, 16)


def test_lower_case_outside_the_tokenizer_keeps_offsets(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "gpt2")
    document = Document.of_words(["\u0130\u0130\u0130", "CAT", "\u039f\u0394\u039f\u03a3", "Dog"])
    (folder / "sentence_bert_config.json").write_text(json.dumps({"do_lower_case": True}))
    lowered = word_backbone(load(f"dir:{folder}"), "mean")
    plain = Document.of_words(
        [text.lower() for text in ("\u0130\u0130\u0130", "CAT", "\u039f\u0394\u039f\u03a3", "Dog")]
    )
    assert len(plain.text) > len(document.text)
    assert torch.equal(features(lowered, [document]), features(lowered, [plain]))
    assert lowered.preparer.collate(lowered.preparer.read([document])).words is not None


def test_a_document_of_no_words_has_no_rows(folder: Path) -> None:
    backbone = word_backbone(load(f"dir:{folder}"), "first")
    for documents in (["", " "], ["", "the cat", "", "a dog", ""]):
        words = sum(len(Document.of_text(text).words) for text in documents)
        assert features(backbone, documents).shape == (words, 16)
        for view in backbone.forward_views(backbone.prepare(documents)).values():
            assert view.shape == (words, 16)


def test_what_a_word_backbone_is(folder: Path) -> None:
    plain = load(f"dir:{folder}")
    first, mean = word_backbone(plain, "first"), word_backbone(plain, "mean")
    assert [each.pooling_of_words for each in (plain, first, mean)] == [None, "first", "mean"]
    assert first.network is plain.network
    assert (first.name, first.cuts, first.views) == (plain.name, plain.cuts, plain.views)
    assert first.weights_hash == plain.weights_hash
    assert len({each.preprocessing_hash for each in (plain, first, mean)}) == 3
    assert any("its first token" in note for note in first.notes)
    assert any("mean over its tokens" in note for note in mean.notes)
    assert not any("a text's features" in note for note in first.notes)
    other = word_backbone(first, "mean")
    assert (other.preprocessing_hash, other.notes) == (mean.preprocessing_hash, mean.notes)
    assert torch.equal(features(other, HARD), features(mean, HARD))
    assert mean.preparer.count(HARD) == plain.preparer.count(HARD)  # type: ignore[attr-defined]


def test_an_ordinary_text_network_reads_the_text_of_a_document(folder: Path) -> None:
    plain = load(f"dir:{folder}")
    assert torch.equal(features(plain, [Document.of_text(HARD[0])]), features(plain, HARD[:1]))


def test_it_is_rebuilt_and_written(folder: Path, tmp_path: Path) -> None:
    backbone = word_backbone(load(f"dir:{folder}"), "mean")
    source = json.loads(json.dumps(dict(backbone.source)))
    again = rebuild(source, dict(backbone.assets), backbone.network.state_dict(), name=backbone.name)
    write_folder(backbone, tmp_path / "written")
    for other in (again, load(f"dir:{tmp_path / 'written'}")):
        assert torch.equal(features(other, HARD), features(backbone, HARD))
        assert (other.preprocessing_hash, other.weights_hash) == (backbone.preprocessing_hash, backbone.weights_hash)
        assert "a word's features are the mean over its tokens in the last layer" in other.notes
        assert not any("a text's features" in note for note in other.notes)
        assert other.pooling_of_words == "mean"


def test_it_is_truncated_before_and_after_alike(tmp_path: Path) -> None:
    for family in ("bert", "gpt2"):
        plain = load(f"dir:{tiny(tmp_path / family, family)}")
        after = plain.cuts[1]
        short, other = word_backbone(plain, "mean").truncated(after), word_backbone(plain.truncated(after), "mean")
        assert torch.equal(features(short, HARD), features(other, HARD))
        assert (short.name, short.preprocessing_hash) == (other.name, other.preprocessing_hash)
        again = rebuild(short.source, short.assets, short.network.state_dict(), name=short.name)
        assert torch.equal(features(again, HARD), features(short, HARD))
        assert (again.pooling_of_words, again.cuts) == ("mean", short.cuts)
        torch.testing.assert_close(features(short, HARD), pooled(word_backbone(plain, "mean"), HARD, after))


def test_it_is_copied_drawn_anew_and_adapted(tmp_path: Path) -> None:
    backbone = word_backbone(load(f"dir:{tiny(tmp_path, 'bert')}"), "mean")
    expected = features(backbone, HARD)
    assert torch.equal(features(backbone.copy(after=backbone.cuts[0]), HARD), expected)
    fresh = from_scratch(backbone, seed=0)
    assert fresh.pooling_of_words == "mean"
    assert features(fresh, HARD).shape == expected.shape
    lora = with_lora(backbone, after=backbone.cuts[1], rank=2, alpha=2, seed=0)
    torch.testing.assert_close(features(lora.backbone, HARD), expected)
    torch.testing.assert_close(features(lora.merge(), HARD), expected)


def test_gradients_reach_the_network_through_every_word(tmp_path: Path) -> None:
    backbone = word_backbone(load(f"dir:{tiny(tmp_path, 'bert')}"), "mean").copy(after=None)
    backbone.network.requires_grad_(requires_grad=True)
    backbone.forward(backbone.prepare(HARD)).square().sum().backward()
    assert all(bool(p.grad.any()) for p in backbone.blocks[-1].modules[0].parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["toy:image", "toy:audio"])
def test_only_texts_have_words(name: str) -> None:
    with pytest.raises(BackboneError, match="no tokenizer that tells where the words") as error:
        word_backbone(load(name), "first")
    assert error.value.fix


def test_a_network_of_the_users_own_has_no_words() -> None:
    network = Backbone.from_module(
        [("a", torch.nn.Linear(3, 2))], lambda text: torch.ones(3) * len(text), modality="text"
    )
    with pytest.raises(BackboneError, match="no tokenizer"):
        word_backbone(network, "mean")


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(OptionError, match="expected a pooling of words, found 'last'") as error:
        word_backbone(load("toy:text"), "last")  # type: ignore[arg-type]
    assert error.value.fix == "Write first or mean."


def test_the_toy_has_windows_and_pieces_of_words() -> None:
    plain = load("toy:text")
    first, mean = word_backbone(plain, "first"), word_backbone(plain, "mean")
    document = Document.of_words([f"w{i}" if i % 3 else f"internationalization{i}" for i in range(200)])
    assert features(mean, [document]).shape == (200, 16)
    assert len(mean.preparer.read([document])[0]) > 5
    assert torch.equal(features(mean, [document])[1], features(first, [document])[1])
    assert not torch.equal(features(mean, [document])[0], features(first, [document])[0])
    assert not torch.equal(features(mean, [document])[1], features(plain, [document])[0])
    assert torch.equal(features(word_backbone(mean, "first"), [document]), features(first, [document]))
    again = rebuild(mean.source, mean.assets, mean.network.state_dict())
    assert torch.equal(features(again, [document]), features(mean, [document]))
    assert mean.preparer.count(["a internationalization"]).tokens == 4  # type: ignore[attr-defined]
    assert from_scratch(mean, seed=1).pooling_of_words == "mean"


NORMALISERS: dict[str, tuple[Any, Callable[[str], str]]] = {
    "none": (None, str),
    "NFC": (normalizers.NFC(), partial(unicodedata.normalize, "NFC")),
    "NFKD": (normalizers.NFKD(), partial(unicodedata.normalize, "NFKD")),
    "lower": (normalizers.Lowercase(), lambda word: "".join(map(str.lower, word))),
    "lower outside": (None, str.lower),
}
PARTS = [*"abZ9_.,!'-", " ", "\t", "\r\n", "\u00a0", "\u3000", "e\u0301", "\u00e9", "o\u0323\u0302", "\ufb01", "\u0130"]
PARTS += ["\u05e9\u05dc", "\u0645\u06cc\u200c\u0631", "\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\u6771"]


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_the_tokens_of_a_word_spell_it(normaliser: str, tmp_path: Path) -> None:
    inside, spelt = NORMALISERS[normaliser]
    tokenizer = byte_level()
    if inside is not None:
        tokenizer.normalizer = inside
    folder, config = tmp_path / "net", transformers.GPT2Config(**{**GPT2, "n_positions": 400})
    transformers.GPT2Model(config).save_pretrained(folder)  # its window holds all of a document
    tokenizer.save(str(folder / "tokenizer.json"))
    if normaliser == "lower outside":
        (folder / "sentence_bert_config.json").write_text(json.dumps({"do_lower_case": True}))
    preparer = word_backbone(load(f"dir:{folder}"), "mean").preparer
    rng = random.Random(0)
    for _ in range(60):
        document = Document.of_text("".join(rng.choices(PARTS, k=rng.randint(1, 12))))
        *windows, places = preparer.read([document])[0]
        for number, (start, end) in enumerate(document.words):
            ids = [int(windows[window][token]) for window, token, word in places if word == number]
            assert tokenizer.decode(ids) == spelt(document.text[start:end])


def test_some_rows_of_a_batch_keep_their_words() -> None:
    backbone = word_backbone(load("toy:text"), "mean")
    documents = [Document.of_words([f"extraordinary{i}-{j}" for j in range(i % 4)]) for i in range(9)]
    batch, sizes = backbone.prepare(documents), [i % 4 for i in range(9)]
    rows = features(backbone, documents).split(sizes)
    for chosen in ([8, 2, 5], [4, 0], [3], list(range(9))):
        part = batch.at(torch.tensor(chosen))
        torch.testing.assert_close(backbone.forward(part), torch.cat([rows[i] for i in chosen]))
    torch.testing.assert_close(backbone.forward(batch.at(slice(2, 6))), torch.cat(rows[2:6]))


def test_a_written_folder_with_another_pooling_is_refused(tmp_path: Path) -> None:
    write_folder(word_backbone(load("toy:text"), "first"), tmp_path / "written")
    record = tmp_path / "written" / "backbone.json"
    record.write_text(record.read_text().replace('"words": "first"', '"words": "last"'))
    with pytest.raises(BackboneError, match=r"source.words is 'last'"):
        load(f"dir:{tmp_path / 'written'}")
