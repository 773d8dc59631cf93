"""A linear head written into transformers' own classes of classifiers, so that they give the same answers.

transformers is not imported here. Its classes for texts read the first token (GPT-2's the last) and put a dense layer
with an activation before their linear layer. Both can be made to change nothing:

* An activation that is x times something symmetrical (GELU, ReLU, SiLU) obeys f(x) - f(-x) = x, so a dense layer that
  gives every score and its negative loses nothing. tanh does not, but near zero it is linear to the last bit of
  float32: scores are made small before it and large again after it, by a power of two, which rounds nothing.
* Where a text's features are the mean over its tokens, one layer is put behind the last. Its queries and keys are zero,
  so its attention averages all real tokens, padded batches included; what it gives the first token is the scores. A
  layer also adds its input and normalises: the scores are made so large that the input vanishes beside them, and a
  constant pattern in the other channels, larger still, makes the normalisation a constant, which is undone.

Nothing is trained for that and nothing approximated beyond rounding in float32; who exports compares the answers. In
float16 these numbers are too large. Networks whose attention adds a table of positions (MPNet) cannot average so, and
the mean over all layers is nowhere inside these classes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import torch
from tokenizers import Tokenizer, normalizers
from torch import Tensor

from headstart.backbones._base import Backbone
from headstart.backbones._transformers import create_with_head
from headstart.backbones._transformers_chains import Network
from headstart.errors import BackboneError

ONNX: Final = "headstart export MODEL -o FOLDER --format onnx keeps any model's answers."
PATTERN: Final = (
    2.0**7
)  # how much larger than the scores the pattern is: they move the norm by 2^-14 of themselves or less
BESIDE: Final = 2.0**28  # how much larger than a layer's input the scores are made: float32 holds 24 bits
SMALL: Final = 2.0**-13  # of what goes into tanh; its cube is below the last bit
SYMMETRICAL: Final = {"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish"}
BERT: Final = {
    "layer": "encoder.layer.{}.",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norms": ("attention.output.LayerNorm", "output.LayerNorm"),
    "count": "num_hidden_layers",
}


@final
@dataclass(frozen=True)
class Layout:
    """Where an architecture has its parts.

    Attributes:
        base: What stands before the names of the network without a head.
        dense: The dense layer before the last.
        last: The linear layer.
        activation: Between the two; None where the configuration says (``pooler_hidden_act``).
        averaging: Names of a layer's parts, where one behind the last can average; else None.
    """

    base: str
    dense: str
    last: str
    activation: str | None
    averaging: Mapping[str, Any] | None = None


ROBERTA: Final = Layout("roberta.", "classifier.dense", "classifier.out_proj", "tanh", BERT)
LAYOUTS: Final[Mapping[str, Layout]] = {
    "bert": Layout("bert.", "bert.pooler.dense", "classifier", "tanh", BERT),
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "electra": Layout("electra.", "classifier.dense", "classifier.out_proj", "gelu", BERT),
    "mpnet": Layout("mpnet.", "classifier.dense", "classifier.out_proj", "tanh"),
    "deberta": Layout("deberta.", "pooler.dense", "classifier", None),
    "deberta-v2": Layout(
        "deberta.", "pooler.dense", "classifier", None, {**BERT, "value": "attention.self.value_proj"}
    ),
    "distilbert": Layout(
        "distilbert.",
        "pre_classifier",
        "classifier",
        "relu",
        {
            "layer": "transformer.layer.{}.",
            "value": "attention.v_lin",
            "out": "attention.out_lin",
            "norms": ("sa_layer_norm", "output_layer_norm"),
            "count": "n_layers",
        },
    ),
}


@final
@dataclass(frozen=True)
class LinearHead:
    """What is written into a network.

    Attributes:
        weights: (K, D).
        bias: (K,).
        labels: K names.
        problem: transformers' name of the task, such as ``single_label_classification``.
        largest: The length of the longest vector of scores seen; what is above is as exact up to hundreds of times it.
    """

    weights: Tensor
    bias: Tensor
    labels: tuple[str, ...]
    problem: str
    largest: float


def sequence_classifier(backbone: Backbone, head: LinearHead) -> Network:
    """Return a classifier of texts of transformers' own class, with a linear head on one row of features per text.

    Args:
        backbone: A text network of transformers, whole, with features of whole texts.
        head: On the view ``last``.

    Returns:
        The network, in evaluation mode.

    Raises:
        BackboneError: The class of this architecture cannot give the same answers.
    """
    kind, pooling = str(backbone.source["config"]["model_type"]), backbone.source["pooling"]
    if kind == "gpt2" and pooling == "last":
        return _last_token(backbone, head)
    layout = LAYOUTS.get(kind)
    if layout is None:
        raise _refusal(f"no way is known to write a head into transformers' classifier of {kind!r}", backbone)
    if pooling not in ("cls", "mean"):
        raise _refusal(f"transformers' classifier of {kind!r} reads the first token, and this model the last", backbone)
    causal = getattr(backbone.network.config, "is_decoder", False)  # the first token sees nothing but itself
    if pooling == "mean" and (layout.averaging is None or causal):
        problem = f"this model averages tokens, and transformers' classifier of {kind!r} cannot"
        raise _refusal(problem, backbone)
    config = dict(backbone.source["config"])
    state = {f"{layout.base}{name}": tensor for name, tensor in backbone.network.state_dict().items()}
    weights, bias = head.weights, head.bias
    if pooling == "mean" and layout.averaging is not None:
        layers = getattr(backbone.network.config, "num_hidden_layers")  # noqa: B009 - DistilBERT maps the name
        config[layout.averaging["count"]] = layers + 1
        weights, bias = _apart(weights, backbone), torch.zeros_like(bias)
    network = create_with_head(config, "sequence", labels=head.labels, problem=head.problem, where=backbone.name)
    if pooling == "mean" and layout.averaging is not None:
        prefix = layout.base + layout.averaging["layer"].format(layers)
        empty = {name: torch.zeros_like(t) for name, t in network.state_dict().items() if name.startswith(prefix)}
        state |= _averaging(empty, prefix, layout.averaging, head, eps=_eps(backbone))
    activation = layout.activation or str(network.config.pooler_hidden_act)
    state |= _through(layout, activation, weights, bias, largest=head.largest, backbone=backbone)
    return _filled(network, state, backbone)


def token_classifier(backbone: Backbone, head: LinearHead) -> Network:
    """Return a classifier of tokens of transformers' own class, with a linear head on every token.

    Args:
        backbone: A text network of transformers, whole.
        head: On the view ``last``; on features of words, which are means of features of tokens, so that the mean of
            the tokens' scores is the word's.

    Returns:
        The network, in evaluation mode.

    Raises:
        BackboneError: There is no such class for this architecture.
    """
    kind = str(backbone.source["config"]["model_type"])
    base = "transformer." if kind == "gpt2" else getattr(LAYOUTS.get(kind), "base", None)
    if base is None:
        raise _refusal(f"no way is known to write a head into transformers' tagger of {kind!r}", backbone)
    config = backbone.source["config"]
    network = create_with_head(config, "tokens", labels=head.labels, problem=head.problem, where=backbone.name)
    state = {f"{base}{name}": tensor for name, tensor in backbone.network.state_dict().items()}
    return _filled(network, state | {"classifier.weight": head.weights, "classifier.bias": head.bias}, backbone)


def write_tokenizer(backbone: Backbone, folder: Path) -> None:
    """Write the tokenizer as transformers' AutoTokenizer reads it, with the limits of the network.

    Args:
        backbone: A text network of transformers.
        folder: An existing folder.
    """
    tokenizer = Tokenizer.from_str(backbone.assets["tokenizer.json"].decode())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if backbone.source["lower"]:
        steps = [normalizers.Lowercase(), *([tokenizer.normalizer] if tokenizer.normalizer else [])]
        tokenizer.normalizer = normalizers.Sequence(steps)
    config = backbone.network.config
    stated = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": backbone.source["window"],
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        "pad_token": tokenizer.id_to_token(padding_of(config)),
    }
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")


def padding_of(config: Any) -> int:
    """Return the id that fills up a batch; GPT-2 has none of its own and takes the end of a text."""
    marks = (config.pad_token_id, config.eos_token_id, config.bos_token_id, 0)
    return next(int(mark) for mark in marks if isinstance(mark, int) and 0 <= mark < config.vocab_size)


def _apart(weights: Tensor, backbone: Backbone) -> Tensor:
    """Return the map that takes the scores out of the first channels."""
    classes, width = weights.shape
    if classes + 3 > width:
        raise _refusal(f"{classes} classes do not fit into {width} channels beside what else must", backbone)
    return torch.eye(classes, width)


def _averaging(
    empty: dict[str, Tensor], prefix: str, names: Mapping[str, Any], head: LinearHead, *, eps: float
) -> dict[str, Tensor]:
    """Fill the layer that averages: the first token's first channels are the scores, the others nothing."""
    classes, width = head.weights.shape
    others = (width - classes - 1) // 2 * 2  # as many up as down
    beside = BESIDE / _power(head.largest)
    height = BESIDE * PATTERN
    empty[f"{prefix}{names['value']}.weight"] = torch.eye(width)
    out, bias = torch.zeros(width, width), torch.zeros(width)
    out[:classes], bias[:classes] = head.weights * beside, head.bias * beside
    out[classes], bias[classes] = -out[:classes].sum(0), -bias[:classes].sum()  # so that all are 0 on average
    bias[classes + 1 : classes + 1 + others] = height * torch.tensor([1.0, -1.0]).repeat(others // 2)
    empty[f"{prefix}{names['out']}.weight"], empty[f"{prefix}{names['out']}.bias"] = out, bias
    first, second = names["norms"]
    empty[f"{prefix}{first}.weight"] = torch.ones(width)
    undone = torch.zeros(width)
    undone[:classes] = height * math.sqrt(others / width) / beside * math.sqrt(1 + eps)
    empty[f"{prefix}{second}.weight"] = undone
    return empty


def _through(
    layout: Layout, activation: str, weights: Tensor, bias: Tensor, *, largest: float, backbone: Backbone
) -> dict[str, Tensor]:
    """Write a linear map into a dense layer, an activation and a linear layer."""
    classes, width = weights.shape
    dense, offset, last = torch.zeros(width, width), torch.zeros(width), torch.zeros(classes, width)
    each = torch.arange(classes)
    if activation == "tanh" and classes <= width:
        scale = SMALL / _power(largest)
        dense[:classes], offset[:classes], last[each, each] = weights * scale, bias * scale, 1 / scale
    elif activation in SYMMETRICAL and 2 * classes <= width:
        dense[:classes], dense[classes : 2 * classes] = weights, -weights
        offset[:classes], offset[classes : 2 * classes] = bias, -bias
        last[each, each], last[each, each + classes] = 1.0, -1.0
    else:
        raise _refusal(f"{classes} scores do not pass its {width} channels and their {activation} unchanged", backbone)
    return {
        f"{layout.dense}.weight": dense,
        f"{layout.dense}.bias": offset,
        f"{layout.last}.weight": last,
        f"{layout.last}.bias": torch.zeros(classes),
    }


def _last_token(backbone: Backbone, head: LinearHead) -> Network:
    """Write a head into GPT-2's, which has no bias: the final norm's, which adds alike to every token, takes it."""
    config = {**backbone.source["config"], "pad_token_id": padding_of(backbone.network.config)}
    network = create_with_head(config, "sequence", labels=head.labels, problem=head.problem, where=backbone.name)
    state = {f"transformer.{name}": tensor for name, tensor in backbone.network.state_dict().items()}
    shift = torch.linalg.lstsq(head.weights.double(), head.bias.double()[:, None]).solution[:, 0]
    state["transformer.ln_f.bias"] = (state["transformer.ln_f.bias"].double() + shift).float()
    return _filled(network, state | {"score.weight": head.weights}, backbone)


def _filled(network: Network, state: Mapping[str, Tensor], backbone: Backbone) -> Network:
    expected = network.state_dict()
    given = {name: tensor.detach().cpu() for name, tensor in state.items()}
    missing, unknown = sorted(expected.keys() - given.keys()), sorted(given.keys() - expected.keys())
    if missing or unknown:
        problem = f"transformers' classifier has other parts than expected: {', '.join((missing + unknown)[:3])}"
        raise _refusal(problem, backbone)
    network.load_state_dict(given)
    return network.eval()


def _eps(backbone: Backbone) -> float:
    return float(getattr(backbone.network.config, "layer_norm_eps", 1e-12))  # DistilBERT's is fixed


def _power(value: float) -> float:
    """Return the power of two at or above a number."""
    return 2.0 ** math.ceil(math.log2(max(value, 2.0**-20)))


def _refusal(problem: str, backbone: Backbone) -> BackboneError:
    return BackboneError(problem, where=backbone.name, fix=ONNX)
