"""Where an import was, and whose campaign it is; the rest is shown by ``kxt import``."""

from pathlib import Path

import pytest

from kuaixintong.core.people import Fault
from kuaixintong.importing import Bookmark, Import, write_faults

PEOPLE = "mobile,name\n13700000001,王\n13700000002,李\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, "utf-8")
    return path


def test_a_bookmark_counts_for_the_campaign_that_it_was_kept_for(tmp_path: Path) -> None:
    kept = Bookmark(tmp_path / "states" / "1", since="then")
    for _ in range(250):
        kept.move()
    assert Bookmark(tmp_path / "states" / "1", since="then").place == 200
    kept.keep()
    assert Bookmark(tmp_path / "states" / "1", since="then").place == 250
    assert Bookmark(tmp_path / "states" / "1", since="later").place == 0


@pytest.mark.parametrize("text", ["", "then", "then\nx", "then\n1\n2"])
def test_a_bookmark_that_cannot_be_read_costs_time_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "1").write_text(text)
    assert Bookmark(tmp_path / "1", since="then").place == 0


def test_a_bookmark_that_cannot_be_kept_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "states").write_text("a file where a folder should be")
    kept = Bookmark(tmp_path / "states" / "1", since="then")
    kept.move()
    kept.keep()
    assert kept.place == 1


def test_the_digest_is_the_files_the_texts_and_the_options(path: Path) -> None:
    def digest(text: str = "{name}", **more: str | bool) -> str:
        return Import.read(path, text=text, campaign="spring", **more).digest  # type: ignore[arg-type]

    same = digest()
    others = {digest("x"), digest(category="marketing"), digest(mobile="mobile"), digest(leave_out=True)}
    assert digest(category=None) == same  # type: ignore[arg-type]
    path.write_text(PEOPLE + "\n", "utf-8")
    others.add(digest())
    assert len(others | {same}) == 6


def test_a_list_of_faults_is_a_file_that_a_spreadsheet_opens(tmp_path: Path) -> None:
    write_faults(tmp_path / "faults.csv", [Fault(0, "The file is empty."), Fault(3, "=1+1, is no column.")])
    assert (tmp_path / "faults.csv").read_text("utf-8-sig").splitlines() == [
        "line,what is wrong",
        ",The file is empty.",
        '3,"\'=1+1, is no column."',
    ]
