"""``make deploy``: it says where to before it asks anything, and gives build and deploy the same parameters."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from local import deploy, indexes
from local.processes import Failed
from tests.template import ROOT, load, tables

PARAMETERS = load()["Parameters"]

URL = "https://platform.example/webservice/http/service"


class Sam:
    """A program in SAM's place: writes down what it is called with."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sam"
        self._log = folder / "calls"
        self.path.write_text(
            f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done >> {self._log}\necho >> {self._log}\n'
        )
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        if not self._log.exists():
            return []
        return [call.splitlines() for call in self._log.read_text("utf-8").strip().split("\n\n")]

    def parameters(self) -> list[dict[str, str]]:
        """The parameters of each call."""
        return [
            {
                name: value.strip('"')
                for name, _, value in (word.partition("=") for word in call)
                if name in PARAMETERS
            }
            for call in self.calls
        ]


class Answers:
    """A person at the terminal, who answers what was foreseen and else presses Enter."""

    def __init__(self, **answers: str | list[str]) -> None:
        self._answers = {
            name: [value] if isinstance(value, str) else list(value) for name, value in answers.items()
        }
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        name = "more" if "Another parameter" in question else question.split(maxsplit=1)[0].rstrip(":")
        self.asked.append(name)
        answers = self._answers.get(name, [])
        return answers.pop(0) if answers else ""


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)


@pytest.fixture
def sam(tmp_path: Path) -> Sam:
    return Sam(tmp_path)


type Stacks = dict[str, tuple[str, dict[str, str]]]


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stacks]:
    """An account, and the stacks in it: a status and values of parameters by name."""
    there: Stacks = {}
    monkeypatch.setattr(deploy, "_standing", lambda _, stack: there.get(stack, ("", {})))
    with mock_aws():
        yield there


# --- where to --------------------------------------------------------------------------------------------------


