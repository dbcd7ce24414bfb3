"""What may be enqueued: every rule of a send, told in sentences that a stranger understands."""

import json
import random
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import re2  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from kuaixintong.core import bodies, sends
from kuaixintong.core.errors import SendRefused
from kuaixintong.core.sends import UNUSABLE, InvalidMobile, Part, Send

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "send.schema.json"

MOBILE = "13708600860"
GOOD: dict[str, Any] = {"mobiles": [MOBILE], "content": "周末参加不了培训了"}
EMOJI = "\U0001f600"

MOMENT_RULE = "it must be a date and time that exists, yyyy-MM-dd HH:mm:ss, Beijing time."
CLOCK_RULE = "it must be a time of day, HH:mm:ss, from 00:00:00 to 23:59:59."
CONTENT_RULE = "it must be a string of 1–1000 characters, counted in UTF-16 units, in valid Unicode."
ID_RULE = "it must be 1–128 characters of A-Z a-z 0-9 . _ : -."
MOBILES_RULE = "it must be an array of at least one string."
CATEGORY_RULE = "it must be otp, notice or marketing."
CAMPAIGN_RULE = "it must be 1–100 characters of A-Z a-z 0-9 . _ : -."
FIELDS = (
    "the fields are id, mobiles, content, atTime, dailyBeginTime, dailyEndTime, validUntil, "
    "category, campaign, hold."
)


def parsed(**changes: Any) -> Send:
    return sends.parse(json.dumps(GOOD | changes), "message-1")


def numbers(count: int) -> list[str]:
    return [f"137{number:08}" for number in range(count)]


def faults_of(body: str) -> list[str]:
    with pytest.raises(SendRefused) as caught:
        sends.parse(body, "message-1")
    return [*caught.value.faults]


# --- what is right ----------------------------------------------------------------------------------------------

RIGHT: dict[str, dict[str, Any]] = {
    "the least": GOOD,
    "the spec's own sample": {
        "mobiles": ["13708600860", "18930612517"],
        "content": "周末参加不了培训了",
        "atTime": "",
        "dailyBeginTime": "08:00:00",
        "dailyEndTime": "18:00:00",
    },
    "every field": GOOD
    | {
        "id": "order:2026-11.23_A",
        "atTime": "2026-12-01 12:00:00",
        "dailyBeginTime": "09:30:00",
        "dailyEndTime": "18:00:00",
        "validUntil": "2026-12-02 00:00:00",
        "category": "marketing",
        "campaign": "spring:2026-11.23_A",
        "hold": True,
    },
    "every optional field empty": GOOD
    | {"id": "", "atTime": "", "dailyBeginTime": "", "dailyEndTime": "", "validUntil": ""}
    | {"category": "", "campaign": "", "hold": ""},
    "every default written out": GOOD | {"category": "notice", "hold": False},
    "a one-time code": GOOD | {"category": "otp"},
    "the longest campaign": GOOD | {"campaign": "x" * 100},
    "the longest id": GOOD | {"id": "x" * 128},
    "the longest content": GOOD | {"content": "长" * 1_000},
    "one blank": GOOD | {"content": " "},
    "500 emoji": GOOD | {"content": EMOJI * 500},
    "a window of the whole day": GOOD | {"dailyBeginTime": "00:00:00", "dailyEndTime": "23:59:59"},
    "a window with no end": GOOD | {"dailyBeginTime": "23:59:59"},
    "a leap day": GOOD | {"atTime": "2028-02-29 00:00:00"},
    "atTime long gone": GOOD | {"atTime": "2015-04-01 12:00:00"},
    "nothing but an unusable mobile": GOOD | {"mobiles": ["12345"]},
}

