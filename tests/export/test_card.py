"""The card of an export: the hub's own parser reads it, and it names no example."""

import ast
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from headstart import export
from headstart.backbones import with_lora
from headstart.export._card import hub_name
from headstart.model import Base
from tests.export.models import image_network, model_on, save, text_network


def card_of(saved, tmp_path: Path, kind: str) -> ModelCard:
    out = tmp_path / "out"
    out.mkdir()
    export.export(saved, out, format=kind)
    return ModelCard.load(out / "README.md")


def test_the_hub_reads_task_metrics_and_library(tmp_path: Path) -> None:
    card = card_of(save(model_on(text_network(tmp_path)), tmp_path), tmp_path, "transformers")
    facts = card.data
    assert (facts.library_name, facts.pipeline_tag, facts.license) == ("transformers", "text-classification", "unknown")
    assert facts.model_name == "my-model"
    assert {each.metric_type: each.metric_value for each in facts.eval_results} == {"accuracy": 0.9, "log_loss": 0.3}
    assert {each.dataset_name for each in facts.eval_results} == {"patients.csv"}
    assert facts.base_model is None


def test_a_reader_finds_intervals_baselines_limits_and_how_it_was_made(tmp_path: Path) -> None:
    text = card_of(save(model_on(text_network(tmp_path)), tmp_path), tmp_path, "transformers").text
    assert "| this model | 0.900 [0.800, 0.950] | |" in text
    assert "| majority class | 0.500 [0.400, 0.600] | 0.400 [0.200, 0.500] |" in text
    assert "cold, hot, warm" in text
    assert "A text of more than 34 tokens is cut off there" in text
    assert "off by 0.020 on average" in text
    assert "torch " in text.rpartition("Exported with")[2]


def test_it_names_no_example_and_no_place_of_this_machine(tmp_path: Path) -> None:
    card = card_of(save(model_on(image_network(tmp_path)), tmp_path), tmp_path, "timm")
    assert "secret" not in str(card)


def test_what_is_not_known_is_said_to_be_unknown(tmp_path: Path) -> None:
    saved = save(model_on(image_network(tmp_path)), tmp_path, test=None, trust=None, baselines=None, chosen=None)
    card = card_of(saved, tmp_path, "timm")
    assert card.data.license == "unknown"
    assert card.data.eval_results is None
    assert "Nothing was measured." in card.text
    assert "Nothing is known of how far its probabilities can be trusted." in card.text


def test_a_licence_that_the_folder_of_the_network_states_is_the_cards(tmp_path: Path) -> None:
    backbone = image_network(tmp_path)
    config = tmp_path / "network" / "config.json"
    config.write_text(config.read_text().replace("{", '{"license": "mit", ', 1))
    assert card_of(save(model_on(backbone), tmp_path), tmp_path, "timm").data.license == "mit"


@pytest.mark.parametrize("kind", ["transformers", "timm", "peft"])
def test_the_code_that_loads_it_is_code(kind: str, tmp_path: Path) -> None:
    backbone = image_network(tmp_path) if kind == "timm" else text_network(tmp_path)
    model = model_on(backbone)
    if kind == "peft":
        adapted = with_lora(backbone, after=None, rank=1, alpha=1, seed=0)
        for parameter in adapted.parameters.values():
            parameter.data += 0.05
        model = model_on(adapted.merge(), base=Base(backbone.name, backbone.weights_hash, ()))
    text = card_of(save(model, tmp_path), tmp_path, kind).text
    code = text.partition("```python\n")[2].partition("```")[0]
    ast.parse(code)
    assert "FOLDER" in code


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hf:org/net@main", "org/net"),
        ("timm:resnet18.a1_in1k#layer2.1", "timm/resnet18.a1_in1k"),
        ("dir:/home/me/net", None),
        ("starter:minilm-l6", None),
    ],
)
def test_only_networks_of_the_hub_are_named_as_the_base(name: str, expected: str | None) -> None:
    assert hub_name(name) == expected
