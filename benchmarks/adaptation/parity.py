"""Ours against skada and POT on the same features: do the figures agree?

    python benchmarks/adaptation/parity.py --peers-python PYTHON [--set NAME]

The peers' environment needs skada, which brings POT, and scikit-learn.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from run import pair_of
from sets import SETS, read

from headstart.domain_adaptation import METHODS

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from machine import timed

WAYS = ("coral", "linear_transport", "subspace", "entropic_transport")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the sets")
    parser.add_argument("--weights", type=Path, default=Path("../shared/weights"), help="folder with MobileNetV2")
    parser.add_argument("--peers-python", required=True, help="interpreter that has skada")
    parser.add_argument("--set", action="append", choices=[each.name for each in SETS], help="may be repeated")
    parser.add_argument("--most", type=int, default=2000, help="examples of a domain")
    options = parser.parse_args()
    for each in SETS:
        if each.name not in (options.set or [each.name]):
            continue
        features = read(each, options.data, options.weights)
        names = sorted(set(features.domain))
        pair, truth = pair_of(features, names[0], names[1], most=options.most)
        sizes = f"{len(pair.source)} + {len(pair.target)} examples, {pair.source.shape[1]} features"
        print(f"{each.name}, {names[0]} > {names[1]}: {sizes}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pair.npz"
            moved = {f"moved_{name}": METHODS[name]().rows(pair) for name in WAYS}
            np.savez(path, source=pair.source, y=pair.y, target=pair.target, truth=truth, **moved)
            script = Path(__file__).with_name("reference.py")
            print(timed([options.peers_python, str(script), str(path)], cwd=Path.cwd()).printed, end="", flush=True)


if __name__ == "__main__":
    main()