# --- what is wrong, and the sentence that says so ---------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no mobiles": ({"content": "x"}, f"mobiles is missing; {MOBILES_RULE}"),
    "an empty array of mobiles": (GOOD | {"mobiles": []}, f"mobiles is an empty array; {MOBILES_RULE}"),
    "mobiles as text": (GOOD | {"mobiles": MOBILE}, f"mobiles is a string; {MOBILES_RULE}"),
    "mobiles as null": (GOOD | {"mobiles": None}, f"mobiles is null; {MOBILES_RULE}"),
    "a mobile as a number": (
        GOOD | {"mobiles": [MOBILE, 13708600860]},
        "mobiles[1] is a number; mobiles must be an array of at least one string.",
    ),
    "several mobiles that are no strings": (
        GOOD | {"mobiles": [1, MOBILE, None]},
        "mobiles[0] is a number, mobiles[2] is null; mobiles must be an array of at least one string.",
    ),
    "very many mobiles that are no strings": (
        GOOD | {"mobiles": [13708600860] * 80},
        "mobiles[0] is a number, mobiles[1] is a number, mobiles[2] is a number, mobiles[3] is a number, "
        "mobiles[4] is a number, and 75 more are no strings; mobiles must be an array of at least one string.",
    ),
    "no content": ({"mobiles": [MOBILE]}, f"content is missing; {CONTENT_RULE}"),
    "empty content": (GOOD | {"content": ""}, f"content is empty; {CONTENT_RULE}"),
    "1001 characters": (GOOD | {"content": "长" * 1_001}, f"content is 1001 characters long; {CONTENT_RULE}"),
    "content as a number": (GOOD | {"content": 1}, f"content is a number; {CONTENT_RULE}"),
    "content as null": (GOOD | {"content": None}, f"content is null; {CONTENT_RULE}"),
    "a bad date": (GOOD | {"atTime": "2015-4-1 12:00:00"}, f'atTime is "2015-4-1 12:00:00"; {MOMENT_RULE}'),
    "a date with an offset": (
        GOOD | {"validUntil": "2026-12-01T12:00:00Z"},
        f'validUntil is "2026-12-01T12:00:00Z"; {MOMENT_RULE}',
    ),
    "a date as a number": (GOOD | {"atTime": 1427860800}, f"atTime is 1427860800; {MOMENT_RULE}"),
    "half past twenty-four": (
        GOOD | {"dailyBeginTime": "24:30:00"},
        f'dailyBeginTime is "24:30:00"; {CLOCK_RULE}',
    ),
    "a time without seconds": (GOOD | {"dailyEndTime": "18:00"}, f'dailyEndTime is "18:00"; {CLOCK_RULE}'),
    "a time as null": (GOOD | {"dailyEndTime": None}, f"dailyEndTime is null; {CLOCK_RULE}"),
    "an unknown field": (GOOD | {"colour": "red"}, f'"colour" is not a field of a send; {FIELDS}'),
    "a field in small letters": (
        GOOD | {"attime": "2015-04-01 12:00:00"},
        f'"attime" is not a field of a send (did you mean atTime?); {FIELDS}',
    ),
    "a field that nobody could see to be wrong": (
        GOOD | {"atTime\u200b": "2015-04-01 12:00:00"},
        r'"atTime\u200b" (with U+200B, which does not show) is not a field of a send (did you mean atTime?); '
        + FIELDS,
    ),
    "a field without a name": (GOOD | {"": 1}, f'"" is not a field of a send; {FIELDS}'),
    "an id with a character that does not show": (
        GOOD | {"id": "order\u200b1"},
        rf'id is "order\u200b1" (with U+200B, which does not show); {ID_RULE}',
    ),
    "an id with such a character where a sentence no longer shows it": (
        GOOD | {"id": "x" * 50 + "\ufeff" + "\u202d"},
        f'id is "{"x" * 39}… (with U+FEFF, U+202D, which do not show); {ID_RULE}',
    ),
    "a date with a no-break blank": (
        GOOD | {"atTime": "2026-12-01\u00a012:00:00"},
        rf'atTime is "2026-12-01\u00a012:00:00" (with U+00A0, which does not show); {MOMENT_RULE}',
    ),
    "an id with a blank": (GOOD | {"id": "order 1"}, f'id is "order 1"; {ID_RULE}'),
    "an id in Chinese": (GOOD | {"id": "订单"}, f'id is "订单"; {ID_RULE}'),
    "an id as a number": (GOOD | {"id": 17}, f"id is 17; {ID_RULE}"),
    "an id of 129 characters": (GOOD | {"id": "x" * 129}, f'id is "{"x" * 39}…; {ID_RULE}'),
}

WRONG |= {
    "a category of its own": (GOOD | {"category": "OTP"}, f'category is "OTP"; {CATEGORY_RULE}'),
    "category as a number": (GOOD | {"category": 1}, f"category is 1; {CATEGORY_RULE}"),
    "category as null": (GOOD | {"category": None}, f"category is null; {CATEGORY_RULE}"),
    "a category with an odd character": (
        GOOD | {"category": "otp\u200b"},
        rf'category is "otp\u200b" (with U+200B, which does not show); {CATEGORY_RULE}',
    ),
    "a campaign with a blank": (GOOD | {"campaign": "spring 26"}, f'campaign is "spring 26"; {CAMPAIGN_RULE}'),
    "a campaign of 101 characters": (
        GOOD | {"campaign": "x" * 101},
        f'campaign is "{"x" * 39}…; {CAMPAIGN_RULE}',
    ),
    "hold as text": (
        GOOD | {"hold": "true", "atTime": "2026-12-01 12:00:00"},
        'hold is "true"; it must be true or false.',
    ),
    "hold as a number": (GOOD | {"hold": 1}, "hold is 1; it must be true or false."),
    "hold as null": (GOOD | {"hold": None}, "hold is null; it must be true or false."),
}

