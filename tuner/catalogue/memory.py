"""The memory that a configuration takes, as a sum that is shown line by line, and what of it cannot be.

XLIO takes one block of `XLIO_MEMORY_LIMIT` bytes at the first socket and serves every buffer from it; VMA and XLIO until
3.20.3 take their pools directly. Formulas: xlio_heap.cpp and buffer_pool.cpp of 3.61.2, sys_vars.cpp of earlier ones. No
card was at hand: what depends on one (rings, device memory) is a bound and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from tuner.catalogue import facts
from tuner.catalogue.facts import Facts
from tuner.catalogue.parameters import as_integer
from tuner.catalogue.releases import in_window
from tuner.catalogue.room import Room
from tuner.errors import Finding, Severity, error, warning

# What the formulas assume where the interface decides (MTU=0), and the room for headers before a send buffer.
_MTU: Final = 1500
_HEADERS: Final = 40
_SEND_ROOM: Final = 92
_LINE: Final = 64
# A batch of send buffers, the buffers that the pool takes per batch, and those a send ring holds at least.
_TX_BATCH: Final = 1024
_TX_PER_RING: Final = 256
_DEVICE_BYTES: Final = 262144
_METADATA_BYTES: Final = 32 << 20
_POOL_BUFFER_BYTES: Final = 1638  # a send buffer of VMA at an MTU of 1500
_HUGE: Final = "2"


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a sum: what it is for, how it comes about, and its bytes."""

    what: str
    how: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process takes at start, in bytes; `limit` is the block it must fit in, None where there is none.

    With `workers` the block is divided among so many processes: each takes its part, and their master hardly anything.
    """

    parts: tuple[Part, ...]
    limit: int | None
    workers: int = 0

    @property
    def share(self) -> int | None:
        """The bytes of the block that one process has, None where there is none."""
        return self.limit if self.limit is None or not self.workers else self.limit // self.workers

    @property
    def fits(self) -> bool:
        """Whether the first buffers fit into the block of their process."""
        return self.share is None or self.total <= self.share

    @property
    def total(self) -> int:
        """The bytes of all parts."""
        return sum(part.bytes for part in self.parts)

    @property
    def taken(self) -> int:
        """The bytes that the first socket takes: the whole block where there is one."""
        return self.total if self.limit is None else self.limit

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        by_process = {"workers": self.workers, "worker_bytes": self.share} if self.workers else {}
        parts = [asdict(part) for part in self.parts]
        return {"parts": parts, "total_bytes": self.total, "limit_bytes": self.limit, **by_process}

    def lines(self) -> list[str]:
        """Return the sum as lines of text."""
        said = [f"{part.what}: {part.how} = {part.bytes:,} bytes" for part in self.parts]
        end = f"together {self.total:,} bytes" + (f" of {self.share:,}" if self.share is not None else "")
        return [*said, end, *self._by_process()]

    def _by_process(self) -> list[str]:
        if not self.workers or self.limit is None:
            return []
        whole = f"{self.limit:,} bytes / {self.workers} workers = {self.share:,} bytes in each worker"
        return [f"by process: {whole}, {self.limit / 1e9:.1f} GB in all; the master takes no buffers"]


def summed(stack: str, release: str, values: Mapping[str, str], rings: int = 0) -> Memory:
    """Return the memory that the values in effect take at start, and with `rings` receive and send rings beside it."""
    told = facts.load(stack)
    if told.memory_block and in_window(release, told.memory_block_since, None):
        workers = _number(values, told.workers) if told.workers else 0
        return Memory(tuple(_block(values, told.prefix, rings)), _number(values, told.memory_block), workers)
    return Memory(tuple(_pools(values, told.prefix)) if told.pools else (), None)


def findings(
    stack: str, release: str, values: Mapping[str, str], rings: int = 1, room: Room | None = None
) -> list[Finding]:
    """Return what of the values in effect does not fit, each with its sum; `room` is what the host has, if known."""
    return [
        *_start(stack, release, values),
        *_rings(stack, release, values, rings),
        *_device(stack, values, rings),
        *(_host(stack, release, values, room) if room else ()),
        *(_queues(stack, release, values, room.queue_entries) if room and room.queue_entries else ()),
    ]


def obstacles(stack: str, release: str, values: Mapping[str, str], room: Room) -> list[Finding]:
    """Return why a process with these values in effect cannot start on a host, with the sum; nothing where it can."""
    return [found for found in _host(stack, release, values, room) if found.severity is Severity.ERROR]


def grown(stack: str, release: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return the setting that lets the first buffers fit into their block, none where they fit."""
    memory = summed(stack, release, values)
    if memory.fits:
        return {}
    return {facts.load(stack).memory_block: str((1 << (memory.total - 1).bit_length()) * max(1, memory.workers))}


def receive_buffer_bytes(values: Mapping[str, str], prefix: str) -> int:
    """Return the bytes of one receive buffer: all strides of an element, or one packet."""
    if values.get(f"{prefix}STRQ", "off") not in {"off", "regular_rq"}:
        return _number(values, f"{prefix}STRQ_NUM_STRIDES") * _number(values, f"{prefix}STRQ_STRIDE_SIZE_BYTES")
    return _aligned(max(_mtu(values, prefix), _number(values, f"{prefix}RX_BUF_SIZE")))


def send_buffer_bytes(values: Mapping[str, str], prefix: str) -> int:
    """Return the bytes of one send buffer."""
    segment = _number(values, f"{prefix}MSS") or _mtu(values, prefix) - _HEADERS
    return _aligned(max(segment, _number(values, f"{prefix}TX_BUF_SIZE")) + _SEND_ROOM)


