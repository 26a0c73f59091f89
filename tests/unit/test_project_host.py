# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What compose_project sees of a container's files from outside."""

from __future__ import annotations

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._project_host import _below


@pytest.mark.parametrize(("path", "leads_to"), [
    ("/data", "/data"),
    ("/var/run/mysqld", "/run/mysqld"),
    ("/relative/mysqld", "/run/mysqld"),
    ("/upwards/mysqld", "/run/mysqld"),
    ("/chain/mysqld", "/run/mysqld"),
    ("/var/./run/../data/", "/data"),
    ("/../../data", "/data"),
    ("/var/run/absent", "/run/absent"),
    ("/", ""),
])
def test_a_link_leads_to_what_the_container_sees(tmp_path, path, leads_to):
    for name in ("data", "run/mysqld", "var"):
        (tmp_path / name).mkdir(parents=True)
    for name, target in (("var/run", "/run"), ("relative", "run"), ("upwards", "../../run"), ("chain", "/var/run")):
        (tmp_path / name).symlink_to(target)
    assert _below(str(tmp_path), path) == f"{tmp_path}{leads_to}"


def test_links_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to("/b")
    (tmp_path / "b").symlink_to("/a")
    with pytest.raises(OSError, match="symbolic links"):
        _below(str(tmp_path), "/a/x")