# What JSON Schema has no words for: UTF-16 units, the calendar, one field beside another, and a newline before the
# end, which some engines let through.
BEYOND_A_SCHEMA: dict[str, tuple[dict[str, Any], str]] = {
    "an id with a newline": (GOOD | {"id": "order-1\n"}, f'id is "order-1\\n"; {ID_RULE}'),
    "a date and a newline": (
        GOOD | {"atTime": "2015-04-01 12:00:00\n"},
        f'atTime is "2015-04-01 12:00:00\\n"; {MOMENT_RULE}',
    ),
    "a newline alone": (GOOD | {"validUntil": "\n"}, f'validUntil is "\\n"; {MOMENT_RULE}'),
    "a time of day and a newline": (
        GOOD | {"dailyEndTime": "18:00:00\n"},
        f'dailyEndTime is "18:00:00\\n"; {CLOCK_RULE}',
    ),
    "501 emoji": (GOOD | {"content": EMOJI * 501}, f"content is 1002 characters long; {CONTENT_RULE}"),
    "half a surrogate pair": (
        GOOD | {"content": "x\ud83d"},
        f"content is text with half a surrogate pair; {CONTENT_RULE}",
    ),
    "30 February": (GOOD | {"atTime": "2026-02-30 12:00:00"}, f'atTime is "2026-02-30 12:00:00"; {MOMENT_RULE}'),
    "the hour 24": (
        GOOD | {"validUntil": "2026-02-03 24:00:00"},
        f'validUntil is "2026-02-03 24:00:00"; {MOMENT_RULE}',
    ),
    "the year 1": (
        GOOD | {"validUntil": "0001-01-01 00:00:00"},
        f'validUntil is "0001-01-01 00:00:00"; {MOMENT_RULE}',
    ),
    "begin after end": (
        GOOD | {"dailyBeginTime": "18:00:00", "dailyEndTime": "08:00:00"},
        'dailyBeginTime is "18:00:00" and dailyEndTime is "08:00:00"; begin must be before end.',
    ),
    "hold without atTime": (
        GOOD | {"hold": True},
        "hold is true, and atTime is left out; what is held needs an atTime.",
    ),
    "hold with an empty atTime": (
        GOOD | {"hold": True, "atTime": ""},
        "hold is true, and atTime is left out; what is held needs an atTime.",
    ),
    "begin at end": (
        GOOD | {"dailyBeginTime": "08:00:00", "dailyEndTime": "08:00:00"},
        'dailyBeginTime is "08:00:00" and dailyEndTime is "08:00:00"; begin must be before end.',
    ),
}

NO_OBJECT = {
    "": "The body is no JSON text; it must be a JSON object in UTF-8.",
    "hello": "The body is no JSON text; it must be a JSON object in UTF-8.",
    '{"mobiles": ["13708600860"], "content": "x"': "The body is no JSON text; it must be a JSON object in UTF-8.",
    '{"mobiles": ["13708600860"], "content": NaN}': "The body is no JSON text; it must be a JSON object in UTF-8.",
    "[" * 100_000: "The body is no JSON text; it must be a JSON object in UTF-8.",
    '[{"mobiles": ["13708600860"], "content": "x"}]': "The body is an array; it must be a JSON object.",
    '"13708600860"': "The body is a string; it must be a JSON object.",
    "13708600860": "The body is a number; it must be a JSON object.",
    "true": "The body is true or false; it must be a JSON object.",
    "null": "The body is null; it must be a JSON object.",
    '\ufeff{"mobiles": ["13708600860"], "content": "x"}': (
        "The body is no JSON text: its character 1 is U+FEFF, which does not show; "
        "it must be a JSON object in UTF-8."
    ),
    '{"mobiles": ["13708600860"],\u00a0"content": "x"}': (
        "The body is no JSON text: its character 29 is U+00A0, which does not show; "
        "it must be a JSON object in UTF-8."
    ),
    '{"mobiles": ["13708600860"], "content": "one\ntwo"}': (
        "The body is no JSON text: its character 45 is U+000A, which does not show; "
        "it must be a JSON object in UTF-8."
    ),
    '{"mobiles": ["1"], "content": "a", "content": "b"}': (
        'The field "content" stands twice; a field may stand once.'
    ),
}

the_right = pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT.keys())
the_wrong = pytest.mark.parametrize(("body", "sentence"), WRONG.values(), ids=WRONG.keys())
the_unspeakable = pytest.mark.parametrize(
    ("body", "sentence"), BEYOND_A_SCHEMA.values(), ids=BEYOND_A_SCHEMA.keys()
)


