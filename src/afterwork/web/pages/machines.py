"""Pages of state machines: their objects by state, past transitions, and those that are possible next."""

import shlex

from markupsafe import Markup
from starlette.requests import Request

from afterwork.insight import MachineView
from afterwork.web.page import Page, PageContent, Site
from afterwork.web.render import href

NOT_BEGUN = "(not begun)"


def show_all(site: Site, request: Request) -> PageContent:
    """Show each machine with its diagram."""
    insight = site.insight
    machines = insight.machines()
    diagrams = {machine.name: _diagram(site, request, machine) for machine in machines}
    return PageContent("machines.html", {"machines": machines, "diagrams": diagrams})


def show_one(site: Site, request: Request) -> PageContent:
    """Show one machine, and the objects in the picked state."""
    insight, name = site.insight, request.path_params["name"]
    machine = insight.machine(name)
    picked = request.query_params.get("state")
    state = None if picked == NOT_BEGUN else picked
    after = request.query_params.get("after")
    listed = None if picked is None else insight.objects_in(name, state, after)
    diagram = _diagram(site, request, machine)
    given = {"machine": machine, "diagram": diagram, "picked": picked, "listed": listed, "after": after}
    return PageContent("machine.html", {**given, "not_begun": NOT_BEGUN, "has_work": site.has_work(name)})


def show_object(site: Site, request: Request) -> PageContent:
    """Show one object: its past transitions, and those that are possible next."""
    name, root = request.path_params["name"], request.path_params["root"]
    after = request.query_params.get("after")
    obj = site.insight.object_in_machine(root, name.rpartition(".")[2], after)
    given = {"name": name, "object": obj, "after": after, "command_line": f"{shlex.quote(root)} {obj.machine}"}
    return PageContent("machine_object.html", given)


def _diagram(site: Site, request: Request, view: MachineView) -> Markup:
    from afterwork.pictures.machine_diagram import machine_diagram  # it needs the library of the charts

    chart = site.insight.chart(view.name)
    return Markup(machine_diagram(chart, view, lambda state: href(request, "machines", view.name, state=state)))


PAGES = (
    Page("/machines", show_all),
    Page("/machines/{name}", show_one),
    Page("/machines/{name}/{root:path}", show_object),
)
