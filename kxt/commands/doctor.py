"""``kxt doctor``: what is wrong with a deployment."""

import typer

from kuaixintong.doctor import Finding, Verdict, examine
from kxt.app import app
from kxt.shell import FAILED, Shell, command, helped
from kxt.words import both

_STYLES = {Verdict.GOOD: "green", Verdict.WRONG: "red", Verdict.UNKNOWN: "yellow"}


@command(
    app,
    "doctor",
    helped(
        "Find out what is wrong with a deployment.\n\n"
        "The platform is asked from the stack itself; each check says what is wrong and the next step. Status 1 "
        "if anything is.",
        "检查部署有什么问题。\n\n由堆栈自己访问平台；每项检查说明问题和下一步。\n有任何问题时退出状态为 1。",
        "kxt doctor",
        "kxt doctor --json | jq '.[] | select(.verdict != \"good\")'",
    ),
)
def doctor(shell: Shell) -> None:
    """Examine a stack."""
    findings: list[Finding] = []
    for finding in examine(shell.stack):
        findings.append(finding)
        shell.line(f"{finding.verdict:8} {finding.check}: {finding.words}", _STYLES[finding.verdict])
        if finding.step and finding.verdict is not Verdict.GOOD:
            shell.line(f"         → {finding.step}")
    shell.give(findings)
    wrong = sum(finding.verdict is Verdict.WRONG for finding in findings)
    if wrong:
        shell.say(both(f"{wrong} thing(s) to mend", f"{wrong} 项需要处理"), "red")
        raise typer.Exit(FAILED)
