"""Paths within the page, wherever it is mounted."""

from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """Return the path within this application, wherever that is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def local_path(wanted: str, base: str) -> str:
    """Return a path of this application to redirect to, whatever was requested."""
    is_own = wanted.startswith(f"{base}/") and not wanted.startswith("//") and "\\" not in wanted
    return wanted if is_own and wanted.isprintable() else f"{base}/"
