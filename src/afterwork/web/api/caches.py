"""The API on caches."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from afterwork.derived.explain.explainer import Explanation, Reader, State
from afterwork.insight import CacheLine, CacheSummary, ListPage
from afterwork.insight.dependencies import Dependencies
from afterwork.web.api.asking import Actor
from afterwork.web.site import Site


class Recompute(BaseModel):
    """A cache that is to run: of the object `root`, the one that `cache` names."""

    root: str
    cache: str


def router(site: Site) -> APIRouter:
    """How caches stand, what they read, and who reads them."""
    made = APIRouter(tags=["caches"])

    @made.get("/caches")
    def caches() -> Sequence[CacheSummary]:
        """Each cache over all objects."""
        return site.insight.caches()

    @made.get("/caches/{name}")
    def caches_of(name: str, state: State | None = None, after: str | None = None) -> ListPage[CacheLine]:
        """A page of the objects of one cache. `after` is the `next` of the page before."""
        return site.insight.caches_of(site.insight.cache(name).name, state, after)

    @made.get("/explain")
    def explain(root: str, cache: str) -> Explanation:
        """All that is known of one cache of one object."""
        return site.insight.explain(root, cache)

    @made.get("/around")
    def around(root: str, cache: str) -> Dependencies:
        """What one cache of one object has read, and who reads it."""
        return site.insight.around(root, cache)

    @made.get("/impact")
    def impact(root: str, member: str) -> Sequence[Reader]:
        """The caches that become stale if a member of an object changes."""
        return site.insight.impact(root, member)

    @made.post("/recompute", status_code=204)
    def recompute(wanted: Recompute, who: Actor) -> None:
        """Let a cache of an object run though nothing that it read has changed."""
        site.control.recompute(wanted.root, wanted.cache, who)

    return made
