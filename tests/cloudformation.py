"""As much of CloudFormation as tests need: what a template's expressions come to, for values of its parameters.

A resource that is yet to be made has a physical id and attributes of the right form, as long as AWS makes them.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

from tests.template import ROOT, load

ACCOUNT = "123456789012"
PARTITIONS = {"us-east-1": "aws", "cn-north-1": "aws-cn", "cn-northwest-1": "aws-cn"}

NOTHING = object()
"""``AWS::NoValue``: the property is left out."""

_IDS = {
    "AWS::EC2::VPC": "vpc-{:017x}",
    "AWS::EC2::Subnet": "subnet-{:017x}",
    "AWS::EC2::SecurityGroup": "sg-{:017x}",
    "AWS::EC2::InternetGateway": "igw-{:017x}",
    "AWS::EC2::RouteTable": "rtb-{:017x}",
    "AWS::EC2::NatGateway": "nat-{:017x}",
    "AWS::EC2::EIP": "203.0.113.77",
    "AWS::KMS::Key": "01234567-89ab-cdef-0123-{:012x}",
}

_LONGEST_NAMES = {
    "AWS::CodeDeploy::Application": 100,
    "AWS::Events::Rule": 64,
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Alias": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Lambda::LayerVersion": 64,
    "AWS::Lambda::Version": 64,
    "AWS::SQS::Queue": 80,
}
"""Names that CloudFormation gives are made to fit; aliases and versions go by their function's."""

_ARNS = {
    "AWS::CloudFormation::Stack": "cloudformation:{region}:{account}:stack/{name}/0123",
    "AWS::CloudWatch::Alarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::ElasticLoadBalancingV2::Listener": "elasticloadbalancing:{region}:{account}:listener/app/a/0123/0123",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "elasticloadbalancing:{region}:{account}:loadbalancer/app/a/0123",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "elasticloadbalancing:{region}:{account}:targetgroup/a/0123",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::Lambda::Alias": "lambda:{region}:{account}:function:{name}:live",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Lambda::LayerVersion": "lambda:{region}:{account}:layer:{name}:1",
    "AWS::Lambda::Version": "lambda:{region}:{account}:function:{name}:1",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}-a1b2c3",
}
_KNOWN_BY_ARN = {
    "AWS::CloudFormation::Stack",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
}
"""What a reference to is an ARN, and not a name."""


