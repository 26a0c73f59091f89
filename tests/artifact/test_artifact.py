# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the collection's archive: the same from each clone, and nothing of development.

Compared are the files, their SHA-256 in FILES.json, and types, modes and owners in the archive; not the times, which
ansible-galaxy takes from the clock and from the files, and not the order, which is that of the file system.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import tarfile

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
# Nothing else may be in it; ansible-galaxy adds the first two.
TOP = {"MANIFEST.json", "FILES.json", "CHANGELOG.rst", "COPYING", "README.md", "changelogs", "docs", "examples",
       "inventories", "meta", "playbooks", "plugins", "roles", "site.yml"}
LOCAL = re.compile(
    r"(^|/)(\.(?!gitkeep$)[^/]*|__pycache__|target|with\.yml|[^/]*\.(pyc|retry|tar\.gz|log|pem|key))(/|$)")


def build(source: pathlib.Path, output: pathlib.Path) -> pathlib.Path:
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", str(output), str(source)],
                   check=True, capture_output=True, cwd=source)
    (archive,) = output.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What the working tree makes, with whatever lies in it."""
    given = os.environ.get("MOORING_ARTIFACT")
    return pathlib.Path(given) if given else build(ROOT, tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="session")
def unpacked(archive: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def files(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def described(archive: pathlib.Path) -> tuple[dict[str, tuple], dict[str, str], dict[str, str]]:
    """Members, checksums and identity, without times and order."""
    with tarfile.open(archive) as tar:
        members = {one.name: (one.type, oct(one.mode), one.uid, one.gid, one.uname, one.gname) for one in tar}
        listed = json.load(tar.extractfile("FILES.json"))["files"]
        identity = json.load(tar.extractfile("MANIFEST.json"))["collection_info"]
    return members, {one["name"]: one["chksum_sha256"] for one in listed}, identity


def clone(folder: pathlib.Path, mask: int) -> pathlib.Path:
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True,
                   capture_output=True, umask=mask)
    return folder


def test_two_clones_make_the_same(tmp_path):
    if subprocess.run(["git", "rev-parse", "--git-dir"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("not a git repository, so there is nothing to clone")
    here = clone(tmp_path / "one", 0o022)
    there = clone(tmp_path / "another place" / "with a longer name", 0o077)
    for path in there.rglob("*"):
        if path.is_file() and not path.is_symlink() and ".git" not in path.parts:
            os.utime(path, (1, 1))
    first, second = (build(source, tmp_path / name) for source, name in ((here, "first"), (there, "second")))
    assert described(first) == described(second)


def test_it_has_nothing_else_at_its_top(unpacked):
    assert {path.name for path in unpacked.iterdir()} <= TOP


def test_it_has_nothing_that_git_does_not_have(archive):
    """No state, secrets, caches or results that lie about in the working tree."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git repository, so nobody knows what belongs to it")
    with tarfile.open(archive) as tar:
        names = {one.name for one in tar if not one.isdir()}
    assert names - set(listed.stdout.splitlines()) == {"MANIFEST.json", "FILES.json"}


def test_it_has_no_local_file(unpacked):
    assert [name for name in files(unpacked) if LOCAL.search(name)] == []


def test_it_has_no_odd_mode_and_a_link_leads_to_something_in_it(archive, unpacked):
    with tarfile.open(archive) as tar:
        odd = [one.name for one in tar if one.mode not in (0o644, 0o755) and not one.issym()]
        links = [one.name for one in tar if not (one.isdir() or one.isfile())]
    assert odd == []
    assert [name for name in links if not (unpacked / name).resolve(strict=True).is_relative_to(unpacked)] == []


def test_it_has_no_path_of_this_machine(unpacked):
    places = [str(ROOT), *([] if (home := str(pathlib.Path.home())) in ("/", "/root") else [home])]
    # As a whole: the name of a short one may be how that of a file begins.
    found = [(name, place) for name, path in files(unpacked).items()
             for place in places if re.search(rb"%b(?![\w-])" % re.escape(place.encode()), path.read_bytes())]
    assert found == []


def test_links_lead_to_something_in_it(unpacked):
    """But those to the tests, which defects.md tells that they are in a clone."""
    for name, path in files(unpacked).items():
        text = path.read_text(errors="replace")
        links = {".md": r"\]\((?!https?://|#|mailto:)([^)#\s]+)", ".rst": r"<(?!https?://|#)([\w/.-]+\.rst)(?:#[^>]*)?>`"}
        for target in re.findall(links[path.suffix], text) if path.suffix in links else ():
            in_a_clone = name == "docs/defects.md" and target.startswith(("../tests/", "../molecule/"))
            assert in_a_clone or (path.parent / target).exists(), (name, target)


def test_readme_tells_galaxy_s_readers_where_its_links_lead(unpacked):
    """Galaxy shows README without the files beside it."""
    assert GALAXY["documentation"] in (unpacked / "README.md").read_text()
