import pytest

from headstart.data import check_table_name, write_table
from headstart.data._tables import read_table
from headstart.errors import DataError, OptionError

ROWS = [{"text": "a, b", "score": 0.5}, {"text": 'say "c"', "label": "x"}]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_what_is_written_is_read_back(tmp_path, name):
    check_table_name(tmp_path / name)
    assert write_table(tmp_path / name, iter(ROWS)) == 2
    columns = {"text": ("a, b", 'say "c"'), "score": ("0.5", ""), "label": ("", "x")}
    assert read_table(tmp_path / name).columns == columns
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_that_cannot_be_written_is_refused_beforehand(tmp_path):
    with pytest.raises(OptionError, match=r"-o: expected a name ending in .csv or .parquet, found 't.xlsx'"):
        check_table_name(tmp_path / "t.xlsx")
    with pytest.raises(OptionError, match=r"none: the folder does not exist. Make it, or choose another -o"):
        check_table_name(tmp_path / "none" / "t.csv")


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_table_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path, name):
    (tmp_path / name).mkdir()  # cannot be replaced by a file
    with pytest.raises(DataError, match=rf"{name}: the table cannot be written \(Is a directory\). Free some space"):
        write_table(tmp_path / name, ROWS)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_values_of_two_kinds_are_told_in_parquet(tmp_path):
    with pytest.raises(DataError, match=r"t\.parquet: the table cannot be written \(.*int.*\). Write a \.csv"):
        write_table(tmp_path / "t.parquet", [{"a": 1}, {"a": "x"}])
    assert not list(tmp_path.iterdir())


def test_a_writing_that_is_broken_off_leaves_nothing(tmp_path):
    class Interrupt:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(tmp_path / "t.csv", [{"a": 1}, {"a": Interrupt()}])
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("text\nprecious\n")
    with pytest.raises(OptionError, match="mine.csv: the file exists. Choose another -o, or add --overwrite"):
        check_table_name(path)
    check_table_name(path, overwrite="file")
