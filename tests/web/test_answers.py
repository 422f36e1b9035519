"""What holds for the answers of all addresses: who may keep them, HEAD, and requests that make no sense."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.web.assets import version_of_assets
from tests.conftest import Shop
from tests.web.conftest import client_of
from tests.web.hostile import filled, routes

HEADERS = {"authorization": "Bearer sesame"}

NOT_JSON = [
    b"NaN", b"-Infinity", b'{"keys": [NaN]}', b'{"keys": [1e999]}', b'{"keys": "\\ud800"}', b'{"\\udfff": 1}',
    b"{", b"\xff", b"", b"null", b"[" * 20_000, b"1" * 5_000,
]  # fmt: skip


@pytest.fixture
def page(the_shop: Shop) -> Starlette:
    return aw.web(the_shop.app, the_shop.engine, token="sesame")


@pytest.fixture
def asking(page: Starlette) -> TestClient:
    return TestClient(page, client=("127.0.0.1", 1), raise_server_exceptions=False, headers=HEADERS)


def addresses(page: Starlette, method: str) -> list[str]:
    return [filled(path) for path in routes(page, method) if not path.startswith("/static")]


def test_each_address_that_can_be_read_has_a_head(page: Starlette, asking: TestClient) -> None:
    paths = addresses(page, "GET")
    assert {"/api/overview", "/api/check", "/api/openapi.json", "/lanes", "/metrics"} <= set(paths)
    for path in paths:
        whole, head = asking.get(path), asking.head(path)
        assert (path, head.status_code, head.content) == (path, whole.status_code, b"")
        assert (path, head.headers.get("content-type")) == (path, whole.headers.get("content-type"))


def test_what_takes_acts_only_has_no_head(page: Starlette, asking: TestClient) -> None:
    paths = set(addresses(page, "POST")) - set(addresses(page, "GET"))
    assert {asking.head(path).status_code for path in ("/api/recompute", "/lanes/x/pause")} == {405}
    assert {path: asking.head(path).status_code for path in paths} == {
        path: asking.get(path).status_code for path in paths
    }


def test_answers_are_kept_by_nobody(page: Starlette, asking: TestClient) -> None:
    """Refusals and what can't be found included."""
    stranger = client_of(page)
    for path in [*addresses(page, "GET"), "/nothing", "/api/nothing"]:
        for client in (asking, stranger):
            answer = client.get(path, follow_redirects=False)
            assert (path, answer.headers.get("cache-control")) == (path, "no-store")
    for path in addresses(page, "POST"):
        assert (path, asking.post(path).headers.get("cache-control")) == (path, "no-store")


@pytest.mark.parametrize("body", NOT_JSON)
def test_a_body_that_is_no_json_is_the_client_s_fault(page: Starlette, asking: TestClient, body: bytes) -> None:
    paths = [path for path in addresses(page, "POST") if path in ("/api/recompute", "/api/tickets/cancel")]
    assert len(paths) == 2
    for path in paths:
        answer = asking.post(path, content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert isinstance(answer.json()["detail"], str)


def test_a_problem_is_told_as_the_description_says(asking: TestClient) -> None:
    described = asking.get("/api/openapi.json").json()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            for status in ("401", "422", "429"):
                content = operation["responses"][status]["content"]["application/json"]["schema"]
                assert (path, status, content["$ref"]) == (path, status, "#/components/schemas/ApiProblem")
    assert asking.get("/api/tickets?most=many").json()["detail"].startswith("query.most: ")


FOR_EVER = "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", ["afterwork.css", "afterwork.js", "icon.svg", "pictures.css"])
def test_static_files_are_kept_for_ever_by_the_address_that_has_their_content(client: TestClient, name: str) -> None:
    version = version_of_assets()
    if not name.endswith("svg"):
        assert f"/static/{name}?v={version}" in client.get("/").text

    kept = [client.get(f"/static/{name}{query}").headers["cache-control"] for query in (f"?v={version}", "?v=old", "")]
    assert kept == [FOR_EVER, "no-cache", "no-cache"]
    assert client.get(f"/static/nothing?v={version}").headers["cache-control"] == "no-store"
