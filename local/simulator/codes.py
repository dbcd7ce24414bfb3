"""The state codes and their words (spec 6.2)."""

from types import MappingProxyType

SUCCESS = 0
BUSY = 1
UNKNOWN_OP = 100
INVALID_JSON = 110
PARAMETER_MISSING = 120
GET_UNSUPPORTED = 130
UNKNOWN_ACCOUNT = 200
TOO_FREQUENT = 210
SOURCE_REFUSED = 220
TIMESTAMP_INVALID = 230
AUTHENTICATION_FAILED = 240
ACCOUNT_DISABLED = 250
ORGANISATION_DISABLED = 260
MOBILE_COUNT_WRONG = 300
MOBILE_INVALID = 310
CONTENT_LENGTH_WRONG = 320
AT_TIME_WRONG = 330
DAILY_TIME_WRONG = 340
TOKEN_COUNT_WRONG = 350
TOKEN_WRONG = 360
BALANCE_SHORT = 400

WORDS = MappingProxyType(
    {
        SUCCESS: "操作成功",
        BUSY: "系统忙（未知错误）；通常是平台维护，或者发生内部错误。",
        UNKNOWN_OP: "不支持的操作；提交了错误的 op 值。",
        INVALID_JSON: "提交了无效的 JSON 数据",
        PARAMETER_MISSING: "缺少参数",
        GET_UNSUPPORTED: "不支持 GET 请求",
        UNKNOWN_ACCOUNT: "认证错",
        TOO_FREQUENT: "请求频率过快",
        SOURCE_REFUSED: "无效来源（请求方 IP 被平台拒绝）",
        TIMESTAMP_INVALID: "无效的时间戳；格式不对，或者提交了重复的时间戳。",
        AUTHENTICATION_FAILED: "认证失败",
        ACCOUNT_DISABLED: "账户已停用",
        ORGANISATION_DISABLED: "机构已停用",
        MOBILE_COUNT_WRONG: "号码数不正确；可能数量为 0，或者超过了平台限制。",
        MOBILE_INVALID: "包含无效号码",
        CONTENT_LENGTH_WRONG: "内容长度不正确；可能长度为 0，或超过了平台限制。",
        AT_TIME_WRONG: "定时时间不正确",
        DAILY_TIME_WRONG: "每日限发时段不正确",
        TOKEN_COUNT_WRONG: "提交的 token 数量不正确；可能超过了平台限制。",
        TOKEN_WRONG: "提交的 token 值不正确",
        BALANCE_SHORT: "余额不足",
    }
)
