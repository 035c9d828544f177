"""What every server process needs: a port that is free, and an end when whoever started it is gone."""

from __future__ import annotations

import shutil
import socket


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def with_parent() -> list[str]:
    """Where there is setpriv, the server goes when whoever started it is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
