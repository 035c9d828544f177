"""Server-sent events through both flavours: as they happen, and after a connection broke."""

from __future__ import annotations

import asyncio
import threading
from itertools import islice

import pytest

from aiops.client import AsyncClient, Client, ConnectionLost, Event, NotFound, Retries
from tests.support.http_site import ADMIN
from tests.support.served_site import ServedSite
from tests.unit.client.test_client_calls import answering, incident

QUICK = Retries(attempts=3, first_s=0.01, longest_s=0.05)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nretry: 10\n\n"


def piece(number: int, *, whole: bool = True) -> bytes:
    return (
        f'id: {number}\nevent: commented\ndata: {{"number": {number}}}\n{chr(10) if whole else ""}'.encode()
    )


def test_what_happens_is_heard_while_it_happens(served: ServedSite, client: Client) -> None:
    posted = client.post_incident(incident(analyze=False))
    heard: list[Event] = []

    def listen() -> None:
        with Client(served.address, ADMIN) as other:
            heard.extend(islice(other.stream_one(posted.id, after=0), 3))

    listener = threading.Thread(target=listen)
    listener.start()
    client.acknowledge_incident(posted.id, {"owner": "ada"})
    client.comment_incident(posted.id, {"comment": "seen"})
    listener.join(30)
    assert [event.kind for event in heard] == ["created", "acknowledged", "commented"]
    assert [int(event.id) for event in heard] == sorted(int(event.id) for event in heard)
    assert heard[-1].data["text"] == "seen"


def test_both_flavours_hear_the_same(served: ServedSite, client: Client) -> None:
    posted = client.post_incident(incident(analyze=False))
    client.comment_incident(posted.id, {"comment": "seen"})

    async def listen() -> list[Event]:
        async with AsyncClient(served.address, ADMIN) as other:
            heard = []
            async for event in other.stream_one(posted.id, after=0):
                heard.append(event)
                if len(heard) == 2:
                    break
            with pytest.raises(NotFound):
                async for _ in other.stream_one("01JAAAAAAAAAAAAAAAAAAAAAAA"):
                    pass
            return heard

    assert asyncio.run(listen()) == list(islice(client.stream_one(posted.id, after=0), 2))
    with pytest.raises(NotFound):
        next(client.stream_one("01JAAAAAAAAAAAAAAAAAAAAAAA"))


def test_after_a_break_it_goes_on_after_the_last_event() -> None:
    broken = HEAD + piece(1) + piece(2, whole=False)
    with (
        answering(broken, b"", HEAD + piece(2) + piece(3)) as (address, asked),
        Client(address, retries=QUICK) as client,
    ):
        heard = list(islice(client.stream_all(after=0), 3))
    assert [event.id for event in heard] == ["1", "2", "3"]
    assert [one.get("last-event-id") for one in asked] == [None, "1", "1"]


def test_a_server_that_stays_away_is_given_up() -> None:
    slept: list[float] = []
    with (
        answering(HEAD + piece(1)) as (address, asked),
        Client(address, retries=QUICK, sleep=slept.append) as client,
        pytest.raises(ConnectionLost),
    ):
        list(client.stream_all())
    assert len(asked) == 1 + QUICK.attempts
    assert slept == [0.01] * QUICK.attempts