@the_right
def test_a_body_that_keeps_the_rules_is_a_send(body: dict[str, Any]) -> None:
    send = sends.parse(json.dumps(body, ensure_ascii=False), "message-1")
    assert send.content == body["content"]
    assert send.send_id == (body.get("id") or "message-1")
    for ours, theirs in (
        (send.at_time, "atTime"),
        (send.daily_begin_time, "dailyBeginTime"),
        (send.daily_end_time, "dailyEndTime"),
        (send.valid_until, "validUntil"),
        (send.campaign, "campaign"),
        (send.hold or None, "hold"),
    ):
        assert ours == (body.get(theirs) or None)
    assert send.category == (body.get("category") or "notice")


@the_wrong
def test_a_broken_rule_is_told_with_field_value_and_rule(body: dict[str, Any], sentence: str) -> None:
    assert faults_of(json.dumps(body)) == [sentence]


@the_unspeakable
def test_so_is_a_rule_that_no_schema_can_state(body: dict[str, Any], sentence: str) -> None:
    assert faults_of(json.dumps(body)) == [sentence]


@pytest.mark.parametrize(("body", "sentence"), NO_OBJECT.items(), ids=[body[:30] for body in NO_OBJECT])
def test_a_body_that_is_no_object_is_told_what_it_is(body: str, sentence: str) -> None:
    assert faults_of(body) == [sentence]


def test_all_faults_are_told_at_once() -> None:
    body = {
        "id": "?",
        "mobiles": [],
        "content": "",
        "atTime": "soon",
        "dailyBeginTime": "18:00:00",
        "dailyEndTime": "08:00:00",
        "validUntil": "later",
        "category": "news",
        "campaign": "?",
        "hold": "yes",
        "colour": "red",
    }
    told = faults_of(json.dumps(body))
    assert sorted(sentence.partition(" is ")[0] for sentence in told) == [
        '"colour"',
        "atTime",
        "campaign",
        "category",
        "content",
        "dailyBeginTime",
        "hold",
        "id",
        "mobiles",
        "validUntil",
    ]
    assert str(SendRefused(told)) == " ".join(told)


def test_a_field_that_stands_twice_is_told_with_all_other_faults() -> None:
    body = '{"id": "?", "mobile": [], "content": "", "content": "x", "content": ""}'
    assert faults_of(body) == [
        f"mobiles is missing; {MOBILES_RULE}",
        f"content is empty; {CONTENT_RULE}",
        f'id is "?"; {ID_RULE}',
        'The field "content" stands twice; a field may stand once.',
        f'"mobile" is not a field of a send (did you mean mobiles?); {FIELDS}',
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mobile", "mobiles"),
        ("Mobiles", "mobiles"),
        ("contnet", "content"),
        ("at_time", "atTime"),
        ("valid-until", "validUntil"),
        ("dailyBegin", "dailyBeginTime"),
        ("dailyEndtime", "dailyEndTime"),
        ("ID", "id"),
        ("catagory", "category"),
        ("campain", "campaign"),
        ("held", "hold"),
        ("text", None),
        ("to", None),
        ("x" * 10_000, None),
    ],
)
def test_a_near_miss_of_a_field_is_told_what_it_was_meant_for(typed: str, meant: str | None) -> None:
    (told,) = faults_of(json.dumps(GOOD | {typed: ""}))
    assert (f"(did you mean {meant}?)" in told) == (meant is not None), told
    assert ("did you mean" in told) == (meant is not None), told


def test_many_faults_are_found_quickly() -> None:
    began = time.process_time()
    faults_of(json.dumps(GOOD | {f"f{number}": 1 for number in range(80_000)}))
    faults_of("{" + ", ".join(f'"f{number % 40_000}": 1' for number in range(80_000)) + "}")
    assert time.process_time() - began < 5


def test_a_window_with_a_malformed_end_is_told_once() -> None:
    assert len(faults_of(json.dumps(GOOD | {"dailyBeginTime": "18:00:00", "dailyEndTime": "8:00"}))) == 1


def test_very_many_faults_are_counted_beyond_the_first_twenty() -> None:
    told = faults_of(json.dumps(GOOD | {f"field-{number}": 1 for number in range(1_000)}))
    assert len(told) == 21
    assert told[-1] == "And 980 more faults of this kind."


def test_a_sentence_about_a_long_value_stays_short() -> None:
    (told,) = faults_of(json.dumps(GOOD | {"id": {"x": ["y" * 100_000]}}))
    assert len(told) < 150


def test_a_sentence_never_quotes_content_or_a_whole_list_of_mobiles() -> None:
    secret = "验证码 123456"
    for body in (
        {"mobiles": [MOBILE, 1], "content": secret},
        {"mobiles": MOBILE, "content": secret},
        {"mobiles": [MOBILE], "content": secret * 200},
        {"mobiles": [MOBILE], "content": [secret]},
        {"mobiles": [MOBILE], "content": "x", "contnet": secret},
    ):
        told = " ".join(faults_of(json.dumps(body)))
        assert secret not in told
        assert MOBILE not in told


