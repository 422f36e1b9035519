"""The API of state machines."""

from fastapi import APIRouter

from afterwork.insight import ListPage
from afterwork.insight.machine_history import ObjectInMachine
from afterwork.insight.object_states import ObjectInState
from afterwork.web.api.views import view_route
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """Return the routes of state machines: their objects, and the transitions of those."""
    made = APIRouter(tags=["machines"])

    view_route(made, "/machines", site.insight.machines)

    @made.get("/machines/{name}/objects")
    def objects_in(name: str, state: str | None = None, after: str | None = None) -> ListPage[ObjectInState]:
        """Return a page of the objects in a state; without one, of those that have not begun."""
        return site.insight.objects_in(name, state, after)

    @made.get("/machines/{name}/object")
    def object_in_machine(name: str, root: str, after: str | None = None) -> ObjectInMachine:
        """Return an object: its state, its past transitions, and those that are possible next."""
        return site.insight.object_in_machine(root, name.rpartition(".")[2], after)

    return made
