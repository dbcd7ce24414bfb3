"""What ``template.yaml`` promises where no emulator would notice: keys, outputs, times, policies, partitions."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from functions.sender.handler import THREADS
from tests.template import load, resources, tables

KEYS = {
    "SendsTable": ["send_id S", "part S"],
    "OutboundTable": ["mobile S", "send_id S"],
    "CampaignsTable": ["campaign S"],
    "ReportsTable": ["token S", "outcome S"],
    "InboundTable": ["mobile S", "message_key S"],
    "AccountTable": ["cid S"],
    "QuarantineTable": ["digest S", "chunk N"],
    "MobilesTable": ["mobile S", "what S"],
}

INDEXES = {
    "SendsTable": {
        "by-token": ["token S"],
        "by-attention": ["attention S", "updated_at S"],
        "by-due": ["due_shard S", "due_at S"],
        "by-campaign": ["campaign_shard S", "created_at S"],
        "by-day": ["day_shard S", "created_at S"],
    },
    "OutboundTable": {},
    "CampaignsTable": {"by-day": ["day S", "created_at S"]},
    "ReportsTable": {"by-mobile": ["mobile S", "received_at S"]},
    "InboundTable": {"by-day": ["day S", "message_key S"]},
    "AccountTable": {},
    "QuarantineTable": {},
    "MobilesTable": {},
}

OUTPUTS = {
    *("PushUrl", "SendQueueUrl", "SendQueueArn", "UrgentQueueUrl", "UrgentQueueArn", "DeadLetterQueueUrl"),
    *("SendsTableName", "ReportsTableName", "InboundTableName", "AccountTableName", "QuarantineTableName"),
    *("ReportsWithinHours", "OutboundTableName", "CampaignsTableName"),
    "MobilesTableName",
    *("SendsStreamArn", "ReportsStreamArn", "InboundStreamArn", "PlatformSecretArn", "PushSecretArn"),
    *("PlainPushUrl", "SourceAddress", "AlarmTopicArn", "DashboardName"),
    *("EventBusName", "EventsDeadLetterQueueUrl"),
}

ENVIRONMENT = {
    "SenderFunction": {
        *("PLATFORM_URL", "PLATFORM_SECRET_ARN", "SENDS_TABLE", "ACCOUNT_TABLE", "SEND_QUEUE_URL"),
        *("OUTBOUND_TABLE", "CAMPAIGNS_TABLE"),
        *("DEAD_LETTER_QUEUE_URL", "RECEIVE_LIMIT", "LEASE_SECONDS", "RETENTION_DAYS", "STORE_CONTENT"),
        *("REPEAT_WITHIN_MINUTES", "LANE", "REQUESTS_PER_SECOND"),
        *("CONNECT_TIMEOUT_SECONDS", "ANSWER_TIMEOUT_SECONDS"),
        *("MOBILES_TABLE", "INVALID_FOR_DAYS", "OTP_PER_HOUR", "OTP_PER_DAY", "OTP_VALID_MINUTES"),
        *("DAILY_LIMIT", "MARKETING_HOURS", "ALLOW_LIST_PARAMETER"),
    },
    "ReceiverFunction": {
        *("PUSH_SECRET_ARN", "REPORTS_TABLE", "INBOUND_TABLE", "QUARANTINE_TABLE", "RETENTION_DAYS"),
        *("MOBILES_TABLE", "OPT_OUT_WORDS", "RESUBSCRIBE_WORDS"),
    },
    "DueFunction": {"SENDS_TABLE", "SEND_QUEUE_URL", "URGENT_QUEUE_URL"},
    "EventsFunction": {"EVENT_BUS", "EVENTS_DEAD_LETTER_QUEUE_URL", "SENDS_TABLE"},
    "BalanceFunction": {
        *("PLATFORM_URL", "PLATFORM_SECRET_ARN", "ACCOUNT_TABLE"),
        *("CONNECT_TIMEOUT_SECONDS", "ANSWER_TIMEOUT_SECONDS"),
        *("REQUESTS_PER_SECOND", "INFER_ACCEPTED", "RETENTION_DAYS"),
        *("SENDS_TABLE", "REPORTS_TABLE", "OUTBOUND_TABLE"),
    },
}

WRITES_AROUND_A_REQUEST = 3  # seconds that the sender keeps free beside a request's own


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return load()


def described(table: dict[str, Any], schema: list[dict[str, str]]) -> list[str]:
    """Return a key schema in words, partition key first: ``["send_id S", "part S"]``."""
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    in_order = sorted(schema, key=lambda each: each["KeyType"])  # HASH before RANGE
    return [f"{each['AttributeName']} {types[each['AttributeName']]}" for each in in_order]


def texts(value: Any) -> Iterator[str]:
    """Yield every string of a section, keys left out."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from texts(each)
        case list():
            for each in value:
                yield from texts(each)


