"""The scheduler of a Dask cluster: reached, by TLS where its address says so, and with workers that fit. The only module that imports Dask.

All that is in the way is said before the first run, with the command that mends it.
"""

from __future__ import annotations

import logging
import platform
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tuner.errors import MissingTool, UsageError, error
from tuner.session.measuring.losses import PATIENCE_S
from tuner.version import __version__

RESOURCE: Final = "pair"
"""What a worker must have one of (`--resources pair=1`): it measures one block at a time."""
CONNECT_S: Final = 10.0
"""So long a scheduler has for an answer."""
CLOSE_S: Final = 5.0
_LENGTH_BYTES: Final = 8
_GREETING_BYTES: Final = 1 << 20
"""More than a scheduler's greeting has, and less than the first eight letters of any other program are as a number."""
SCHEDULER: Final = "dask scheduler --port 8786"
WORKER: Final = "dask worker {address} --nthreads 1 --resources pair=1"
INSTALL: Final = "pip install 'stack-tuner[cluster]'"
_FILES: Final = "--cluster-ca CA.pem --cluster-cert ME.pem --cluster-key ME.key"
_REASONS: Final = (
    (
        ("certificate does not match", "CERTIFICATE_VERIFY_FAILED"),
        "the authority of --cluster-ca did not sign its certificate",
        "name the one that did: --cluster-ca CA.pem",
    ),
    (
        ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"),
        "it speaks no TLS",
        "without TLS it is {plain}",
    ),
    (
        ("EOF occurred", "SSLEOFError", "ALERT", "alert "),
        "it does not take this program's certificate",
        "name one that its authority signed: --cluster-cert ME.pem --cluster-key ME.key",
    ),
)
"""What Dask and OpenSSL say where TLS is not agreed on, what that is, and what mends it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler, and the files for TLS where its address begins with `tls://`."""

    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_tls(self) -> bool:
        """Whether it is reached by TLS."""
        return self.address.startswith("tls://")

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that were named, by what Dask calls them."""
        named = {"tls_ca_file": self.ca, "tls_client_cert": self.certificate, "tls_client_key": self.key}
        return {name: path for name, path in named.items() if path}


@dataclass(frozen=True, slots=True)
class Scheduler:
    """A scheduler that is connected to."""

    address: str
    client: Any
    """A `distributed.Client`; Dask has no types."""


@contextmanager
def connected(cluster: Cluster) -> Iterator[Scheduler]:
    """Yield a scheduler that has workers of this release.

    Raises:
        MissingTool: Dask is not installed here, or workers have other releases than this process.
        UsageError: no scheduler answers there, TLS is not agreed on, or no worker may measure.

    """
    _quiet()
    security = _security(cluster)
    if why := _no_scheduler(cluster):
        raise _unanswered(cluster, why)
    try:
        _client(cluster, security, CONNECT_S).close(timeout=CLOSE_S)
        # Dask tries to reach a lost scheduler for as long as it waits for the first answer, and then gives up for good.
        client = _client(cluster, security, 2 * PATIENCE_S)
    except (OSError, ValueError, TimeoutError, RuntimeError) as reason:
        raise _unanswered(cluster, str(reason)) from reason
    try:
        _check_workers(client, cluster.address)
        yield Scheduler(cluster.address, client)
    finally:
        client.close(timeout=CLOSE_S)


def _no_scheduler(cluster: Cluster) -> str:
    """Return why what listens at an address is no scheduler, empty where it may be one: Dask waits for long for what never answers as one."""
    to = urlsplit(cluster.address)
    try:
        with socket.create_connection((to.hostname or "", to.port or 0), CONNECT_S) as one:
            return "" if cluster.is_tls else _no_greeting(one)
    except socket.gaierror:
        return f"the name {to.hostname} is not known"
    except ConnectionRefusedError:
        return "nothing listens on that port"
    except TimeoutError:
        return f"nothing is heard within {CONNECT_S:g} s"
    except OSError as reason:
        return reason.strerror or str(reason)


def _no_greeting(one: socket.socket) -> str:
    """Return why what is heard first is no greeting of a scheduler, which speaks at once, the length of its words first (distributed/comm/tcp.py)."""
    try:
        head = one.recv(_LENGTH_BYTES, socket.MSG_WAITALL)
    except TimeoutError:
        return f"what listens there says nothing within {CONNECT_S:g} s: it is another program, or it hangs"
    if len(head) < _LENGTH_BYTES:
        return "what listens there ends the connection at once"
    right = int.from_bytes(head, "little") < _GREETING_BYTES
    return "" if right else f"what listens there says {head!r} first: it is another program"


def workers(client: Any) -> Mapping[str, float]:
    """Return the workers that may measure, by their addresses, and when the scheduler last heard of each, by its clock."""
    known = client.scheduler_info(n_workers=-1)["workers"]
    return {
        name: float(each.get("last_seen", 0.0))
        for name, each in known.items()
        if each.get("resources", {}).get(RESOURCE, 0) >= 1
    }


def releases() -> str:
    """Return what a process has that must be the same here and on a worker."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"stack-tuner {__version__}, Dask {version('distributed')}, Python {python}"


