"""The pages on the parameters say what the template says; what is missing or old is shown as it should be."""

from collections.abc import Iterator

from local.deploy import FIRST, Parameter, parameters
from tests.template import ROOT

PARAMETERS = parameters()


def row(parameter: Parameter) -> str:
    """A parameter's row of the English page."""
    default = "none" if parameter.default is None else f"`{parameter.default}`" if parameter.default else "empty"
    return f"| `{parameter.name}` | {default} | {values(parameter)} | {parameter.description} |"


def values(parameter: Parameter) -> str:
    """What a parameter takes, in as few words as there are for it."""
    if parameter.allowed:
        return " ".join(f"`{each}`" for each in parameter.allowed)
    if parameter.least is not None:
        return f"{parameter.least} to {parameter.most}"
    return parameter.constraint.rstrip(".")


def table(page: str) -> dict[str, str]:
    """The rows of a page's table by parameter."""
    lines = (ROOT / "docs" / page).read_text("utf-8").splitlines()
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_the_page_has_every_parameter_in_the_templates_words() -> None:
    assert table("parameters.md") == {name: row(each) for name, each in PARAMETERS.items()}


def test_the_chinese_page_has_every_parameter_with_its_default_and_its_values() -> None:
    rows = {name: cells(line)[:3] for name, line in table("parameters.zh-CN.md").items()}
    in_chinese = {"none": "无", "empty": "空"}
    expected = {}
    for name, each in PARAMETERS.items():
        shown, default, taken, _ = cells(row(each))
        in_words = not each.allowed and each.least is None
        taken = rows.get(name, ["", "", ""])[2] if in_words else taken.replace(" to ", "–")
        expected[name] = [shown, in_chinese.get(default, default), taken]
    assert rows == expected


def described(page: str) -> Iterator[str]:
    yield from (cells(line)[3] for line in table(page).values())


def test_the_chinese_page_is_in_chinese() -> None:
    assert [words for words in described("parameters.zh-CN.md") if words.isascii()] == []


def test_what_make_deploy_asks_for_first_are_parameters_of_the_template() -> None:
    assert set(FIRST) <= set(PARAMETERS)
