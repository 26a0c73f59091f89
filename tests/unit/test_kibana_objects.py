# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step kibana_objects, against a server that answers as Kibana's saved objects API does."""

from __future__ import annotations

import base64
import contextlib
import email
import http.server
import json
import threading
import types

import pytest
from ansible_collections.mooring.stack.plugins.module_utils import _step_kibana_objects as step
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

VIEW = {"type": "index-pattern", "id": "logs", "attributes": {"title": "logs-*"}, "references": []}
BOARD = {"type": "dashboard", "id": "start", "attributes": {"title": "Start", "panelsJSON": [], "optionsJSON": {}},
         "references": [{"type": "index-pattern", "id": "logs", "name": "x"}]}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        server, body = self.server, self.rfile.read(int(self.headers["Content-Length"]))
        server.asked.append(self.path)
        if not self.headers.get("kbn-xsrf"):
            return self.answer(400, {"message": "Request must contain a kbn-xsrf header."})
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"mooring:right").decode():
            return self.answer(401, {"message": "Unauthorized"})
        if self.path == "/kibana/api/saved_objects/_export":
            missing = [one for one in json.loads(body)["objects"] if (one["type"], one["id"]) not in server.objects]
            if missing:
                return self.answer(400, {"message": "Error fetching objects to export", "attributes": {"objects": [
                    {**one, "error": {"statusCode": 404}} for one in missing]}})
            return self.answer(200, {})
        if self.path == "/kibana/api/saved_objects/_import?overwrite=true":
            (part,) = email.message_from_bytes(
                f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + body).get_payload()
            given = [json.loads(line) for line in part.get_payload(decode=True).splitlines() if line]
            if server.refuses:
                return self.answer(200, {"success": False, "successCount": 0, "errors": [
                    {"type": "dashboard", "id": "start", "error": {"type": "unsupported_type"}}]})
            server.objects.update({(one["type"], one["id"]): one for one in given})
            return self.answer(200, {"success": True, "successCount": len(given)})
        return self.answer(404, {"message": "Not Found"})

    def answer(self, status, document):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args):
        pass


@pytest.fixture
def kibana(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.objects, server.asked, server.refuses, server.address = {}, [], False, "127.0.0.1"
    monkeypatch.setattr(step.Docker, "address", lambda _docker, _container, _network: server.address)
    monkeypatch.setattr(step.Docker, "inside", lambda _docker, _container: contextlib.nullcontext())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def run(kibana, tmp_path, *objects, check_mode=False, password="right"):
    return step.converge(types.SimpleNamespace(check_mode=check_mode, run_command=None), {
        "container": "kibana", "network": "mooring", "port": kibana.server_address[1], "base_path": "/kibana",
        "login_user": "mooring", "login_password": password, "objects": list(objects or (VIEW, BOARD)),
        "record": str(tmp_path / "record.json")})


def test_objects_are_imported_once(kibana, tmp_path):
    predicted = run(kibana, tmp_path, check_mode=True)
    assert predicted["changed"] and not kibana.objects and not list(tmp_path.iterdir())
    assert run(kibana, tmp_path) == predicted
    assert kibana.objects["dashboard", "start"]["attributes"]["panelsJSON"] == "[]"
    kibana.asked.clear()
    assert run(kibana, tmp_path) == {"changed": False, "differences": [], "notices": []}
    assert kibana.asked == ["/kibana/api/saved_objects/_export"]
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o600


def test_what_users_made_of_them_stays_until_the_declaration_changes(kibana, tmp_path):
    run(kibana, tmp_path)
    kibana.objects["dashboard", "start"] = {"attributes": {"title": "Mine"}}
    assert not run(kibana, tmp_path)["changed"]
    changed = {**BOARD, "attributes": {**BOARD["attributes"], "title": "Other"}}
    (difference,) = run(kibana, tmp_path, VIEW, changed)["differences"]
    assert (difference["object"], difference["field"]) == ("saved objects", "declaration")
    assert kibana.objects["dashboard", "start"]["attributes"]["title"] == "Other"


def test_one_that_was_deleted_comes_back(kibana, tmp_path):
    run(kibana, tmp_path)
    del kibana.objects["index-pattern", "logs"]
    (difference,) = run(kibana, tmp_path)["differences"]
    assert difference["object"] == "saved object index-pattern/logs"
    assert ("index-pattern", "logs") in kibana.objects


def test_a_record_that_nobody_can_read_is_none(kibana, tmp_path):
    run(kibana, tmp_path)
    for content in ("{", "[]", "{}", ""):
        (tmp_path / "record.json").write_text(content)
        assert run(kibana, tmp_path)["changed"]
        assert not run(kibana, tmp_path)["changed"]


def test_an_import_that_fails_is_not_recorded(kibana, tmp_path):
    kibana.refuses = True
    with pytest.raises(MooringError, match="dashboard/start: unsupported_type"):
        run(kibana, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_login_that_is_refused(kibana, tmp_path):
    with pytest.raises(MooringError, match="Unauthorized") as error:
        run(kibana, tmp_path, password="wrong")
    assert "wrong" not in str(error.value)
    (notice,) = run(kibana, tmp_path, password="wrong", check_mode=True)["notices"]
    assert "Kibana was not compared" in notice


def test_without_a_container(kibana, tmp_path):
    kibana.address = ""
    assert len(run(kibana, tmp_path, check_mode=True)["differences"]) == 2
    with pytest.raises(MooringError, match="container kibana does not run"):
        run(kibana, tmp_path)


def test_where_nothing_is_declared_nobody_is_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(step.Docker, "address", None)
    params = {"objects": [], "record": str(tmp_path / "record.json")}
    assert not step.converge(types.SimpleNamespace(check_mode=False), params)["changed"]


def test_nobody_answers(kibana, tmp_path):
    kibana.address = "127.0.0.2"
    kibana.server_address = ("127.0.0.2", 1)
    with pytest.raises(MooringError, match=r"does not answer at 127\.0\.0\.2:1"):
        run(kibana, tmp_path)
