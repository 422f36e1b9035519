"""The web page, the JSON API, the metrics and the probes, as one ASGI application."""

from afterwork.web.access import Identity
from afterwork.web.mount import web

__all__ = ["Identity", "web"]
