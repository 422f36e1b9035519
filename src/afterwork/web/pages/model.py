"""The page of the model: its diagram and its declarations."""

from markupsafe import Markup
from starlette.requests import Request

from afterwork.insight.model import ModelView
from afterwork.pictures.class_diagram import class_diagram
from afterwork.web.page import Page, PageContent, Site
from afterwork.web.render import href


def show(site: Site, request: Request) -> PageContent:
    """Show the class diagram, and a list of all declarations, which can be searched."""
    model, words = site.insight.model, request.query_params.get("search", "").strip()
    base = href(request, "model")
    drawn = class_diagram(model, lambda name: f"{base}#{name}")
    given = {
        "model": model,
        "picture": Markup(drawn),
        "search": words,
        "classes": [cls for cls in model.classes if _has(cls, words)],
        "view_models": [view_model for view_model in model.view_models if _has(view_model, words)],
        "functions": [function for function in model.functions if _has(function, words)],
        "ends": _associations(model),
    }
    return PageContent("model.html", given)


def _has(declared: object, words: str) -> bool:
    """Return whether a declaration contains the search text."""
    return words.casefold() in repr(declared).casefold()


def _associations(model: ModelView) -> dict[str, list[str]]:
    """Return the associations of each class, in words."""
    by_class: dict[str, list[str]] = {}
    for association in model.associations:
        for near, far in (association.ends, association.ends[::-1]):
            if far.name is not None:
                by_class.setdefault(near.cls, []).append(f"{far.name}: {far.multiplicity} {far.cls}")
    return by_class


PAGES = (Page("/model", show),)
