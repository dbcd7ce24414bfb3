"""What ``template.yaml`` says, for tests: its parts as plain values, and its tables in an emulator.

Tables are never written down a second time: a test's tables are the template's.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "template.yaml"

type Section = dict[str, Any]


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short functions in their long form: ``!Ref X`` is ``{"Ref": "X"}``."""


def _function(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> Section:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    match node:
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case yaml.MappingNode():
            return {name: loader.construct_mapping(node, deep=True)}
        case _:
            text = str(node.value)
            return {name: text.split(".", 1) if name == "Fn::GetAtt" else text}


_Loader.add_multi_constructor("!", _function)


def load(path: Path = TEMPLATE) -> Section:
    """Return the whole template."""
    loaded = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # a SafeLoader
    assert isinstance(loaded, dict)
    return loaded


def resources(kind: str, template: Mapping[str, Any] | None = None) -> dict[str, Section]:
    """Return the resources of one type, for example ``AWS::SQS::Queue``, by their names in the template."""
    found = (template or load())["Resources"]
    return {name: each for name, each in found.items() if each["Type"] == kind}


def watched() -> Section:
    """Return the template with what watches it: the resources of ``MonitoringStack`` among its own.

    What is handed over to that stack stands in the place of its parameters, so that ``{"Ref": "SendQueue"}`` there
    reads as what the template itself would have to write.
    """
    template = load()
    nested = template["Resources"].pop("MonitoringStack")["Properties"]
    monitoring = load(ROOT / nested["TemplateURL"])
    handed = nested["Parameters"]
    assert set(handed) == set(monitoring["Parameters"])
    template["Resources"] |= _filled_in(monitoring["Resources"], handed)
    template["Mappings"] |= monitoring["Mappings"]
    return template


def _filled_in(value: Any, handed: Mapping[str, Any]) -> Any:
    match value:
        case {"Ref": str(name)} if name in handed:
            return handed[name]
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": re.sub(r"\$\{(\w+)\}", lambda found: _in_text(found, handed), text)}
        case dict():
            return {key: _filled_in(each, handed) for key, each in value.items()}
        case list():
            return [_filled_in(each, handed) for each in value]
        case _:
            return value


def _in_text(found: re.Match[str], handed: Mapping[str, Any]) -> str:
    match handed.get(found[1]):
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case _:
            return found[0]


@cache
def tables() -> dict[str, Section]:
    """Return what ``CreateTable`` needs for each table, by its name in the template; read once, for reading."""
    return {name: _create_table(each["Properties"]) for name, each in resources("AWS::DynamoDB::Table").items()}


def _create_table(properties: Section) -> Section:
    asked: Section = {
        name: properties[name]
        for name in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        if name in properties
    }
    if stream := properties.get("StreamSpecification"):
        asked["StreamSpecification"] = {"StreamEnabled": True, **stream}
    return asked


def create_tables(client: "DynamoDBClient", prefix: str = "") -> dict[str, str]:
    """Create the template's tables and return their names: ``{"SendsTable": "<prefix>SendsTable", …}``.

    Keys, indexes and streams are the template's. Encryption, point-in-time recovery and time to live are not
    set up: no emulator acts on them.
    """
    names = {}
    for logical, table in tables().items():
        names[logical] = f"{prefix}{logical}"
        client.create_table(TableName=names[logical], **table)
    return names
