"""A stack by its name: the real one, or the local one that is up."""

import json
import os
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from kuaixintong.core.errors import AccessRefused, StoreUnavailable
from kuaixintong.stack import Stack
from kuaixintong.stores import aws as edge
from kuaixintong.stores.access import explained
from kuaixintong.stores.aws import our_errors
from tests.deployed import Deployed

EMULATOR = "http://127.0.0.1:24000"


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUAIXINTONG_STACKS", str(tmp_path))
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Describe any stack; the emulators that were asked come out."""
    asked: list[str | None] = []

    def client(person: edge.Person) -> object:
        client = boto3.client("cloudformation", region_name="us-east-1")
        stubber = Stubber(client)
        told = {"StackName": "x", "CreationTime": 0, "StackStatus": "CREATE_COMPLETE"}
        outputs = [{"OutputKey": "PushUrl", "OutputValue": "https://push.example"}]
        parameters = [{"ParameterKey": "RequestsPerSecond", "ParameterValue": "10"}]
        stubber.add_response(
            "describe_stacks", {"Stacks": [told | {"Outputs": outputs, "Parameters": parameters}]}
        )
        stubber.activate()
        asked.append(person._emulator)
        return client

    monkeypatch.setattr(edge.Person, "cloudformation", client)
    return asked


def up(folder: Path) -> None:
    exports = {
        "AWS_ENDPOINT_URL": EMULATOR,
        "AWS_DEFAULT_REGION": "us-east-1",
        "CONTROL": "c",
        "PUSH": "http://push",
    }
    (folder / "local-1").mkdir()
    record = {"name": "local", "exports": exports, "processes": [{"pid": os.getpid()}]}
    (folder / "local-1" / "state.json").write_text(json.dumps(record))


def test_a_stack_is_asked_where_its_name_leads(stacks: Path, asked: list[str | None]) -> None:
    up(stacks)
    assert Stack.of("local").push_url == "http://push"
    assert Stack.of("kuaixintong-prod").push_url == "https://push.example"
    assert Stack.of("local", region="eu-central-1").nearby is None
    local = Stack.local()
    assert local
    assert local.name == "local"
    assert asked == [EMULATOR, None, None, EMULATOR]


def test_without_a_local_stack_there_is_none(stacks: Path, asked: list[str | None]) -> None:
    assert (Stack.local(), asked) == (None, [])


def test_outputs_and_parameters_are_the_stacks(stacks: Path, asked: list[str | None]) -> None:
    stack = Stack.of("kuaixintong-prod")
    assert (stack.parameter("RequestsPerSecond"), stack.parameter("NotThere", "7")) == ("10", "7")
    with pytest.raises(AccessRefused, match="has no output SendsTableName: it is none of 快信通's"):
        stack.output("SendsTableName")
    with pytest.raises(AccessRefused):
        _ = stack.lookup


def test_each_part_is_built_once_and_when_it_is_asked_for(aws: None) -> None:
    stack = Deployed().stack()
    assert "lookup" not in vars(stack)
    assert stack.lookup is stack.lookup
    for part in ("outbox", "campaigns", "canceller", "confirmer", "dead_letters", "quarantine"):
        assert getattr(stack, part) is getattr(stack, part)


def test_emulated_aws_is_reached_past_every_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = edge.Person(region="us-east-1", emulator=EMULATOR).sqs()
    assert client.meta.endpoint_url == EMULATOR
    assert getattr(client.meta.config, "proxies", None) == {}


def test_a_stores_error_is_explained_to_a_person_by_what_aws_said(sqs: object) -> None:
    client = boto3.client("dynamodb")
    stubber = Stubber(client)
    stubber.add_client_error("scan", "AccessDeniedException")
    stubber.activate()
    with pytest.raises(StoreUnavailable) as raised, our_errors():
        client.scan(TableName="t")
    told = explained(raised.value)
    assert isinstance(told, AccessRefused)
    assert "do not permit dynamodb:Scan" in str(told)
    assert explained(AccessRefused("x")).args == ("x",)
