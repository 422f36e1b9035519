"""The API on lanes and servers."""

from fastapi import APIRouter

from afterwork.insight import Activity
from afterwork.web.api.asking import Actor
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """What goes on in lanes and servers, and what can be done about it."""
    made = APIRouter(tags=["lanes"])

    @made.get("/lanes")
    def lanes() -> Activity:
        """Lanes, servers, and what runs outside of transactions."""
        return site.insight.activity()

    @made.post("/lanes/{name:path}/pause", status_code=204)
    def pause_lane(name: str, who: Actor) -> None:
        """Let no more jobs of a lane begin. What runs goes on."""
        site.control.pause_lane(site.insight.lane(name).name, who)

    @made.post("/lanes/{name:path}/resume", status_code=204)
    def resume_lane(name: str, who: Actor) -> None:
        """Let jobs of a lane begin again."""
        site.control.resume_lane(site.insight.lane(name).name, who)

    @made.post("/servers/{server}/drain", status_code=204)
    def drain_server(server: int, who: Actor) -> None:
        """Let a server begin nothing more, and leave when its runs have ended."""
        site.control.drain(server, who)

    return made
