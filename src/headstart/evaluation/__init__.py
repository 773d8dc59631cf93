"""Measuring honestly: metrics, intervals, classical baselines and paired comparisons; arrays in, numbers out."""

from headstart.evaluation.baselines import (
    Baseline,
    describe_image,
    image_baseline,
    majority,
    majority_baseline,
    text_baseline,
)
from headstart.evaluation.intervals import Interval, bootstrap_interval, nadeau_bengio, paired_interval
from headstart.evaluation.metrics import (
    METRICS,
    ClassScores,
    Metric,
    accuracy,
    all_metrics,
    auroc,
    balanced_accuracy,
    brier,
    log_loss,
    macro_f1,
    per_class,
)
from headstart.evaluation.proof import Comparison, Fold, Score, class_scores, compare, score, verdict

__all__ = [
    "METRICS",
    "Baseline",
    "ClassScores",
    "Comparison",
    "Fold",
    "Interval",
    "Metric",
    "Score",
    "accuracy",
    "all_metrics",
    "auroc",
    "balanced_accuracy",
    "bootstrap_interval",
    "brier",
    "class_scores",
    "compare",
    "describe_image",
    "image_baseline",
    "log_loss",
    "macro_f1",
    "majority",
    "majority_baseline",
    "nadeau_bengio",
    "paired_interval",
    "per_class",
    "score",
    "text_baseline",
    "verdict",
]
