"""Adapters that ``peft.PeftModel.from_pretrained(base, FOLDER)`` loads beside the pretrained network, and the head."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from numpy.typing import NDArray

from headstart import backbones
from headstart.artifact import Artifact
from headstart.backbones import Backbone, read_adapters, write_adapters, write_tensors
from headstart.data import Item
from headstart.errors import ArtifactError
from headstart.export._base import FIX, Written, labels_of, linear_head
from headstart.linear import LINKS, LinearModel
from headstart.model import AdaptedModel

HEAD: Final = "head.safetensors"
BASES: Final = {
    "transformers": """from transformers import AutoModel, AutoTokenizer

base = AutoModel.from_pretrained("{base}"){where}
tokenizer = AutoTokenizer.from_pretrained("{base}")""",
    "timm": """import timm

base = timm.create_model("{base}", pretrained=True, num_classes=0){where}""",
}
LOAD: Final = """import torch
from peft import PeftModel
from safetensors.torch import load_file
{base}
model = PeftModel.from_pretrained(base, "{folder}").eval()
head = load_file("{folder}/head.safetensors")
labels = {labels}

{features}
scores = features @ head["weight"].T + head["bias"]
"""
TOKENS: Final = """inputs = tokenizer(["a text"], padding=True, truncation=True, return_tensors="pt")
with torch.inference_mode():
    tokens = model(**inputs).last_hidden_state
mask = inputs["attention_mask"]
features = {pooled}"""
POOLED: Final = {
    "mean": "(tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)",
    "cls": "tokens[:, 0]",
    "last": "tokens[torch.arange(len(tokens)), mask.sum(1) - 1]",
    "words": "tokens[0]  # those of the tokens; {note}",
}
PICTURES: Final = """# pictures: (N, C, H, W), prepared as timm's configuration of the base says
with torch.inference_mode():
    features = model(pictures)"""


def write(saved: Artifact, folder: Path) -> Written:
    """Write what training changed as low-rank adapters, and the head beside them.

    Args:
        saved: A model that LoRA adapted.
        folder: An existing folder.

    Returns:
        What was written.

    Raises:
        ArtifactError: Its network was not adapted, or its head is none that a linear layer holds.
        BackboneError: The pretrained network cannot be loaded, or was changed by more than low ranks.
    """
    model = saved.model
    if model.base is None:
        problem = "its network is the pretrained one, frozen: there is nothing to adapt"
        raise ArtifactError(problem, where=str(saved.folder), fix=f"Fit with --strategy lora, or choose another: {FIX}")
    if model.backbone.source.get("library") not in BASES:
        problem = f"its network comes from {model.backbone.source.get('library')}, whose users have no peft"
        raise ArtifactError(problem, where=str(saved.folder), fix=FIX)
    head = linear_head(model, "peft")
    pretrained = _pretrained(model)
    base = _public(model.base.name)
    adapters = write_adapters(pretrained, model.backbone, base=base, folder=folder)
    tensors = {"weight": torch.from_numpy(head.weights), "bias": torch.from_numpy(head.bias)}
    write_tensors(folder / HEAD, tensors)
    return Written(
        answers=lambda items: _answers(model, pretrained, folder, items),
        library="peft",
        load=_code(model, base),
        call='PeftModel.from_pretrained(base, "{folder}")',
        limits=(
            f"peft has no head of such features: {HEAD} holds it, a linear layer.",
            f"The base network must be exactly {model.base.name} (weights {model.base.weights_hash[:12]}).",
        ),
        facts={"rank": adapters.rank, "layers": len(adapters.layers), "left_out": adapters.left_out},
    )


def _pretrained(model: AdaptedModel) -> Backbone:
    """Load what training started from; its answers need it, and so do the users of the adapters."""
    assert model.base is not None
    found = backbones.load(model.base.name, offline=True)
    if found.weights_hash != model.base.weights_hash:
        problem = f"expected weights {model.base.weights_hash[:12]}, found {found.weights_hash[:12]}"
        raise ArtifactError(problem, where=model.base.name, fix="Find the weights that the model was fitted from.")
    return found


def _answers(model: AdaptedModel, pretrained: Backbone, folder: Path, items: Sequence[Item]) -> NDArray[Any]:
    """Answer by the pretrained network with the adapters that peft has read, and by the head that was written."""
    state = read_adapters(pretrained, folder)
    adapted = backbones.rebuild(model.backbone.source, model.backbone.assets, state, name=model.backbone.name)
    head = backbones.read_tensors(folder / HEAD)
    linear = LinearModel(head["weight"].numpy(), head["bias"].numpy(), link=LINKS[model.task.kind])
    return AdaptedModel(adapted, linear, model.task, model.view).outputs(items)


def _public(name: str) -> str:
    """Return how the libraries call a network: ``org/model``, a folder, or timm's name."""
    scheme, _, target = name.partition(":")
    return name if scheme in ("starter", "toy") else target


def _code(model: AdaptedModel, base: str) -> str:
    backbone = model.backbone
    at_hand = base.startswith("starter:")
    return LOAD.format(
        base=BASES[str(backbone.source["library"])].format(
            base="PATH" if at_hand else base, where=f"  # headstart models path {base}" if at_hand else ""
        ),
        folder="{folder}",
        labels=list(labels_of(model)),
        features=PICTURES if backbone.modality == "image" else TOKENS.format(pooled=_pooled(backbone)),
    )


def _pooled(backbone: Backbone) -> str:
    if backbone.one_row:
        return POOLED[backbone.source["pooling"]]
    return POOLED["words"].format(note=backbone.notes[-1])
