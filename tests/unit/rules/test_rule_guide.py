"""The authoring guide's example is a rule that loads and fires."""

import re
from pathlib import Path

from rules.engine import ClipsRuleEngine
from rules.examples import read_example
from rules.loader import assemble, parse_pack

GUIDE = Path(__file__).parents[3] / "docs" / "rules.md"

CASE = b"""
description: a worker is killed, then its queue fills
entities: [{id: 'queue:mails', kind: Queue}, {id: 'host:q-1', kind: Host}]
relations: [{from: 'queue:mails', kind: RUNS_ON, to: 'host:q-1'}]
evidence:
  - {id: e1, entity: 'host:q-1', kind: log, text: 'Killed process 77 (worker)', at_s: -60}
  - {id: e2, entity: 'queue:mails', kind: metric, name: length, text: 'queue length 9000 against 3', at_s: -10}
"""


def test_the_example_of_the_guide_fires() -> None:
    block = re.search(r"```yaml\n(.*?)```", GUIDE.read_text(), re.S)
    assert block is not None
    engine = ClipsRuleEngine(assemble([parse_pack(block.group(1).encode(), "docs/rules.md")]))
    case = read_example(CASE, "case", "SITE-QUEUE-001", positive=False)
    (firing,) = engine.evaluate(case.incident, case.subgraph, case.evidence).firings
    assert (firing.entity, firing.kind, set(firing.evidence)) == ("host:q-1", "oom_kill", {"e1", "e2"})
    assert [action.type for action in firing.actions] == ["diagnostic", "mitigation"]
    assert firing.statement == (
        'q-1 killed a process ("Killed process 77 (worker)"), then mails filled up: "queue length 9000 against 3"'
    )
