# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 maven_settings.py``: what a build finds in its environment and beside it, as Maven wants to be told.

Maven reads neither http_proxy nor a mirror from the environment. Without either, ~/.m2/settings.xml is empty and Maven
asks the repository that it knows by itself. Java has certificates of its own: where host-ca-certificates.crt lies here,
~/.mavenrc makes Maven trust those instead.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import typing as t
import urllib.parse
from xml.etree import ElementTree


def element(parent: ElementTree.Element, name: str, **children: str) -> None:
    """An element with one child per keyword that has a text."""
    made = ElementTree.SubElement(parent, name)
    for child, text in children.items():
        if text:
            ElementTree.SubElement(made, child).text = text


def render(environment: t.Mapping[str, str]) -> str:
    """``settings.xml`` from http_proxy, https_proxy, no_proxy (or in capitals) and MAVEN_MIRROR.

    Raises ValueError for a proxy that is no URL with a host.
    """
    settings = ElementTree.Element("settings")
    proxies = ElementTree.SubElement(settings, "proxies")
    # Maven puts bars where the variable has commas, and needs a star for a domain.
    direct = [f"*{name}" if name.startswith(".") else name
              for name in (_variable(environment, "no_proxy") or "").replace(",", " ").split()]
    for scheme in ("http", "https"):
        proxy = _variable(environment, f"{scheme}_proxy")
        if not proxy:
            continue
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"http://{proxy}")
        if not parts.hostname:
            raise ValueError(f"{scheme}_proxy is not of the form http://host:port")
        # `protocol` is that of the repositories that are asked through the proxy.
        element(proxies, "proxy", id=scheme, protocol=scheme, host=parts.hostname, port=str(parts.port or 80),
                username=urllib.parse.unquote(parts.username or ""),
                password=urllib.parse.unquote(parts.password or ""),
                nonProxyHosts="|".join(direct))
    mirror = environment.get("MAVEN_MIRROR")
    if mirror:
        element(ElementTree.SubElement(settings, "mirrors"), "mirror", id="mirror", mirrorOf="*", url=mirror)
    ElementTree.indent(settings)
    return ElementTree.tostring(settings, encoding="unicode") + "\n"


def _variable(environment: t.Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def trust(bundle: pathlib.Path, home: pathlib.Path) -> None:
    """Make Maven trust the certificates of a PEM file; an empty one, or none, leaves Java's own."""
    if not bundle.exists() or not bundle.stat().st_size:
        return
    store = home / "trusted.p12"
    # Nothing in it is secret, but Java wants a password.
    subprocess.run(["openssl", "pkcs12", "-export", "-nokeys", "-jdktrust", "anyExtendedKeyUsage", "-passout",
                    "pass:public", "-in", str(bundle), "-out", str(store)], check=True)
    options = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=public"
    (home / ".mavenrc").write_text(f"MAVEN_OPTS='{options}'\n")


if __name__ == "__main__":
    HOME = pathlib.Path.home()
    (HOME / ".m2").mkdir(exist_ok=True)
    (HOME / ".m2" / "settings.xml").write_text(render(os.environ))
    trust(pathlib.Path("host-ca-certificates.crt"), HOME)
