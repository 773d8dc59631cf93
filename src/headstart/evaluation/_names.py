"""What metrics are called where people read of them; programs read the names of the tables."""

from typing import Final

_SAID: Final = {
    "auroc": "AUROC",
    "brier": "Brier",
    "cer": "character error rate",
    "entity_f1": "entity F1",
    "exact": "recordings without an error",
    "macro_f1": "macro F1",
    "mae": "MAE",
    "micro_f1": "micro F1",
    "partial_f1": "partial F1",
    "r2": "R²",
    "rmse": "RMSE",
    "spearman": "Spearman",
    "wer": "word error rate",
}


def metric_name(metric: str) -> str:
    """Return what a metric is called in a sentence.

    Args:
        metric: Its name in a table of metrics.

    Returns:
        Words.
    """
    return _SAID.get(metric, metric.replace("_", " "))