def test_a_sentence_can_be_stored_whatever_it_is_about() -> None:
    for body in ('{"\\ud800": 1}', '{"id": "\\ud800"}', '{"atTime": "\\udfff\\u0000"}'):
        "".join(faults_of(body)).encode()


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*RIGHT["every field"], "other"]), json_values) | json_values)
def test_any_json_is_a_send_or_refused_in_sentences(value: Any) -> None:
    body = json.dumps(value)
    faults: tuple[str, ...] = ()
    try:
        assert sends.parse(body, "message-1").parts
    except SendRefused as refused:
        faults = refused.faults or ("",)
    assert all(fault.endswith(".") and fault.encode() for fault in faults)
    assert sends.send_id_of(body, "message-1").isprintable()


@given(st.text())
def test_any_text_is_a_send_or_refused(body: str) -> None:
    assert faults_of(body)


# --- the published schema ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_the_published_schema_is_the_one_that_checks(schema: dict[str, Any]) -> None:
    again = (
        'PYTHONPATH=layers/kuaixintong .venv/bin/python -c "import json; from kuaixintong.core import sends; '
        'print(json.dumps(sends.schema(), indent=2, ensure_ascii=False))" > docs/send.schema.json'
    )
    assert schema == sends.schema(), f"to publish it anew: {again}"


def test_the_schema_knows_every_category(schema: dict[str, Any]) -> None:
    assert schema["properties"]["category"]["enum"] == sorted(["", *sends.Category])


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all("description" in each for each in schema["properties"].values())


@the_right
def test_the_schema_takes_what_the_code_takes(schema: dict[str, Any], body: dict[str, Any]) -> None:
    jsonschema.validate(body, schema)


@the_wrong
def test_the_schema_refuses_what_the_code_refuses(
    schema: dict[str, Any], body: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, schema)


@pytest.mark.parametrize("body", [[GOOD], "x", 1, None, True])
def test_the_schema_refuses_what_is_no_object(schema: dict[str, Any], body: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, schema)


@the_unspeakable
def test_what_a_schema_cannot_say_it_lets_through(
    schema: dict[str, Any], body: dict[str, Any], sentence: str
) -> None:
    jsonschema.validate(body, schema)


PATTERN_CASES = [
    *("", "\n", "order-1", "order-1\n", "\norder-1", "order 1", "订单", "a.b_c:d-e", "x" * 128, "x" * 129),
    *("2026-12-01 12:00:00", "2026-12-01 12:00:00\n", "2026-12-01T12:00:00Z", "2026-2-30 12:00:00", "１" * 4),
    *("00:00:00", "23:59:59", "24:00:00", "18:00", "18:00:00\n", "18:00:00 "),
]


def patterns(schema: dict[str, Any]) -> list[str]:
    return sorted({each["pattern"] for each in schema["properties"].values() if "pattern" in each})


def meant(pattern: str) -> list[bool]:
    """Which of the cases the pattern takes where ``$`` is the end and nothing else."""
    return [re.fullmatch(pattern, case) is not None for case in PATTERN_CASES]


def test_the_schemas_patterns_compile_in_re2_and_mean_the_same_there(schema: dict[str, Any]) -> None:
    assert len(patterns(schema)) >= 3
    for pattern in patterns(schema):
        engine = re2.compile(pattern)  # Go's syntax, too
        assert [engine.search(case) is not None for case in PATTERN_CASES] == meant(pattern), pattern


@pytest.mark.skipif(not shutil.which("node"), reason="node, whose engine reads ECMA's patterns, is not installed")
@pytest.mark.parametrize("flags", ["", "u", "v"])
def test_the_schemas_patterns_mean_the_same_in_ecmascript(schema: dict[str, Any], flags: str) -> None:
    script = """
        const {patterns, flags, cases} = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(patterns.map(each => cases.map(text => new RegExp(each, flags).test(text)))));
    """
    asked = {"patterns": patterns(schema), "flags": flags, "cases": PATTERN_CASES}
    node = subprocess.run(
        ["node", "-e", script], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(node.stdout) == [meant(pattern) for pattern in patterns(schema)]


@pytest.mark.skipif(
    not shutil.which("javac"), reason="a JDK, whose engine reads Java's patterns, is not installed"
)
def test_the_schemas_patterns_mean_the_same_in_java_but_for_a_last_newline(
    schema: dict[str, Any], tmp_path: Path
) -> None:
    program = tmp_path / "Patterns.java"
    program.write_text("""
        public class Patterns {
            public static void main(String[] given) {
                int patterns = Integer.parseInt(given[0]);
                for (int at = 1; at <= patterns; at++) {
                    var pattern = java.util.regex.Pattern.compile(given[at]);
                    for (int of = patterns + 1; of < given.length; of++)
                        System.out.println(pattern.matcher(given[of]).find());
                }
            }
        }
    """)
    # Java's "$" lets a newline follow, like Python's: only the code, not the schema, sees that one.
    cases = [case for case in PATTERN_CASES if not case.endswith("\n") and case.isascii()]
    given = [str(len(patterns(schema))), *patterns(schema), *cases]
    java = subprocess.run(["java", program, *given], capture_output=True, text=True, check=True, timeout=120)
    expected = [re.fullmatch(pattern, case) is not None for pattern in patterns(schema) for case in cases]
    assert [line == "true" for line in java.stdout.split()] == expected


# --- ids --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "known_as"),
    [
        ('{"id": "order-1", "mobiles": []}', "order-1"),
        ('{"id": "order 1"}', "message-1"),
        ('{"id": ""}', "message-1"),
        ('{"id": 17}', "message-1"),
        ('{"id": "x\\n"}', "message-1"),
        ('{"id": "a", "id": "b"}', "message-1"),
        ('{"id": "a", "content": "b", "content": "c"}', "a"),
        ('{"id": "order\u200b1"}', "message-1"),
        ("[]", "message-1"),
        ("no JSON", "message-1"),
    ],
)
def test_a_refused_body_is_known_by_its_own_id_if_that_is_usable(body: str, known_as: str) -> None:
    assert sends.send_id_of(body, "message-1") == known_as


