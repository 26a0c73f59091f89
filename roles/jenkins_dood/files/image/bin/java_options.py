# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 java_options.py``: the proxies of the environment as Java's options, on one line.

Java reads neither http_proxy nor no_proxy. A proxy that wants a login is none that it can be told so.
"""

from __future__ import annotations

import os
import typing as t
import urllib.parse


def options(environment: t.Mapping[str, str]) -> list[str]:
    """Options for http_proxy, https_proxy and no_proxy, or in capitals; ValueError for a proxy without a host."""
    def of(name: str) -> str:
        return environment.get(name) or environment.get(name.upper()) or ""

    found = []
    for scheme in ("http", "https"):
        proxy = of(f"{scheme}_proxy")
        if not proxy:
            continue
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"http://{proxy}")
        if not parts.hostname:
            raise ValueError(f"{scheme}_proxy is not of the form http://host:port")
        found += [f"-D{scheme}.proxyHost={parts.hostname}", f"-D{scheme}.proxyPort={parts.port or 80}"]
    # Java puts bars where the variable has commas, and needs a star for a domain.
    direct = [f"*{name}" if name.startswith(".") else name for name in of("no_proxy").replace(",", " ").split()]
    if found and direct:
        found.append(f"-Dhttp.nonProxyHosts={'|'.join(direct)}")
    return found


if __name__ == "__main__":
    print(" ".join(options(os.environ)))
