"""What systemd is told of a server, for units of `Type=notify`."""

import socket
from contextlib import suppress
from dataclasses import dataclass

from afterwork.events import DatabaseBack, DatabaseLost, Event, ServerStarted, ServerStopping

ADDRESS = "NOTIFY_SOCKET"
"""The environment variable in which systemd says where it listens."""


@dataclass(frozen=True)
class Systemd:
    """A listener. `address` is a path, or a name that begins with @."""

    address: str

    def __call__(self, event: Event) -> None:
        """Tell what an event means for the unit, if it means anything.

        That a server stops is told as a status only: it may go on at once, if it only reads its files of jobs again.
        """
        match event:
            case ServerStarted(server, database):
                self._tell("READY=1", f"STATUS=Server {server} on {database}")
            case ServerStopping():
                self._tell("STATUS=Stopping: no more jobs begin, those that run are let end")
            case DatabaseLost():
                self._tell("STATUS=The database can't be reached. Waiting for it")
            case DatabaseBack():
                self._tell("STATUS=The database is back")
            case _:
                pass

    def _tell(self, *lines: str) -> None:
        where = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        # Jobs go on, whether systemd hears of it or not.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(lines).encode(), where)
