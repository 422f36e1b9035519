"""The API of lanes and servers."""

from fastapi import APIRouter

from afterwork.web.api.parameters import Actor
from afterwork.web.api.views import view_route
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """Return the routes of lanes and servers: their activity, and the acts on them."""
    made = APIRouter(tags=["lanes"])

    view_route(made, "/lanes", site.insight.activity, name="lanes")

    @made.post("/lanes/{name:path}/pause", status_code=204)
    def pause_lane(name: str, who: Actor) -> None:
        """Stop jobs of a lane from beginning. Current runs go on."""
        site.control.pause_lane(site.insight.lane(name).name, who)

    @made.post("/lanes/{name:path}/resume", status_code=204)
    def resume_lane(name: str, who: Actor) -> None:
        """Let jobs of a lane begin again."""
        site.control.resume_lane(site.insight.lane(name).name, who)

    @made.post("/servers/{server}/drain", status_code=204)
    def drain_server(server: int, who: Actor) -> None:
        """Make a server begin no more runs, and leave when its current ones have ended."""
        site.control.drain(server, who)

    return made
