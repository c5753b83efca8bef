"""Who may ask, what an answer allows a page, and which names lead anywhere."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from starlette.datastructures import Headers

from roofmark.errors import BenchError
from roofmark.viewing import guard
from roofmark.viewing.server import listen
from roofmark.viewing.underway import is_held

COMMAND = [sys.executable, "-c", "from roofmark.cli import console; console()", "view"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost:1", 200),
        ("localhost", 200),
        ("rebound.example:8765", 403),
        ("127.0.0.1.example", 403),
        ("", 403),
    ],
)
def test_only_our_own_name_is_answered(viewer, host, status):
    answer = viewer().get("/", headers={"host": host})
    assert answer.status_code == status
    assert ("monday" in answer.text) == (status == 200)


def test_another_page_may_link_here_and_read_nothing(viewer):
    client = viewer()
    for site in ("cross-site", "same-site"):
        asked = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
        assert client.get("/", headers=asked).status_code == 403
        linked = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
        assert client.get("/", headers=linked).status_code == 200


def test_nothing_changes_state_and_no_page_may_load_from_elsewhere(viewer):
    client = viewer()
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "/").status_code == 405
    for path in ("/", "/bundle?at=monday", "/nothing", "/static/view.js"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    page = client.get("/bundle?at=monday").text
    assert "<script>" not in page and " style=" not in page and " onclick=" not in page
    assert "//" not in page.partition("<body")[0]


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc", "monday/../../outside", "./monday", "monday/", "", "linked", "\0"],
)
def test_a_name_leads_to_what_is_listed_and_nowhere_else(viewer, folder, name):
    shutil.copytree(folder / "other", folder.parent / "outside")
    (folder / "linked").symlink_to(folder.parent / "outside")
    client = viewer()
    page = client.get("/").text
    assert "links are not followed" in page
    for path in ("/bundle", "/report", "/solution", "/loop"):
        answer = client.get(path, params={"at": name, "solution": "fast"})
        assert "nothing in it is shown" in answer.text or answer.status_code in (404, 409)
        assert "verdict" not in answer.text


def test_a_bundle_that_became_a_link_is_not_followed(viewer, folder):
    client = viewer()
    shutil.move(folder / "other", folder.parent / "outside")
    (folder / "other").symlink_to(folder.parent / "outside")
    assert client.get("/bundle?at=other").status_code in (404, 409)


def test_another_account_is_refused(monkeypatch, tmp_path):
    headers = Headers({"host": "127.0.0.1:8765"})
    table = tmp_path / "tcp"
    line = "   0: 0100007F:{port:04X} 0100007F:223D 01 0:0 00:0 00000000 {user} 0 1 1 0 20 4\n"
    monkeypatch.setattr(guard, "_PROC", table)
    for user, refused in ((os.getuid(), False), (0, False), (os.getuid() + 1, True)):
        table.write_text("head\n" + line.format(port=50000, user=user))
        why = guard.refusal(headers, {"client": ("127.0.0.1", 50000)})
        assert bool(why) == refused
    assert guard.refusal(headers, {"client": ("127.0.0.1", 50001)}) == ""
    table.unlink()
    assert guard.refusal(headers, {"client": ("127.0.0.1", 50000)}) == ""


def test_the_system_says_whose_connection_it_is():
    with listen(0) as server, socket.create_connection(server.getsockname()) as client:
        assert guard.owner_of(client.getsockname()) in (os.getuid(), None)


def test_a_port_that_is_taken():
    with listen(0) as first:
        port = first.getsockname()[1]
        assert first.getsockname()[0] == "127.0.0.1"
        with pytest.raises(BenchError, match="RM480") as caught:
            listen(port)
        assert "--port" in caught.value.problems[0].mend
    with listen(None) as one, listen(None) as two:
        assert one.getsockname()[1] != two.getsockname()[1]


def test_a_lock_is_seen_and_not_taken(tmp_path):
    from roofmark.bundle_lock import lock_folder

    assert not is_held(tmp_path)
    handle = lock_folder(tmp_path)
    assert is_held(tmp_path)
    os.close(handle)
    assert not is_held(tmp_path)


def test_the_command_prints_its_address_and_ends_with_ctrl_c(folder, tmp_path):
    import httpx2

    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(
        [*COMMAND, str(folder), "--no-open", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        address = process.stdout.readline().strip()
        assert httpx2.get(address, timeout=60).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Ctrl-C ends it" in err and "Traceback" not in err


def test_a_folder_that_is_none(capfd):
    from roofmark.cli import main

    assert main(["view", "/nowhere", "--no-open"]) == 2
    assert "is no folder" in capfd.readouterr().err
