"""Writing tiny networks in the layouts that users have, and the checks that every family must pass."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from headstart.backbones import Backbone, rebuild
from headstart.data import Sound

WORDS = ["the", "cat", "dog", "sat", "on", "mat", "a", "red", "blue", "bird", "##s", "##ing", "fly", "house", "."]
TEXTS = ["The cat sat on the mat.", "A bird", "", "Dogs flying on a red house " * 6, "the blue cats sitting"]


def write_folder(folder: Path, config: Mapping[str, object], state: Mapping[str, Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")
    return folder


def wordpiece() -> Tokenizer:
    """A lower-casing WordPiece tokenizer like BERT's."""
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


def byte_level() -> Tokenizer:
    """A byte-level tokenizer like GPT-2's, without merges and without special tokens around a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate([*alphabet, "<end>"])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def pictures(count: int = 3) -> list[Image.Image]:
    """Pictures of different shapes."""
    generator = torch.Generator().manual_seed(1)
    sizes = [(61, 40), (33, 90), (50, 50), (200, 31)]
    arrays = [torch.randint(0, 256, (h, w, 3), generator=generator, dtype=torch.uint8) for w, h in sizes[:count]]
    return [Image.fromarray(array.numpy()) for array in arrays]


def sounds() -> list[Sound]:
    """Recordings of different lengths and rates, in one and two channels; one is longer than two seconds."""
    noise = np.random.default_rng(3)
    sizes = [(16_000, (5000,)), (16_000, (16_000,)), (8_000, (20_001,)), (44_100, (9000, 2)), (16_000, (401,))]
    return [Sound((0.2 * noise.standard_normal(shape)).astype(np.float32), rate) for rate, shape in sizes]


def randomise(network: torch.nn.Module) -> torch.nn.Module:
    """Move every weight and statistic away from its initial value, so that a forgotten one shows."""
    generator = torch.Generator().manual_seed(2)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.add_(0.5 * noise if name.endswith("running_var") else 0.1 * (noise - 0.5))
    return network.eval()


def check_chain(backbone: Backbone, items: Sequence[object], expected: Tensor) -> None:
    """Whole equals the library's own forward, every cut equals whole, and so does what is rebuilt."""
    batch = backbone.prepare(items)
    features = backbone.forward(batch)
    assert features.shape == (len(items), backbone.num_features)
    assert features.dtype == torch.float32
    scale = expected.abs().max().clamp(min=1)
    torch.testing.assert_close(features / scale, expected / scale, atol=1e-5, rtol=0)
    for cut in backbone.cuts:
        stored = backbone.forward_to(batch, cut)
        kept = stored.values.clone()
        torch.testing.assert_close(backbone.forward_from(stored, cut), features, atol=1e-5, rtol=1e-5)
        assert torch.equal(stored.values, kept), f"running on from {cut} changed what was stored there"
    assert torch.equal(backbone.forward_views(batch)["last"], features)
    assert not any(parameter.requires_grad for parameter in backbone.network.parameters())
    check_modules(backbone)
    check_rebuilt(backbone, items, features)


def check_modules(backbone: Backbone) -> None:
    """Blocks and tail together name every weight."""
    named = {id(p) for block in backbone.blocks for module in block.modules for p in module.parameters()}
    named |= {id(p) for module in backbone.tail_modules for p in module.parameters()}
    missing = [name for name, p in backbone.network.named_parameters() if id(p) not in named]
    assert set(missing) <= {"cls_token", "pos_embed", "reg_token", "dist_token"}


def check_rebuilt(backbone: Backbone, items: Sequence[object], features: Tensor) -> None:
    """Source, assets and weights are enough, after a trip through JSON."""
    source = json.loads(json.dumps(dict(backbone.source)))
    again = rebuild(source, dict(backbone.assets), backbone.network.state_dict(), name=backbone.name)
    assert torch.equal(again.forward(again.prepare(items)), features)
    assert again.weights_hash == backbone.weights_hash
    assert again.preprocessing_hash == backbone.preprocessing_hash
    assert (again.cuts, again.views, again.modality) == (backbone.cuts, backbone.views, backbone.modality)