# --- mobiles ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "13708600860",
        "+8613708600860",
        "008613708600860",
        "8613708600860",
        "+86 137 0860 0860",
        "137-0860-0860",
        "0086-137-0860-0860",
        " 137 0860\t0860\n",
        "+86‐137–0860—0860",  # hyphen, en dash, em dash
        "137\u00a00860\u30000860",  # no-break blank, ideographic blank
        "8 6 1 3 7 0 8 6 0 0 8 6 0",
        "１３７０８６００８６０",
        "＋８６　１３７－０８６０－０８６０",
        "１37０860086０",
        "\ufe6286137\ufe630860\ufe630860",  # small plus, small hyphens
        "137\u22120860\u22120860",  # minus
        "\u202d13708600860\u202c",  # as a phone's address book copies it
        "\u2066+86\u2069 \u200e137\u200f0860\u061c0860",
        "\ufeff13708600860",  # byte order mark
        "137\u200b0860\u200c0860\u200d\u2060",
        "137\u00ad0860\u00ad0860",  # soft hyphen
        "137\x020860\x020860",  # what one reader of PDFs puts in place of a soft hyphen
        "1\ufe0f3708600860",
        "13708600860\x00",
    ],
)
def test_ways_of_writing_a_mobile_are_normalised_away(written: str) -> None:
    assert sends.normalise(written) == MOBILE


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "1370860086",
        "137086008600",
        "23708600860",
        "+8513708600860",
        "+861370860086",
        "86+13708600860",
        "868613708600860",
        "+008613708600860",
        "1370860086o",
        "1370860086²",  # a footnote is no digit
        "1370860086①",
        "1370860086٠",
        "137\u200b0860086",
        "137.0860.0860",
        "tel:13708600860",
        "13708600860,18930612517",
        "1.370860086E+10",
    ],
)
def test_what_is_then_not_11_digits_beginning_with_1_is_unusable(written: str) -> None:
    assert sends.normalise(written) is None


def test_a_mobile_written_in_several_ways_is_sent_to_once_where_it_came_first() -> None:
    send = parsed(mobiles=["18930612517", MOBILE, f"+86 {MOBILE}", "18930612517"])
    assert send.mobiles == ("18930612517", MOBILE)
    assert send.invalid_mobiles == ()


def test_good_mobiles_are_sent_and_bad_ones_listed_as_written() -> None:
    send = parsed(mobiles=["12345", MOBILE, "12345", ""])
    assert send.mobiles == (MOBILE,)
    assert send.invalid_mobiles == (InvalidMobile("12345", UNUSABLE), InvalidMobile("", UNUSABLE))
    assert send.parts == (Part("1", (MOBILE,), send.invalid_mobiles),)


def test_an_unusable_mobile_is_kept_in_a_form_that_can_be_stored() -> None:
    send = parsed(mobiles=["x" * 1_000, "\ud800", MOBILE])
    assert [invalid.mobile for invalid in send.invalid_mobiles] == ["x" * 40, "?"]


# --- parts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [1]),
        (9_999, [9_999]),
        (10_000, [10_000]),
        (10_001, [10_000, 1]),
        (25_000, [10_000, 10_000, 5_000]),
    ],
)
def test_a_part_has_at_most_10_000_mobiles(count: int, sizes: list[int]) -> None:
    send = parsed(mobiles=numbers(count))
    assert [len(part.mobiles) for part in send.parts] == sizes
    assert [part.name for part in send.parts] == [str(number) for number in range(1, len(sizes) + 1)]
    assert [mobile for part in send.parts for mobile in part.mobiles] == numbers(count)