def _client(cluster: Cluster, security: Any, timeout_s: float) -> Any:
    """Return a client of a scheduler that answers."""
    return _dask().Client(
        cluster.address, timeout=timeout_s, security=security, set_as_default=False, heartbeat_interval=1000
    )


def _dask() -> Any:
    """Return Dask's module; raise `MissingTool` where it is not installed."""
    try:
        import distributed
    except ImportError as reason:
        raise MissingTool(f"--cluster needs Dask, which is not installed ({reason})", advice=INSTALL) from reason
    return distributed


def _quiet() -> None:
    """Let Dask log and warn of nothing: what it says of lost connections and of other releases is said here in words."""
    warnings.filterwarnings("ignore", category=_dask().versions.VersionMismatchWarning)
    for name in [each for each in logging.root.manager.loggerDict if each.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _security(cluster: Cluster) -> Any:
    """Return what TLS needs, None where it is not asked for; raise `UsageError` where its files do not make a pair of ends."""
    if not cluster.is_tls:
        return None
    files = {name: str(path) for name, path in cluster.files.items()}
    found = _dask().Security(require_encryption=True, **files)
    try:
        usable = found.get_connection_args("client").get("ssl_context") is not None
    except (OSError, ValueError) as reason:
        message = f"no TLS can be made of {', '.join(files.values())}: {_said(reason)}"
        raise UsageError(
            message, advice=f"name files in PEM, a key that belongs to its certificate: {_FILES}"
        ) from reason
    if not usable:
        raise UsageError(f"{cluster.address} is reached by TLS, which needs files", advice=f"name them: {_FILES}")
    return found


def _said(reason: Exception) -> str:
    """Return what OpenSSL says, without where in its source it does."""
    return (reason.reason or str(reason)) if isinstance(reason, ssl.SSLError) else str(reason)


def _unanswered(cluster: Cluster, said: str) -> UsageError:
    """Return the error of a scheduler that does not answer as one, by what Dask said of it."""
    plain = cluster.address.replace("tls://", "tcp://")
    for signs, why, mend in _REASONS if cluster.is_tls else ():
        if any(sign in said for sign in signs):
            message = f"the scheduler {cluster.address} and this program do not agree on TLS: {why}"
            return UsageError(message, advice=mend.format(plain=plain))
    start = SCHEDULER + (" --protocol tls --tls-ca-file … --tls-cert … --tls-key …" if cluster.is_tls else "")
    secured = "" if cluster.is_tls else "; one that speaks TLS is tls://…"
    advice = f"start one: {start}; and near each pair: {WORKER.format(address=cluster.address)}{secured}"
    return UsageError(f"no Dask scheduler answers at {cluster.address}: {said}", advice=advice)


def _check_workers(client: Any, address: str) -> None:
    """Raise `UsageError` where no worker may measure, `MissingTool` where any has other releases than this process."""
    found = sorted(workers(client))
    if not found:
        others = len(client.scheduler_info(n_workers=-1)["workers"])
        message = f"the scheduler {address} has no worker that may measure"
        what = f" ({others} without the resource {RESOURCE})" if others else ""
        raise UsageError(message + what, advice=f"start one near each pair: {WORKER.format(address=address)}")
    mine, said = releases(), asked(client, found, releases, CONNECT_S)
    mend = f"there: {INSTALL[:-1]}=={__version__}' distributed=={version('distributed')}"
    wrong = [
        error(name, f"has {each}" if isinstance(each, str) else f"cannot load stack-tuner: {each}", mend)
        for name, each in sorted(said.items())
        if each != mine
    ]
    hang = f"end it there, and start it again: {WORKER.format(address=address)}"
    if not said:  # one that hangs beside others is noticed when it has a block, which another one then measures
        wrong = [error(name, f"does not answer within {CONNECT_S:g} s", hang) for name in found]
    if wrong:
        raise MissingTool(f"workers need what is here: {mine}", findings=wrong)


def asked(
    client: Any, names: Sequence[str], what: Callable[..., object], within_s: float, *words: object
) -> Mapping[str, object]:
    """Return what each worker makes of a question, by its address; nothing of those that do not answer in time, for whom Dask waits for ever."""
    said: dict[str, object] = {}

    def ask(name: str) -> None:
        with suppress(Exception):  # no answer; what it raised itself would be one
            said.update(client.run(what, *words, workers=[name], on_error="return"))

    asking = [threading.Thread(target=ask, args=[name], daemon=True) for name in names]
    for each in asking:
        each.start()
    until_s = time.monotonic() + within_s
    for each in asking:
        each.join(max(0.0, until_s - time.monotonic()))
    return dict(said)
