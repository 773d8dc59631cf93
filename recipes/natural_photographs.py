#!/usr/bin/env python3
"""Measure what natural photographs look like, for `headstart.transferability`.

    python recipes/natural_photographs.py tiny-imagenet-32.parquet

Data: the 100,000 training pictures of Tiny ImageNet at 32 x 32 pixels (columns ``image``: JPEG, ``split``), 200 classes
of ImageNet with 500 each. Each is described by 17 numbers. Only their means, spreads and correlations are written, and
the distance from the centre within which 95 of 100 of these pictures lie: no picture, and nothing one could be restored
from. Check: of the 10,000 pictures of its ``val`` part, which were not used, about 5 of 100 must lie outside.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from headstart.transferability._photographs import Reference, Rows, describe, shrink

TARGET = Path(__file__).parent.parent / "src/headstart/transferability/natural_photographs.json"


def described(source: Path, part: str) -> Rows:
    """Describe the pictures of one part."""
    blocks = []
    for batch in pq.ParquetFile(source).iter_batches(5000, columns=["image", "split"]):
        content = [row["image"] for row in batch.to_pylist() if row["split"] == part]
        if content:
            pictures = [shrink(Image.open(io.BytesIO(picture)).convert("RGB")) for picture in content]
            blocks.append(describe(np.stack(pictures)))
    return np.concatenate(blocks)


def main(source: Path) -> None:
    """Write the reference, checked on pictures it was not made from."""
    rows = described(source, "train")
    reference = Reference.measure(rows)
    outside = float(reference.unlike(described(source, "val")).mean())
    if not 0.04 < outside < 0.06:
        sys.exit(f"expected about 5 of 100 held-out photographs outside, found {outside:.1%}")
    stored = {
        "made_by": "recipes/natural_photographs.py",
        "data": "Tiny ImageNet at 32 px, training part; summary numbers only",
        "pictures": len(rows),
        "held_out_outside": round(outside, 4),
        **reference.to_json(),
    }
    TARGET.write_text(json.dumps(stored) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
