"""The keeper on a real store, step by step: what alarms become, what happens when somebody else acts, when it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops.domain.graph import Entity, GraphDelta, Relation
from aiops.domain.incident_records import IncidentChange, IncidentQuery, alarm_key
from aiops.domain.occurrences import Alarm, Change, Incident
from aiops.errors import StoreUnavailable
from aiops.lifecycle import regrouping, transitions
from aiops.lifecycle.keeper import Keeper, Records
from aiops.lifecycle.marks import Answer, Marks, Reading
from aiops.lifecycle.policy import GroupingPolicy
from aiops.lifecycle.transitions import Author
from aiops.store.memory import MemoryGraphStore
from aiops.store.sqlite import SqliteGraphStore

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def at(offset_s: float) -> datetime:
    return START + timedelta(seconds=offset_s)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    opened = MemoryGraphStore() if request.param == "memory" else SqliteGraphStore(tmp_path / "g.sqlite")
    tell(opened, "host:web DEPENDS_ON device:acc", "device:acc DEPENDS_ON device:core")
    yield opened
    opened.close()


def tell(store: Records, *relations: str, when: datetime = START - timedelta(days=1)) -> None:
    words = [text.split() for text in relations]
    names = {name for source, _, target in words for name in (source, target)}
    entities = tuple(
        Entity(name, name.split(":")[0].capitalize(), name.split(":")[1]) for name in sorted(names)
    )
    rows = tuple(Relation(*text, valid_from=when) for text in words)
    store.apply(GraphDelta("test", entities, rows), at=when)


def alarm(entity: str, offset_s: float, name: str = "Down", **more: object) -> Alarm:
    given: dict[str, object] = {"severity": "critical", "labels": {"site": "fra1", "alertname": name}, **more}
    fingerprint = f"{name}-{entity}"
    return Alarm(f"alarm-{fingerprint}-{offset_s}", fingerprint, name, entity, at(offset_s), **given)  # type: ignore[arg-type]


class Site:
    """A store, a keeper, and a clock that moves when it is told."""

    def __init__(self, store: Records, **policy: object) -> None:
        self.store = store
        self.policy = GroupingPolicy(**policy)  # type: ignore[arg-type]
        self.now = at(60)
        self.analysed: list[Incident] = []
        self.reading: Reading | None = None
        self.keeper = self.new_keeper()

    def new_keeper(self, store: Records | None = None, holder: str = "one") -> Keeper:
        return Keeper(store or self.store, self._analyse, self.policy, holder)

    def _analyse(self, incident: Incident) -> Answer:
        self.analysed.append(incident)
        return Answer(kept=True, reading=self.reading)

    def pass_time(self, seconds: float, steps: int = 3) -> None:
        """Some time passes, with a few steps at its end."""
        self.now += timedelta(seconds=seconds)
        for _ in range(steps):
            while self.keeper.step(self.now):
                pass

    def alarms(self, *alarms: Alarm, wait_s: float = 5.0) -> None:
        self.store.put_alarms(alarms)
        self.pass_time(0.0)
        self.pass_time(wait_s)

    def incidents(self, *status: str) -> list[Incident]:
        rows = self.store.find_incidents(IncidentQuery(status=status, limit=500, sort="started_at")).rows
        return [row.incident for row in rows if row.incident.merged_into is None]

    def only(self) -> Incident:
        (found,) = self.incidents()
        return found

    def kinds(self, incident_id: str) -> list[str]:
        return [one.kind for one in self.store.activities(incident_id=incident_id)]

    def post(self, *affected: str, offset_s: float = 0.0, name: str = "INC-1") -> Incident:
        incident = Incident(
            name, "it hurts", at(offset_s), source="desk", external_id=name, affected=affected
        )
        (stored,) = self.store.record([transitions.created(incident, Author("desk", self.now))])
        return stored

    def act(self, change: IncidentChange | None) -> Incident:
        assert change is not None
        return self.store.record([change])[0]


def test_alarms_open_an_incident_told_in_words(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("host:web", 40, "Slow", severity="minor"), alarm("device:acc", 20, "BGPDown"))
    opened = site.only()
    assert opened.title == "BGPDown and 1 more on acc and 1 other"
    assert (opened.severity, opened.started_at, opened.affected) == (
        "critical",
        at(20),
        ("device:acc", "host:web"),
    )
    assert (opened.source, opened.external_id, dict(opened.labels)) == ("aiops", None, {"site": "fra1"})
    assert opened.started_at + timedelta(seconds=opened.window_after_s) >= at(40 + 300)
    assert {one.entity for one in store.incident_alarms(opened.id)} == {"device:acc", "host:web"}
    assert [one.id for one in site.analysed] == [opened.id]


def test_an_alarm_waits_for_company_and_not_for_ever(store: Records) -> None:
    site = Site(store, settle_s=2.0, settle_max_s=10.0)
    store.put_alarms([alarm("host:web", 0)])
    site.pass_time(0)
    assert site.incidents() == []
    for number in range(6):
        store.put_alarms([alarm("host:web", number, f"More{number}")])
        site.pass_time(1.9)
    assert len(store.incident_alarms(site.only().id)) >= 6


def test_a_late_parent_joins_and_the_incident_is_analysed_again(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("host:web", 40))
    first = site.only()
    site.alarms(alarm("device:core", 0))
    assert site.only().id == first.id
    assert site.only().started_at == at(0)
    assert [one.affected for one in site.analysed][-1] == ("device:core", "host:web")
    assert site.kinds(first.id)[:2] == ["created", "alerts_added"]


def test_analyses_are_debounced(store: Records) -> None:
    site = Site(store, analyse_quiet_s=2.0, analyse_late_s=30.0, looks_s=())
    site.alarms(alarm("host:web", 0))
    count = len(site.analysed)
    for number in range(20):
        store.put_alarms([alarm("device:acc", number, f"A{number}")])
        site.pass_time(1.9, steps=1)
    assert len(site.analysed) - count == 1
    site.pass_time(5)
    assert len(site.analysed) - count == 2


def test_an_alarm_between_two_incidents_merges_them_into_the_older(store: Records) -> None:
    tell(
        store,
        "host:a DEPENDS_ON host:b",
        "host:b DEPENDS_ON host:c",
        *(f"host:x{n} DEPENDS_ON host:b" for n in range(80)),
    )
    site = Site(store)
    site.alarms(alarm("host:a", 0))
    site.alarms(alarm("host:x1", 5))
    first, second = site.incidents()
    site.alarms(alarm("host:b", 9, "Late"))
    kept = site.only()
    assert kept.id == first.id
    assert len(store.incident_alarms(kept.id)) == 3
    gone = store.incident(second.id)
    assert gone is not None
    assert (gone.status, gone.merged_into) == ("resolved", first.id)
    assert "merged" in site.kinds(first.id)
    assert "merged" in site.kinds(second.id)


def test_islands_and_what_came_too_late_are_apart(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("host:web", 0), alarm("host:island", 0), alarm("device:core", 5000))
    assert len(site.incidents()) == 3


def test_info_opens_nothing_and_a_severity_nobody_knows_does(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("host:web", 0, "Watchdog", severity="info"))
    assert site.incidents() == []
    site.alarms(alarm("host:web", 0, "Odd", severity=None))
    assert site.only().severity == "warning"


def test_what_is_in_maintenance_opens_nothing_until_it_is_over(store: Records) -> None:
    tell(store, "interface:e0 PART_OF device:core")
    window = Change("c", "ops", "c", "firmware", "maintenance", at(-600), at(600), ("device:core",))
    store.put_changes([window])
    site = Site(store)
    site.alarms(alarm("device:core", 0), alarm("interface:e0", 3))
    assert site.incidents() == []
    assert len(store.alarms(start=at(0), end=at(10))) == 2
    site.keeper = site.new_keeper()
    site.alarms(replace(alarm("device:core", 0), ended_at=at(300)))
    site.pass_time(700)
    site.pass_time(20)
    assert site.only().affected == ("interface:e0",)


def test_flapping_is_one_incident(store: Records) -> None:
    site = Site(store)
    for number in range(8):
        began = alarm("host:web", number * 1200.0)
        site.alarms(began)
        site.alarms(replace(began, ended_at=began.started_at + timedelta(seconds=30)))
        site.pass_time(400)
        assert site.only().status == "resolved"
        site.pass_time(780)
    kept = site.only()
    assert len(store.incident_alarms(kept.id)) == 8
    assert site.kinds(kept.id).count("reopened") == 7


def test_it_is_resolved_when_all_alarms_have_ended_and_time_has_passed(store: Records) -> None:
    site = Site(store, resolve_after_s=300.0)
    both = [alarm("host:web", 0), alarm("device:acc", 5)]
    site.alarms(*both)
    site.alarms(replace(both[0], ended_at=at(100)))
    site.pass_time(1000)
    assert site.only().status == "open"
    site.alarms(replace(both[1], ended_at=at(120)))
    site.pass_time(200)
    assert site.only().status == "open"
    site.pass_time(200)
    done = site.only()
    assert (done.status, done.ended_at) == ("resolved", at(120))
    assert site.kinds(done.id)[-1] == "resolved"


@pytest.mark.parametrize(("reopen", "count"), [("never", 2), ("same", 2), ("any", 1)])
def test_after_the_end_nothing_joins_in_silence(store: Records, reopen: str, count: int) -> None:
    site = Site(store, reopen=reopen)
    site.alarms(alarm("host:web", 0))
    first = site.only()
    site.act(transitions.resolve(first, Author("ann", site.now)))
    site.pass_time(1)
    site.alarms(alarm("device:core", 60))
    assert len(site.incidents()) == count
    if count == 1:
        assert "reopened" in site.kinds(first.id)
        return
    kept = store.incident(first.id)
    assert kept is not None
    assert kept.status == "resolved"
    later = next(one for one in site.incidents() if one.id != first.id)
    assert store.activities(incident_id=later.id)[0].details["after"] == first.id
    site.alarms(alarm("device:acc", 70))
    assert len(site.incidents()) == count


def test_a_posted_incident_attracts_alarms_and_stays_as_it_was_posted(store: Records) -> None:
    site = Site(store)
    posted = site.post("host:web", offset_s=10)
    site.alarms(alarm("device:acc", 0), alarm("device:core", 5))
    kept = site.only()
    assert len(store.incident_alarms(posted.id)) == 2
    assert replace(kept, window_after_s=posted.window_after_s) == posted
    ended = [replace(one, ended_at=at(50)) for one in store.incident_alarms(posted.id)]
    site.alarms(*ended)
    site.pass_time(10_000)
    assert site.only().status == "open"


def test_a_posted_incident_takes_in_what_was_opened_about_the_same(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("device:acc", 0), alarm("host:island", 0))
    posted = site.post("host:web", offset_s=10)
    site.pass_time(5)
    assert {one.affected for one in site.incidents()} == {("host:web",), ("host:island",)}
    assert [one.entity for one in store.incident_alarms(posted.id)] == ["device:acc"]


def test_two_posted_incidents_are_never_merged_by_themselves(store: Records) -> None:
    site = Site(store)
    site.post("host:web")
    site.post("device:acc", name="INC-2")
    site.alarms(alarm("device:core", 0))
    assert len(site.incidents()) == 2


def test_what_somebody_split_stays_apart(store: Records) -> None:
    site = Site(store)
    both = [alarm("host:web", 0), alarm("device:acc", 5)]
    site.alarms(*both)
    whole = site.only()
    for change in regrouping.split(
        whole, store.incident_alarms(whole.id), [alarm_key(both[0])], Author("ann", site.now), new_id="split"
    ):
        site.act(change)
    site.pass_time(1)
    site.keeper = site.new_keeper()
    site.alarms(alarm("device:core", 9))
    assert len(site.incidents()) == 2
    assert sorted(len(store.incident_alarms(one.id)) for one in site.incidents()) == [1, 2]


def test_a_title_that_somebody_gave_stays(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("host:web", 0))
    site.act(transitions.edit(site.only(), transitions.Edit(title="Shop is down"), Author("ann", site.now)))
    site.pass_time(1)
    site.alarms(alarm("device:acc", 3))
    assert site.only().title == "Shop is down"
    assert site.only().affected == ("device:acc", "host:web")


def test_topology_that_comes_late_brings_together(store: Records) -> None:
    site = Site(store)
    site.alarms(alarm("host:p", 0), alarm("host:q", 3))
    assert len(site.incidents()) == 2
    tell(store, "host:p DEPENDS_ON host:q", when=at(30))
    site.pass_time(5)
    assert site.only().affected == ("host:p", "host:q")


def test_late_evidence_asks_for_an_analysis(store: Records) -> None:
    site = Site(store, looks_s=())
    site.alarms(alarm("host:web", 0))
    site.pass_time(10)
    count = len(site.analysed)
    store.put_changes([Change("d", "ci", "d", "release", "deploy", at(-120), None, ("device:core",))])
    site.pass_time(10)
    site.pass_time(10)
    assert len(site.analysed) == count + 1


@pytest.mark.parametrize("touched", ["", "alarm", "topology", "else"])
def test_a_look_analyses_only_where_something_that_was_read_is_different(
    store: Records, touched: str
) -> None:
    site = Site(store, looks_s=(15.0, 60.0))
    still = [True]
    site.reading = Reading(frozenset({"host:web", "device:acc"}), False, lambda: still[0])
    tell(store, "host:far DEPENDS_ON host:farther")
    site.alarms(alarm("host:web", 0))
    assert len(site.analysed) == 1
    site.pass_time(15)
    assert (len(site.analysed), site.keeper.tally.stood) == (1, 1)
    store.put_alarms([alarm("host:far", 20)])
    if touched == "alarm":
        store.put_alarms([alarm("device:other", 20, severity="info", peer="device:acc")])
    if touched == "topology":
        tell(store, "host:new DEPENDS_ON device:acc", when=at(30))
    still[0] = touched != "else"
    site.pass_time(50)
    site.pass_time(3)
    again = [one for one in site.analysed if one.affected == ("host:web",)]
    assert (len(again), site.keeper.tally.stood) == ((1, 2) if not touched else (2, 1))


def test_what_is_not_remembered_counts_as_told() -> None:
    marks = Marks(3, most=2)
    some = frozenset({"a", "x"})
    assert marks.told(some, 2)
    assert not marks.told(some, 3)
    marks.tell(["a"], 5)
    assert (marks.told(some, 4), marks.told(some, 5), marks.told(None, 4)) == (True, False, True)
    marks.tell(["b", "c"], 7)
    assert marks.told(some, 6)
    assert not marks.told(None, 7)


def test_one_keeper_at_a_time(store: Records) -> None:
    site = Site(store)
    other = site.new_keeper(holder="two")
    site.pass_time(1)
    store.put_alarms([alarm("host:web", 0)])
    for _ in range(5):
        site.now += timedelta(seconds=3)
        site.keeper.step(site.now)
        assert other.step(site.now) is False
    assert other.tally.opened == 0
    store.put_alarms([alarm("host:island", 0)])
    site.now += timedelta(seconds=60)
    other.step(site.now)
    site.now += timedelta(seconds=3)
    other.step(site.now)
    assert other.tally.opened == 1
    assert site.keeper.step(site.now) is False


class Dying:
    """A store that breaks at its ``at``-th write, before or after it is done."""

    WRITES = ("record", "lease")

    def __init__(self, store: Records, at: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        return self._guarded(found) if name in self.WRITES else found

    def _guarded(self, write: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise StoreUnavailable("gone")
            done = write(*given, **named)
            if self._left == 0:
                raise StoreUnavailable("gone")
            return done

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("death", range(1, 10))
def test_dying_at_any_write_loses_and_doubles_nothing(store: Records, death: int, after: bool) -> None:
    site = Site(store)
    site.keeper = site.new_keeper(Dying(store, death, after=after))  # type: ignore[arg-type]
    given = [
        alarm("host:web", 0),
        alarm("host:island", 1),
        alarm("device:acc", 20),
        alarm("device:core", 30),
        replace(alarm("host:island", 1), ended_at=at(40)),
    ]
    for one in given:
        store.put_alarms([one])
        for seconds in (0.5, 1.0, 3.0):
            site.now += timedelta(seconds=seconds)
            try:
                site.keeper.step(site.now)
            except StoreUnavailable:
                site.keeper = site.new_keeper()
    site.pass_time(400)
    site.pass_time(30)
    one, other = sorted(site.incidents(), key=lambda incident: incident.affected)
    assert (one.affected, one.status) == (("device:acc", "device:core", "host:web"), "open")
    assert (other.affected, other.status) == (("host:island",), "resolved")
    assert len(store.incident_alarms(one.id)) == 3
    assert site.kinds(one.id).count("created") == 1
    assert site.kinds(other.id).count("resolved") == 1
