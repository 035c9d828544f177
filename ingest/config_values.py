"""Values as people write them in ``aiops.yaml``: ``30s``, ``64MiB``, ``127.0.0.1:5514``, ``[a, b]`` or ``a,b``.

Every parser takes what YAML or the environment gave and raises ValueError with a sentence that says what to write instead;
the ``write_*`` functions are their inverses.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]*\]|[A-Za-z0-9_.-]*):(\d{1,5})", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds of ``500ms``, ``30s``, ``5m``, ``1h``, ``7d``, ``2w``, ``1h30m``; a float is seconds already (a default)."""
    if isinstance(value, float):
        return value
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("expected a duration such as 30s")
    if text == "0":
        return 0.0
    parts = _QUANTITY.findall(text)
    if not parts or _QUANTITY.sub("", text).strip():
        hint = f"write {text}s for seconds" if text.isdigit() else "for example 500ms, 30s, 5m, 1h, 7d"
        raise ValueError(f"expected a duration with its unit, {hint}")
    for _number, unit in parts:
        if unit not in _SECONDS:
            raise ValueError(f"unknown unit {unit!r} of a duration; known are {', '.join(_SECONDS)}")
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def write_duration(seconds: float) -> str:
    """The shortest exact text: ``1h``, ``90s``, ``500ms``."""
    for unit in ("w", "d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{int(seconds / _SECONDS[unit])}{unit}"
    return f"{seconds * 1000:.6f}".rstrip("0").rstrip(".") + "ms" if seconds else "0s"


def parse_size(value: object) -> int:
    """Bytes of ``64MiB``, ``1.5GiB``, ``10MB``, ``512B``; powers of 1024 end in ``iB``, of 1000 in ``B``."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("expected a size such as 64MiB")
    text = str(value).strip()
    if text == "0":
        return 0
    found = _QUANTITY.fullmatch(text)
    if found is None:
        hint = f"write {text}B for bytes" if text.isdigit() else "for example 512B, 64MiB, 2GiB"
        raise ValueError(f"expected a size with its unit, {hint}")
    if found[2] not in _BYTES:
        raise ValueError(f"unknown unit {found[2]!r} of a size; known are {', '.join(_BYTES)}")
    return int(float(found[1]) * _BYTES[found[2]])


def write_size(size: int) -> str:
    """The shortest exact text: ``64MiB``, ``1000B``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return f"{size}B"


def parse_address(value: object) -> tuple[str, int]:
    """(host, port) of ``127.0.0.1:5514``, ``[::1]:5514`` or ``:5514`` (loopback)."""
    if isinstance(value, tuple):
        return value
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected ADDRESS:PORT, for example 127.0.0.1:5514")
    if int(found[2]) > 65535:
        raise ValueError(f"port {found[2]} is above 65535")
    return found[1].strip("[]") or "127.0.0.1", int(found[2])


def write_address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_list(value: object) -> object:
    """A list as it is; a text is split at commas (how the environment gives a list)."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, list | tuple):
        raise ValueError("expected a list of texts, or one text with commas")
    return tuple(value)


def parse_count(value: object) -> int:
    """A whole number; true and 1.5 are none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    raise ValueError("expected a whole number")


def parse_path(value: object) -> Path:
    """A path; empty is none."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("expected the path of a file or a directory")
    return Path(value)


Duration = Annotated[float, BeforeValidator(parse_duration), PlainSerializer(write_duration)]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(write_size)]
Address = Annotated[tuple[str, int], BeforeValidator(parse_address), PlainSerializer(write_address)]
Texts = Annotated[tuple[str, ...], BeforeValidator(parse_list), PlainSerializer(list)]
Count = Annotated[int, BeforeValidator(parse_count)]
FilePath = Annotated[Path, BeforeValidator(parse_path), PlainSerializer(str)]
FilePaths = Annotated[
    tuple[FilePath, ...], BeforeValidator(parse_list), PlainSerializer(lambda paths: [str(p) for p in paths])
]
