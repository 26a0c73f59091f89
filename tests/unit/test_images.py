"""Which images are built, from what, and with which command lines."""

from __future__ import annotations

import dataclasses
import tarfile

import pytest
from ansible_collections.mooring.stack.plugins.action import distro_image as action
from ansible_collections.mooring.stack.plugins.module_utils import _images as images
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

TRIXIE = images.Base("x/base:trixie", "trixie", ("ca-certificates", "tzdata"))
SID = images.Base("x/base:sid", "sid", apt_options=('Acquire::Check-Valid-Until "false"',))
MYSQL = images.Image("x/mysql:9.7", "files-a", base=SID.reference, base_recipe=SID.recipe)
REDIS = images.Image("x/redis:8", "files-b", base=TRIXIE.reference, base_recipe=TRIXIE.recipe)
SHOP = images.Image("x/shop:1", "files-c", args=(("RELEASE", "1"),))
ALL = {one.reference: one.recipe for one in (TRIXIE, SID, MYSQL, REDIS, SHOP)}


def without(*references: str) -> dict[str, str]:
    return {reference: recipe for reference, recipe in ALL.items() if reference not in references}


# what exists -> what is built, in order
DECISIONS = {
    "nothing exists": ({}, ["x/base:trixie", "x/base:sid", "x/mysql:9.7", "x/redis:8", "x/shop:1"]),
    "everything is as declared": (ALL, []),
    "a missing base that nobody needs stays missing": (without("x/base:trixie"), []),
    "one image is missing": (without("x/redis:8"), ["x/redis:8"]),
    "one image and its base are missing": (without("x/redis:8", "x/base:trixie"), ["x/base:trixie", "x/redis:8"]),
    "an image without a base needs none": (without("x/shop:1", "x/base:sid", "x/base:trixie"), ["x/shop:1"]),
    "another recipe": ({**ALL, "x/mysql:9.7": "other"}, ["x/mysql:9.7"]),
    "somebody else's image under the tag": ({**ALL, "x/mysql:9.7": ""}, ["x/mysql:9.7"]),
    "an old base under an image that is missing": ({**without("x/mysql:9.7"), "x/base:sid": "old"},
                                                   ["x/base:sid", "x/mysql:9.7"]),
    "an old base under images that are as declared": ({**ALL, "x/base:sid": "old"}, []),
}


@pytest.mark.parametrize(("found", "built"), DECISIONS.values(), ids=DECISIONS)
def test_decide(found: dict[str, str], built: list[str]) -> None:
    builds = images.decide([TRIXIE, SID], [MYSQL, REDIS, SHOP], found)
    assert [build.reference for build in builds] == built
    assert all(build.recipe == ALL[build.reference] and build.reason for build in builds)


@pytest.mark.parametrize(("found", "field", "was"), [
    (None, "presence", None), ("", "recipe", None), ("old", "recipe", "old")])
def test_a_build_says_what_differs(found: str | None, field: str, was: str | None) -> None:
    difference = images.Build("x/redis:8", "new", "because", found).difference()
    assert (difference.object, difference.field, difference.found) == ("image x/redis:8", field, was)


def test_a_reference_declared_twice_is_refused() -> None:
    with pytest.raises(MooringError, match="x/redis:8 is declared more than once"):
        images.decide([], [REDIS, REDIS], {})


@pytest.mark.parametrize("change", [
    {"files": "other"}, {"base_recipe": "other"}, {"args": (("RELEASE", "2"),)}, {"ca_bundle": True}, {"revision": "2"},
])
def test_everything_an_image_is_made_from_counts(change: dict) -> None:
    assert dataclasses.replace(SHOP, **change).recipe != SHOP.recipe


@pytest.mark.parametrize("change", [
    {"suite": "sid"}, {"packages": ()}, {"apt_options": ("x",)}, {"mirror": "https://mirror.example.com/debian"},
    {"revision": "2"},
])
def test_everything_a_base_is_made_from_counts(change: dict) -> None:
    assert dataclasses.replace(TRIXIE, **change).recipe != TRIXIE.recipe


def test_the_tag_does_not_count() -> None:
    """The same recipe under two tags has one digest, so its layers are shared."""
    assert dataclasses.replace(SHOP, reference="x/shop:2").recipe == SHOP.recipe


def test_found_recipes() -> None:
    inspected = [
        {"RepoTags": ["x/a:1", "x/a:latest"], "Config": {"Labels": {"mooring.recipe": "abc", "other": "1"}}},
        {"RepoTags": ["x/b:1"], "Config": {"Labels": None}},
        {"RepoTags": None, "Config": {}},
    ]
    assert images.found_recipes(inspected) == {"x/a:1": "abc", "x/a:latest": "abc", "x/b:1": ""}


@pytest.mark.parametrize(("name", "tag", "message"), [
    ("My App", "1", "is no image name"),
    ("app", "", "is no image tag"),
    ("app", "a b", "is no image tag"),
    ("app", None, "is no image tag"),
    ("app", 9.7, "in quotes"),
])
def test_bad_references(name: str, tag: object, message: str) -> None:
    with pytest.raises(MooringError, match=message):
        images.parse_reference("x", name, tag)


def test_select_keeps_every_tag_of_a_name_and_names_what_is_unknown() -> None:
    declared = [{"name": "demo", "tag": "1"}, {"name": "redis", "tag": "8"}, {"name": "demo", "tag": "2"}]
    assert images.select(["demo"], declared) == [declared[0], declared[2]]
    assert images.select([], declared) == []
    with pytest.raises(MooringError, match=r"no recipe for kafka, zoo\. Known are demo, redis"):
        images.select(["zoo", "demo", "kafka"], declared)