def _block(values: Mapping[str, str], prefix: str, rings: int) -> Iterator[Part]:
    receive, send = receive_buffer_bytes(values, prefix), send_buffer_bytes(values, prefix)
    posted, batches = _number(values, f"{prefix}RX_WRE"), _number(values, f"{prefix}TX_BUFS_BATCH_TCP")
    yield Part("receive pool", f"2 × {prefix}RX_WRE {posted} × {receive} bytes a buffer", 2 * posted * receive)
    how = f"{prefix}TX_BUFS_BATCH_TCP {batches} × {_TX_BATCH} × {send} bytes a buffer"
    yield Part("send pool", how, batches * _TX_BATCH * send)
    if rings > 2:  # noqa: PLR2004 - the first pool holds what two receive queues post
        how = f"{rings - 2} further rings × {prefix}RX_WRE {posted} × {receive} bytes a buffer"
        yield Part("further receive rings", how, (rings - 2) * posted * receive)
    if rings:
        yield Part("send rings", f"{rings} × {_TX_PER_RING} × {send} bytes a buffer", rings * _TX_PER_RING * send)


def _pools(values: Mapping[str, str], prefix: str) -> Iterator[Part]:
    for name, each in (
        (f"{prefix}RX_BUFS", receive_buffer_bytes(values, prefix)),
        (f"{prefix}TX_BUFS", _POOL_BUFFER_BYTES),
    ):
        count = _number(values, name)
        yield Part(f"pool of {name}", f"{name} {count} × {each} bytes a buffer", count * each)


def _start(stack: str, release: str, values: Mapping[str, str]) -> Iterator[Finding]:
    memory = summed(stack, release, values)
    if not memory.fits:
        limit = facts.load(stack).memory_block
        more = grown(stack, release, values)[limit]
        message = "the first buffers do not fit and the first socket will fail: " + "; ".join(memory.lines())
        yield error(limit, message, f"set {limit}={more}, or fewer or smaller buffers")


def _rings(stack: str, release: str, values: Mapping[str, str], rings: int) -> Iterator[Finding]:
    memory = summed(stack, release, values, rings)
    start = summed(stack, release, values)
    if start.fits and not memory.fits:
        message = f"{rings} rings do not fit: " + "; ".join(memory.lines())
        told = facts.load(stack)
        yield warning(told.memory_block, message, f"raise {told.memory_block}, or lower {told.prefix}RX_WRE")


def _device(stack: str, values: Mapping[str, str], rings: int) -> Iterator[Finding]:
    name = f"{facts.load(stack).prefix}RING_DEV_MEM_TX"
    taken = rings * _aligned(_number(values, name))
    if taken > _DEVICE_BYTES:
        message = f"{rings} rings × {_number(values, name)} bytes = {taken:,} bytes, and a card has {_DEVICE_BYTES:,}"
        yield warning(name, message + ": rings that find none go on without", "lower it, or use fewer rings")


def _host(stack: str, release: str, values: Mapping[str, str], room: Room) -> Iterator[Finding]:
    memory = summed(stack, release, values)
    taken = memory.taken
    if taken == 0:
        return
    told = facts.load(stack)
    huge = values.get(f"{told.prefix}MEM_ALLOC_TYPE") == _HUGE
    if room.memlock_bytes is not None and room.memlock_bytes < taken:
        message = f"{taken:,} bytes are needed and {room.memlock_bytes:,} may be locked (ulimit -l)"
        yield error("memory", f"{message}: {_whole(memory, told)}", "ulimit -l unlimited, or fewer or smaller buffers")
    if huge and room.hugepage_bytes is not None and room.hugepage_bytes < taken + _METADATA_BYTES:
        message = f"{taken + _METADATA_BYTES:,} bytes are needed and {room.hugepage_bytes:,} are free as hugepages"
        yield warning("memory", f"{message}: normal pages take their place", "reserve hugepages: vm.nr_hugepages")
    if not huge or (room.hugepage_bytes or 0) < 2 * (taken + _METADATA_BYTES):
        yield from _pages(memory, told, room.available_bytes)


def _pages(memory: Memory, told: Facts, available: int | None) -> Iterator[Finding]:
    """Yield what of normal pages does not fit: both ends of a measurement are on this host, and others need some too."""
    taken = memory.taken
    if available is None or available >= taken * 22 // 10:
        return
    message = f"{taken * 22 // 10:,} bytes are needed and {available:,} are available"
    said = f"{message} for two processes and a tenth to spare: {_whole(memory, told)}"
    advice = "free memory, or take fewer or smaller buffers"
    yield (error if available < 2 * taken else warning)("memory", said, advice)


def _whole(memory: Memory, told: Facts) -> str:
    block = [] if memory.limit is None else [f"{told.memory_block} takes {memory.limit:,} bytes at the first socket"]
    return "; ".join([*block, *memory.lines()])


def _queues(stack: str, release: str, values: Mapping[str, str], entries: int) -> Iterator[Finding]:
    told = facts.load(stack)
    receive = in_window(release, "", told.receive_queue_cut_until or None)
    for name in (f"{told.prefix}TX_WRE", *([f"{told.prefix}RX_WRE"] if receive else [])):
        if _number(values, name) > entries:
            message = f"{_number(values, name)} requests, and a queue of this card holds {entries}: it is cut"
            yield warning(name, message, f"set {name}={entries} at most")


def _mtu(values: Mapping[str, str], prefix: str) -> int:
    return _number(values, f"{prefix}MTU") or _MTU


def _aligned(number: int) -> int:
    return -(-number // _LINE) * _LINE


def _number(values: Mapping[str, str], name: str) -> int:
    return max(0, as_integer(values.get(name, "0")) or 0)
