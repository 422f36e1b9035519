"""A system outside the shop: a post office that is sometimes closed."""

from dataclasses import dataclass, field
from uuid import UUID


class PostOfficeClosed(Exception):
    """The post office is closed. Trying again later may help."""


@dataclass
class PostOffice:
    """Sends letters. A letter that is handed in again, under the same key, is not sent twice."""

    is_open: bool = True
    sent: dict[UUID, str] = field(default_factory=dict)

    def send(self, letter: str, key: UUID) -> None:
        """Send a letter. Raises `PostOfficeClosed`."""
        if not self.is_open:
            raise PostOfficeClosed("The post office is closed.")
        self.sent.setdefault(key, letter)


post_office = PostOffice()
