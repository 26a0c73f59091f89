# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: which images must be built, and the command lines that build them.

Pure: nothing here reads a file, runs a command or looks at the clock.

The vocabulary: a *base* is a minimal system made by mmdebstrap; an *image* is
made by ``docker build`` from a *recipe*, a directory with a Dockerfile. The
digest of what an image is made from is its label ``mooring.recipe``.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import json
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import IMAGES

RECIPE_LABEL = "mooring.recipe"
# What the names of images begin with that are built on the host, unless a user chose another repository.
LOCAL_IMAGES = "mooring.local/"
# Ids of images that a build replaced while a container still used them.
REPLACED = "/etc/mooring/replaced_images.json"
CA_BUNDLE_NAME = "host-ca-certificates.crt"
# Left by editors, tests and version control; neither sent nor part of the digest.
IGNORED = (".git", ".venv", "node_modules", "__pycache__", "*.pyc", ".*_cache", "*.swp", "*~")
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def ignored(name: str) -> bool:
    """Whether a file or directory of this name is no part of a recipe."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in IGNORED)


def digest(content: t.Any) -> str:
    """A short digest of anything that JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def files_digest(files: t.Mapping[str, tuple[bool, bytes]]) -> str:
    """Digest of a recipe's files: path -> (executable, content).

    Other mode bits depend on the umask of whoever copied the recipe.
    """
    return digest({path: [executable, hashlib.sha256(content).hexdigest()]
                   for path, (executable, content) in files.items()})


@dataclasses.dataclass(frozen=True)
class Base:
    """A minimal system of one suite, made by mmdebstrap."""

    reference: str
    suite: str
    packages: tuple[str, ...] = ()
    apt_options: tuple[str, ...] = ()
    mirror: str = ""
    revision: str = ""

    @property
    def recipe(self) -> str:
        """Digest of everything that it is made from."""
        return digest(["base", 1, self.suite, self.packages, self.apt_options, self.mirror, self.revision])


@dataclasses.dataclass(frozen=True)
class Image:
    """An image made by ``docker build``; ``base`` is the reference of one of the bases, or empty."""

    reference: str
    files: str
    base: str = ""
    base_recipe: str = ""
    args: tuple[tuple[str, str], ...] = ()
    ca_bundle: bool = False
    revision: str = ""

    @property
    def recipe(self) -> str:
        """Digest of everything that it is made from; the CA bundle's content is not part of it."""
        return digest(["image", 1, self.files, self.base_recipe, self.args, self.ca_bundle, self.revision])


@dataclasses.dataclass(frozen=True)
class Build:
    """One image or base to build, and why."""

    reference: str
    recipe: str
    reason: str
    found: str | None

    def difference(self) -> Difference:
        """The same as a field that is not as declared."""
        name = f"image {self.reference}"
        if self.found is None:
            return Difference(name, "presence", "present", None)
        return Difference(name, "recipe", self.recipe, self.found or None)


def parse_reference(repository: str, name: str, tag: t.Any) -> str:
    """``repository/name:tag``; raises MooringError for what Docker would refuse later."""
    if not NAME.fullmatch(name):
        raise MooringError(f"'{name}' is no image name: use lower case letters, digits, '.', '_' and '-'.")
    if not isinstance(tag, str) or not TAG.fullmatch(tag):
        hint = " Put it in quotes." if isinstance(tag, (int, float)) else ""
        raise MooringError(f"The tag '{tag}' of the image '{name}' is no image tag.{hint}")
    return f"{repository}/{name}:{tag}"


