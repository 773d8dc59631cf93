"""Charts without a library: where values are drawn, and round numbers on axes."""

import pytest

from headstart.report.model._svg import Scale, around, fitted, number


def test_values_are_drawn_in_proportion_and_outside_at_the_ends():
    scale = Scale(0, 10, start=100, end=300)
    assert [scale.at(value) for value in (0, 5, 10, -3, 99)] == [100, 200, 300, 100, 300]


def test_on_a_log_scale_equal_factors_are_equally_far_apart():
    scale = Scale(1, 100, start=0, end=2, log=True)
    assert scale.at(10) == pytest.approx(1)
    assert scale.ticks() == [1, 5, 20, 100] or all(tick in (1, 2, 5, 10, 20, 50, 100) for tick in scale.ticks())


@pytest.mark.parametrize(("low", "high"), [(0.71, 0.83), (0, 1234), (-3, 3), (0.5, 0.5000001)])
def test_ticks_are_round_inside_and_a_few(low, high):
    ticks = Scale(low, high, start=0, end=1).ticks()
    assert 2 <= len(ticks) <= 7
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_one_value_alone_has_room_around_it():
    low, high = around([0.0])
    assert low < 0 < high


def test_a_long_name_is_cut_and_a_number_is_plain():
    assert fitted("abcdefghij", 38) == "abcd…"
    assert number(0.30000000000000004) == "0.3"
    assert number(-1e-17) == "0"