OPTIONS = {
    "build": ["shop"], "repository": "x", "mirror": "", "revision": "",
    "bases": {"trixie": {"suite": "trixie", "packages": ["ca-certificates"]}, "sid": {"suite": "sid"}},
    "images": [
        {"name": "shop", "tag": "1", "context": "/a", "base": "trixie", "args": {"B": 2, "A": "1"}, "ca_bundle": False},
        {"name": "other", "tag": "1", "context": "/b", "base": "", "args": {}, "ca_bundle": False},
    ],
}


def test_declare() -> None:
    bases, declared = images.declare(OPTIONS, {"/a": "files-a"})
    assert [base.reference for base in bases] == ["x/base:trixie", "x/base:sid"]
    assert declared == [images.Image("x/shop:1", "files-a", base="x/base:trixie", base_recipe=bases[0].recipe,
                                     args=(("A", "1"), ("B", "2")))]


@pytest.mark.parametrize(("text", "ids"), [
    (None, []), ('["sha256:1"]', ["sha256:1"]), ("[", []), ("{}", []), ("[1]", [])])
def test_noted_images(text, ids) -> None:
    assert images.noted(text) == ids


def test_an_unknown_base_is_refused() -> None:
    wrong = {**OPTIONS, "images": [{**OPTIONS["images"][0], "base": "buster"}]}
    with pytest.raises(MooringError, match="base 'buster' of x/shop:1 is not one of: sid, trixie"):
        images.declare(wrong, {"/a": "files-a"})


def test_bootstrap_takes_the_default_mirror_unless_one_is_given() -> None:
    command = images.bootstrap_command(SID, "/t/system.tar")
    assert command[-2:] == ["sid", "/t/system.tar"]
    assert '--aptopt=Acquire::Check-Valid-Until "false"' in command
    assert not [part for part in command if part.startswith("--include")]
    mirrored = dataclasses.replace(TRIXIE, mirror="https://mirror.example.com/debian")
    assert images.bootstrap_command(mirrored, "/t")[-1] == "https://mirror.example.com/debian"
    assert "--include=ca-certificates,tzdata" in images.bootstrap_command(TRIXIE, "/t")


def test_build_arguments_name_proxies_without_their_values() -> None:
    image = dataclasses.replace(REDIS, args=(("A", "b c"),))
    arguments = images.build_arguments(image, "/context", {"https_proxy": "http://user:pw@proxy.example.com:3128"})
    assert arguments == [
        "build", "--force-rm", "--label", f"mooring.recipe={image.recipe}",
        "--build-arg", "BASE=x/base:trixie", "--build-arg", "A=b c", "--build-arg", "https_proxy",
        "--tag", "x/redis:8", "/context",
    ]


APT = 'Acquire "";\nAcquire::http "";\nAcquire::http::Proxy "http://apt.example.com:3142";\n' \
      'Acquire::https::Proxy "DIRECT";\n'


@pytest.mark.parametrize(("environment", "apt", "expected"), [
    ({}, "", {}),
    ({}, APT, {"http_proxy": "http://apt.example.com:3142"}),
    ({"HTTP_PROXY": "http://p.example.com"}, APT, {"http_proxy": "http://p.example.com"}),
    ({"https_proxy": "http://a", "HTTPS_PROXY": "http://b", "no_proxy": "x"}, "",
     {"https_proxy": "http://a", "no_proxy": "x"}),
])
def test_proxy_environment(environment: dict, apt: str, expected: dict) -> None:
    assert images.proxy_environment(environment, apt) == expected


def test_last_lines_show_the_error_and_not_the_noise() -> None:
    stdout = "Step 1/2 : FROM x\n\n" + "".join(f"line {number}\n" for number in range(40))
    stderr = ("DEPRECATED: The legacy builder is deprecated and will be removed in a future release.\n"
              "            BuildKit is currently disabled; enable it by removing the DOCKER_BUILDKIT=0\n"
              "            environment-variable.\n\n"
              "\x1b[91mE:\x1b[0m Unable to locate package nonesuch\n"
              "The command '/bin/sh' returned a non-zero code: 100\n")
    lines = images.last_lines(stdout, stderr, 4).splitlines()
    assert lines == ["line 38", "line 39", "E: Unable to locate package nonesuch",
                     "The command '/bin/sh' returned a non-zero code: 100"]


def test_a_recipe_is_read_without_what_others_left_in_it(tmp_path) -> None:
    for path in ("Dockerfile", "app/main.py", "app/__pycache__/main.pyc", ".git/HEAD", ".pytest_cache/x", "a.py~"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    (tmp_path / "run.sh").write_text("#!/bin/sh")
    (tmp_path / "run.sh").chmod(0o700)
    files = action.read_recipe(str(tmp_path))
    assert sorted(files) == ["Dockerfile", "app/main.py", "run.sh"]
    digest = images.files_digest(files)

    # Bits that depend on a umask do not count, the executable bit does.
    (tmp_path / "Dockerfile").chmod(0o600)
    assert images.files_digest(action.read_recipe(str(tmp_path))) == digest
    (tmp_path / "run.sh").chmod(0o644)
    assert images.files_digest(action.read_recipe(str(tmp_path))) != digest

    archive = str(tmp_path / "recipe.tar.gz")
    action.write_archive(files, archive)
    with tarfile.open(archive) as content:
        assert {entry.name: (entry.mode, entry.uid, entry.mtime) for entry in content} == {
            "Dockerfile": (0o644, 0, action.MODIFIED), "app/main.py": (0o644, 0, action.MODIFIED),
            "run.sh": (0o755, 0, action.MODIFIED)}


def test_a_directory_without_a_dockerfile_is_refused(tmp_path) -> None:
    with pytest.raises(MooringError, match="no Dockerfile in"):
        action.read_recipe(str(tmp_path))
