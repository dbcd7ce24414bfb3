"""The producer library against the deployed stack: three lines, and the platform has the send."""

import pytest

from kuaixintong.producer import Outbox
from local.simulator.running import RunningSimulator
from tests.e2e.deployment import Deployment


def test_what_a_producer_enqueues_is_accepted_by_the_platform(
    deployment: Deployment, platform: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in deployment.stack.environment.items():
        monkeypatch.setenv(name, value)
    outbox = Outbox.of_stack(deployment.stack.name)
    code = outbox.send(mobiles=["13708600860"], content="您的验证码是 123456", category="otp")
    [greeting] = outbox.send_many(
        [{"mobiles": ["＋８６ 189-3061-2517"], "content": "新年好", "campaign": "spring"}]
    )
    for enqueued in (code, greeting):
        assert [part["state"] for part in deployment.settled(enqueued.send_id)] == ["ACCEPTED"]
    assert sorted(mobile for message in platform.messages() for mobile in message.mobiles) == [
        "13708600860",
        "18930612517",
    ]
