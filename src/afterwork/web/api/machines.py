"""The API on state machines."""

from collections.abc import Sequence

from fastapi import APIRouter

from afterwork.insight import ListPage, MachineView
from afterwork.insight.machine_history import ObjectInMachine
from afterwork.insight.object_states import ObjectInState
from afterwork.web.site import Site


def router(site: Site) -> APIRouter:
    """Where objects stand, how they came there, and what would move them."""
    made = APIRouter(tags=["machines"])

    @made.get("/machines")
    def machines() -> Sequence[MachineView]:
        """Each machine, and how many objects are in each state."""
        return site.insight.machines()

    @made.get("/machines/{name}/objects")
    def objects_in(name: str, state: str | None = None, after: str | None = None) -> ListPage[ObjectInState]:
        """A page of the objects in a state; without one, of those that have not begun."""
        return site.insight.objects_in(name, state, after)

    @made.get("/machines/{name}/object")
    def object_in_machine(name: str, root: str, after: str | None = None) -> ObjectInMachine:
        """One object: its state, its moves, and what would move it next."""
        return site.insight.object_in_machine(root, name.rpartition(".")[2], after)

    return made
