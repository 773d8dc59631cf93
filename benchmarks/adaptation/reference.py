"""The same ways of adapting by skada and POT, on features that `parity.py` wrote; runs in the peers' environment.

    python benchmarks/adaptation/reference.py FILE.npz

Reads source, y, target and what ours made of the source (moved_NAME); prints, for each way, how far the two lie apart
and what a logistic regression fitted on either gives on the target.
"""

import json
import sys

import numpy as np
from skada import CORALAdapter, EntropicOTMappingAdapter, LinearOTMappingAdapter, SubspaceAlignmentAdapter
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

ADAPTERS = {
    "coral": CORALAdapter(),
    "linear_transport": LinearOTMappingAdapter(),
    "subspace": SubspaceAlignmentAdapter(n_components=64, random_state=0),
    "entropic_transport": EntropicOTMappingAdapter(reg_e=0.05, norm="median"),
}


def domains(adapter, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both domains as the reference has them."""
    both = np.concatenate([source, target]).astype(np.float64)
    where = np.repeat([1, -1], [len(source), len(target)])
    adapted = adapter.fit_transform(both, np.repeat([0, -1], [len(source), len(target)]), sample_domain=where)
    return adapted[: len(source)], adapted[len(source) :]


def answers(rows: np.ndarray, y: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What a logistic regression on the rows says of the target."""
    scaler = StandardScaler().fit(rows)
    model = LogisticRegression(C=0.01, max_iter=5000, tol=1e-6).fit(scaler.transform(rows), y)
    return model.predict(scaler.transform(target))


def main() -> None:
    given = np.load(sys.argv[1])
    source, y, target, truth = (given[name] for name in ("source", "y", "target", "truth"))
    for name, adapter in ADAPTERS.items():
        theirs, there = domains(adapter, source, target)
        ours, here = given[f"moved_{name}"].astype(np.float64), target.astype(np.float64)
        if not np.isfinite(theirs).all():  # the root of a covariance with eigenvalues that rounding made negative
            print(json.dumps({"way": name, "theirs": "not finite"}), flush=True)
            continue
        if name == "subspace":  # in the coordinates of the target's axes there, carried back here
            axes = adapter.pca_target_.components_
            ours, here = (ours - target.mean(axis=0)) @ axes.T, (here - target.mean(axis=0)) @ axes.T
        apart = np.square(ours - ours.mean(axis=0) - theirs + theirs.mean(axis=0)).sum()
        relative = float(np.sqrt(apart / np.square(theirs - theirs.mean(axis=0)).sum()))
        said, told = answers(ours, y, here), answers(theirs, y, there)
        print(
            json.dumps(
                {
                    "way": name,
                    "apart": round(relative, 6),
                    "ours": round(float((said == truth).mean()), 4),
                    "theirs": round(float((told == truth).mean()), 4),
                    "same answers": round(float((said == told).mean()), 4),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
