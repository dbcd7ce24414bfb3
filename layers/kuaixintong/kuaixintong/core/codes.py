"""The platform's state codes (spec 6.2): the whole table, in its own words, and who has to act on each."""

from dataclasses import dataclass
from enum import StrEnum, auto
from types import MappingProxyType


class Actor(StrEnum):
    """Who has to do something about an answer."""

    NOBODY = auto()
    LATER = auto()  # the moment is bad: the system asks again by itself
    REQUEST = auto()  # the request is wrong: whoever enqueued it
    ACCOUNT = auto()  # the account needs a person: password, address, standing, balance
    US = auto()  # we and the platform disagree on the protocol


class Trouble(StrEnum):
    """What an answer, or the want of one, says about the account; all but ``PACE`` are reasons for a pause."""

    AUTHENTICATION = "authentication"
    SOURCE_ADDRESS = "source address"
    ACCOUNT_DISABLED = "account disabled"
    ORGANISATION_DISABLED = "organisation disabled"
    BALANCE = "balance"
    TIMESTAMP = "timestamp"
    UNREACHABLE = "unreachable"
    PACE = "pace"


@dataclass(frozen=True, slots=True)
class StateCode:
    """One row of the spec's table 6.2."""

    code: int
    meaning: str
    actor: Actor


SUCCESS = 0
TOO_FAST = 210
TIMESTAMP_REFUSED = 230
INVALID_NUMBERS = 310
AT_TIME_REFUSED = 330

_TABLE = (
    StateCode(SUCCESS, "操作成功", Actor.NOBODY),
    StateCode(1, "系统忙（未知错误）；通常是平台维护，或者发生内部错误。", Actor.LATER),
    StateCode(100, "不支持的操作；提交了错误的 op 值。", Actor.US),
    StateCode(110, "提交了无效的 JSON 数据", Actor.US),
    StateCode(120, "缺少参数", Actor.US),
    StateCode(130, "不支持 GET 请求", Actor.US),
    StateCode(200, "认证错", Actor.ACCOUNT),
    StateCode(TOO_FAST, "请求频率过快", Actor.LATER),
    StateCode(220, "无效来源（请求方 IP 被平台拒绝）", Actor.ACCOUNT),
    StateCode(TIMESTAMP_REFUSED, "无效的时间戳；格式不对，或者提交了重复的时间戳。", Actor.LATER),
    StateCode(240, "认证失败", Actor.ACCOUNT),
    StateCode(250, "账户已停用", Actor.ACCOUNT),
    StateCode(260, "机构已停用", Actor.ACCOUNT),
    StateCode(300, "号码数不正确；可能数量为 0，或者超过了平台限制。", Actor.REQUEST),
    StateCode(INVALID_NUMBERS, "包含无效号码", Actor.REQUEST),
    StateCode(320, "内容长度不正确；可能长度为 0，或超过了平台限制。", Actor.REQUEST),
    StateCode(AT_TIME_REFUSED, "定时时间不正确", Actor.REQUEST),
    StateCode(340, "每日限发时段不正确", Actor.REQUEST),
    StateCode(350, "提交的 token 数量不正确；可能超过了平台限制。", Actor.US),
    StateCode(360, "提交的 token 值不正确", Actor.US),
    StateCode(400, "余额不足", Actor.ACCOUNT),
)

STATE_CODES = MappingProxyType({row.code: row for row in _TABLE})


def look_up(code: int) -> StateCode:
    """Return the table's row; a code that the spec does not list is ours to find out about."""
    return STATE_CODES.get(code) or StateCode(code, "未知的状态码", Actor.US)
