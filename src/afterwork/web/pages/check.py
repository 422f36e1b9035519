"""The page of the check of an installation."""

from starlette.requests import Request

from afterwork.web.page import Page, PageContent, Site


def show(site: Site, request: Request) -> PageContent:
    """Show what a check finds, what is wrong first."""
    findings = sorted(site.check(), key=lambda finding: (finding.right, finding.is_note))
    return PageContent("check.html", {"findings": findings})


PAGES = (Page("/check", show),)
