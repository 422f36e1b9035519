"""Another system, as far as the shop is concerned: a post office that is sometimes closed."""

from dataclasses import dataclass, field
from uuid import UUID


class PostOfficeClosed(Exception):
    """Nobody takes letters at the moment. It may help to come again later."""


@dataclass
class PostOffice:
    """Sends letters. Who hands the same one in again, under the same key, does not send it twice."""

    is_open: bool = True
    sent: dict[UUID, str] = field(default_factory=dict)

    def send(self, letter: str, key: UUID) -> None:
        """Send a letter. Raises `PostOfficeClosed`."""
        if not self.is_open:
            raise PostOfficeClosed("The post office is closed.")
        self.sent.setdefault(key, letter)


post_office = PostOffice()
