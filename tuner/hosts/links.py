"""The network devices of a machine, their addresses, and the way that packets would take: what the kernel says (rtnetlink(7)).

Nothing is changed and no right is needed. What a device or driver does not say is None.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path("/")
# linux/netlink.h, linux/rtnetlink.h
_GET_ADDRESS, _GET_ROUTE, _DONE, _ERROR = 22, 26, 3, 2
_REQUEST, _DUMP = 0x1, 0x300
_OF_ADDRESS: Final = {"address": 1, "local": 2}
_TO, _DEVICE, _GATEWAY, _FROM = 1, 4, 5, 7
_OWN_ADDRESS: Final = 2  # RTN_LOCAL
_ANSWER_S: Final = 5.0
# linux/ethtool.h, linux/sockios.h
_SIOCETHTOOL: Final = 0x8946
_DRIVER_INFO, _COALESCE, _FEATURES = (
    3,
    0xE,
    {"rx-checksum": 0x14, "tx-checksum": 0x16, "tso": 0x1E, "gso": 0x23, "gro": 0x2B},
)


@dataclass(frozen=True, slots=True)
class Link:
    """A network device: its addresses with their prefix lengths (`10.0.0.1/24`), and what it is.

    `rx_usecs` is how long received packets may wait for an interrupt in µs, `offloads` which of checksums, TSO, GSO and GRO are on,
    `irqs` which CPUs take its interrupts, by the interrupt's number.
    """

    name: str
    addresses: tuple[str, ...] = ()
    up: bool | None = None
    mtu: int | None = None
    speed_mbps: int | None = None
    driver: str | None = None
    firmware: str | None = None
    numa_node: int | None = None
    rx_usecs: int | None = None
    adaptive: bool | None = None
    offloads: tuple[str, ...] | None = None
    irqs: Mapping[str, str] | None = None

    def words(self) -> str:
        """Return the device in a few words, such as `eth1 (mlx5_core, 100 Gbit/s, MTU 9000, NUMA node 0)`."""
        known = [
            self.driver or "driver unknown",
            "speed unknown" if self.speed_mbps is None else f"{self.speed_mbps / 1000:g} Gbit/s",
            "MTU unknown" if self.mtu is None else f"MTU {self.mtu}",
            "NUMA node unknown" if self.numa_node is None else f"NUMA node {self.numa_node}",
        ]
        return f"{self.name} ({', '.join(known)})"


@dataclass(frozen=True, slots=True)
class Network:
    """What a machine says of its network.

    `machine` is the same wherever the kernel is one and the same, `space` names the namespace; `ssh` is its own address of the
    connection that reaches it, None where nobody came that way.
    """

    links: tuple[Link, ...] = ()
    machine: str | None = None
    space: str | None = None
    ssh: str | None = None

    def at(self, address: str) -> Link | None:
        """Return the device that has an address, None where none has it."""
        return next((link for link in self.links for own in link.addresses if same(own, address)), None)

    def is_where(self, other: Network) -> bool:
        """Return whether both are one network namespace of one kernel, so far as both say."""
        return self.shares_kernel(other) and self.space is not None and self.space == other.space

    def shares_kernel(self, other: Network) -> bool:
        """Return whether both run on one kernel, so that their CPUs are the same ones."""
        return self.machine is not None and self.machine == other.machine


@dataclass(frozen=True, slots=True)
class Route:
    """How packets to an address leave: by which device, from which address, over which gateway (None: directly)."""

    device: str
    source: str | None = None
    gateway: str | None = None
    own: bool = False


def same(own: str, address: str) -> bool:
    """Return whether `own`, which has a prefix length, is this address."""
    try:
        return ipaddress.ip_interface(own).ip == ipaddress.ip_address(address)
    except ValueError:
        return False


def network(root: Path = ROOT) -> Network:
    """Return the devices of this machine with what it says of them."""
    addresses = _addresses()
    names = sorted(name for _, name in socket.if_nameindex())
    irqs = _text(root / "proc/interrupts")
    links = tuple(_link(root / "sys/class/net" / name, name, tuple(addresses.get(name, ())), irqs) for name in names)
    space = None
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/net").readlink())
    return Network(links, _text(root / "proc/sys/kernel/random/boot_id") or None, space)


def route(address: str) -> Route | None:
    """Return how this machine reaches an address, None where it cannot."""
    try:
        to = ipaddress.ip_address(address)
        family = socket.AF_INET if to.version == 4 else socket.AF_INET6  # noqa: PLR2004 - of IP
        ask = struct.pack("=BBBBBBBBI", family, to.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
        packed = struct.pack("=HH", 4 + len(to.packed), _TO) + to.packed
        [(body, said), *_] = _asked(_GET_ROUTE, _REQUEST, ask + packed, 12)
    except (ValueError, OSError):
        return None
    if _DEVICE not in said:
        return None
    device = socket.if_indextoname(struct.unpack("=I", said[_DEVICE])[0])
    return Route(device, _shown(said.get(_FROM)), _shown(said.get(_GATEWAY)), body[7] == _OWN_ADDRESS)


def _shown(packed: bytes | None) -> str | None:
    return None if packed is None else str(ipaddress.ip_address(packed))


def _addresses() -> dict[str, list[str]]:
    """Return the addresses of each device, with their prefix lengths; none where the kernel does not say."""
    found: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError):
        for body, said in _asked(_GET_ADDRESS, _REQUEST | _DUMP, bytes(8), 8):
            packed = said.get(_OF_ADDRESS["local"]) or said.get(_OF_ADDRESS["address"])
            index = struct.unpack_from("=I", body, 4)[0]
            if packed:
                found.setdefault(socket.if_indextoname(index), []).append(f"{_shown(packed)}/{body[1]}")
    return found


def _asked(kind: int, flags: int, body: bytes, head: int) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """Yield the answers of the kernel to a question: the fixed part of each, `head` bytes long, and its attributes."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as kernel:
        kernel.settimeout(_ANSWER_S)
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        while True:
            data = kernel.recv(1 << 17)
            while data:
                size, what = struct.unpack_from("=IH", data)
                if what == _DONE:
                    return
                if what == _ERROR:
                    code = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(code, os.strerror(code))
                yield data[16 : 16 + head], dict(_attributes(data[16 + head : size]))
                data = data[(size + 3) & ~3 :]
            if not flags & _DUMP:
                return


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:  # noqa: PLR2004 - the head of an attribute
        size, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:size]
        data = data[max(4, (size + 3) & ~3) :]


