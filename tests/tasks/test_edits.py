"""The least edits between two sequences, and which they are."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headstart.tasks import edit_path, edits
from tests.reference.speech import edit_distance

SHORT = st.text("abc", max_size=9)


@given(SHORT, SHORT)
def test_edits_are_those_of_trying_everything(a: str, b: str) -> None:
    assert edits(a, b) == edits(b, a) == edit_distance(a, b)


@given(SHORT, SHORT)
def test_the_path_makes_one_of_the_other_in_as_many_edits(a: str, b: str) -> None:
    path = edit_path(a, b)
    made = [a[i] if edit == "same" else b[j] for edit, i, j in path if edit != "left out"]
    assert "".join(made) == b
    assert sum(edit != "same" for edit, _, _ in path) == edits(a, b)
    assert all((edit == "same") == (a[i] == b[j]) for edit, i, j in path if edit in ("same", "substituted"))
    assert [i for edit, i, _ in path if edit != "put in"] == list(range(len(a)))
    assert [j for edit, _, j in path if edit != "left out"] == list(range(len(b)))
    assert all(i <= m and j <= n for (_, i, j), (_, m, n) in pairwise(path))


def test_words_are_compared_as_wholes() -> None:
    truth, heard = ["turn", "the", "light", "off"], ["turn", "light", "of", "course"]
    assert edits(truth, heard) == 3
    assert edit_path(truth, heard[:3]) == [
        ("same", 0, 0),
        ("left out", 1, 1),
        ("same", 2, 1),
        ("substituted", 3, 2),
    ]


@given(SHORT, SHORT)
def test_of_equal_paths_it_is_the_one_that_pairs_from_the_beginning(a: str, b: str) -> None:
    expected, i, j = [], 0, 0
    while i < len(a) or j < len(b):
        left = edit_distance(a[i:], b[j:])
        both = i < len(a) and j < len(b)
        differ = both and a[i] != b[j]
        if both and edit_distance(a[i + 1 :], b[j + 1 :]) + differ == left:
            expected.append(("substituted" if differ else "same", i, j))
            i, j = i + 1, j + 1
        elif i < len(a) and edit_distance(a[i + 1 :], b[j:]) + 1 == left:
            expected.append(("left out", i, j))
            i += 1
        else:
            expected.append(("put in", i, j))
            j += 1
    assert edit_path(a, b) == expected


def test_a_substitution_goes_before_leaving_out_and_putting_in() -> None:
    assert edit_path(["one", "two"], ["two", "six"]) == [("substituted", 0, 0), ("substituted", 1, 1)]
    assert edit_path(["one", "two"], ["six"]) == [("substituted", 0, 0), ("left out", 1, 1)]
    assert edit_path(["one"], ["two", "six"]) == [("substituted", 0, 0), ("put in", 1, 1)]


def test_nothing_and_long_texts() -> None:
    assert edits("", "") == 0
    assert edit_path("", "ab") == [("put in", 0, 0), ("put in", 0, 1)]
    assert edit_path(["one"], []) == [("left out", 0, 0)]
    long = "all the words that were ever said " * 200
    assert edits(long, long[1:] + "x") == 2
    assert sum(edit != "same" for edit, _, _ in edit_path(long, long[:3000] + long[3001:])) == 1
