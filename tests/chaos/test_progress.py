"""How far a campaign is, told over all its slices."""

from pathlib import Path

from tests.chaos.progress import Progress


def test_a_line_tells_what_all_slices_have_done_of_how_many(tmp_path: Path) -> None:
    told: list[str] = []
    first, second = (Progress(tmp_path, name, 1_300, "schedules", told.append) for name in ("a", "b"))
    first.done, second.done = 300, 1_000
    first.tell(now=True)
    second.tell(now=True)
    assert told[0].startswith("chaos: 300 of 1,300 schedules, ")
    assert told[1].startswith("chaos: 1,300 of 1,300 schedules, ")
    assert told[1].endswith(" 0 s to go")


def test_slices_do_not_talk_all_at_once(tmp_path: Path) -> None:
    told: list[str] = []
    for name in ("a", "b", "c"):
        Progress(tmp_path, name, 3, "schedules", told.append).tell()
    assert len(told) == 1
