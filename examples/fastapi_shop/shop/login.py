"""The login of the staff, and who of them may see Afterwork's page."""

import os
import secrets
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

import afterwork as aw

router = APIRouter()

FORM = """<!doctype html><title>Log in</title>
<form method="post"><input name="name" autofocus> <input name="password" type="password"> <button>Log in</button></form>
"""


@router.get("/login", response_class=HTMLResponse)
async def form() -> str:
    return FORM


@router.post("/login")
async def log_in(
    request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()], next: str = "/"
) -> Response:
    """Let somebody in who knows the staff's password, and lead them to where they wanted to go, on this site."""
    if not secrets.compare_digest(password.encode(), os.environ["SHOP_PASSWORD"].encode()):
        raise HTTPException(403, "That is not the password.")
    request.session["user"] = name
    is_path = next.startswith("/") and not next.startswith(("//", "/\\"))
    return RedirectResponse(next if is_path else "/", 303)


def user_of(request: Request) -> str:
    """Return the name of whoever is logged in."""
    name = request.session.get("user")
    if name is None:
        raise HTTPException(401, "Log in first.")
    return str(name)


User = Annotated[str, Depends(user_of)]


def visitor(request: Request) -> aw.Identity | Response:
    """Let the staff see the page and act there; lead all others to the login."""
    name = request.session.get("user")
    if name is None:
        return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
    return aw.Identity(str(name), may_act=True)
