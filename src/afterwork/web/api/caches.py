"""The API of caches."""

from fastapi import APIRouter
from pydantic import BaseModel

from afterwork.derived.explain.explainer import State
from afterwork.insight import CacheLine, ListPage
from afterwork.web.api.parameters import Actor
from afterwork.web.api.views import view_route
from afterwork.web.site import Site


class Recompute(BaseModel):
    """A request to recompute the cache `cache` of the object `root`."""

    root: str
    cache: str


def router(site: Site) -> APIRouter:
    """Return the routes of caches: their states, what they read, and who reads them."""
    made = APIRouter(tags=["caches"])

    view_route(made, "/caches", site.insight.caches)
    view_route(made, "/explain", site.insight.explain)
    view_route(made, "/around", site.insight.around)
    view_route(made, "/impact", site.insight.impact)

    @made.get("/caches/{name}")
    def caches_of(name: str, state: State | None = None, after: str | None = None) -> ListPage[CacheLine]:
        """Return a page of the objects of one cache. `after` is the `next` of the previous page."""
        return site.insight.caches_of(site.insight.cache(name).name, state, after)

    @made.post("/recompute", status_code=204)
    def recompute(wanted: Recompute, who: Actor) -> None:
        """Recompute a cache of an object although nothing that it read has changed."""
        site.control.recompute(wanted.root, wanted.cache, who)

    return made
