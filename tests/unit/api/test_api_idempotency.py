"""The kept answers: repeats, bounds, restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiops.api.access.idempotency import KeptAnswer, KeyInUse, KeyReused, SqliteIdempotency
from aiops.errors import StoreUnavailable
from tests.support.api_client import ApiClient
from tests.support.api_fakes import FakeClock, FakeSite

ANSWER = KeptAnswer(201, "/x", b"{}")


def test_answers_survive_a_restart_and_work_in_progress_does_not(tmp_path: Path) -> None:
    clock = FakeClock()
    store = SqliteIdempotency(tmp_path / "answers.db", clock).open()
    assert store.begin("me", "k", "a") is None
    store.finish("me", "k", "a", ANSWER)
    assert store.begin("me", "half", "a") is None
    store.close()
    again = SqliteIdempotency(tmp_path / "answers.db", clock).open()
    assert again.begin("me", "k", "a") == ANSWER
    assert again.begin("you", "k", "a") is None
    assert again.begin("me", "half", "b") is None
    with pytest.raises(KeyReused):
        again.begin("me", "k", "b")
    with pytest.raises(KeyInUse):
        again.begin("me", "half", "b")
    with pytest.raises(KeyReused):
        again.begin("me", "half", "c")
    again.abandon("me", "half")
    assert again.begin("me", "half", "c") is None
    again.close()
    with pytest.raises(StoreUnavailable):
        again.begin("me", "k", "a")


@pytest.mark.parametrize(("answers", "size"), [(3, 10_000), (100, 6)])
def test_the_oldest_answers_go_first(answers: int, size: int) -> None:
    clock = FakeClock()
    store = SqliteIdempotency(":memory:", clock, max_answers=answers, max_bytes=size).open()
    for number in range(5):
        store.begin("me", str(number), "a")
        store.finish("me", str(number), "a", ANSWER)
        clock.advance(seconds=1)
    kept = [number for number in range(5) if store.begin("me", str(number), "a") is not None]
    assert kept == [2, 3, 4]
    store.close()


def test_a_day_later_a_key_is_free() -> None:
    clock = FakeClock()
    store = SqliteIdempotency(":memory:", clock).open()
    store.begin("me", "k", "a")
    store.finish("me", "k", "a", ANSWER)
    clock.advance(hours=23, minutes=59)
    assert store.begin("me", "k", "a") == ANSWER
    clock.advance(minutes=1)
    assert store.begin("me", "k", "b") is None
    store.close()


def test_a_file_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        SqliteIdempotency(tmp_path / "no" / "such", FakeClock()).open()


def test_a_request_that_was_cut_off_before_its_answer_makes_nothing_twice(
    client: ApiClient, site: FakeSite
) -> None:
    posted = {"title": "x", "affected": [{"ref": "service:shop/cart"}], "analyze": False}
    key = {"Idempotency-Key": "k"}
    first = client.post("/api/v1/incidents", json=posted, headers=key)
    judged = {"verdict": "correct"}
    place = f"/api/v1/incidents/{first.json()['id']}/feedback"
    assert client.post(place, json=judged, headers=key).status_code == 201
    # Killed after it was written and before the answer was kept: nobody remembers the key.
    site.idempotency._file.execute("DELETE FROM answer")
    site.clock.advance(seconds=5)
    again = client.post("/api/v1/incidents", json=posted, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert client.post(place, json=judged, headers=key).status_code == 201
    assert len(site.graph.incidents()) == 1
    assert len(site.graph.feedback()) == 1
    other = client.post("/api/v1/incidents", json=posted, headers={"Idempotency-Key": "l"})
    plain = client.post("/api/v1/incidents", json=posted)
    assert (other.status_code, plain.status_code, len(site.graph.incidents())) == (201, 201, 3)
