"""A whole deployment on this machine: emulated AWS, and the real ``sam build`` and ``sam deploy`` into it.

::

    with EmulatedStack("demo", platform_url="http://127.0.0.1:8180/webservice/http/service") as stack:
        stack.fill_in_platform_secret(cid="12345678", uid="test", pwd="secret")
        stack.aws.sqs.send_message(QueueUrl=stack.outputs["SendQueueUrl"], MessageBody=body)

Everything that a stack writes is in ``.local/<name>-<process id>/``: logs, the emulator's temporary files, and
``state.json``, by which :mod:`local.records` knows the processes to stop. Stacks run side by side, on ports of
their own.
"""

import fcntl
import json
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import boto3
import requests
import yaml
from botocore.config import Config

from local import environment, processes, records
from local.processes import Failed, Process
from local.records import ROOT, Record

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

TOOLS = ROOT / ".venv" / "tools"
PACKAGES = ROOT / ".venv" / "layer"
WORKPLACE = ROOT / ".local"

REGION = "us-east-1"
STAGE = "local"

_BUILD = WORKPLACE / "sam"  # shared by all stacks, so that a second build is quick
_BUILD_SECONDS = 300.0  # a first build fetches the layer's packages
_DEPLOY_SECONDS = 180.0
_START_SECONDS = 30.0

type Say = Callable[[str], None]