def test_a_send_is_cut_the_same_way_every_time() -> None:
    mobiles = numbers(10_001)
    random.Random(7).shuffle(mobiles)
    mobiles += ["bad"] * 3 + mobiles[:5]
    assert parsed(mobiles=mobiles).parts == parsed(mobiles=mobiles).parts


def test_duplicates_are_gone_before_a_send_is_cut() -> None:
    assert [len(part.mobiles) for part in parsed(mobiles=numbers(10_000) * 2).parts] == [10_000]


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        (2, 500, [(2, 500)]),
        (2, 501, [(2, 0), (0, 501)]),
        (2, 2_500, [(2, 0), (0, 1_000), (0, 1_000), (0, 500)]),
        (10_001, 3, [(10_000, 3), (1, 0)]),
        (0, 1, [(0, 1)]),
        (0, 500, [(0, 500)]),
        (0, 1_001, [(0, 1_000), (0, 1)]),
    ],
)
def test_unusable_mobiles_stand_with_part_1_or_in_parts_of_their_own(
    good: int, bad: int, expected: list[tuple[int, int]]
) -> None:
    parts = parsed(mobiles=[f"bad {number}" for number in range(bad)] + numbers(good)).parts
    assert [(len(part.mobiles), len(part.invalid_mobiles)) for part in parts] == expected
    assert [part.name for part in parts] == [str(number) for number in range(1, len(parts) + 1)]


@settings(max_examples=20)
@given(st.integers(0, 12), st.integers(0, 6))
def test_every_mobile_good_or_not_is_in_exactly_one_part(good: int, bad: int) -> None:
    mobiles = numbers(good * 1_700) + [f"bad {number}" for number in range(bad * 300)]
    if not mobiles:
        return
    parts = parsed(mobiles=mobiles).parts
    assert [mobile for part in parts for mobile in part.mobiles] == numbers(good * 1_700)
    assert sum(len(part.invalid_mobiles) for part in parts) == bad * 300
    assert all(part.mobiles or part.invalid_mobiles for part in parts)


@given(st.integers(2, 10_000))
def test_halves_are_a_part_cut_in_two(count: int) -> None:
    part = Part("2.1", tuple(numbers(count)), (InvalidMobile("bad", UNUSABLE),))
    first, second = part.halves()
    assert (first.name, second.name) == ("2.1.1", "2.1.2")
    assert first.mobiles + second.mobiles == part.mobiles
    assert abs(len(first.mobiles) - len(second.mobiles)) <= 1
    assert first.invalid_mobiles == second.invalid_mobiles == ()  # they stay with the part that was divided


# --- the fingerprint --------------------------------------------------------------------------------------------

WRITTEN = ("{}", "+86{}", "0086 {}", "86-{}")


@st.composite
def rewritten(draw: st.DrawFn) -> tuple[str, str]:
    """Two bodies that ask for the same thing."""
    body: dict[str, Any] = draw(st.sampled_from([*RIGHT.values()])) | {"mobiles": numbers(4)}
    again: dict[str, Any] = {name: body[name] for name in draw(st.permutations([*body]))}
    again["mobiles"] = [draw(st.sampled_from(WRITTEN)).format(mobile) for mobile in body["mobiles"]]
    again["mobiles"] += draw(st.lists(st.sampled_from(again["mobiles"])))
    for name in ("atTime", "dailyBeginTime", "dailyEndTime", "validUntil", "campaign"):
        if not again.get(name) and draw(st.booleans()):
            again[name] = ""
    if again.get("category", "notice") in ("", "notice"):
        again |= draw(st.sampled_from([{}, {"category": ""}, {"category": "notice"}]))
    if not again.get("hold"):
        again |= draw(st.sampled_from([{}, {"hold": ""}, {"hold": False}]))
    return json.dumps(body), json.dumps(
        again, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1))
    )


@given(rewritten())
def test_the_fingerprint_survives_field_order_and_number_formatting(bodies: tuple[str, str]) -> None:
    one, other = (sends.parse(body, "message-1") for body in bodies)
    assert one.fingerprint == other.fingerprint
    assert one.parts == other.parts


CHANGES: list[dict[str, Any]] = [
    {"mobiles": ["18930612517"]},
    {"mobiles": [MOBILE, "18930612517"]},
    {"mobiles": ["18930612517", MOBILE]},
    {"mobiles": [MOBILE, "bad"]},
    {"content": "周末参加不了培训了。"},
    {"content": "周末参加不了培训了 "},
    {"atTime": "2026-12-01 12:00:00"},
    {"validUntil": "2026-12-01 12:00:00"},
    {"dailyBeginTime": "09:30:00"},
    {"dailyEndTime": "09:30:00"},
    {"category": "otp"},
    {"category": "marketing"},
    {"campaign": "otp"},
    {"campaign": "spring"},
    {"atTime": "2026-12-01 12:00:00", "hold": True},
]


