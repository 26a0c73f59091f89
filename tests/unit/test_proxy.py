"""The client of the proxy's control socket, against a real server on a real socket."""

from __future__ import annotations

import http.server
import json
import pathlib
import socketserver
import stat
import threading

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable, ask
from ansible_collections.mooring.stack.plugins.module_utils._proxy import Proxy, view
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic


class Handler(http.server.BaseHTTPRequestHandler):
    """Speaks the protocol as the proxy does: POST reads the file again."""

    def answer(self, status, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Release", "1.0.0")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        server = self.server
        server.asked.append((self.command, self.path, self.headers["Host"]))
        if server.fault:
            return self.answer(*server.fault)
        application = self.path.rpartition("/")[2]
        if application != "demo":
            return self.answer(404, {"error": "unknown application"})
        if self.command == "POST" and not server.deaf:
            file = server.releases / application
            server.memory = file.read_text().strip() if file.exists() else None
        return self.answer(200, {"application": "demo", "traffic": server.memory, "seen": server.seen})

    do_POST = do_GET

    def address_string(self):
        return "client"

    def log_message(self, *_arguments):
        pass


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(server, releases):
    server.releases, server.memory, server.fault, server.deaf, server.asked = releases, None, None, False, []
    server.seen = {}
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture
def releases(tmp_path):
    directory = tmp_path / "releases"
    directory.mkdir()
    return directory


@pytest.fixture
def server(tmp_path, releases):
    with UnixServer(str(tmp_path / "control.sock"), Handler) as unix:
        yield serve(unix, releases)
        unix.shutdown()


@pytest.fixture
def proxy(tmp_path, releases, server):
    return Proxy(str(tmp_path / "control.sock"), str(releases))


def test_a_switch_writes_the_file_then_tells_the_proxy(proxy, server, releases):
    assert view(proxy, "demo") == {"proxy_answers": True, "memory": None, "file": None}
    proxy.switch("demo", Traffic("green"))
    assert view(proxy, "demo") == {"proxy_answers": True, "memory": Traffic("green"), "file": Traffic("green")}
    assert server.asked[1] == ("POST", "/releases/demo", "localhost")
    assert (releases / "demo").read_text() == "green\n"
    # The proxy runs as another user.
    assert stat.S_IMODE((releases / "demo").stat().st_mode) == 0o644
    assert [path.name for path in releases.iterdir()] == ["demo"]


def test_a_switch_to_no_colour_removes_the_file(proxy):
    proxy.switch("demo", Traffic("blue"))
    proxy.switch("demo", None)
    assert view(proxy, "demo") == {"proxy_answers": True, "memory": None, "file": None}


def test_a_switch_that_has_no_effect_is_an_error(proxy, server):
    server.deaf = True
    with pytest.raises(MooringError, match="told to serve green .* says that it serves no colour"):
        proxy.switch("demo", Traffic("green"))


def test_an_application_that_the_proxy_does_not_know(proxy):
    assert proxy.traffic("shop") is None
    with pytest.raises(MooringError, match="status 404.*unknown application"):
        proxy.switch("shop", Traffic("blue"))


@pytest.mark.parametrize("fault", [(500, b"boom"), (200, b"<html>"), (200, b"[]")])
def test_a_strange_answer_is_an_error_with_its_text(proxy, server, fault):
    server.fault = fault
    with pytest.raises(MooringError, match=f"with status {fault[0]}"):
        proxy.traffic("demo")


@pytest.mark.parametrize("word", ["purple", "", "green blue", "\udcff"])
def test_a_word_that_is_no_colour_counts_as_none(proxy, server, releases, word):
    (releases / "demo").write_bytes(word.encode("utf-8", "surrogateescape"))
    server.memory = word or None
    assert proxy.declared("demo") is None
    assert proxy.traffic("demo") is None


def test_a_proxy_that_does_not_run(tmp_path, releases):
    (releases / "demo").write_text("blue\n")
    stopped = Proxy(str(tmp_path / "control.sock"), str(releases))
    assert view(stopped, "demo") == {"proxy_answers": False, "memory": None, "file": Traffic("blue")}
    with pytest.raises(Unreachable, match=r"control\.sock does not answer"):
        stopped.switch("demo", Traffic("green"))
    # On disk first: the proxy serves it after its next start.
    assert stopped.declared("demo") == Traffic("green")


def test_a_socket_that_nobody_listens_on(tmp_path, releases, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(Unreachable):
        Proxy(str(tmp_path / "control.sock"), str(releases)).traffic("demo")


def test_a_host_without_the_proxy(tmp_path):
    bare = Proxy(str(tmp_path / "control.sock"), str(tmp_path / "releases"))
    assert view(bare, "demo") == {"proxy_answers": False, "memory": None, "file": None}
    with pytest.raises(MooringError, match="Run the role nginx_certbot first"):
        bare.switch("demo", Traffic("blue"))


@pytest.fixture
def web(releases):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as tcp:
        yield serve(tcp, releases)
        tcp.shutdown()


def test_a_question_goes_to_the_address_and_names_the_host(web):
    answer = ask(f"http://shop.example.com:{web.server_port}/demo?a=1", address="127.0.0.1")
    assert answer.status == 404
    assert answer.headers["x-release"] == "1.0.0"
    assert web.asked == [("GET", "/demo?a=1", f"shop.example.com:{web.server_port}")]


def test_a_question_that_nobody_answers_names_whom_it_asked(web):
    port = web.server_port
    web.shutdown()
    web.server_close()
    with pytest.raises(Unreachable, match=rf"asked at 127\.0\.0\.1:{port}\) does not answer"):
        ask(f"https://shop.example.com:{port}/", address="127.0.0.1", timeout=1)


@pytest.mark.parametrize("url", ["", "shop.example.com", "ftp://shop.example.com/", "http:///x"])
def test_what_is_no_url(url):
    with pytest.raises(MooringError, match="is not a URL"):
        ask(url)


def test_the_file_is_never_seen_half_written(proxy, releases):
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            seen.add(pathlib.Path(releases / "demo").read_text())

    proxy.declare("demo", Traffic("blue"))
    watcher = threading.Thread(target=look)
    watcher.start()
    for number in range(200):
        proxy.declare("demo", Traffic("green" if number % 2 else "blue"))
    stop.set()
    watcher.join()
    assert seen <= {"blue\n", "green\n"}