def _link(folder: Path, name: str, addresses: tuple[str, ...], interrupts: str) -> Link:
    state, speed = _text(folder / "operstate"), _number(folder / "speed")
    node = _number(folder / "device/numa_node")
    coalescing = _ethtool(name, _COALESCE, 92)
    driver, _, firmware = _driver(folder, name)
    return Link(
        name,
        addresses,
        up=None if state in {"", "unknown"} else state == "up",
        mtu=_number(folder / "mtu"),
        speed_mbps=speed if speed is not None and speed > 0 else None,
        driver=driver,
        firmware=firmware,
        numa_node=node if node is not None and node >= 0 else None,
        rx_usecs=struct.unpack_from("=I", coalescing, 4)[0] if coalescing else None,
        adaptive=bool(struct.unpack_from("=I", coalescing, 44)[0]) if coalescing else None,
        offloads=_offloads(name),
        irqs=_irqs(folder, name, interrupts),
    )


def versions(root: Path = ROOT) -> tuple[str, ...]:
    """Return what runs each network card: its driver, the driver's version where it is not the kernel's, and its firmware."""
    found = {_version(each.parent, each.parent.name) for each in (root / "sys/class/net").glob("*/device")}
    return tuple(sorted(filter(None, found)))


def _version(folder: Path, name: str) -> str | None:
    driver, version, firmware = _driver(folder, name)
    if driver is None:
        return None
    own = f" {version}" if version and version != os.uname().release else ""
    return f"{driver}{own}{f', firmware {firmware}' if firmware else ''}"


def _driver(folder: Path, name: str) -> tuple[str | None, str | None, str | None]:
    found = _ethtool(name, _DRIVER_INFO, 196)
    if found is None:
        with contextlib.suppress(OSError):
            return (folder / "device/driver").resolve(strict=True).name, None, None
        return None, None, None
    driver, version, firmware = (
        found[at : at + 32].split(b"\0")[0].decode(errors="replace") or None for at in (4, 36, 68)
    )
    return driver, version, firmware if firmware != "N/A" else None


def _offloads(name: str) -> tuple[str, ...] | None:
    found = {feature: _ethtool(name, number, 8) for feature, number in _FEATURES.items()}
    if all(said is None for said in found.values()):
        return None
    return tuple(feature for feature, said in found.items() if said and struct.unpack_from("=I", said, 4)[0])


def _ethtool(name: str, command: int, size: int) -> bytes | None:
    """Return what a driver answers (SIOCETHTOOL), None where it does not."""
    answer = array.array("B", struct.pack("=I", command) + bytes(size - 4))
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            fcntl.ioctl(one, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), answer.buffer_info()[0]))
    except OSError:
        return None
    return answer.tobytes()


def _irqs(folder: Path, name: str, interrupts: str) -> dict[str, str] | None:
    """Return which CPUs take the interrupts of a device, by their numbers; None where it is not known which are its."""
    try:
        numbers = {path.name for path in (folder / "device/msi_irqs").iterdir()}
    except OSError:
        numbers = {line.partition(":")[0].strip() for line in interrupts.splitlines() if line.split()[-1:] == [name]}
    proc = folder.parents[2] / "proc/irq"
    found = {
        number: _text(proc / number / "effective_affinity_list") or _text(proc / number / "smp_affinity_list")
        for number in sorted(numbers)[:256]
    }
    known = {number: cpus for number, cpus in found.items() if cpus}
    return known or None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() and len(text) < 20 else None  # noqa: PLR2004 - 64 bits


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(1 << 18).strip()
    except OSError:
        return ""