def test_without_credentials_it_stops_with_a_sentence_before_it_asks_anything(
    sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    nobody = Answers()
    with pytest.raises(Failed, match=r"no credentials of AWS.*AWS_PROFILE"):
        deploy.run([], sam=sam.path, ask=nobody)
    assert (nobody.asked, sam.calls) == ([], [])


def test_a_profile_that_is_not_there_is_told_and_no_traceback(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Failed, match=r"AWS does not let us in: The config profile \(nobody\) could not be found"):
        deploy.run([], sam=sam.path)


def test_without_a_region_it_stops_too(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name)
    with pytest.raises(Failed, match="There is no region"):
        deploy.run([], sam=sam.path)


@pytest.mark.usefixtures("stacks")
def test_account_region_and_stack_are_told_before_the_first_question(
    sam: Sam, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(question: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy.run(["--env", "prod"], sam=sam.path, ask=interrupted)
    told = capsys.readouterr().out
    for word in ("123456789012", "us-east-1", "kuaixintong-prod", "which will be new"):
        assert word in told
    assert sam.calls == []


@pytest.mark.usefixtures("stacks")
def test_the_profiles_own_region_is_the_one_deployed_to(
    sam: Sam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile mainland]\nregion = cn-northwest-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "mainland")
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name)
    deploy.run(["--yes", f"PlatformUrl={URL}"], sam=sam.path)
    assert [call[call.index("--region") + 1] for call in sam.calls] == ["cn-northwest-1"] * 2
    assert "ICP filing" in capsys.readouterr().out


def test_a_stacks_state_and_parameters_are_read_from_cloudformation() -> None:
    client = boto3.client("cloudformation")
    stack = {
        "StackName": "s",
        "CreationTime": datetime(2026, 11, 25, tzinfo=UTC),
        "StackStatus": "UPDATE_COMPLETE",
        "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "dev"}],
    }
    with Stubber(client) as aws:
        aws.add_response("describe_stacks", {"Stacks": [stack]})
        aws.add_client_error("describe_stacks", "ValidationError", "Stack with id new does not exist")
        aws.add_client_error("describe_stacks", "AccessDenied", "not authorized")
        assert deploy._standing(client, "s") == ("UPDATE_COMPLETE", {"Stage": "dev"})
        assert deploy._standing(client, "new") == ("", {})
        with pytest.raises(ClientError, match="not authorized"):
            deploy._standing(client, "s")


def test_no_target_of_the_makefile_but_check_sets_a_region() -> None:
    lines = (ROOT / "Makefile").read_text("utf-8").splitlines()
    assert [line for line in lines if "AWS_DEFAULT_REGION" in line] == [
        "check: export AWS_DEFAULT_REGION ?= us-east-1"
    ]


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_stack_that_cannot_be_updated_is_told_at_once(status: str) -> None:
    target = deploy.Target("123456789012", "arn:aws:iam::123456789012:user/me", "us-east-1", None, "s", status)
    with pytest.raises(Failed, match="s cannot be deployed to now"):
        target.check()


def test_what_is_advised_after_a_failed_first_deploy_is_in_the_page() -> None:
    [title] = {words.partition('"')[2].partition('"')[0] for words in deploy._IN_THE_WAY.values() if '"' in words}
    assert f"## {title}\n" in (ROOT / "docs" / "operations.md").read_text("utf-8")


# --- with what -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stacks")
def test_build_and_deploy_are_given_the_same_parameters(sam: Sam) -> None:
    person = Answers(PlatformUrl=URL, Architecture="x86_64", Network="Create")
    deploy.run([], sam=sam.path, ask=person)
    build, deployed = sam.parameters()
    assert build == deployed
    assert set(build) == set(PARAMETERS)
    assert (build["Architecture"], build["Stage"], build["Network"]) == ("x86_64", "dev", "Create")
    assert [call[0] for call in sam.calls] == ["build", "deploy"]


@pytest.mark.usefixtures("stacks")
def test_a_wrong_answer_is_told_and_asked_again(sam: Sam, capsys: pytest.CaptureFixture[str]) -> None:
    person = Answers(
        PlatformUrl=["ftp://platform", "https://a:b@platform", URL], more=["BatchSize", ""], BatchSize=["11", "5"]
    )
    deploy.run([], sam=sam.path, ask=person)
    told = capsys.readouterr().out
    assert "An http or https URL without user, password and query" in told
    assert "BatchSize is a number from 1 to 10; not '11'." in told
    assert sam.parameters()[0] | {"PlatformUrl": URL, "BatchSize": "5"} == sam.parameters()[0]


@pytest.mark.usefixtures("stacks")
def test_each_question_comes_with_its_description(sam: Sam, capsys: pytest.CaptureFixture[str]) -> None:
    person = Answers(PlatformUrl=URL)
    deploy.run([], sam=sam.path, ask=person)
    assert person.asked == [*deploy.FIRST, "more"]
    told = " ".join(capsys.readouterr().out.split())
    for name in deploy.FIRST:
        assert " ".join(PARAMETERS[name]["Description"].split()) in told


def test_what_a_stack_has_is_kept_and_not_asked_again(
    sam: Sam, stacks: Stacks, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks["kuaixintong-dev"] = "UPDATE_COMPLETE", {"PlatformUrl": URL, "LowBalance": "77", "NoLongerThere": "1"}
    person = Answers()
    deploy.run(["LateSeconds=60"], sam=sam.path, ask=person)
    assert person.asked == ["more"]
    [build, deployed] = sam.parameters()
    assert (build["PlatformUrl"], build["LowBalance"], build["LateSeconds"]) == (URL, "77", "60")
    assert build == deployed
    assert "which is there" in capsys.readouterr().out


def test_a_change_to_what_a_stack_has_is_told(
    sam: Sam, stacks: Stacks, capsys: pytest.CaptureFixture[str]
) -> None:
    stacks["kuaixintong-dev"] = "CREATE_COMPLETE", {"PlatformUrl": URL, "Architecture": "arm64"}
    deploy.run(["--arch", "x86_64", "--yes"], sam=sam.path)
    assert "Architecture: arm64 -> x86_64" in capsys.readouterr().out


# --- without questions -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stacks")
def test_without_questions_nothing_is_asked_by_us_nor_by_sam(sam: Sam) -> None:
    nobody = Answers()
    deploy.run(["--env", "prod", "--yes", f"PlatformUrl={URL}", "AlarmEmail="], sam=sam.path, ask=nobody)
    assert nobody.asked == []
    _, deployed = sam.calls
    assert "--no-confirm-changeset" in deployed
    assert "--guided" not in deployed
    assert deployed[deployed.index("--stack-name") + 1] == "kuaixintong-prod"
    assert sam.parameters()[1]["Stage"] == "prod"


@pytest.mark.usefixtures("stacks")
def test_without_questions_everything_wrong_is_told_at_once(sam: Sam) -> None:
    with pytest.raises(Failed) as failed:
        deploy.run(["--yes", "BatchSize=0", "Achitecture=arm64"], sam=sam.path)
    for words in ("PlatformUrl has no value", "BatchSize is a number", "There is no parameter Achitecture"):
        assert words in str(failed.value)
    assert sam.calls == []


@pytest.mark.usefixtures("stacks")
def test_where_nobody_can_be_asked_it_says_how_to_go_on(sam: Sam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(Failed, match="YES=1"):
        deploy.run([], sam=sam.path, ask=Answers())
    assert sam.calls == []


@pytest.mark.usefixtures("stacks")
def test_the_same_deploy_can_be_made_again_from_what_it_printed(
    sam: Sam, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.run([], sam=sam.path, ask=Answers(PlatformUrl=URL, PushSources="121.40.152.72/32,10.0.0.0/8"))
    [line] = [line for line in capsys.readouterr().out.splitlines() if "make deploy" in line]
    _, _, set_ = line.partition(" SET=")
    again = deploy.assignments(set_.strip("'").split())
    assert again == {"PlatformUrl": URL, "PushSources": "121.40.152.72/32,10.0.0.0/8"}


@pytest.mark.usefixtures("stacks")
def test_a_failed_build_is_not_deployed(sam: Sam) -> None:
    sam.path.write_text(sam.path.read_text("utf-8") + "exit 1\n")
    with pytest.raises(Failed, match="sam build did not end well"):
        deploy.run(["--yes", f"PlatformUrl={URL}"], sam=sam.path)
    assert [call[0] for call in sam.calls] == ["build"]


# --- samconfig.toml, for those who call SAM themselves ---------------------------------------------------------


@pytest.mark.parametrize("environment", ["default", "prod"])
def test_samconfig_gives_build_and_deploy_one_architecture(environment: str) -> None:
    config: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))[environment]
    _, values = deploy.settings(environment)
    assert values["Architecture"] == PARAMETERS["Architecture"]["Default"]
    assert [command for command, each in config.items() if "parameter_overrides" in each["parameters"]] == [
        "global"
    ]


WHEN = datetime(2026, 11, 23, tzinfo=UTC)


# --- one index at a time ---------------------------------------------------------------------------------------

LONG = load()
"""The template in the form in which ``sam build`` leaves it: without CloudFormation's short tags."""


def keyed(table: dict[str, Any]) -> set[str]:
    schemas = [table["KeySchema"], *(index["KeySchema"] for index in table.get("GlobalSecondaryIndexes", ()))]
    return {key["AttributeName"] for schema in schemas for key in schema}


def defined(table: dict[str, Any]) -> set[str]:
    return {each["AttributeName"] for each in table["AttributeDefinitions"]}


def names_of(template: dict[str, Any], table: str) -> list[str]:
    indexes_ = template["Resources"][table]["Properties"].get("GlobalSecondaryIndexes", ())
    return [index["IndexName"] for index in indexes_]


def test_a_stack_that_lacks_several_indexes_gets_them_one_by_one() -> None:
    here = names_of(LONG, "SendsTable")
    first, rest = {"by-token", "by-attention"}, [name for name in here if name not in ("by-token", "by-attention")]
    assert len(rest) > 1, "this version has more indexes than 0.1.0"
    steps = list(indexes.on_the_way(LONG, {"SendsTable": first, "InboundTable": {"by-day"}}))
    assert [set(names_of(each, "SendsTable")) - first for each in steps] == [
        {*rest[:count]} for count in range(1, len(rest))
    ]
    for template in (*steps, LONG):
        for name in ("SendsTable", "InboundTable"):
            table = template["Resources"][name]["Properties"]
            assert defined(table) == keyed(table)
    for each in steps:
        others = {name: part for name, part in each["Resources"].items() if name != "SendsTable"}
        assert others == {name: part for name, part in LONG["Resources"].items() if name != "SendsTable"}


@pytest.mark.parametrize("lacks", [0, 1])
def test_a_stack_that_lacks_one_index_or_none_is_deployed_at_once(lacks: int) -> None:
    there = {"SendsTable": set(names_of(LONG, "SendsTable")[lacks:]), "Gone": {"by-day"}}
    assert list(indexes.on_the_way(LONG, there)) == []
    assert list(indexes.on_the_way(LONG, {})) == []


def test_a_table_loses_its_attributes_of_no_key_with_its_last_index() -> None:
    table: dict[str, Any] = {
        "KeySchema": [{"AttributeName": "id"}],
        "AttributeDefinitions": [{"AttributeName": name} for name in ("id", "a", "b")],
        "GlobalSecondaryIndexes": [
            {"IndexName": name, "KeySchema": [{"AttributeName": name}]} for name in ("a", "b")
        ],
    }
    (way,) = indexes.on_the_way({"Resources": {"T": {"Properties": table}}}, {"T": set()})
    assert names_of(way, "T") == ["a"]
    assert defined(way["Resources"]["T"]["Properties"]) == {"id", "a"}
    assert names_of({"Resources": {"T": {"Properties": table}}}, "T") == ["a", "b"]


@mock_aws
def test_the_indexes_that_there_are_come_from_the_tables_themselves() -> None:
    cloudformation, dynamodb = boto3.client("cloudformation"), boto3.client("dynamodb")
    dynamodb.create_table(TableName="sends-1", **tables()["SendsTable"])
    dynamodb.create_table(TableName="outbound-1", **tables()["OutboundTable"])
    resources = [
        ("SendsTable", "AWS::DynamoDB::Table", "sends-1", "UPDATE_COMPLETE"),
        ("OutboundTable", "AWS::DynamoDB::Table", "outbound-1", "CREATE_COMPLETE"),
        ("OldTable", "AWS::DynamoDB::Table", "old-1", "DELETE_COMPLETE"),
        ("SendQueue", "AWS::SQS::Queue", "https://queue.example", "CREATE_COMPLETE"),
    ]
    named = ("LogicalResourceId", "ResourceType", "PhysicalResourceId", "ResourceStatus")
    told = [dict(zip(named, each, strict=True)) | {"LastUpdatedTimestamp": WHEN} for each in resources]
    with Stubber(cloudformation) as stub:
        stub.add_response("list_stack_resources", {"StackResourceSummaries": told}, {"StackName": "s"})
        assert indexes.standing(cloudformation, dynamodb, "s") == {
            "SendsTable": set(names_of(LONG, "SendsTable")),
            "OutboundTable": set(),
        }


def test_steps_are_deployed_before_the_whole_with_the_same_parameters(
    sam: Sam, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "template.yaml"
    built.write_text(yaml.safe_dump(LONG, allow_unicode=True), "utf-8")
    monkeypatch.setattr(deploy, "BUILT", built)
    monkeypatch.setattr(indexes, "standing", lambda *_: {"SendsTable": {"by-token", "by-attention", "by-day"}})
    stacks["kuaixintong-dev"] = ("UPDATE_COMPLETE", {"PlatformUrl": URL})
    deploy.run(["--yes"], sam=sam.path)
    build, *deploys = sam.calls
    given = [call[call.index("--template-file") + 1] for call in deploys if "--template-file" in call]
    assert build[0] == "build"
    assert len(given) == len(deploys) - 1 == len(names_of(LONG, "SendsTable")) - 4
    assert [yaml.safe_load(Path(path).read_text("utf-8"))["Resources"].keys() for path in given] == [
        LONG["Resources"].keys() for _ in given
    ]
    assert "--template-file" not in deploys[-1]
    assert all(parameters == sam.parameters()[0] for parameters in sam.parameters())


def test_a_new_stack_gets_all_indexes_at_once(
    sam: Sam, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "template.yaml"
    built.write_text(yaml.safe_dump(LONG, allow_unicode=True), "utf-8")
    monkeypatch.setattr(deploy, "BUILT", built)
    deploy.run(["--yes", f"PlatformUrl={URL}"], sam=sam.path)
    assert [call[0] for call in sam.calls] == ["build", "deploy"]


def test_tables_that_may_not_be_looked_at_are_told_and_nothing_is_deployed(
    sam: Sam, stacks: Stacks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "template.yaml").write_text("{}", "utf-8")
    monkeypatch.setattr(deploy, "BUILT", tmp_path / "template.yaml")
    refused: Any = {"Error": {"Code": "AccessDeniedException", "Message": "No."}}

    def refuse(*_: object) -> dict[str, set[str]]:
        raise ClientError(refused, "DescribeTable")

    monkeypatch.setattr(indexes, "standing", refuse)
    stacks["kuaixintong-dev"] = ("UPDATE_COMPLETE", {"PlatformUrl": URL})
    with pytest.raises(Failed, match="which indexes the tables have"):
        deploy.run(["--yes"], sam=sam.path)
    assert [call[0] for call in sam.calls] == ["build"]
