"""A connection to the agent on another host: the process that carries it, what is asked, and what comes back.

One thread listens. It also says once a second that this end is there; where the other end says nothing for
`guardian.SILENCE_S`, the connection is given up and whoever waits is told (`HostLost`). A connection that is lost stays so:
`tuner.hosts.remote` makes a new one.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final

from tuner import json_text
from tuner.errors import HostLost
from tuner.hosts import bundle
from tuner.hosts.agent import GREETING
from tuner.hosts.guardian import BEAT_S, SILENCE_S
from tuner.hosts.wire import Incoming, framed

DEADLINE_S: Final = 86400.0
"""After a day an agent ends, whoever still speaks with it; the next one is a new connection away."""
CONNECT_LIMIT_S: Final = 20.0
"""How long a host may take to let us in and to start the agent."""
END_LIMIT_S: Final = 3.0
_GREETING_BYTES: Final = 1 << 16
"""What a login shell may print before the agent speaks."""
_WORDS_BYTES: Final = 1 << 14


@dataclass(slots=True)
class Answer:
    """What was asked, and what came back: None until then, and where the connection was lost."""

    came: threading.Event = field(default_factory=threading.Event)
    message: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NotStarted(Exception):
    """There is no agent: how the process ended that should have carried it, None where it hung, and what it said."""

    exit_status: int | None
    said: str


class Connection:
    """A connection to one agent. `hear` is called by the listening thread for what the agent says unasked."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], token: str) -> None:
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the connection
        self._answers: dict[int, Answer] = {}
        self._turn = threading.Lock()
        """Held by who writes or closes: a number that was closed is the next file's, and what is still written goes there."""
        self._listener = threading.Thread(target=self._listen, daemon=True, name="tuner-connection")
        self._over = threading.Event()
        self._number = 0
        self.hear: Callable[[Mapping[str, Any]], None] = lambda _message: None
        self.on_loss: Callable[[], None] = lambda: None
        self.lost = ""
        """Why nothing can be asked any more, empty while it can."""
        text = bundle.text(token, DEADLINE_S)
        self._process = subprocess.Popen(  # noqa: S603 a list of arguments that no shell here reads
            [*argv, bundle.command(len(text))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            bufsize=0,
            env=dict(environment),
            start_new_session=True,  # Ctrl-C is for this program, and nothing can ask a terminal for a password
        )
        try:
            self.hello = self._greeted(text)
        except BaseException:
            self._end()
            self._close_streams()
            raise
        self._listener.start()

    def _greeted(self, text: bytes) -> Mapping[str, Any]:
        """Send the agent and return its first message; raise `NotStarted` where none comes."""
        heard, deadline = bytearray(), time.monotonic() + CONNECT_LIMIT_S
        sender = threading.Thread(target=self._send_in_turn, args=(text,), daemon=True)
        sender.start()
        self._incoming = Incoming(json_text.parsed)
        while GREETING not in heard:
            heard += self._next_bytes(deadline)
            if len(heard) > _GREETING_BYTES:
                raise NotStarted(None, heard[:_WORDS_BYTES].decode(errors="replace"))
        messages = list(self._incoming.fed(bytes(heard.partition(GREETING)[2])))
        while not messages:
            messages = list(self._incoming.fed(self._next_bytes(deadline)))
        return _object(_object(messages[0]).get("hello"))

    def _next_bytes(self, deadline: float) -> bytes:
        stream = self._descriptor(self._process.stdout)
        if select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0] and (
            data := os.read(stream, 1 << 16)
        ):
            return data
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, min(END_LIMIT_S, deadline - time.monotonic())))
        raise NotStarted(self._process.poll(), self._said())

    def _said(self) -> str:
        self._words.seek(0)
        return self._words.read(_WORDS_BYTES).decode(errors="replace").strip()

    @staticmethod
    def _descriptor(stream: IO[bytes] | None) -> int:
        if stream is None:
            raise TypeError("the process has no such stream")
        return stream.fileno()

    def _send_in_turn(self, data: bytes) -> None:
        with self._turn:
            self._send_all(data)

    def _send_all(self, data: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # it ended, or was closed
            while data:
                data = data[os.write(self._descriptor(self._process.stdin), data) :]

    def ask(self, what: str, details: Mapping[str, object], takes_s: float = 0.0) -> Any:
        """Return the answer to a question that takes up to `takes_s`.

        Raises:
            HostLost: there is no answer.

        """
        answer = Answer()
        number = self._sent(answer, what, details)
        if not answer.came.wait(takes_s + 10 * SILENCE_S):
            self.give_up("it answers, but not what was asked")
        with self._turn:
            self._answers.pop(number, None)
        if answer.message is None:
            raise HostLost(self.lost)
        return answer.message

    def tell(self, what: str, details: Mapping[str, object]) -> None:
        """Ask for something of which no answer is wanted; nothing happens where the connection is lost."""
        self._sent(None, what, details)

    def _sent(self, answer: Answer | None, what: str, details: Mapping[str, object]) -> int:
        with self._turn:
            self._number += 1
            number = self._number if answer is not None else 0
            if answer is not None:
                self._answers[number] = answer
                if self.lost:
                    answer.came.set()
            self._send_all(b"" if self.lost else framed({"id": number, "do": what, "with": details}))
        return number

    def _listen(self) -> None:
        last = pinged = time.monotonic()
        stream = self._descriptor(self._process.stdout)
        try:
            while time.monotonic() < last + SILENCE_S:
                if self._over.is_set():
                    return None
                if time.monotonic() >= pinged + BEAT_S:
                    pinged = self._ping()
                if not select.select([stream], [], [], BEAT_S)[0]:
                    continue
                if not (data := os.read(stream, 1 << 16)):
                    return self.give_up(f"the connection ended{self._last_words()}")
                last = time.monotonic()
                for message in self._incoming.fed(data):
                    self._take(_object(message))
            self.give_up(f"nothing was heard of it for {SILENCE_S:g} s")
        except (OSError, ValueError, KeyError, TypeError) as reason:
            self.give_up(f"what it says makes no sense: {reason}")

    def _ping(self) -> float:
        now = time.monotonic()
        # Whoever sends something large says by that that this end is there; a lock that is held for long is no reason to wait.
        if self._turn.acquire(timeout=BEAT_S):
            try:
                self._send_all(framed({"ping": 0}))
            finally:
                self._turn.release()
        return now

    def _last_words(self) -> str:
        return f": {said.splitlines()[-1]}" if (said := self._said()) else ""

    def _take(self, message: Mapping[str, Any]) -> None:
        if "ping" in message:
            return
        if "id" not in message:
            self.hear(message)
            return
        answer = self._answers.get(message["id"])
        if answer is not None:
            answer.message = message
            answer.came.set()

    def give_up(self, why: str) -> None:
        """End the connection, and whoever waits for an answer hears why."""
        self.lost = self.lost or why
        self._end()
        for answer in list(self._answers.values()):
            answer.came.set()
        self.on_loss()

    def close(self) -> None:
        """End the connection in good order: the agent sees the end of its input and ends."""
        self.lost = self.lost or "the connection was closed"
        self._close_input()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_LIMIT_S)
        self._end()
        self._over.set()
        self._listener.join(END_LIMIT_S)
        self._close_streams()

    def _close_input(self) -> None:
        """Close the process's input unless somebody still writes to it, whom the process's end will stop."""
        if self._turn.acquire(timeout=END_LIMIT_S):
            with contextlib.suppress(OSError):
                if self._process.stdin is not None:
                    self._process.stdin.close()
            self._turn.release()

    def _close_streams(self) -> None:
        """Close what no thread uses any more; what one still holds stays open."""
        self._close_input()
        if self._listener.is_alive():
            return
        for stream in (self._process.stdout, self._words):
            if stream is not None:
                stream.close()

    def _end(self) -> None:
        for end in (self._process.terminate, self._process.kill):
            with contextlib.suppress(subprocess.TimeoutExpired):
                end()
                self._process.wait(END_LIMIT_S)
                return


def _object(message: object) -> Mapping[str, Any]:
    if not isinstance(message, dict):
        raise ValueError("a message is no object")  # noqa: TRY004 - of the text, not of a caller's
    return message
