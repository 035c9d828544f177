"""Refusals: each names file, line and, where there is one, the rule. Hostile files end here."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops.errors import ConfigError, RuleError
from aiops.packages import check_package_is_ours
from rules.compiler import compile_rules
from rules.examples import read_example, run_examples
from rules.lint import lint_rules
from rules.loader import assemble, load_packs, parse_pack

HEAD = "pack: {name: t, version: 0.1.0, description: d}\nrules:\n"
EVIDENCE = "{evidence: {as: a, kind: log, text: {contains: x}}}"
THEN = "effect: support, weight: 0.5, kind: k, statement: s"


def pack(conditions: str = EVIDENCE, then: str = THEN, rule_id: str = "A-1", extra: str = "") -> str:
    return f"{HEAD}  - {{id: {rule_id}, title: t, description: d, match: {{all: [{conditions}]{extra}}}, then: {{{then}}}}}\n"


NEAR = "{neighbour: {direction: cause, evidence: {kind: log}}}"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "empty"),
        ("a: ]", 1, "not YAML"),
        ("pack: &a {name: t}\nrules: *a", 1, "anchors"),
        ("pack: !!python/object/apply:os.system ['id']", 1, "tag"),
        ("pack: 1\n---\npack: 2", 2, "second document"),
        ("[" * 200 + "]" * 200, 1, "nested deeper"),
        ("- 1", 1, "mapping is expected"),
        ("pack: {name: t, version: 0.1.0, description: d}", 1, "'rules' is missing"),
        (HEAD.replace("0.1.0", "new") + "  - {}", 1, "no version"),
        (HEAD.replace("name: t", "name: T T") + "  - {}", 1, "no pack name"),
        (pack(rule_id="a"), 3, "no rule id"),
        (pack(extra=", often: 1"), 3, "'often' is not known"),
        (pack("{evidence: {kind: log}, state: {property: p, is: x}}"), 3, "one condition an entry"),
        (pack("{evidence: {knd: log}}"), 3, "did you mean 'kind'"),
        (pack("{evidence: {as: a}}"), 3, "needs 'kind'"),
        (pack("{evidence: {kind: log, text: {regex: '(?=a)b'}}}"), 3, "RE2"),
        (pack("{evidence: {kind: log, text: {regex: '(a)\\1'}}}"), 3, "RE2"),
        (pack("{evidence: {kind: log, text: {regex: 'a*'}}}"), 3, "empty text"),
        (pack("{evidence: {kind: log, text: {regex: '(a{1,500})b'}}}"), 3, "repetition above"),
        (pack("{evidence: {kind: log, text: {regex: '" + "a" * 700 + "'}}}"), 3, "700 characters"),
        (pack("{evidence: {kind: log, text: {regex: x, contains: y}}}"), 3, "either"),
        (pack("{evidence: {kind: log, name: '*a*b*c*d*e'}}"), 3, "stars"),
        (pack("{evidence: {kind: log, min_strength: much}}"), 3, "not a number"),
        (pack("{evidence: {kind: log, min_strength: .nan}}"), 3, "not a number"),
        (pack("{evidence: {kind: log, min_strength: 99}}"), 3, "outside"),
        (pack("{evidence: {kind: log, at_least: 1.5}}"), 3, "whole number"),
        (pack("{evidence: {kind: log, chronic: perhaps}}"), 3, "neither true nor false"),
        (pack("{evidence: {kind: log, as: Text}}"), 3, "cannot be an alias"),
        (pack("{evidence: {any_of: [{any_of: [{kind: log}]}]}}"), 3, "inside 'any_of'"),
        (pack("{state: {property: p}}"), 3, "one of is"),
        (pack("{not: {not: {evidence: {kind: log}}}}"), 3, "'not' inside"),
        (pack("{not: {order: {first: a, then: b, within_s: 1}}}"), 3, "cannot be negated"),
        (pack(EVIDENCE + ", {order: {first: a, then: zz, within_s: 1}}"), 3, "no single piece"),
        (pack("{not: " + EVIDENCE + "}"), 3, "nothing here can be cited"),
        (pack(EVIDENCE + ", " + EVIDENCE), 3, "given twice"),
        (pack(", ".join([NEAR] * 4)), 3, "more than 3 neighbour"),
        (pack(", ".join([EVIDENCE] * 13)), 3, "1 to 12 entries"),
        (pack("{neighbour: {direction: cause, named_by: q}}, " + EVIDENCE), 3, "named_by"),
        (pack("{neighbour: {direction: cause, over: EATS}}"), 3, "'EATS' is not known"),
        (pack("{neighbour: {direction: cause, evidence: {kind: log}, state: {property: p, is: x}}}"), 3, "one of"),
        (pack("{neighbour: {direction: cause, at_least: 2, concluded: {kind: k}}}"), 3, "cannot count"),
        (pack("{concluded: {effect: pin}}"), 3, "needs 'rule'"),
        (pack("{concluded: {kind: other}}"), 3, "no rule concludes"),
        (pack("{concluded: {rule: B-9}}"), 3, "in no loaded pack"),
        (pack("{concluded: {kind: k}}"), 3, "circle"),
        (pack(then="effect: explode, weight: 1, statement: s"), 3, "'explode' is not known"),
        (pack(then="effect: support, weight: 1, statement: '{entity.__class__}'"), 3, "placeholder"),
        (pack(then="effect: support, weight: 1, statement: '{x'"), 3, "brace"),
        (pack(then="effect: support, weight: 1, kind: 'A B', statement: s"), 3, "no fault kind"),
        (pack(then="effect: support, weight: 1, about: zz, statement: s"), 3, "binds no neighbour"),
        (pack(then=THEN + ", actions: [{title: t, type: mitigation}]"), 3, "'risk' and its 'undo'"),
        (pack(then=THEN + ", actions: [{title: t, type: diagnostic, risk: high}]"), 3, "a diagnostic is safe"),
        (pack(then=THEN + ", weight: 1"), 3, "given twice"),
        (pack(then="effect: [support], weight: 1, statement: s"), 3, "a text is expected"),
        (pack(then="effect: support, weight: 1, statement: ''"), 3, "a text of 1"),
        (pack() + pack().splitlines()[2], 4, "given twice"),
    ],
)  # fmt: skip
def test_refusals_say_where(text: str, line: int, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        assemble([parse_pack(text.encode(), "bad.yaml")])
    assert caught.value.details["file"] == "bad.yaml"
    assert caught.value.details["line"] == line
    assert says in str(caught.value)


def test_bytes_that_are_no_text_and_files_that_are_too_large() -> None:
    with pytest.raises(RuleError, match=r"bad\.yaml:2: the file is not UTF-8"):
        parse_pack(b"pack:\n \xff", "bad.yaml")
    with pytest.raises(RuleError, match="at most 1000000"):
        parse_pack(b"#" * 1_000_001, "bad.yaml")
    with pytest.raises(RuleError, match="not YAML"):
        parse_pack(b"a: \x00", "bad.yaml")


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="no such rule file"):
        load_packs([tmp_path / "none.yaml"])
    with pytest.raises(RuleError, match="0 rule files"):
        load_packs([tmp_path])


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_pack_or_a_refusal(data: bytes) -> None:
    with pytest.raises(RuleError):
        parse_pack(data, "any.yaml")


@given(st.text(min_size=1, max_size=60))
def test_user_text_never_reaches_the_compiled_program(text: str) -> None:
    quoted = "'" + "".join(c for c in text if c.isprintable() and c not in "'{}").strip() + "'"
    source = pack("{evidence: {kind: log, name: " + quoted + "}}")
    try:
        program = compile_rules(assemble([parse_pack(source.encode("utf-8", "replace"), "t.yaml")]))
    except RuleError:
        return
    construct = program.rules[0].construct
    assert construct == (
        "(defrule rule-0 (declare (salience 0))\n  (on (r 0) (e ?e))\n  (own (q 0) (e ?e) (i ?i0) (at ?t0))\n  =>\n"
        "  (assert (said (r 0) (e ?e)))\n  (collect-firing 0 ?e ?i0))"
    )


def test_lint_finds_duplicates_conflicts_dead_rules_and_missing_diagnostics(tmp_path: Path) -> None:
    other = THEN.replace("support", "oppose")
    lines = [pack(), pack(rule_id="A-2"), pack(rule_id="A-3", then=other)]
    lines.append(pack(EVIDENCE + ", {not: {evidence: {kind: log, text: {contains: x}}}}", rule_id="A-4"))
    twice = (
        EVIDENCE
        + ", {evidence: {as: b, kind: log}}, {order: {first: a, then: b, within_s: 1}}, {order: {first: b, then: a, within_s: 1}}"
    )
    lines.append(pack(twice, rule_id="A-5"))
    source = HEAD + "\n".join(text.splitlines()[2] for text in lines)
    rules = assemble([parse_pack(source.encode(), "t.yaml")])
    found = {(problem.code, problem.rule) for problem in lint_rules(rules)}
    assert {
        ("duplicate", "A-2"),
        ("conflict", "A-3"),
        ("dead", "A-4"),
        ("dead", "A-5"),
        ("no_action", "A-1"),
    } <= found
    folder = tmp_path / "A-1"
    folder.mkdir()
    example = "description: d\nentities: [{id: 'h:1', kind: Host}]\nevidence: [{id: e1, entity: 'h:1', kind: log, text: x}]\n"
    (folder / "positive-a.yaml").write_text(
        example + "expect: [{entity: 'h:2', effect: support, kind: k, cites: e1}]"
    )
    (folder / "negative-a.yaml").write_text(example)
    (tmp_path / "GONE-1").mkdir()
    (tmp_path / "GONE-1" / "positive-a.yaml").write_text(example)
    report = run_examples(rules, tmp_path)
    assert not report.passed
    problems = [result.problem for result in report.results]
    assert problems == ["it fired on h:1 and must not", "it did not fire on h:2"]
    assert "GONE-1 has positive examples but is in no loaded pack" in report.missing
    codes = {(problem.code, problem.rule) for problem in lint_rules(rules, tmp_path)}
    assert {("example", "A-1"), ("untested", "A-2"), ("untested", "GONE-1"), ("dead", "A-4")} <= codes


def test_a_negative_example_expects_nothing() -> None:
    text = b"description: d\nentities: [{id: h, kind: Host}]\nevidence: [{id: e, entity: h, kind: log, text: x}]\nexpect: []"
    with pytest.raises(RuleError, match="expects nothing"):
        read_example(text, "f.yaml", "A-1", positive=False)


def test_the_package_rules_is_checked_to_be_ours() -> None:
    check_package_is_ours()
    with pytest.raises(ConfigError, match="is not part of kg-aiops"):
        check_package_is_ours("json")
    with pytest.raises(ConfigError, match="cannot be imported"):
        check_package_is_ours("no_such_package_here")
