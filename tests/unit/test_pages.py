"""The documentation's pages, as far as they can be checked without running them; ``e2e`` runs them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.records import ROOT
from tests import pages as machinery
from tests.pages import RUN, Block, Page, Reader, agrees, pages, read

PAGES = {str(path.relative_to(ROOT)): path for path in pages()}
ENGLISH = {name: path for name, path in PAGES.items() if not name.endswith(".zh-CN.md")}
CHINESE = {name: path for name, path in PAGES.items() if name.endswith(".zh-CN.md")}

LANGUAGES = {*RUN, "text", "json", "mermaid"}

_CODE_BY_INDENTATION = re.compile(r"\n *\n {4,}(?!-|\*|\d+\.)\S")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def english_of(name: str) -> Path:
    return ROOT / name.replace(".zh-CN.md", ".md")


def code(block: Block) -> str:
    """Return a block without its comments, which are in the page's language."""
    return re.sub(r"(^|\s+)#(?![!{]).*$", "", block.text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_every_block_says_what_it_is(name: str) -> None:
    assert {block.language for block in read(PAGES[name]).blocks} <= LANGUAGES


@pytest.mark.parametrize("name", PAGES)
def test_no_code_hides_from_the_tests_behind_mere_indentation(name: str) -> None:
    prose = re.sub(r"^ *```.*?^ *```$", "", PAGES[name].read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert _CODE_BY_INDENTATION.findall(prose) == []


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_run_says_why(name: str) -> None:
    assert [str(block) for block in read(PAGES[name]).blocks if block.marker == ("not run", "")] == []


@pytest.mark.parametrize("name", CHINESE)
def test_a_chinese_page_has_the_english_pages_blocks(name: str) -> None:
    chinese, english = read(CHINESE[name]), read(english_of(name))
    pairs = zip(chinese.blocks, english.blocks, strict=False)
    for ours, theirs in pairs:
        if theirs.language == "mermaid":
            continue  # its words are translated
        assert (ours.language, ours.marker, code(ours)) == (theirs.language, theirs.marker, code(theirs)), ours
    assert len(chinese.blocks) == len(english.blocks)
    assert [each.replace(".zh-CN", "") for each in chinese.before] == list(english.before)


@pytest.mark.parametrize("name", CHINESE)
def test_a_chinese_page_has_the_english_pages_chapters(name: str) -> None:
    assert [level for level, _ in headings(CHINESE[name])] == [level for level, _ in headings(english_of(name))]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    path = PAGES[name]
    for link in _LINK.findall(prose_of(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), f"{name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name}: {link}"


@pytest.mark.parametrize(
    "block",
    [block for path in PAGES.values() for block in read(path).blocks if block.marker[0] == "excerpt"],
    ids=str,
)
def test_an_excerpt_stands_in_its_file(block: Block) -> None:
    whole = (PAGES[block.page].parent / block.marker[1]).read_text("utf-8").splitlines()
    assert [line for line in block.text.splitlines() if line not in whole] == []


def prose_of(path: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> list[tuple[int, str]]:
    prose = re.sub(r"^ *```.*?^ *```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", prose, flags=re.MULTILINE)]


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = [title.lower() for _, title in headings(path)]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


PAGE = """\
# A page

<!-- goes on from: other.md -->
<!-- not run: it needs the moon -->

```sh
moon
```

1. A step

   ```sh
   echo 17; cat <<'END'
     indented
   END
   ```

   ```text
   12
     indented
   ```

Some words between.

```text
not what anything prints
```

```python
print("x")
```
"""


def test_a_page_is_read_as_it_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.pages.ROOT", tmp_path)
    (tmp_path / "page.md").write_text(PAGE, "utf-8")
    page = read(tmp_path / "page.md")
    assert page == Page("page.md", page.blocks, ("other.md",))
    moon, echo, _shown, _words, python = page.blocks
    assert moon.marker == ("not run", "it needs the moon")
    assert not moon.runs
    assert echo.text == "echo 17; cat <<'END'\n  indented\nEND\n"
    assert echo.shows == "12\n  indented\n"
    assert (python.runs, python.shows) == (True, None)


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("ACCEPTED\t401\t1", "ACCEPTED\t376\t1", True),
        ("ACCEPTED\t401\t1", "REJECTED\t376\t1", False),
        ("2026-11-25T20:00:00.123+08:00 None", "2026-11-23T10:05:59.421+08:00\tNone", True),
        ("local-Alarm-FAE2E6C75033B", "local-Alarm-0123456789ABC", True),
        ("delivered", "delivered {'12345': 'no'}", False),
        ("a long story that ends", "a … ends", True),
        ("a long story that ends.", "a … ends", False),
        ("", "ACCEPTED", False),
    ],
)
def test_numbers_may_differ_and_words_may_not(printed: str, shown: str, same: bool) -> None:
    assert agrees(printed, shown) is same


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(machinery, "_PATIENCE", ())
    reader = Reader(tmp_path / "reader", os.environ)
    yield reader
    reader.close()


@pytest.mark.parametrize(
    ("text", "language", "shows"),
    [
        ("false; true", "sh", None),
        ('echo "x$(false)"', "sh", None),
        ("f() { false; }; f; true", "sh", None),
        ("false | cat", "sh", None),
        ("if then", "sh", None),
        ("echo delivered", "sh", "failed"),
        ("true", "sh", "something"),
        ("1 / 0", "python", None),
        ("print('delivered')", "python", "failed"),
    ],
)
def test_a_block_that_fails_or_prints_something_else_is_noticed(
    reader: Reader, text: str, language: str, shows: str | None
) -> None:
    assert (reader.does(Block("page.md", 1, language, f"{text}\n", shows=shows)) or "").startswith("page.md:1 ")


def test_later_blocks_know_what_earlier_ones_have_set(reader: Reader) -> None:
    blocks = [
        Block("page.md", 1, "sh", "f() { echo 17; }; export NAME=there\n"),
        Block("page.md", 2, "sh", "f\n", shows="12"),
        Block("page.md", 3, "python", "import os\nname = os.environ['NAME']\n"),
        Block("page.md", 4, "python", "print(name)\n", shows="there"),
    ]
    assert [reader.does(block) for block in blocks] == [None] * 4