def test_another_payload_has_another_fingerprint() -> None:
    prints = [sends.parse(json.dumps(GOOD | change), "message-1").fingerprint for change in ({}, *CHANGES)]
    assert len({*prints}) == len(prints)
    assert all(len(each) == 32 for each in prints)


def test_the_id_is_no_part_of_the_payload() -> None:
    assert parsed(id="a").fingerprint == parsed(id="b").fingerprint == parsed().fingerprint


def test_the_fingerprint_is_the_same_in_every_release() -> None:
    # It stands in rows: with another one, every redelivered send would be a conflict.
    send = sends.parse(json.dumps(RIGHT["the spec's own sample"]), "message-1")
    assert send.fingerprint == "e03820499b5a91b7ef8d0bca2ecdbeb5"
    written_out = RIGHT["the spec's own sample"] | {"category": "notice", "campaign": "", "hold": False}
    assert sends.parse(json.dumps(written_out), "message-1").fingerprint == send.fingerprint
    assert sends.parse(json.dumps(RIGHT["every field"]), "m").fingerprint == "cd143f7a80cfb7673ea7f376f46f2edf"


def test_neither_content_nor_mobiles_are_shown() -> None:
    send = parsed(mobiles=[MOBILE, f"{MOBILE}0"])
    request = bodies.read(json.dumps(GOOD), "message-1")
    for shown in (repr(send), repr(send.parts), repr(send.invalid_mobiles), repr(request)):
        assert "培训" not in shown
        assert MOBILE not in shown


# --- length -----------------------------------------------------------------------------------------------------


def of_length(length: int, **more: str) -> str:
    """A body of exactly so many bytes."""
    body = json.dumps({"mobiles": [MOBILE, ""], "content": "x"} | more, separators=(",", ":"))
    return body.replace('""]', f'"{"0" * (length - len(body))}"]')


MESSAGE_ID = "059f36b4-87a3-44ab-83d2-661975830a7d"
ID_IN_A_BODY = len(f',"id":"{MESSAGE_ID}"')


def too_long(length: int) -> str:
    return (
        f"The body takes {length} bytes with its id in it; it must take at most 1048320, so that the queues can "
        "carry it. Share its mobiles out among several sends."
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (of_length(1_048_576), too_long(1_048_576 + ID_IN_A_BODY)),  # the largest message that SQS takes
        (of_length(1_048_320), too_long(1_048_320 + ID_IN_A_BODY)),
        (of_length(1_048_321 - ID_IN_A_BODY), too_long(1_048_321)),
        (of_length(1_048_321, id="order-1"), too_long(1_048_321)),
    ],
)
def test_a_body_that_could_not_be_put_into_the_dead_letter_queue_is_refused_at_the_door(
    body: str, told: str
) -> None:
    with pytest.raises(SendRefused) as caught:
        sends.parse(body, MESSAGE_ID)
    assert caught.value.faults == (told,)


@pytest.mark.parametrize("body", [of_length(1_048_320 - ID_IN_A_BODY), of_length(1_048_320, id="order-1")])
def test_the_longest_body_can_be_stamped_and_still_has_room_for_attributes(body: str) -> None:
    send = sends.parse(body, MESSAGE_ID)
    stamped = sends.stamped(body, send.send_id)
    assert len(stamped.encode()) == 1_048_320
    again = sends.parse(stamped, "another message")
    assert (again.send_id, again.fingerprint) == (send.send_id, send.fingerprint)


def test_length_counts_in_bytes_and_is_told_beside_other_faults() -> None:
    body = json.dumps({"mobiles": ["长" * 400_000], "content": ""}, ensure_ascii=False)
    length = len(json.dumps({"mobiles": [""], "content": "", "id": "message-1"}, separators=(",", ":")))
    assert faults_of(body) == [f"content is empty; {CONTENT_RULE}", too_long(length + 1_200_000)]


def test_a_body_is_measured_as_it_is_stamped_without_the_blanks_that_make_it_long() -> None:
    body = json.dumps(GOOD)[:-1] + " " * 1_048_000 + "}"
    assert len(sends.stamped(body, sends.parse(body, MESSAGE_ID).send_id)) < 200


@given(st.lists(st.text(st.characters()), min_size=1), st.sampled_from(["", MESSAGE_ID]))
def test_what_is_stamped_is_the_same_send_and_can_be_carried_by_a_queue(mobiles: list[str], id_: str) -> None:
    body = bodies.written({"mobiles": mobiles, "content": "x\ufffe", "id": id_})
    stamped = sends.stamped(body, MESSAGE_ID)
    assert sends.parse(stamped, "another") == sends.parse(body, MESSAGE_ID)
    assert not re.search("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", stamped)