@dataclass
class Stack:
    """A transformed template with values for its parameters, in a region, under a name.

    ``outputs`` are those of the nested stacks in it, by their names in the template.
    """

    template: Mapping[str, Any]
    values: Mapping[str, str]
    region: str = "us-east-1"
    name: str = "kuaixintong"
    outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def parameter(self, name: str) -> Any:
        """Return a parameter's value; a list is one."""
        given = self.values.get(name, self.template["Parameters"][name].get("Default"))
        kind = self.template["Parameters"][name]["Type"]
        return str(given).split(",") if kind == "CommaDelimitedList" else str(given)

    def condition(self, name: str) -> bool:
        """Return whether a condition holds; that of what has none, ``""``, does."""
        return not name or bool(self.value(self.template["Conditions"][name]))

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the resources that are made, without a single expression left in their properties."""
        made = {
            name: each
            for name, each in self.template["Resources"].items()
            if self.condition(each.get("Condition", ""))
        }
        return {
            name: {"Type": each["Type"], "Properties": self.value(each.get("Properties", {}))}
            for name, each in made.items()
        }

    def broken_rules(self) -> list[str]:
        """Return what the template's rules say against the parameters' values."""
        return [
            assertion["AssertDescription"]
            for rule in self.template.get("Rules", {}).values()
            if self.value(rule.get("RuleCondition", True))
            for assertion in rule["Assertions"]
            if not self.value(assertion["Assert"])
        ]

    def value(self, expression: Any) -> Any:
        """Return what an expression comes to."""
        match expression:
            case {"Ref": str(name)}:
                return self._reference(name)
            case {"Condition": str(name)}:
                return self.condition(name)
            case dict() if len(expression) == 1 and next(iter(expression)).startswith("Fn::"):
                [(function, argument)] = expression.items()
                return self._called(function, argument)
            case dict():
                values = {key: self.value(each) for key, each in expression.items()}
                return {key: each for key, each in values.items() if each is not NOTHING}
            case list():
                return [each for each in map(self.value, expression) if each is not NOTHING]
            case _:
                return expression

    def _called(self, function: str, argument: Any) -> Any:  # noqa: C901 - one line for each
        match function, argument:
            case "Fn::If", [str(condition), yes, no]:
                return self.value(yes if self.condition(condition) else no)
            case "Fn::Sub", str(text):
                return self._substituted(text, {})
            case "Fn::Sub", [str(text), dict(more)]:
                return self._substituted(text, {name: self.value(each) for name, each in more.items()})
            case "Fn::GetAtt", [str(name), str(attribute)]:
                return self._attribute(name, attribute)
            case "Fn::GetAtt", str(path):
                return self._attribute(*path.split(".", 1))
            case "Fn::FindInMap", [name, first, second]:
                return self.template["Mappings"][name][self.value(first)][self.value(second)]
        given = self.value(argument)
        match function:
            case "Fn::Join":
                return given[0].join(map(str, given[1]))
            case "Fn::Split":
                return given[1].split(given[0])
            case "Fn::Select":
                return given[1][int(given[0])]
            case "Fn::GetAZs":
                return [f"{self.region}{zone}" for zone in "abc"]
            case "Fn::Cidr":
                return [f"10.180.0.{16 * number}/28" for number in range(int(given[1]))]
            case "Fn::Equals":
                return str(given[0]) == str(given[1])
            case "Fn::Not":
                return not given[0]
            case "Fn::And":
                return all(given)
            case "Fn::Or":
                return any(given)
            case "Fn::Contains":
                return given[1] in given[0]
        raise NotImplementedError(function)

    def _reference(self, name: str) -> Any:
        pseudo = {
            "AWS::NoValue": NOTHING,
            "AWS::StackName": self.name,
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": PARTITIONS[self.region],
            "AWS::URLSuffix": "amazonaws.com.cn" if PARTITIONS[self.region] == "aws-cn" else "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template["Parameters"]:
            return self.parameter(name)
        kind = self.template["Resources"][name]["Type"]
        if kind in _IDS:
            return _IDS[kind].format(zlib.crc32(name.encode()))
        return self._arn(name) if kind in _KNOWN_BY_ARN else self._physical(name)

    def _attribute(self, name: str, attribute: str) -> Any:
        kind = self.template["Resources"][name]["Type"]
        if attribute.startswith("Outputs."):
            return self.outputs[name][attribute.removeprefix("Outputs.")]
        if attribute.endswith("Arn") or (kind, attribute) == ("AWS::SecretsManager::Secret", "Id"):
            stream = "/stream/2026-11-25T00:00:00.000" if attribute == "StreamArn" else ""
            return self._arn(name) + stream
        return {"Version": "1", "AllocationId": "eipalloc-01234567"}.get(attribute, self._physical(name))

    def _arn(self, name: str) -> str:
        form = _ARNS[self.template["Resources"][name]["Type"]]
        rest = form.format(region=self.region, account=ACCOUNT, name=self._physical(name))
        return f"arn:{PARTITIONS[self.region]}:{rest}"

    def _physical(self, name: str) -> str:
        longest = _LONGEST_NAMES.get(self.template["Resources"][name]["Type"], 255)
        return f"{self.name}-{name}"[: longest - 13] + "-ABCDEFGHIJKL"

    def _substituted(self, text: str, more: Mapping[str, Any]) -> str:
        def meant(found: re.Match[str]) -> str:
            name: str = found[1]
            if name in more:
                return str(more[name])
            first, _, attribute = name.partition(".")
            return str(self._attribute(first, attribute) if attribute else self._reference(name))

        return re.sub(r"\$\{([\w.:]+)\}", meant, text)


def transformed(region: str, **parameters: str) -> dict[str, Any]:
    """Return the template as CloudFormation carries it out in a region, SAM's resources made into AWS's own."""
    template = load()
    for resource in template["Resources"].values():
        for place in ("CodeUri", "ContentUri"):
            if place in resource["Properties"]:  # SAM looks at packaged templates alone
                resource["Properties"][place] = "s3://bucket/key"
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=region))
    values = {"PlatformUrl": "https://platform.example/webservice/http/service", **parameters}
    result: dict[str, Any] = translator.translate(template, values)
    return result


def deployed(region: str, name: str, **values: str) -> dict[str, Stack]:
    """Return the stack that a deploy makes, under ``""``, and those nested in it, by their logical names."""
    own = Stack(transformed(region, **values), values, region, name)
    stacks = {"": own}
    nested = [
        logical
        for logical, each in own.template["Resources"].items()
        if each["Type"] == "AWS::CloudFormation::Stack" and own.condition(each.get("Condition", ""))
    ]
    # the network first: what it puts out is handed over to others
    for logical in sorted(nested, key=lambda each: each != "NetworkStack"):
        properties = own.template["Resources"][logical]["Properties"]
        handed = {key: str(own.value(each)) for key, each in properties["Parameters"].items()}
        stack = Stack(load(ROOT / properties["TemplateURL"]), handed, region, f"{name}-{logical}-ABCDEFGHIJKLM")
        stacks[logical] = stack
        own.outputs[logical] = {
            key: stack.value(each["Value"])
            for key, each in stack.template["Outputs"].items()
            if stack.condition(each.get("Condition", ""))
        }
    return stacks
