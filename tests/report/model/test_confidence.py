from headstart.report.model._confidence import _operating

RATE = {"value": 0.5, "interval": [0.4, 0.6]}
POINT = {
    "sensitivity": RATE,
    "specificity": RATE,
    "precision": {"value": None, "interval": [0.0, 1.0]},
    "possible": RATE,
}


def test_a_threshold_that_nothing_reaches_is_said_in_words() -> None:
    (_, usual), _ = _operating({**POINT, "threshold": 0.25}, "sick")
    assert usual.startswith("said from 0.250 on: sensitivity 0.500")
    (name, never), _ = _operating({**POINT, "threshold": None}, "sick")
    assert (name, never.partition(":")[0]) == ("sick", "never said")
