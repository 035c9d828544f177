"""Reading messages: a wrong one is refused with its line; a site's own go first; matching raises nothing and stays linear."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops.errors import ConfigError
from ingest.catalogue.catalogue import load_catalogue
from ingest.catalogue.events import event_types
from ingest.catalogue.matcher import MANY_TEXTS, MAX_TEXT, Matcher, mnemonic_of
from ingest.catalogue.message import MAX_VALUE, parse_message
from ingest.catalogue.reader import CatalogueReader, tells
from tests.support.catalogue_lines import MESSAGES, lines_of, parsed, shipped

HEAD = "format: aiops-message/1\nid: a-message\nvendor: acme\nproduct: box\nsource: 'a manual'\n"
BODY = "event: link.down\ncontains: [lost link]\npattern: 'port (?P<interface>\\S+) lost link'\n"


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("", 1, "empty"),
        (HEAD.replace("message/1", "message/9") + BODY, 1, "expected 'aiops-message/1'"),
        (HEAD, 1, "'event' is missing"),
        (HEAD.replace("a-message", "A message") + BODY, 2, "small letters"),
        (HEAD + BODY + "colour: red\n", 9, "unknown key 'colour'"),
        (HEAD + BODY.replace("link.down", "link.gone"), 6, "unknown event type 'link.gone'; known are link."),
        (HEAD + BODY.replace("link.down", "[x]"), 6, "expected a mapping"),
        (HEAD + BODY.replace("link.down", "{up: link.up}"), 6, "and an event type for each value"),
        (HEAD + BODY.replace("link.down", "{by: state}"), 6, "no value of 'state'"),
        (HEAD + BODY.replace("link.down", "{by: state, up: link.up}"), 6, "'state' is no group"),
        (HEAD + BODY.replace("\\S+)", "\\S+"), 8, "no pattern in RE2's syntax"),
        (HEAD + BODY.replace("\\S+)", "\\S+)(?=x)"), 8, "no pattern in RE2's syntax"),
        (HEAD + BODY.replace("port", "(port)"), 8, "named groups"),
        (HEAD + BODY.replace("\\S+)", "\\S+)" + "x" * 2000), 8, "at most 2000 characters"),
        (HEAD + BODY.replace("interface", "colour"), 8, "'colour' is no field of link.down"),
        (HEAD + BODY.replace("(?P<interface>\\S+)", "\\S+"), 8, "needs the field interface or nic"),
        (HEAD + BODY.replace("contains: [lost link]\n", ""), 7, "one of 'mnemonic' and 'contains'"),
        (HEAD + BODY.replace("[lost link]", "[]"), 7, "at least one"),
        (HEAD + BODY.replace("[lost link]", "[abc]"), 7, "at least 4 characters"),
        (HEAD + BODY + "mnemonic: ['A 3 B']\n", 9, "without the severity"),
        (HEAD + BODY + "values: {colour: {a: b}}\n", 9, "'colour' is no group"),
        (HEAD + BODY + "values: {interface: {a: ''}}\n", 9, "not empty"),
        (HEAD + BODY + "constants: {reason: '{colour}'}\n", 9, "'colour' is no group"),
        (HEAD + BODY + "constants: {reason: '{interface|shout}'}\n", 9, "unknown filter"),
        (HEAD + BODY + "constants: {colour: red}\n", 9, "'colour' is no field"),
        (HEAD + BODY + "app: [3]\n", 9, "a text"),
        (HEAD + BODY + "event: link.up\n", 9, "twice"),
    ],
)
def test_a_wrong_message_is_refused_with_its_line(text: str, line: int, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_message(text, "site/a-message.yaml")
    assert part in caught.value.message
    assert (caught.value.details["file"], caught.value.details["line"]) == ("site/a-message.yaml", line)


def test_values_and_constants_make_fields() -> None:
    message = parse_message(
        HEAD
        + "event: {by: state, down: web.backend_down, up: web.backend_up}\n"
        + "contains: ['server ']\n"
        + "pattern: 'server (?P<address>\\S+) port (?P<port>\\d+) (?P<state>\\w+)(?: for (?P<reason>.*))?'\n"
        + "values: {state: {dead: down, Alive: up}}\n"
        + "constants: {target: '{address}:{port}', pool: farm, value: '{reason}'}\n",
        "m.yaml",
    )
    found = Matcher([message]).match(
        ["server a port 80 DEAD", "server b port 81 alive for ever", "server c port 82 asleep", "server"]
    )
    assert found.row == (0, 1)
    assert [event.type for event in found.events] == ["web.backend_down", "web.backend_up"]
    assert dict(found.events[0].fields) == {"target": "a:80", "pool": "farm"}
    assert dict(found.events[1].fields) == {
        "target": "b:81",
        "pool": "farm",
        "reason": "ever",
        "value": "ever",
    }


def test_programs_and_messages_ids_are_conditions() -> None:
    message = parse_message(HEAD + BODY + "app: [boxd]\nmnemonic: [PORT_DOWN]\n", "m.yaml")
    text = "port 7 lost link"
    matcher = Matcher([message])
    assert matcher.match([text], ["BOXD"], ["PORT_DOWN"]).row == (0,)
    assert matcher.match([text], ["boxd"], ["OTHER"]).row == ()
    assert matcher.match([text], ["other"], ["PORT_DOWN"]).row == ()
    assert matcher.match([text], [None], ["PORT_DOWN"]).row == ()
    assert matcher.match([f"PORT_DOWN: {text}"], ["boxd"]).row == (0,)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("%LINK-3-UPDOWN: Interface x", "LINK-UPDOWN"),
        ("%PKT_INFRA-LINK-3-UPDOWN : Interface x", "PKT_INFRA-LINK-UPDOWN"),
        ("%ASA-4-106023: Deny", "ASA-106023"),
        ("%DAEMON-4-RPD_OSPF_NBRDOWN: OSPF", "RPD_OSPF_NBRDOWN"),
        ("%%01IFNET/4/LINK_STATE(l)[3]:The line", "IFNET-LINK_STATE"),
        ("SNMP_TRAP_LINK_DOWN: ifIndex 3", "SNMP_TRAP_LINK_DOWN"),
        ("Event|404|LOG_INFO|AMM|1/1|Link", "Event-404"),
        ("Instance 1: %OSPF-4-OSPF_STATE_CHANGE: NGB", "OSPF-OSPF_STATE_CHANGE"),
        ("100%-3-x nothing", None),
        ("plain words", None),
    ],
)
def test_names_of_messages(text: str, name: str | None) -> None:
    assert mnemonic_of(text) == name


def test_a_sites_own_messages_go_first_and_replace_those_of_the_same_id(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second" / "deep"
    for folder, event in ((first, "link.down"), (second, "link.errors")):
        folder.mkdir(parents=True)
        (folder / "a.yaml").write_text(HEAD + BODY.replace("link.down", event))
    (second / "notes.txt").write_text("no message")
    alone = load_catalogue(first, shipped=False)
    assert [message.choice.always for message in alone] == ["link.down"]
    both = load_catalogue(first, tmp_path / "second")
    assert both[0].choice.always == "link.errors"
    assert len(both) == len(load_catalogue()) + 1
    (first / "b.yaml").write_text(HEAD + BODY)
    with pytest.raises(ConfigError, match="is taken by"):
        load_catalogue(first)
    with pytest.raises(ConfigError, match="is no directory"):
        load_catalogue(tmp_path / "absent")
    (first / "b.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        load_catalogue(first)


def test_a_site_may_type_a_line_otherwise_than_the_product(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        HEAD.replace("a-message", "ours")
        + "event: maintenance.started\ncontains: [reboot now]\npattern: 'interface,\\w+ (?P<unit>\\S+) link down reboot now'\n"
    )
    table = parsed(["<30>Nov 26 10:47:12 rb-1 interface,info ether2 link down reboot now"])
    assert CatalogueReader().events_of(table)[0].type == "link.down"
    assert CatalogueReader(load_catalogue(tmp_path)).events_of(table)[0].type == "maintenance.started"


def test_a_reader_for_the_graph_leaves_out_what_says_nothing_about_it() -> None:
    reader = CatalogueReader(telling=True)
    kept = {message.id for message in reader.messages}
    assert {"cisco-link-updown", "systemd-unit-failed", "nginx-upstream", "smartd-failing"} <= kept
    assert not {"asa-connection-built", "openssh-accepted", "postgres-deadlock"} & kept
    assert all(tells(message) for message in reader.messages)


@pytest.fixture(scope="module")
def golden() -> list[str]:
    return [line for folder in sorted(MESSAGES.iterdir()) for line in lines_of(folder)]


def test_many_texts_are_matched_as_one_by_one(golden: list[str]) -> None:
    table = parsed(golden)
    assert len(golden) > 2 * MANY_TEXTS
    together = shipped().events_of(table)
    for row in range(0, len(golden), 7):
        assert shipped().events_of(table.slice(row, 1)).get(0) == together[row]


def test_equal_lines_and_lines_without_words_are_fine() -> None:
    table = pa.table(
        {
            "app": pa.array([None, None, "kernel", None], pa.string()),
            "msgid": pa.nulls(4, pa.string()),
            "message": pa.array(["%LINK-3-UPDOWN: Interface Gi1, changed state to up"] * 2 + [None, ""]),
        }
    )
    events = shipped().events_of(table)
    assert set(events) == {0, 1}
    assert events[0] == events[1]
    assert shipped().events_of(table.slice(0, 0)) == {}
    assert CatalogueReader(()).events_of(table) == {}


def test_what_stands_far_down_a_text_is_not_read_and_values_are_cut() -> None:
    message = parse_message(HEAD + BODY, "m.yaml")
    matcher = Matcher([message])
    assert matcher.match(["x" * MAX_TEXT + " port 7 lost link"]).row == ()
    (event,) = matcher.match(["port " + "y" * 2_000 + " lost link"]).events
    assert len(event.fields["interface"]) == MAX_VALUE


_TEXT = st.text(max_size=200) | st.sampled_from(
    [line for folder in sorted(MESSAGES.iterdir())[::9] for line in lines_of(folder)]
).flatmap(lambda line: st.integers(0, len(line)).map(lambda cut: line[:cut] + "\x00é\ud7ff" + line[cut:]))


@settings(max_examples=150, deadline=None)
@given(st.lists(_TEXT, max_size=12), st.text(max_size=8) | st.none())
def test_no_text_makes_the_matcher_raise(texts: list[str], app: str | None) -> None:
    found = Matcher(shipped().messages).match(texts, [app] * len(texts), [None] * len(texts))
    assert list(found.row) == sorted(set(found.row))
    assert all(event_types()[event.type].complete(event.fields) for event in found.events)


def test_the_time_of_a_pattern_grows_with_the_text_and_no_faster(golden: list[str]) -> None:
    """Golden lines stretched from within: eight times the text must not cost more than twice eight times the time."""

    def seconds(length: int) -> float:
        matcher = Matcher(shipped().messages)
        texts = []
        for row in parsed(golden)["message"].to_pylist():
            middle = len(row) // 2
            texts.append((row[:middle] + row[middle // 2 : middle] * length)[:length] + row[middle:])
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            matcher.match(texts)
            best = min(best, time.process_time() - start)
        return best

    short, long = seconds(500), seconds(4_000)
    assert long / short < 16