class Clients:
    """boto3 clients of one emulator, made when first asked for. Safe between threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._endpoint = environment["AWS_ENDPOINT_URL"]
        self._session = boto3.Session(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment.get("AWS_SESSION_TOKEN"),
            region_name=environment["AWS_DEFAULT_REGION"],
        )

    def _client(self, service: Any) -> Any:
        config = Config(max_pool_connections=64, read_timeout=60, retries={"mode": "standard"})
        return self._session.client(service, endpoint_url=self._endpoint, config=config)

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """CloudFormation."""
        return self._client("cloudformation")  # type: ignore[no-any-return]

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        """CloudWatch, metrics and alarms."""
        return self._client("cloudwatch")  # type: ignore[no-any-return]

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """DynamoDB."""
        return self._client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def functions(self) -> "LambdaClient":
        """Lambda."""
        return self._client("lambda")  # type: ignore[no-any-return]

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        """CloudWatch Logs."""
        return self._client("logs")  # type: ignore[no-any-return]

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        """Secrets Manager."""
        return self._client("secretsmanager")  # type: ignore[no-any-return]

    @cached_property
    def sts(self) -> "STSClient":
        """STS, to act as a role."""
        return self._client("sts")  # type: ignore[no-any-return]

    @cached_property
    def sns(self) -> "SNSClient":
        """SNS."""
        return self._client("sns")  # type: ignore[no-any-return]

    @cached_property
    def sqs(self) -> "SQSClient":
        """SQS."""
        return self._client("sqs")  # type: ignore[no-any-return]


class EmulatedStack:
    """One emulator with one deployment in it; everything is up when the ``with`` block begins.

    ``parameters`` are the template's, beside ``Stage``, ``PlatformUrl`` and ``Architecture``. With ``enforce_iam``
    the functions may do what their roles allow and no more. ``say`` is told each step. Raises
    :class:`local.processes.Failed` with the end of the log that tells why, and adds the emulator's to one that
    leaves the block.
    """

    def __init__(
        self,
        name: str,
        *,
        platform_url: str,
        parameters: Mapping[str, str] | None = None,
        enforce_iam: bool = False,
        say: Say = lambda _step: None,
    ) -> None:
        self.name = name
        self.folder = records.stacks_folder() / f"{name}-{os.getpid()}"
        self.outputs: Mapping[str, str] = {}
        self._parameters = {
            "Stage": STAGE,
            "OnAws": "false",
            "GradualDeployment": "false",
            "PlatformUrl": platform_url,
            "Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
            **(parameters or {}),
        }
        self._enforce_iam = enforce_iam
        self._say = say
        self._port = processes.free_port()
        self._processes: list[Process] = []
        self._exports: Mapping[str, str] = {}
        self._kept = False

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with processes.undisturbed():
            if isinstance(error, Failed):
                error.quote(self.folder / "ministack.log")
            if error or not self._kept:
                self.stop()

    def _start(self) -> None:
        records.clear_leftovers(self._say)
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        self._write_record()  # from here on others know that somebody is at work
        self._say("Starting emulated AWS")
        self._start_emulator()
        self.deploy()

    def stop(self) -> None:
        """Stop every process of this stack and remove its folder."""
        with processes.undisturbed():
            for process in reversed(self._processes):
                process.stop()
            self._processes.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, **exports: str) -> None:
        """Let the stack outlive this process, until ``make down``; ``make env`` prints ``exports`` too."""
        self._kept = True
        self._exports = {**self.environment, **exports}
        self._write_record()

    @property
    def endpoint(self) -> str:
        """Where the emulated AWS answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the AWS CLI, boto3 and SAM need in their environment to talk to this stack."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,  # goes before the other in some SDKs
        }

    @cached_property
    def aws(self) -> Clients:
        """Clients of the emulated AWS."""
        return Clients(self.environment)

    @property
    def push_url(self) -> str:
        """The deployed push URL as it can be reached here: the emulator stands in for API Gateway's host name."""
        url = urlsplit(self.outputs["PushUrl"])
        api = (url.hostname or "").partition(".")[0]
        return f"{self.endpoint}/_aws/execute-api/{api}{url.path}"

    def push_credentials(self) -> dict[str, str]:
        """Return what pushes must carry, ``{"uid", "pwd"}``, as generated at deploy."""
        value = self.aws.secrets.get_secret_value(SecretId=self.outputs["PushSecretArn"])
        credentials: dict[str, str] = json.loads(value["SecretString"])
        return credentials

    def fill_in_platform_secret(self, *, cid: str, uid: str, pwd: str) -> None:
        """Do what an operator does after the first deploy, and when the password has changed."""
        arn = self.outputs["PlatformSecretArn"]
        account = json.dumps({"cid": cid, "uid": uid, "pwd": pwd})
        if self.aws.secrets.get_secret_value(SecretId=arn)["SecretString"] != account:
            self.aws.secrets.put_secret_value(SecretId=arn, SecretString=account)

    def deploy(self, **changes: str) -> None:
        """Build and deploy the project as it is now, with ``changes`` to the parameters. Can be repeated."""
        self._parameters |= changes
        with _one_at_a_time():
            self._say("Building the functions and the layer: sam build")
            self._sam(
                "build", "--cached", "--parallel", "--template", ROOT / "template.yaml", seconds=_BUILD_SECONDS
            )
            for parameter in ("OnAws", "GradualDeployment"):
                _mend_default(parameter, "false")
            self._say("Deploying the template: sam deploy")
            self._sam(
                "deploy",
                *("--stack-name", self.name),
                *("--capabilities", "CAPABILITY_IAM"),
                *("--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
                seconds=_DEPLOY_SECONDS,
            )
        self._read_outputs()
        self._mend_concurrency()
        self._mend_push_password()

    def start_process(self, name: str, *command: str | Path, env: Mapping[str, str] | None = None) -> Process:
        """Start another process that belongs to the stack and stops with it."""
        with processes.signals_held():
            process = processes.start(
                name,
                command,
                log=self.folder / f"{name}.log",
                env={**environment.neutral(os.environ), **(env or {})},
                cwd=ROOT,
            )
            self._processes.append(process)
            self._write_record()
        return process

    def wait_for(self, process: Process, url: str) -> None:
        """Return when ``url`` answers 200. Raises :class:`Failed` if the process ends or takes too long."""

        def answers() -> bool:
            if not process.alive:
                raise Failed(f"{process.name} has ended.", self.folder / f"{process.name}.log")
            try:
                return requests.get(url, timeout=2).ok
            except requests.RequestException:
                return False

        processes.wait_until(answers, f"{process.name} is ready", seconds=_START_SECONDS)

    def _start_emulator(self) -> None:
        ministack = TOOLS / "ministack" / "bin" / "ministack"
        if not ministack.exists():
            raise Failed(f"{ministack.relative_to(ROOT)} is missing; `make up` and `make demo` install it.")
        process = self.start_process(
            "ministack",
            ministack,
            env={
                "GATEWAY_PORT": str(self._port),
                "BIND_HOST": "127.0.0.1",
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_REGION": REGION,
                "TMPDIR": str(self.folder / "tmp"),
                "AUTH": "true" if self._enforce_iam else "false",
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
            },
        )
        self.wait_for(process, f"{self.endpoint}/_ministack/ready")

    def _sam(self, command: str, *arguments: str | Path, seconds: float) -> None:
        sam = TOOLS / "sam" / "bin" / "sam"
        overrides = [f'{name}="{value}"' for name, value in self._parameters.items()]
        _BUILD.mkdir(parents=True, exist_ok=True)
        processes.run(
            f"sam {command}",
            [sam, command, *arguments, "--parameter-overrides", *overrides],
            log=self.folder / f"sam-{command}.log",
            env={
                **environment.neutral(os.environ),
                **self.environment,
                **_layers_packages(),
                # sam build asks for a Python of the functions' version, with pip, on the PATH
                "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "SAM_CLI_TELEMETRY": "0",
                "SAM_CLI_POLL_DELAY": "0.2",
                "__SAM_CLI_APP_DIR": str(_sam_settings()),
            },
            cwd=_BUILD,  # SAM keeps what it builds in the folder that it is started in
            seconds=seconds,
        )

    def _read_outputs(self) -> None:
        stack = self.aws.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        self.outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
        self._write_record()

    def _mend_concurrency(self) -> None:
        """Write MaximumConcurrency once more, as a number: MiniStack 1.5 stumbles on the text of a parameter."""
        for mapping in self.aws.functions.list_event_source_mappings()["EventSourceMappings"]:
            if scaling := mapping.get("ScalingConfig"):
                self.aws.functions.update_event_source_mapping(
                    UUID=mapping["UUID"],
                    ScalingConfig={"MaximumConcurrency": int(scaling["MaximumConcurrency"])},
                )

    def _mend_push_password(self) -> None:
        """Give the push secret a password of letters and digits: MiniStack 1.5 overlooks ExcludePunctuation."""
        push = self.push_credentials()
        if not push["pwd"].isalnum():
            self.aws.secrets.put_secret_value(
                SecretId=self.outputs["PushSecretArn"],
                SecretString=json.dumps(push | {"pwd": secrets.token_hex(8)}),
            )

    def _write_record(self) -> None:
        Record(
            name=self.name,
            owner=None if self._kept else Process.current(),
            processes=tuple(self._processes),
            exports=self._exports,
            outputs=self.outputs,
        ).write(self.folder)


def _mend_default(parameter: str, value: str) -> None:
    """Change a parameter's default in the built template: it is all that MiniStack's SAM transform sees of it."""
    built = _BUILD / ".aws-sam" / "build" / "template.yaml"
    template = yaml.safe_load(built.read_text("utf-8"))
    template["Parameters"][parameter]["Default"] = value
    built.write_text(yaml.safe_dump(template, allow_unicode=True, sort_keys=False), "utf-8")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keep stacks of other processes from building while this one builds and uploads."""
    WORKPLACE.mkdir(exist_ok=True)
    with (WORKPLACE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _layers_packages() -> dict[str, str]:
    """Return the settings by which pip, under SAM, takes the layer's packages from where make puts them."""
    if not _fresh(PACKAGES / "complete", ROOT / "layers" / "kuaixintong" / "requirements.txt"):
        raise Failed("The layer's packages are missing or not those that it names now; `make demo` fetches them.")
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(PACKAGES), "PIP_CONFIG_FILE": os.devnull}


def _fresh(made: Path, source: Path) -> bool:
    return made.exists() and made.stat().st_mtime >= source.stat().st_mtime


def _sam_settings() -> Path:
    """Return a folder of settings for SAM beside the user's own: it shall not ask the internet for a newer SAM."""
    folder = WORKPLACE / "sam" / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"telemetryEnabled": False, "lastVersionCheck": time.time()}
    (folder / "metadata.json").write_text(json.dumps(settings), "utf-8")
    return folder
