# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kibana's configuration, what it is given to show, and how."""

from __future__ import annotations

import copy
import email
import json
import pathlib
import sys

import pytest
import test_elk_pipelines as pipelines
import yaml
from ansible_collections.mooring.stack.plugins.module_utils import _kibana as kibana

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import kibana_objects  # noqa: E402

SOURCE = (pipelines.PROJECT / "saved_objects/kibana.json").read_text()
OBJECTS = kibana.objects_of(SOURCE)
VARIABLES = {"elk_url": "https://example.org", "elk_kibana_encryption_key": "kept", "elk_kibana_password": "a: \"b\" #"}


def settings(path, **variables):
    return yaml.safe_load(pipelines.render(path, **{**VARIABLES, **variables}))


# ---------------------------------------------------------------- kibana.yml

# Of elastic.co/docs/reference/kibana/configuration-reference; an unknown one keeps Kibana from starting.
KNOWN = {
    "server.name", "server.host", "server.port", "server.basePath", "server.rewriteBasePath", "server.publicBaseUrl",
    "server.shutdownTimeout", "elasticsearch.hosts", "elasticsearch.username", "elasticsearch.password",
    "elasticsearch.ssl.certificateAuthorities", "elasticsearch.ssl.verificationMode", "path.data", "logging.root.level",
    "telemetry.optIn", "telemetry.allowChangingOptInStatus", "newsfeed.enabled", "xpack.security.encryptionKey",
    "xpack.encryptedSavedObjects.encryptionKey", "xpack.reporting.encryptionKey",
}
SECRET = "secrets/kibana/kibana.yml.j2"


@pytest.mark.parametrize("url", ["http://elasticsearch:9200", "https://elasticsearch:9200"])
def test_settings_exist(url):
    public, secret = settings("kibana/kibana.yml.j2", __elk_elasticsearch_url=url), settings(SECRET)
    assert set(public) | set(secret) <= KNOWN
    assert not set(public) & set(secret)
    assert ("elasticsearch.ssl.certificateAuthorities" in public) == url.startswith("https:")


# defect 69
def test_the_base_path_is_kept_by_the_proxy_and_known_to_kibana():
    found = settings("kibana/kibana.yml.j2")
    assert found["server.basePath"] == "/kibana"
    assert found["server.rewriteBasePath"] is True
    assert found["server.publicBaseUrl"] == "https://example.org/kibana"


# defect 65
def test_secrets_are_in_the_file_that_only_kibana_reads():
    assert not [name for name in settings("kibana/kibana.yml.j2") if "password" in name or "Key" in name]
    found = settings(SECRET)
    assert found["elasticsearch.username"] == "kibana_system"
    assert found["elasticsearch.password"] == VARIABLES["elk_kibana_password"]
    assert "elasticsearch.username" not in settings(SECRET, __elk_security=False)


def test_the_three_keys_are_long_enough_different_and_the_same_each_time():
    keys = [value for name, value in settings(SECRET).items() if name.endswith("encryptionKey")]
    assert len(keys) == len(set(keys)) == 3
    assert min(map(len, keys)) >= 32
    assert keys == [value for name, value in settings(SECRET).items() if name.endswith("encryptionKey")]


# ---------------------------------------------------------------- what is shown


def test_dashboards():
    assert kibana_objects.problems(OBJECTS) == []


def test_every_field_that_is_looked_at_is_one_that_documents_have():
    known = {}
    for sample in pipelines.SAMPLES:
        for document in pipelines.documents(sample):
            for name in ("*", document["data_stream"]["dataset"]):
                known.setdefault(name, {"tags"}).update(pipelines.flat(document))
    titles = {one["id"]: one["attributes"]["title"] for one in OBJECTS if one["type"] == "index-pattern"}
    for question in kibana_objects.questions(OBJECTS):
        dataset = titles[question.view].removeprefix("logs-").removesuffix("-*")
        assert question.fields <= known[dataset], question.title
        # Text is not grouped by; whoever declares the mappings has to make these keywords.
        assert not question.grouped & {"message", "error.message", "error.stack_trace"}, question.title


# defect 75
def test_data_views_are_of_data_streams_that_the_pipelines_write():
    views = {one["attributes"]["title"] for one in OBJECTS if one["type"] == "index-pattern"}
    datasets = {document["data_stream"]["dataset"] for sample in pipelines.SAMPLES
                for document in pipelines.documents(sample)}
    assert views == {"logs-*", *(f"logs-{dataset}-*" for dataset in datasets)}


@pytest.mark.parametrize(("query", "fields"), [
    ("", set()), ("a.b : *", {"a.b"}), ('a : ("x" or y) and not b >= 5', {"a", "b"}),
    ('(a : "x y" or b : z) and c < 4', {"a", "b", "c"}), ('a : "say \\"no\\""', {"a"}),
])
def test_kql(query, fields):
    assert kibana_objects.kql(query) == fields


@pytest.mark.parametrize("query", [
    "a :", ": b", "a : x y", "a : (x or", "a : x and", 'a : "x', "a = b", "(a : b", "a : or"])
def test_what_is_no_kql_is_refused(query):
    with pytest.raises(kibana_objects.Wrong):
        kibana_objects.kql(query)


def dashboard(objects):
    return next(one for one in objects if one["type"] == "dashboard")


def lens(objects, number=0):
    return dashboard(objects)["attributes"]["panelsJSON"][number]["embeddableConfig"]["attributes"]


