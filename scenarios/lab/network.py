"""Namespaces, bridges and links of one lab. Nothing of it is joined to the machine's own network."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from scenarios.lab.commands import LabError, run
from scenarios.lab.layout import HOSTS, SWITCHES


class Network:
    """The network of the lab called ``lab``; its namespaces are called ``LAB-NAME``."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self._made: list[str] = []

    def namespace(self, name: str) -> str:
        return f"{self.lab}-{name}"

    def inside(self, name: str, *argv: str, text: str | None = None) -> str:
        """Run a command in the network namespace of ``name``."""
        return run(["nsenter", f"--net=/run/netns/{self.namespace(name)}", *argv], text=text)

    def build(self) -> None:
        for switch in SWITCHES:
            self._make(switch.name)
            self.inside(switch.name, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
            self.inside(switch.name, "ip", "link", "set", "br0", "up")
            if switch.address:
                self.inside(switch.name, "ip", "address", "add", f"{switch.address}/16", "dev", "br0")
        for switch in SWITCHES:
            if switch.uplink_switch and switch.uplink_port:
                self._join(switch.name, "uplink", switch.uplink_switch, switch.uplink_port)
                self._plug(switch.name, "uplink")
                self._plug(switch.uplink_switch, switch.uplink_port)
        for host in HOSTS:
            self._make(host.name)
            self._join(host.name, "eth0", host.switch, host.port)
            self._plug(host.switch, host.port)
            self.inside(host.name, "ip", "address", "add", f"{host.address}/16", "dev", "eth0")
            self.inside(host.name, "ip", "link", "set", "eth0", "up")

    def remove(self) -> None:
        """Take away every namespace that :meth:`build` made; links and bridges go with them."""
        while self._made:
            with contextlib.suppress(LabError):
                run(["ip", "netns", "delete", self.namespace(self._made.pop())])

    def links(self) -> Iterator[tuple[str, str, str, str]]:
        """Every link as (end, its port, other end, its port)."""
        for switch in SWITCHES:
            if switch.uplink_switch and switch.uplink_port:
                yield switch.name, "uplink", switch.uplink_switch, switch.uplink_port
        for host in HOSTS:
            yield host.name, "eth0", host.switch, host.port

    def _make(self, name: str) -> None:
        run(["ip", "netns", "add", self.namespace(name)])
        self._made.append(name)
        self.inside(
            name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.ping_group_range=0 0"
        )
        self.inside(name, "ip", "link", "set", "lo", "up")

    def _join(self, one: str, one_port: str, other: str, other_port: str) -> None:
        peer = ("peer", "name", other_port, "netns", self.namespace(other))
        self.inside(one, "ip", "link", "add", one_port, "type", "veth", *peer)

    def _plug(self, switch: str, port: str) -> None:
        self.inside(switch, "ip", "link", "set", port, "master", "br0", "up")