def select(build: t.Iterable[str], images: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Those of ``images`` whose name is in ``build``, in the order of ``images``."""
    wanted = list(build)
    known = {image["name"] for image in images}
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise MooringError(f"There is no recipe for {', '.join(unknown)}. Known are {', '.join(sorted(known))}.")
    return [image for image in images if image["name"] in wanted]


def _difference(reference: str, recipe: str, found: t.Mapping[str, str]) -> Build | None:
    if reference not in found:
        return Build(reference, recipe, "it does not exist", None)
    if not found[reference]:
        return Build(reference, recipe, "it was not built from a recipe", "")
    if found[reference] != recipe:
        return Build(reference, recipe, "its recipe changed", found[reference])
    return None


def declare(options: dict[str, t.Any], files: t.Mapping[str, str]) -> tuple[list[Base], list[Image]]:
    """The bases and the chosen images of the module's options; ``files`` has the digest of each context's files."""
    repository, revision = options["repository"], options["revision"]
    bases = {
        name: Base(
            reference=parse_reference(repository, "base", name),
            suite=base["suite"],
            packages=tuple(base.get("packages") or ()),
            apt_options=tuple(base.get("apt_options") or ()),
            mirror=options["mirror"],
            revision=revision,
        )
        for name, base in options["bases"].items()
    }
    images = []
    for image in select(options["build"], options["images"]):
        reference = parse_reference(repository, image["name"], image["tag"])
        base = image["base"]
        if base and base not in bases:
            raise MooringError(f"The base '{base}' of {reference} is not one of: {', '.join(sorted(bases))}.")
        images.append(Image(
            reference=reference,
            files=files[image["context"]],
            base=bases[base].reference if base else "",
            base_recipe=bases[base].recipe if base else "",
            args=tuple(sorted((str(name), str(value)) for name, value in image["args"].items())),
            ca_bundle=image["ca_bundle"],
            revision=revision,
        ))
    return list(bases.values()), images


def decide(bases: t.Iterable[Base], images: t.Iterable[Image], found: t.Mapping[str, str]) -> list[Build]:
    """What to build, in order.

    ``found`` has the label of each image that exists (empty without the label).
    A base is only needed to build something on it: one that is missing while
    every image is as declared stays missing.
    """
    declared = list(images)
    references = [image.reference for image in declared]
    twice = sorted({reference for reference in references if references.count(reference) > 1})
    if twice:
        raise MooringError(f"{', '.join(twice)} is declared more than once.")
    builds = {image.reference: _difference(image.reference, image.recipe, found) for image in declared}
    needed = {image.base for image in declared if builds[image.reference]}
    stages = [_difference(base.reference, base.recipe, found) for base in bases if base.reference in needed]
    return [build for build in [*stages, *builds.values()] if build]


def found_recipes(inspected: t.Iterable[dict[str, t.Any]]) -> dict[str, str]:
    """Label by reference, from ``docker image inspect``."""
    found = {}
    for image in inspected:
        label = ((image.get("Config") or {}).get("Labels") or {}).get(RECIPE_LABEL, "")
        for reference in image.get("RepoTags") or ():
            found[reference] = label
    return found


def bootstrap_command(base: Base, target: str) -> list[str]:
    """mmdebstrap's command line; without a mirror it takes its default for the suite."""
    # The options stay in the base and hold for what is installed on it later.
    apt_options = ['APT::Install-Recommends "false"', 'Acquire::Languages "none"', *base.apt_options]
    # Nothing in a container reads manuals or translations; licences stay. An
    # image that was interrupted is thrown away, so nothing is gained by syncing.
    dpkg_options = ["force-unsafe-io", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*",
                    "path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright"]
    # Packages must not start services while an image is built.
    policy = "printf '#!/bin/sh\\nexit 101\\n' >\"$1/usr/sbin/policy-rc.d\" && chmod 0755 \"$1/usr/sbin/policy-rc.d\""
    return [
        "mmdebstrap", "--variant=minbase",
        *([f"--include={','.join(base.packages)}"] if base.packages else []),
        *(f"--aptopt={option}" for option in apt_options),
        *(f"--dpkgopt={option}" for option in dpkg_options),
        f"--customize-hook={policy}",
        base.suite, target, *([base.mirror] if base.mirror else []),
    ]


def import_arguments(base: Base, source: str) -> list[str]:
    """``docker`` arguments that make an image of mmdebstrap's archive."""
    return ["import", "--change", f"LABEL {RECIPE_LABEL}={base.recipe}", "--change", "ENV LANG=C.UTF-8",
            "--change", 'CMD ["bash"]', source, base.reference]


def build_arguments(image: Image, context: str, proxies: t.Iterable[str]) -> list[str]:
    """``docker`` arguments that build an image.

    Proxies are named only: docker takes their values from its environment, so
    a password in one is not seen in the list of processes.
    """
    args = [*([("BASE", image.base)] if image.base else []), *image.args]
    return [
        "build", "--force-rm", "--label", f"{RECIPE_LABEL}={image.recipe}",
        *(part for name, value in args for part in ("--build-arg", f"{name}={value}")),
        *(part for name in sorted(proxies) for part in ("--build-arg", name)),
        "--tag", image.reference, context,
    ]


def proxy_environment(environment: t.Mapping[str, str], apt_config: str) -> dict[str, str]:
    """The host's proxies as environment variables: its own ones first, then apt's.

    ``apt_config`` is the output of ``apt-config dump``.
    """
    proxies = {}
    for scheme in ("http", "https"):
        match = re.search(rf'^Acquire::{scheme}::Proxy "(.*)";$', apt_config, re.MULTILINE | re.IGNORECASE)
        if match and match[1] not in ("", "DIRECT"):
            proxies[f"{scheme}_proxy"] = match[1]
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = environment.get(name) or environment.get(name.upper())
        if value:
            proxies[name] = value
    return proxies


def noted(text: str | None) -> list[str]:
    """The ids in the text of that file; one that cannot be read holds none."""
    try:
        ids = IMAGES.current(json.loads(text or "[]"), REPLACED)
    except ValueError:
        return []
    return [one for one in ids if isinstance(one, str)] if isinstance(ids, list) else []


def last_lines(stdout: str, stderr: str, count: int = 25) -> str:
    """The end of a build's output, without colours, blank lines and docker's advertisement of its other builder."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", f"{stdout}\n{stderr}")
    lines = [line.rstrip() for line in text.splitlines()]
    noise = re.compile(r"DEPRECATED: The legacy builder|\s+Install the buildx|\s+BuildKit is currently disabled|"
                       r"\s+environment-variable\.|\s+https://docs\.docker\.com/go/buildx")
    return "\n".join([line for line in lines if line.strip() and not noise.match(line)][-count:])
