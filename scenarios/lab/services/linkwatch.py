"""A switch's voice: follows ``ip monitor link`` and prints a line when a port loses or gains its carrier."""

from __future__ import annotations

import re
import subprocess

LINE = re.compile(r"^\d+: (?P<port>[\w-]+)(?:@\w+)?: <(?P<flags>[^>]*)>")


def watch() -> None:
    up: dict[str, bool] = {}
    with subprocess.Popen(["ip", "-o", "monitor", "link"], stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stdout is not None
        for line in monitor.stdout:
            match = LINE.match(line)
            if match is None or not re.fullmatch(r"swp\d+|uplink", match["port"]):
                continue
            carrier = "LOWER_UP" in match["flags"].split(",")
            if up.get(match["port"], True) != carrier:
                state = "up, carrier acquired" if carrier else "down, carrier lost"
                print(f"interface {match['port']} link {state}", flush=True)
            up[match["port"]] = carrier


if __name__ == "__main__":
    watch()
