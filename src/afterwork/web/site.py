"""The site that every page works with."""

from dataclasses import dataclass

from jinja2 import Environment
from sqlalchemy import Engine

from afterwork.app import Afterwork
from afterwork.control import Control
from afterwork.insight import Insight
from afterwork.web.access import Access


@dataclass(frozen=True)
class Site:
    """One application on one database, as the web shows it."""

    app: Afterwork
    engine: Engine
    access: Access
    templates: Environment

    @property
    def insight(self) -> Insight:
        """Return the read-only views."""
        return self.app.insight(self.engine)

    @property
    def control(self) -> Control:
        """Return the acts."""
        return self.app.control(self.engine)
