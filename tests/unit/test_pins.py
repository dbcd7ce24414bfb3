"""What is installed beside one another is pinned to one version."""

import re

import pytest

from local.records import ROOT


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["console", "browser"])
def test_what_comes_beside_the_tests_packages_changes_none_of_them(name: str) -> None:
    beside, tests = pins(name), pins("dev")
    assert beside
    assert {
        each: (beside[each], tests[each]) for each in beside.keys() & tests if beside[each] != tests[each]
    } == {}


def test_the_console_brings_its_pages_framework_and_the_demo_does_not() -> None:
    assert "nicegui" in pins("console")
    assert "nicegui" not in pins("dev") | pins("sam") | pins("ministack")