@pytest.mark.parametrize(("change", "problem"), [
    (lambda o: dashboard(o)["attributes"]["panelsJSON"][1]["gridData"].update(x=30), "panel unparsed lies over volume"),
    (lambda o: dashboard(o)["references"].pop(0), "panel volume: its data view is not a reference of the dashboard"),
    (lambda o: lens(o)["state"]["visualization"]["layers"][0].update(splitAccessor="gone"), "panel volume: drawn are"),
    (lambda o: lens(o)["state"]["datasourceStates"]["formBased"]["layers"]["layer"]["columnOrder"].reverse(),
     "panel volume: columns and their order differ"),
    (lambda o: lens(o).update(visualizationType="lnsPie"), "panel volume: not of a kind that is known here"),
])
def test_what_is_wrong_with_a_panel_is_named(change, problem):
    objects = copy.deepcopy(OBJECTS)
    change(objects)
    assert problem in "\n".join(kibana_objects.problems(objects))


# ---------------------------------------------------------------- how it gets there


def lines(content):
    return [json.loads(line) for line in content.decode().splitlines()]


def test_attributes_that_kibana_keeps_as_text_are_text():
    *_others, board = lines(kibana.ndjson(OBJECTS))
    assert board["typeMigrationVersion"] == "10.3.0"
    assert json.loads(board["attributes"]["panelsJSON"]) == dashboard(OBJECTS)["attributes"]["panelsJSON"]
    assert json.loads(board["attributes"]["optionsJSON"])["useMargins"] is True
    assert json.loads(board["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["filter"] == []
    assert isinstance(board["attributes"]["refreshInterval"], dict)


def test_all_are_imported_in_one_request_that_replaces():
    request = kibana.import_request("/kibana", OBJECTS, ("mooring", "pass:word"))
    assert (request.method, request.path) == ("POST", "/kibana/api/saved_objects/_import?overwrite=true")
    assert request.headers["kbn-xsrf"]
    assert request.headers["Authorization"] == "Basic bW9vcmluZzpwYXNzOndvcmQ="
    (part,) = email.message_from_bytes(
        f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode() + request.body).get_payload()
    assert part.get_filename().endswith(".ndjson")
    assert lines(part.get_payload(decode=True).strip()) == lines(kibana.ndjson(OBJECTS))
    assert "Authorization" not in kibana.import_request("/kibana", OBJECTS, None).headers


def test_a_boundary_is_nothing_that_the_objects_say():
    objects = [{"type": "search", "id": "x", "attributes": {"title": "--mooring-saved-objects--"}, "references": []}]
    request = kibana.import_request("", objects, None)
    boundary = request.headers["Content-Type"].partition("boundary=")[2]
    assert request.body.count(f"--{boundary}".encode()) == 2


def export_answer(*errors):
    return json.dumps({"statusCode": 400, "error": "Bad Request", "message": "Error fetching objects to export",
                       "attributes": {"objects": [{"type": kind, "id": name, "error": {"statusCode": status}}
                                                  for kind, name, status in errors]}}).encode()


def test_those_that_are_missing_are_told():
    assert kibana.missing(200, b"{}\n{}") == ()
    answer = export_answer(("search", "b", 404), ("dashboard", "a", 404))
    assert kibana.missing(400, answer) == ("dashboard/a", "search/b")
    request = kibana.export_request("/kibana", OBJECTS, None)
    assert len(json.loads(request.body)["objects"]) == len(OBJECTS)


@pytest.mark.parametrize(("status", "body", "problem"), [
    (400, export_answer(("search", "b", 403)), "Error fetching objects to export"), (401, b"", "status 401"),
    (503, b"Kibana server is not ready yet", "status 503"), (400, b'{"message":"no","attributes":[]}', "no"),
])
def test_an_answer_that_does_not_tell_is_an_error(status, body, problem):
    with pytest.raises(kibana.KibanaError, match=problem):
        kibana.missing(status, body)


ALL = tuple(sorted(f"{one['type']}/{one['id']}" for one in OBJECTS))


@pytest.mark.parametrize(("recorded", "not_there", "reasons"), [
    ("", ALL, tuple(f"{name} is new" for name in ALL)),
    (kibana.digest(OBJECTS), (), ()),
    (kibana.digest(OBJECTS), ("dashboard/mooring-platform",), ("dashboard/mooring-platform is missing",)),
    ("another", (), ("what is declared has changed",)),
    # Somebody imported them by hand, or the record is lost.
    ("", (), ("what is declared has changed",)),
])
def test_what_is_to_be_done(recorded, not_there, reasons):
    plan = kibana.decide(OBJECTS, recorded, not_there)
    assert plan.reasons == reasons
    assert plan.changes_anything == bool(reasons)


def test_an_import_is_whole():
    count = len(OBJECTS)
    kibana.imported(200, json.dumps({"success": True, "successCount": count}).encode(), OBJECTS)
    for status, answer, problem in [
        (200, {"success": True, "successCount": count - 1}, f"{count - 1} of {count}"),
        (200, {"success": False, "errors": [{"type": "dashboard", "id": "a", "error": {"type": "missing_references"}}]},
         "dashboard/a: missing_references"),
        (403, {"message": "Forbidden"}, "Forbidden"), (500, None, "status 500"),
    ]:
        with pytest.raises(kibana.KibanaError, match=problem):
            kibana.imported(status, json.dumps(answer).encode(), OBJECTS)


@pytest.mark.parametrize(("change", "problem"), [
    (lambda o: o.append(o[0]), "declared twice"), (lambda o: o.pop(0), "which is not declared"),
    (lambda o: o[0].pop("id"), "needs type, id"),
])
def test_objects_that_do_not_fit_together_are_refused(change, problem):
    objects = copy.deepcopy(OBJECTS)
    change(objects)
    with pytest.raises(kibana.KibanaError, match=problem):
        kibana.objects_of(json.dumps(objects))
    with pytest.raises(kibana.KibanaError, match="not JSON"):
        kibana.objects_of("[")