# --- tables ----------------------------------------------------------------------------------------------------


def test_the_tables_have_the_contracts_keys() -> None:
    assert {name: described(table, table["KeySchema"]) for name, table in tables().items()} == KEYS


def test_the_tables_have_the_contracts_indexes() -> None:
    assert {
        name: {
            index["IndexName"]: described(table, index["KeySchema"])
            for index in table.get("GlobalSecondaryIndexes", [])
        }
        for name, table in tables().items()
    } == INDEXES


@pytest.mark.parametrize("name", KEYS)
def test_every_table_is_on_demand_encrypted_restorable_protected_and_expires_rows(name: str) -> None:
    table = resources("AWS::DynamoDB::Table")[name]
    properties = table["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsProd", True, False]}
    assert table["DeletionPolicy"] == "RetainExceptOnCreate"
    assert table["UpdateReplacePolicy"] == "Retain"


def test_sends_reports_and_inbound_have_a_stream_of_new_images_and_no_other_table_has_one() -> None:
    streams = {
        name: table["StreamSpecification"] for name, table in tables().items() if "StreamSpecification" in table
    }
    new_images = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert streams == dict.fromkeys(("SendsTable", "ReportsTable", "InboundTable"), new_images)


# --- times that hang together ----------------------------------------------------------------------------------


def test_the_queue_hides_a_message_for_six_times_the_senders_timeout(template: dict[str, Any]) -> None:
    times = template["Mappings"]["SenderTimes"]
    assert {timeout: int(each["Visibility"]) for timeout, each in times.items()} == {
        timeout: 6 * int(timeout) for timeout in times
    }
    queue = template["Resources"]["SendQueue"]["Properties"]
    assert queue["VisibilityTimeout"] == {"Fn::FindInMap": ["SenderTimes", {"Ref": "SenderTimeout"}, "Visibility"]}


def test_a_lease_outlives_the_sender(template: dict[str, Any]) -> None:
    times = template["Mappings"]["SenderTimes"]
    assert all(int(each["Lease"]) >= int(timeout) + 5 for timeout, each in times.items())
    sender = template["Resources"]["SenderFunction"]["Properties"]
    assert sender["Timeout"] == {"Ref": "SenderTimeout"}
    assert sender["Environment"]["Variables"]["LEASE_SECONDS"] == {
        "Fn::FindInMap": ["SenderTimes", {"Ref": "SenderTimeout"}, "Lease"]
    }


def test_every_timeout_that_can_be_chosen_has_its_lease_and_visibility(template: dict[str, Any]) -> None:
    chosen = {str(each) for each in template["Parameters"]["SenderTimeout"]["AllowedValues"]}
    assert chosen == set(template["Mappings"]["SenderTimes"])


def test_a_request_always_fits_into_the_senders_life(template: dict[str, Any]) -> None:
    parameters = template["Parameters"]
    connect = parameters["ConnectTimeout"]["MaxValue"]
    allowed = {str(each): parameters["AnswerTimeout"]["AllowedValues"] for each in (10, 20, 30, 60, 120)}
    for name, rule in template["Rules"].items():
        if not name.startswith("AnswerFitsInto"):
            continue
        timeout = rule["RuleCondition"]["Fn::Equals"][1]
        allowed[timeout] = rule["Assertions"][0]["Assert"]["Fn::Contains"][0]
    for timeout, answers in allowed.items():
        longest = connect + max(int(each) for each in answers) + WRITES_AROUND_A_REQUEST
        assert longest < int(timeout), timeout


def test_an_account_check_outlives_the_slowest_login(template: dict[str, Any]) -> None:
    parameters = template["Parameters"]
    slowest = parameters["ConnectTimeout"]["MaxValue"] + max(parameters["AnswerTimeout"]["AllowedValues"])
    longest = slowest + WRITES_AROUND_A_REQUEST
    assert longest < template["Resources"]["BalanceFunction"]["Properties"]["Timeout"]


def test_the_receiver_ends_before_api_gateway_gives_up(template: dict[str, Any]) -> None:
    assert template["Resources"]["ReceiverFunction"]["Properties"]["Timeout"] < 29


# --- queue -----------------------------------------------------------------------------------------------------


