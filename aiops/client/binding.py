"""Functions that make calls, as methods of a client: blocking, or to be awaited. Their types are kept."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, ParamSpec, Protocol, Self, TypeVar, overload

from aiops.client.calls import Call
from aiops.client.event_stream import Event

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """A page of a list; ``next_cursor`` None: the last one."""

    @property
    def items(self) -> tuple[T_co, ...]: ...

    @property
    def next_cursor(self) -> str | None: ...


class Sends(Protocol):
    """A client that blocks."""

    def send(self, call: Call[T]) -> T: ...

    def stream(self, call: Call[Event]) -> Iterator[Event]: ...


class SendsAsync(Protocol):
    """A client whose answers are awaited."""

    async def send(self, call: Call[T]) -> T: ...

    def stream(self, call: Call[Event]) -> AsyncIterator[Event]: ...


class _Bound(Generic[P, T]):
    """What the descriptors share: the function that makes the call, and its documentation."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def _dressed(self, method: Callable[P, object]) -> None:
        """``help()`` and completion show the operation's own name, parameters and text."""
        method.__name__ = self.make.__name__
        method.__doc__ = self.make.__doc__
        signature = inspect.signature(self.make)
        method.__signature__ = signature.replace(return_annotation=inspect.Signature.empty)  # type: ignore[attr-defined]


class blocking(_Bound[P, T]):
    """``name = blocking(operation)`` in a class that :class:`Sends`."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Sends, owner: type) -> Callable[P, T]: ...
    def __get__(self, client: Sends | None, owner: type) -> Self | Callable[P, T]:
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.send(self.make(*args, **kwargs))

        self._dressed(method)
        return method


class awaited(_Bound[P, T]):
    """``name = awaited(operation)`` in a class that :class:`SendsAsync`."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SendsAsync, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, client: SendsAsync | None, owner: type) -> Self | Callable[P, Awaitable[T]]:
        if client is None:
            return self

        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return await client.send(self.make(*args, **kwargs))

        self._dressed(method)
        return method


class paged(Generic[P, T]):
    """``name = paged(operation)``: every item of every page, one request a page, as they are asked for."""

    def __init__(self, make: Callable[P, Call[Page[T]]]) -> None:
        self.make = make

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Sends, owner: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, client: Sends | None, owner: type) -> Self | Callable[P, Iterator[T]]:
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            cursor = kwargs.get("cursor")
            while True:
                page = client.send(self.make(*args, **(kwargs | {"cursor": cursor})))  # type: ignore[arg-type]
                yield from page.items
                cursor = page.next_cursor
                if cursor is None:
                    return

        return method


class paged_async(Generic[P, T]):
    """The same with ``async for``."""

    def __init__(self, make: Callable[P, Call[Page[T]]]) -> None:
        self.make = make

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SendsAsync, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: SendsAsync | None, owner: type) -> Self | Callable[P, AsyncIterator[T]]:
        if client is None:
            return self

        async def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            cursor = kwargs.get("cursor")
            while True:
                page = await client.send(self.make(*args, **(kwargs | {"cursor": cursor})))  # type: ignore[arg-type]
                for item in page.items:
                    yield item
                cursor = page.next_cursor
                if cursor is None:
                    return

        return method


class streaming(Generic[P]):
    """``name = streaming(operation)``: events as they come, going on after the last one where the connection breaks."""

    def __init__(self, make: Callable[P, Call[Event]]) -> None:
        self.make = make

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Sends, owner: type) -> Callable[P, Iterator[Event]]: ...
    def __get__(self, client: Sends | None, owner: type) -> Self | Callable[P, Iterator[Event]]:
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[Event]:
            return client.stream(self.make(*args, **kwargs))

        return method


class streaming_async(Generic[P]):
    """The same with ``async for``."""

    def __init__(self, make: Callable[P, Call[Event]]) -> None:
        self.make = make

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SendsAsync, owner: type) -> Callable[P, AsyncIterator[Event]]: ...
    def __get__(self, client: SendsAsync | None, owner: type) -> Self | Callable[P, AsyncIterator[Event]]:
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Event]:
            return client.stream(self.make(*args, **kwargs))

        return method
