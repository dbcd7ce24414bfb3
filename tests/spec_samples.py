"""The spec's own samples, byte for byte and section by section (interface specification, version 1.2).

Literal text on purpose: nothing here is computed, by us or by anyone's JSON library, so that a mistake in reading
or writing cannot hide in both the code and its tests. The digests of 2.2 and 3.2 are made up by the vendor (the
first even has 33 digits): no password gives them.
"""

# 2.2: a login

LOGIN_OP = "login"

LOGIN_MESSAGE = (
    '{ "cid": "12345678", "uid": "test", "pwd": "0723d239c0c8007f09aaaeabb2807e977", '
    '"timestamp": "201501242011311000" }'
)

# 2.4: its answer

LOGIN_ANSWER = '{ "stateCode": 0, "message": "操作成功", "smBalance": 0, "mmBalance": 0 }'.encode()

# 3.2: a submission

SEND_SM_OP = "sendSm"

SEND_SM_MESSAGE = (
    '{ "cid": "12345678", "uid": "test", "pwd": "0723d239c0c8007f09aaebbb2807e977", '
    '"timestamp": "201501242011311000", "mobiles": ["13708600860", "18930612517"], '
    '"content": "周末参加不了培训了", "atTime": "", "dailyBeginTime": "08:00:00", "dailyEndTime": "18:00:00" }'
)

# 3.4: its answer

SEND_SM_ANSWER = """\
{
  "stateCode":0,
  "message":"操作成功",
  "token":376,
  "fee":1
}""".encode()

# 4.6: a push of reports, in the spec's notation, and the JSON in it

REPORT_PUSH = """\
{
  uid="abc",
  pwd="123",
  type="report",
  jsonData=[
    {
      "token":7331,
      "mobile":"13500000000",
      "resultCode":"0",
      "success":true
    },
    {
      "token":8469,
      "mobile":"13700000000",
      "resultCode":"2:46",
      "success":false
    }
  ]
}"""

REPORT_JSON_DATA = """\
[
    {
      "token":7331,
      "mobile":"13500000000",
      "resultCode":"0",
      "success":true
    },
    {
      "token":8469,
      "mobile":"13700000000",
      "resultCode":"2:46",
      "success":false
    }
  ]"""

# 5.6: a push of MOs, in the spec's notation, and the JSON in it

MO_PUSH = """\
{
  uid="abc",
  pwd="123",
  type="mo",
  jsonData=[
    {
      "mobile":"13500000000",
      "content":"你好吗",
      "smgRecvDate":"2015-01-01 12:00:00"
    },
    {
      "mobile":"13700000000",
      "content":"我不好",
      "smgRecvDate":"2015-01-01 12:00:00"
    }
  ]
}"""

MO_JSON_DATA = """\
[
    {
      "mobile":"13500000000",
      "content":"你好吗",
      "smgRecvDate":"2015-01-01 12:00:00"
    },
    {
      "mobile":"13700000000",
      "content":"我不好",
      "smgRecvDate":"2015-01-01 12:00:00"
    }
  ]"""

PUSH_UID = "abc"
PUSH_PWD = "123"

# 4.7, 5.7: what the customer answers

PUSH_ANSWER = b"0"

# The same pushes as they travel (4.3, 4.4): form-encoded, UTF-8, JSON without blanks

REPORT_FORM = (
    b"uid=abc&pwd=123&type=report&jsonData="
    b"%5B%7B%22token%22%3A7331%2C%22mobile%22%3A%2213500000000%22%2C"
    b"%22resultCode%22%3A%220%22%2C%22success%22%3Atrue%7D%2C"
    b"%7B%22token%22%3A8469%2C%22mobile%22%3A%2213700000000%22%2C"
    b"%22resultCode%22%3A%222%3A46%22%2C%22success%22%3Afalse%7D%5D"
)

MO_FORM = (
    b"uid=abc&pwd=123&type=mo&jsonData="
    b"%5B%7B%22mobile%22%3A%2213500000000%22%2C%22content%22%3A%22%E4%BD%A0%E5%A5%BD%E5%90%97%22%2C"
    b"%22smgRecvDate%22%3A%222015-01-01+12%3A00%3A00%22%7D%2C"
    b"%7B%22mobile%22%3A%2213700000000%22%2C%22content%22%3A%22%E6%88%91%E4%B8%8D%E5%A5%BD%22%2C"
    b"%22smgRecvDate%22%3A%222015-01-01+12%3A00%3A00%22%7D%5D"
)

# 6.1: the digest. The spec has no worked example: this one is md5("secret201501242011311000"), by md5sum(1)

DIGEST_EXAMPLE = ("secret", "201501242011311000", "8769b3b16ae09906b552c2da64f28cf9")

# 6.2: the state codes

STATE_CODES = (
    (0, "操作成功"),
    (1, "系统忙（未知错误）；通常是平台维护，或者发生内部错误。"),
    (100, "不支持的操作；提交了错误的 op 值。"),
    (110, "提交了无效的 JSON 数据"),
    (120, "缺少参数"),
    (130, "不支持 GET 请求"),
    (200, "认证错"),
    (210, "请求频率过快"),
    (220, "无效来源（请求方 IP 被平台拒绝）"),
    (230, "无效的时间戳；格式不对，或者提交了重复的时间戳。"),
    (240, "认证失败"),
    (250, "账户已停用"),
    (260, "机构已停用"),
    (300, "号码数不正确；可能数量为 0，或者超过了平台限制。"),
    (310, "包含无效号码"),
    (320, "内容长度不正确；可能长度为 0，或超过了平台限制。"),
    (330, "定时时间不正确"),
    (340, "每日限发时段不正确"),
    (350, "提交的 token 数量不正确；可能超过了平台限制。"),
    (360, "提交的 token 值不正确"),
    (400, "余额不足"),
)
