# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's plain proxy: the platform's configuration without the release switch, and with nothing else less."""

from __future__ import annotations

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import nginx_conf  # noqa: E402

ROUTES = """\
# a comment; with { all of it }
location ^~ "/shop;" {
    proxy_read_timeout 60s;
    include /etc/mooring/proxy.conf;
    proxy_set_header Connection "";
    set $mooring_application shop;
    if ($mooring_colour = "") {
        return 502;
    }
    js_header_filter releases.seen;
    error_page 504 = @other;
    proxy_pass http://shop-$mooring_colour:8080;
}
location = /shop/metrics { return 404; }
"""
HTTP = """\
http {
    js_path /etc/mooring/njs/;
    js_import releases from releases.js;
    js_shared_dict_zone zone=releases:128k;
    js_set $mooring_colour releases.colour;
    js_import certificates from certificates.js;
    js_set $mooring_certificate certificates.version;
    map $mooring_shared $mooring_counted { default ""; 1 $mooring_seen; }
    js_import metrics from metrics.js;
    js_shared_dict_zone zone=measured:256k type=number;
    js_set $mooring_measured metrics.measured;
    map $http_x { "~^[A-Za-z0-9._-]{8,64}$" $http_x; default $request_id; }
    log_format mooring escape=json
        '{"time":"$time_iso8601",'
        '"status":$status}';
    server { location /releases/ { js_content releases.control; } location = /metrics { js_content metrics.answer; } }
}
"""


@pytest.mark.parametrize("text", [ROUTES, HTTP, 'a "b\\"c" d\\;e;', "", "location ~ ^/x${y}z$ { }"])
def test_what_is_written_is_what_was_read(text: str) -> None:
    found = nginx_conf.parse(text)
    assert nginx_conf.parse(nginx_conf.dump(found)) == found


@pytest.mark.parametrize("text", ["a", "a {", "}", "a } b;", ";", "{ }", 'a "b;'])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no configuration of nginx"):
        nginx_conf.parse(text)


def test_a_plain_route_has_everything_but_the_choice() -> None:
    assert nginx_conf.dump(nginx_conf.plain(nginx_conf.parse(ROUTES), "http://192.0.2.1:8080")).splitlines() == [
        'location ^~ "/shop;" {', "proxy_read_timeout 60s;", "include /etc/mooring/proxy.conf;",
        'proxy_set_header Connection "";', "proxy_pass http://192.0.2.1:8080;", "}",
        "location = /shop/metrics {", "return 404;", "}"]


def test_a_plain_proxy_has_no_javascript_of_the_switch() -> None:
    (http,) = nginx_conf.plain(nginx_conf.parse(HTTP), "http://192.0.2.1:8080")
    assert [str(one) for one in http.block or () if one.name.startswith("js_")] == [
        "js_path /etc/mooring/njs/;\n", "js_import certificates from certificates.js;\n",
        "js_set $mooring_certificate certificates.version;\n", "js_import metrics from metrics.js;\n",
        "js_shared_dict_zone zone=measured:256k type=number;\n", "js_set $mooring_measured metrics.measured;\n"]
    said = str(http)
    assert "releases." not in said
    assert 'map "" $mooring_colour {\ndefault "";\n}\n' in said
    assert 'map "" $mooring_counted {\ndefault "";\n}\n' in said and "$mooring_shared" not in said
    assert "location /releases/ {\nreturn 404;\n}\n" in said


def test_connections_to_an_upstream_are_kept() -> None:
    (http,) = nginx_conf.kept(nginx_conf.parse(HTTP), "backend", "192.0.2.1:8080")
    assert str((http.block or [])[0]) == "upstream backend {\nserver 192.0.2.1:8080;\nkeepalive 64;\n}\n"
