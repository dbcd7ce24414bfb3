"""The way to a version with more indexes: CloudFormation adds one to a table in each update of its stack.

A stack that lacks several gets them one after the other, by templates that leave the later ones out. Everything
else in these is the new version's, which writes what the indexes are made of from the first of them on; DynamoDB
fills an index that comes later from the rows that are there.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

type Template = dict[str, Any]

_TABLE = "AWS::DynamoDB::Table"
_INDEXES = "GlobalSecondaryIndexes"


def standing(cloudformation: Any, dynamodb: Any, stack: str) -> dict[str, set[str]]:
    """Return the names of the indexes that the tables of a stack have, by the tables' names in the template."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    tables = {
        each["LogicalResourceId"]: dynamodb.describe_table(TableName=each["PhysicalResourceId"])["Table"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] == _TABLE and not each["ResourceStatus"].startswith("DELETE")
    }
    return {name: {index["IndexName"] for index in table.get(_INDEXES, ())} for name, table in tables.items()}


def on_the_way(template: Template, there: Mapping[str, set[str]]) -> Iterator[Template]:
    """Yield what is to be deployed before ``template``: each has an index more of every table than the last."""
    new = {name: _new(template, name, there[name]) for name in there if name in template["Resources"]}
    for step in range(1, max(map(len, new.values()), default=0)):
        fewer = deepcopy(template)
        for name, missing in new.items():
            _leave_out(fewer["Resources"][name]["Properties"], missing[step:])
        yield fewer


def write_on_the_way(built: Path, there: Mapping[str, set[str]]) -> list[Path]:
    """Write those templates beside the one that was built, whose folders they name, and return their paths."""
    paths = []
    for number, template in enumerate(on_the_way(yaml.safe_load(built.read_text("utf-8")), there), start=1):
        path = built.with_name(f"indexes-{number}.yaml")
        path.write_text(yaml.safe_dump(template, sort_keys=False, allow_unicode=True), "utf-8")
        paths.append(path)
    return paths


def _new(template: Template, name: str, there: set[str]) -> list[str]:
    indexes = template["Resources"][name]["Properties"].get(_INDEXES, ())
    return [index["IndexName"] for index in indexes if index["IndexName"] not in there]


def _leave_out(table: dict[str, Any], names: Sequence[str]) -> None:
    """Take indexes from a table, and the attributes that nothing is keyed by then: DynamoDB refuses them."""
    if not names:
        return
    kept = [index for index in table[_INDEXES] if index["IndexName"] not in names]
    keyed = {key["AttributeName"] for each in (table, *kept) for key in each["KeySchema"]}
    table["AttributeDefinitions"] = [
        each for each in table["AttributeDefinitions"] if each["AttributeName"] in keyed
    ]
    table[_INDEXES] = kept
    if not kept:
        del table[_INDEXES]
