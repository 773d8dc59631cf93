"""How ``format-1`` was made; kept to show what is in it."""

import json
import os
import tempfile
from pathlib import Path

from tests.conftest import make_texts

import headstart

HERE = Path(__file__).parent
NEW = ["cat and dog", "cheese with rice", "fog, snow and ice"]

if __name__ == "__main__":
    os.environ["HEADSTART_CACHE"] = tempfile.mkdtemp()
    texts, labels = make_texts(90)
    data = Path(tempfile.mkdtemp()) / "texts.csv"
    data.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    options = headstart.FitOptions(backbones=("toy:text",), offline=True, strategy="probe")
    headstart.fit(data, HERE / "format-1", options=options)
    model = headstart.load(HERE / "format-1").model
    recorded = {"texts": NEW, "probabilities": model.predict_proba(NEW).tolist()}
    (HERE / "format-1.json").write_text(json.dumps(recorded, indent=1) + "\n")