def test_the_queues_own_redrive_is_a_backstop_behind_the_senders_limit(template: dict[str, Any]) -> None:
    redrive = template["Resources"]["SendQueue"]["Properties"]["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    assert redrive["maxReceiveCount"] >= template["Parameters"]["ReceiveLimit"]["MaxValue"] + 100


def test_both_queues_are_encrypted_and_keep_messages_for_14_days() -> None:
    for queue in resources("AWS::SQS::Queue").values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
        assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_a_failed_record_alone_returns_to_the_queue(template: dict[str, Any]) -> None:
    source = template["Resources"]["SenderFunction"]["Properties"]["Events"]["Sends"]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_sender_works_on_its_largest_batch_side_by_side(template: dict[str, Any]) -> None:
    # fewer threads, and a record waits for another's platform; more, and connections are kept for nobody
    source = template["Resources"]["SenderFunction"]["Properties"]["Events"]["Sends"]["Properties"]
    assert source["BatchSize"] == {"Ref": "BatchSize"}
    assert template["Parameters"]["BatchSize"]["MaxValue"] == THREADS


# --- functions -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_function_finds_in_its_environment_what_it_asks_for(template: dict[str, Any], name: str) -> None:
    own = set(template["Resources"][name]["Properties"]["Environment"]["Variables"])
    assert own - {"POWERTOOLS_SERVICE_NAME"} == ENVIRONMENT[name]
    assert "POWERTOOLS_SERVICE_NAME" in own
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    assert shared["POWERTOOLS_METRICS_NAMESPACE"] == {"Fn::Sub": "Kuaixintong/${AWS::StackName}"}


def test_no_policy_allows_everything_of_anything() -> None:
    for name, role in resources("AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                wishes = [*texts(statement["Action"]), *texts(statement["Resource"])]
                assert not [wish for wish in wishes if "*" in wish], (name, statement["Sid"])


def test_each_function_reads_its_own_secret_and_no_other() -> None:
    readable = {
        name: [
            statement["Resource"]
            for policy in role["Properties"].get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Action"] == "secretsmanager:GetSecretValue"
        ]
        for name, role in resources("AWS::IAM::Role").items()
    }
    assert readable["SenderRole"] == [{"Fn::GetAtt": ["PlatformSecret", "Id"]}]
    assert readable["BalanceRole"] == readable["SenderRole"]
    assert readable["ReceiverRole"] == [{"Fn::GetAtt": ["PushSecret", "Id"]}]


def test_the_api_logs_no_query_string_and_no_body(template: dict[str, Any]) -> None:
    api = template["Resources"]["PushApi"]["Properties"]
    logged = set(re.findall(r"\$context\.([\w.]+)", api["AccessLogSetting"]["Format"]))
    assert logged == {
        *("requestId", "requestTime", "identity.sourceIp", "httpMethod", "path", "status"),
        *("responseLength", "responseLatency", "error.responseType"),
    }
    [settings] = api["MethodSettings"]
    assert settings["LoggingLevel"] == "OFF"
    assert settings["DataTraceEnabled"] is False


def test_every_log_group_forgets() -> None:
    for group in resources("AWS::Logs::LogGroup").values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


# --- for people and partitions ---------------------------------------------------------------------------------


def test_the_outputs_are_the_contracts(template: dict[str, Any]) -> None:
    assert set(template["Outputs"]) == OUTPUTS


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
def test_everything_a_person_sees_is_described(template: dict[str, Any], section: str) -> None:
    assert [name for name, each in template[section].items() if not each.get("Description")] == []


def test_every_parameter_has_a_default_but_the_platforms_address(template: dict[str, Any]) -> None:
    parameters = template["Parameters"].items()
    assert [name for name, each in parameters if "Default" not in each] == ["PlatformUrl"]


def test_every_parameter_has_its_range(template: dict[str, Any]) -> None:
    for name, each in template["Parameters"].items():
        assert {"AllowedValues", "AllowedPattern", "MaxValue"} & set(each), name


def test_the_senders_may_read_the_allow_list_where_there_is_one_alone(template: dict[str, Any]) -> None:
    made = template["Resources"]
    assert made["AllowListPolicy"]["Condition"] == made["AllowListParameter"]["Condition"] == "HasAllowList"
    assert made["AllowListPolicy"]["Properties"]["Roles"] == [{"Ref": "SenderRole"}, {"Ref": "UrgentSenderRole"}]
    [statement] = made["AllowListPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Action"], "*" in str(statement["Resource"])) == ("ssm:GetParameter", False)
    for sender in ("SenderFunction", "UrgentSenderFunction"):
        variables = made[sender]["Properties"]["Environment"]["Variables"]
        assert variables["ALLOW_LIST_PARAMETER"] == {"Fn::If": ["HasAllowList", {"Ref": "AllowListParameter"}, ""]}
