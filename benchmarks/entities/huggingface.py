"""The arm "huggingface": transformers' usual recipe for token classification, all weights fine-tuned.

    python huggingface.py FOLDER --weights MINILM --seed 0 --threads 2

The label of a word stands on its first sub-token, the others do not count; learning rate 5e-5 with a linear schedule
and 10 % warm-up, batches of 16, weight decay 0.01, the longer of 5 epochs and 300 steps. A word's prediction is the
most probable tag on its first sub-token. Sentences are cut at the tokenizer's limit; words beyond it, and words of
which the tokenizer leaves nothing, are outside every entity and counted as lost. The clock covers `Trainer.train`
alone: the sentences are tokenised before. Prints one JSON document.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from sets import Part, read, types_of
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BatchEncoding,
    DataCollatorForTokenClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    logging,
    set_seed,
)

BATCH = 16
EPOCHS = 5
FEWEST_STEPS = 300
NOT_COUNTED = -100


def run(folder: Path, *, weights: str, seed: int) -> dict:
    set_seed(seed)
    train, test = (read(folder / f"{part}.conll") for part in ("train", "test"))
    names = ["O", *(f"{mark}-{name}" for name in types_of(train) for mark in "BI")]
    tokenizer = AutoTokenizer.from_pretrained(weights)
    model = AutoModelForTokenClassification.from_pretrained(
        weights, num_labels=len(names), id2label=dict(enumerate(names)), label2id={t: i for i, t in enumerate(names)}
    )
    encoded, unseen = tokenized(tokenizer, train), tokenized(tokenizer, test)
    steps = max(EPOCHS * -(-len(train) // BATCH), FEWEST_STEPS)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model,
            arguments(scratch, seed, steps=steps),
            data_collator=DataCollatorForTokenClassification(tokenizer),
            train_dataset=rows(encoded, train, names),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        best = trainer.predict(rows(unseen)).predictions.argmax(-1)
    firsts = [first_tokens(unseen.word_ids(i)) for i in range(len(test))]
    predicted = [
        [names[best[i, first[word]]] if word in first else "O" for word in range(len(sentence.words))]
        for i, (sentence, first) in enumerate(zip(test, firsts, strict=True))
    ]
    lost = {"lost_in_training": lost_words(encoded, train), "lost_in_test": lost_words(unseen, test)}
    return {"adaptation_seconds": seconds, "steps": steps, **lost, "predictions": predicted}


def tokenized(tokenizer, part: Part) -> BatchEncoding:
    return tokenizer([list(sentence.words) for sentence in part], is_split_into_words=True, truncation=True)


def first_tokens(word_ids: Sequence[int | None]) -> dict[int, int]:
    """Return the place of every word's first sub-token."""
    places = [(word, place) for place, word in enumerate(word_ids) if word is not None]
    return dict(reversed(places))


def rows(encoded: BatchEncoding, part: Part = (), names: Sequence[str] = ()) -> list[dict]:
    """Return what the collator takes, with labels where sentences are given."""
    found = [{key: values[i] for key, values in encoded.items()} for i in range(len(encoded["input_ids"]))]
    for i, sentence in enumerate(part):
        labels = [NOT_COUNTED] * len(found[i]["input_ids"])
        for word, place in first_tokens(encoded.word_ids(i)).items():
            labels[place] = names.index(sentence.tags[word])
        found[i]["labels"] = labels
    return found


def lost_words(encoded: BatchEncoding, part: Part) -> int:
    return sum(len(sentence.words) - len(first_tokens(encoded.word_ids(i))) for i, sentence in enumerate(part))


def arguments(scratch: str, seed: int, *, steps: int) -> TrainingArguments:
    return TrainingArguments(
        scratch,
        max_steps=steps,
        learning_rate=5e-5,
        lr_scheduler_type="linear",
        warmup_steps=0.1,  # below 1: the share of all steps
        weight_decay=0.01,
        per_device_train_batch_size=BATCH,
        per_device_eval_batch_size=32,
        seed=seed,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    print(json.dumps(run(options.folder, weights=options.weights, seed=options.seed)))
