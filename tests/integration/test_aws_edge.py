"""AWS's edge: an answer that was cut off is trouble of the store's, never an empty result."""

from typing import Any

import boto3
import pytest

from kuaixintong.core.errors import StoreUnavailable
from kuaixintong.stores import aws as edge
from tests.aws_faults import Faults, answer
from tests.template import create_tables

type Asked = dict[str, Any]


@pytest.fixture
def table(aws: None) -> str:
    return create_tables(boto3.client("dynamodb"), "edge-")["AccountTable"]


KEY = {"cid": {"S": "12345678"}}
COUNT: Asked = {
    "Key": KEY,
    "UpdateExpression": "ADD #n :one",
    "ExpressionAttributeNames": {"#n": "n"},
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}
QUERY: Asked = {"KeyConditionExpression": "cid = :cid", "ExpressionAttributeValues": {":cid": {"S": "1"}}}


def every_operation(table: str) -> dict[str, Asked]:
    here: Asked = {"TableName": table}
    return {
        "GetItem": here | {"Key": KEY},
        "PutItem": here | {"Item": KEY},
        "DeleteItem": here | {"Key": KEY},
        "UpdateItem": here | COUNT,
        "Query": here | QUERY,
        "Scan": here,
        "BatchWriteItem": {"RequestItems": {table: [{"PutRequest": {"Item": KEY}}]}},
        "BatchGetItem": {"RequestItems": {table: {"Keys": [KEY]}}},
        "TransactWriteItems": {"TransactItems": [{"Put": here | {"Item": KEY}}]},
    }


OPERATIONS = sorted(every_operation(""))


def call(client: Any, operation: str, asked: Asked) -> Any:
    with edge.our_errors():
        return client._make_api_call(operation, asked)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("after", [True, False], ids=["after it acted", "before"])
def test_an_answer_without_a_body_is_trouble_of_the_stores(table: str, operation: str, after: bool) -> None:
    client = edge.dynamodb(connections=1)
    Faults(client, operation, lambda _: answer(b""), after=after)
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB: AnswerCutOff$"):
        call(client, operation, every_operation(table)[operation])


@pytest.mark.parametrize("operation", ["Query", "Scan", "BatchWriteItem", "BatchGetItem"])
def test_an_answer_without_what_its_operation_promises_is_trouble_too(table: str, operation: str) -> None:
    client = edge.dynamodb(connections=1)
    Faults(client, operation, lambda _: answer(b"{}"))
    with pytest.raises(StoreUnavailable):
        call(client, operation, every_operation(table)[operation])


@pytest.mark.parametrize("wanted", ["ALL_NEW", "UPDATED_NEW"])
def test_an_update_that_asked_for_attributes_gets_them_or_trouble(table: str, wanted: str) -> None:
    client = edge.dynamodb(connections=1)
    asked: Asked = {"TableName": table, "ReturnValues": wanted} | COUNT
    Faults(client, "UpdateItem", lambda number: answer(b"{}") if number == 0 else None)
    with pytest.raises(StoreUnavailable):
        call(client, "UpdateItem", asked)
    assert call(client, "UpdateItem", asked)["Attributes"]["n"] == {"N": "1"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whole_answers_go_through(table: str, operation: str) -> None:
    assert call(edge.dynamodb(connections=1), operation, every_operation(table)[operation]) is not None


def test_an_empty_answer_that_says_no_is_told_as_what_it_is(table: str) -> None:
    client = edge.dynamodb(connections=1)
    Faults(client, "PutItem", lambda _: answer(b"", 403))
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB PutItem: 403$"):
        call(client, "PutItem", every_operation(table)["PutItem"])


def test_a_secret_whose_answer_is_cut_off_is_trouble_of_the_stores(aws: None) -> None:
    client = edge.secrets_manager()
    arn = client.create_secret(Name="s", SecretString="{}")["ARN"]
    Faults(client, "GetSecretValue", lambda _: answer(b""))
    with pytest.raises(StoreUnavailable), edge.our_errors("Secrets Manager"):
        client.get_secret_value(SecretId=arn)
