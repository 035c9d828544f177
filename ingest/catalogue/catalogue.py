"""Messages from directories: those that ship, and a site's own, which go first and replace those of the same id."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from aiops.errors import ConfigError
from ingest.catalogue.message import Message, parse_message, repeated

MAX_MESSAGES = 20_000
_SUFFIX = ".yaml"


def load_catalogue(*directories: Path, shipped: bool = True) -> tuple[Message, ...]:
    """The messages below ``directories`` (the last one first), then those that ship; each by id.

    Nothing is kept and nothing is half loaded: to reload is to call it again, and to use what it gives if it raises
    nothing. Raises :class:`ConfigError` with ``file`` and ``line`` for the first message that is wrong, or for a directory
    that is not there.
    """
    layers = [_directory(path) for path in directories]
    if shipped:
        layers.insert(0, _layer(_shipped(files(__package__).joinpath("messages"), "messages")))
    merged: dict[str, Message] = {}
    order: list[str] = []
    for layer in layers:
        merged |= {message.id: message for message in layer}
        own = [message.id for message in layer]
        order = [*own, *(name for name in order if name not in set(own))]
    if len(order) > MAX_MESSAGES:
        raise ConfigError(f"{len(order)} messages are too many: at most {MAX_MESSAGES}", limit=MAX_MESSAGES)
    return tuple(merged[name] for name in order)


def _directory(path: Path) -> tuple[Message, ...]:
    if not path.is_dir():
        raise ConfigError(
            f"{path} is no directory", hint="a catalogue is a directory of YAML files", file=str(path), line=1
        )
    found: list[tuple[str, str]] = []
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_SUFFIX):
                file = Path(folder) / name
                try:
                    found.append((str(file), file.read_text("utf-8")))
                except (OSError, UnicodeDecodeError) as exc:
                    raise ConfigError(f"cannot read {file}: {exc}", file=str(file), line=1) from exc
    return _layer(found)


def _shipped(folder: Traversable, name: str) -> Iterable[tuple[str, str]]:
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.is_dir():
            yield from _shipped(item, f"{name}/{item.name}")
        elif item.name.endswith(_SUFFIX):
            yield f"{name}/{item.name}", item.read_text("utf-8")


def _layer(texts: Iterable[tuple[str, str]]) -> tuple[Message, ...]:
    messages = tuple(
        sorted((parse_message(text, file) for file, text in texts), key=lambda message: message.id)
    )
    error = repeated(messages)
    if error is not None:
        raise error
    return messages
