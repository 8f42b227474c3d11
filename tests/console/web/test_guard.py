"""The guard: only our own pages may ask, from our own addresses, and change anything with their token only."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from console.web.guard import COOKIE, Guard

HERE = "127.0.0.1:8765"


def client_of(guard: Guard) -> FlaskClient:
    app = Flask(__name__)
    guard.attach(app)
    app.add_url_rule("/", "page", lambda: "the page")
    app.add_url_rule("/do/it", "do", lambda: "done", methods=["POST"])
    return app.test_client()


@pytest.fixture
def guard() -> Guard:
    return Guard(hosts={HERE, "localhost:8765"})


@pytest.fixture
def client(guard: Guard) -> FlaskClient:
    return client_of(guard)


@pytest.mark.parametrize("host", [HERE, "localhost:8765"])
def test_its_own_addresses_are_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/", base_url=f"http://{host}").text == "the page"


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1:9999", "127.0.0.1", "127.0.0.1.evil.example:8765"])
def test_a_renamed_address_is_refused(client: FlaskClient, host: str) -> None:
    assert client.get("/", base_url=f"http://{host}").status_code == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "http://localhost:8765"])
def test_another_sites_script_reads_nothing(client: FlaskClient, origin: str) -> None:
    assert client.get("/", base_url=f"http://{HERE}", headers={"Origin": origin}).status_code == 403


def test_another_sites_frame_or_image_reads_nothing_but_its_link_may_lead_here(client: FlaskClient) -> None:
    for mode, status in (("no-cors", 403), ("cors", 403), ("navigate", 200)):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        assert client.get("/", base_url=f"http://{HERE}", headers=headers).status_code == status


def test_an_action_needs_the_token_of_its_page(client: FlaskClient, guard: Guard) -> None:
    def post(token: str, origin: str = f"http://{HERE}") -> int:
        answer = client.post(
            "/do/it", base_url=f"http://{HERE}", data={"action_token": token}, headers={"Origin": origin}
        )
        return answer.status_code

    assert post(guard.action_token("/do/it")) == 200
    assert post("") == 403
    assert post(guard.action_token("/do/other")) == 403
    assert post(Guard(hosts={HERE}).action_token("/do/it")) == 403, "another console's token"
    assert post(guard.action_token("/do/it"), "http://evil.example") == 403
    assert post("ä" * 64) == 403


def test_a_form_of_another_site_is_refused_even_with_the_token(client: FlaskClient, guard: Guard) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    token = guard.action_token("/do/it")
    answer = client.post("/do/it", base_url=f"http://{HERE}", data={"action_token": token}, headers=headers)
    assert answer.status_code == 403


def test_every_answer_forbids_inline_scripts_frames_and_caching(client: FlaskClient) -> None:
    for answer in (client.get("/", base_url=f"http://{HERE}"), client.get("/", base_url="http://evil.example")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_away_from_loopback_the_address_with_the_token_signs_in_and_leaves_no_token_behind() -> None:
    client = client_of(Guard(hosts={"ops.example:8765"}, token="secret"))
    base = "http://ops.example:8765"
    assert client.get("/", base_url=base).status_code == 401
    assert client.get("/?token=wrong", base_url=base).status_code == 401
    signed_in = client.get("/?token=secret", base_url=base)
    assert (signed_in.status_code, signed_in.headers["Location"]) == (302, "/")
    cookie = signed_in.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "secret" not in cookie
    assert client.get("/", base_url=base).text == "the page"


def test_the_cookie_of_one_console_does_not_open_another() -> None:
    guards = [Guard(hosts={"ops.example:8765"}, token="secret") for _ in range(2)]
    base = "http://ops.example:8765"
    cookie = client_of(guards[0]).get("/?token=secret", base_url=base).headers["Set-Cookie"].partition(";")[0]
    assert client_of(guards[1]).get("/", base_url=base, headers={"Cookie": cookie}).status_code == 401


def test_nobody_signs_in_with_a_post() -> None:
    guard = Guard(hosts={HERE}, token="secret")
    answer = client_of(guard).post(
        "/do/it?token=secret", base_url=f"http://{HERE}", data={"action_token": guard.action_token("/do/it")}
    )
    assert answer.status_code == 401
