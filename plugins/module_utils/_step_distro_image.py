# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the step that finds out which images differ from their recipes, and builds one."""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import shutil
import tarfile
import tempfile
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _images
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

ARGUMENT_SPEC: dict[str, t.Any] = {
    "images": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "tag": {"type": "str", "required": True},
            "context": {"type": "path", "required": True},
            "base": {"type": "str", "default": ""},
            "args": {"type": "dict", "default": {}},
            "ca_bundle": {"type": "bool", "default": False},
        },
    },
    "build": {"type": "list", "elements": "str", "required": True},
    "bases": {"type": "dict", "default": {}},
    "repository": {"type": "str", "default": "mooring.local"},
    "mirror": {"type": "str", "default": ""},
    "revision": {"type": "str", "default": ""},
    "files": {"type": "dict", "default": {}},
    "step": {"type": "str", "default": ""},
    "archive": {"type": "path"},
}

CA_BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
# Not below /tmp, which is often too small for a system and mounted without devices.
WORK = pathlib.Path("/var/cache/mooring-distro_images")


class Builder:
    """Builds one image at a time on this host."""

    def __init__(self, module: t.Any, docker: Docker) -> None:
        self._module, self._docker = module, docker
        _rc, apt_config, _err = (
            module.run_command(["apt-config", "dump"]) if shutil.which("apt-config") else (0, "", ""))
        self._proxies = _images.proxy_environment(os.environ, apt_config)

    def id_of(self, reference: str) -> str:
        """Id of an image, empty if there is none."""
        return next((image["Id"] for image in self._docker.inspect("image", [reference])), "")

    def _run(self, what: str, argv: list[str], **environment: str) -> None:
        rc, out, err = self._module.run_command(argv, environ_update={**self._proxies, **environment})
        if rc != 0:
            raise MooringError(f"{what} could not be built; '{argv[0]} {argv[1]}' ended with status {rc}. "
                               f"Its last lines:\n{_images.last_lines(out, err)}")

    def base(self, base: _images.Base) -> None:
        """Make a base. The archive is complete before docker sees it."""
        WORK.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(WORK / "lock", "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MooringError(f"Another run builds a base on this host (it holds {lock.name}). "
                                   "Wait for its end and run again.") from None
            # What a killed run left.
            shutil.rmtree(WORK / "base", ignore_errors=True)
            folder = WORK / "base"
            folder.mkdir(mode=0o755)
            os.chmod(WORK, 0o755)  # apt gives up root and must reach the system being made
            archive = str(folder / "system.tar")
            try:
                self._run(base.reference, _images.bootstrap_command(base, archive), TMPDIR=str(folder))
                self._run(base.reference, [self._docker.binary, *_images.import_arguments(base, archive)])
            finally:
                shutil.rmtree(WORK, ignore_errors=True)

    def image(self, image: _images.Image, archive: str) -> None:
        """Build an image from the recipe that the controller sent."""
        with tempfile.TemporaryDirectory(dir=self._module.tmpdir) as folder:
            with tarfile.open(archive) as recipe:
                recipe.extractall(folder)
            if image.ca_bundle:
                bundle = CA_BUNDLE.read_bytes() if CA_BUNDLE.exists() else b""
                (pathlib.Path(folder) / _images.CA_BUNDLE_NAME).write_bytes(bundle)
            # A newer docker command would ask an engine without BuildKit for it.
            self._run(image.reference,
                      [self._docker.binary, *_images.build_arguments(image, folder, self._proxies)],
                      DOCKER_BUILDKIT="0")

    def remove_replaced(self, replaced: str = "") -> None:
        """Remove images whose tag a build took over, as soon as no container uses them.

        They are noted by their ids. The recipe's label does not tell them, because
        what somebody builds on one of our images inherits it.
        """
        known = [*_images.noted(files.read_text(_images.REPLACED)), *([replaced] if replaced else [])]
        found = {image["Id"]: image.get("RepoTags") or [] for image in self._docker.inspect("image", known)}
        left = [one for one in known if one in found and not found[one]
                and not self._docker.succeeds("image", "rm", one)]
        if left:
            os.makedirs(os.path.dirname(_images.REPLACED), mode=0o755, exist_ok=True)
            files.write_file(_images.REPLACED, json.dumps(left).encode(), 0o644)
        elif known:
            pathlib.Path(_images.REPLACED).unlink(missing_ok=True)


def build_step(
    builder: Builder, bases: list[_images.Base], images: list[_images.Image], params: dict[str, t.Any],
) -> None:
    """Build the one base or image that the controller half asked for."""
    before = builder.id_of(params["step"])
    for base in bases:
        if base.reference == params["step"]:
            builder.base(base)
    for image in images:
        if image.reference == params["step"]:
            builder.image(image, params["archive"])
    builder.remove_replaced(before if before != builder.id_of(params["step"]) else "")


def converge(module: t.Any, params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Compare, build the image that is asked for; the result. Raises :class:`MooringError`."""
    docker = Docker(module.run_command)
    bases, images = _images.declare(params, params["files"])
    answers = docker.answers()
    if not answers and not module.check_mode:
        raise MooringError("No Docker Engine answers on this host. Run the role docker_engine first.")
    references = [one.reference for one in [*bases, *images]]
    found = _images.found_recipes(docker.inspect("image", references)) if answers else {}
    builds = _images.decide(bases, images, found)
    if not module.check_mode and params["step"] in [build.reference for build in builds]:
        build_step(Builder(module, docker), bases, images, params)
    return {
        "changed": bool(builds),
        "differences": [build.difference().as_dict() for build in builds],
        "notices": [],
        "builds": [{"reference": build.reference, "reason": build.reason} for build in builds],
        "images": {image.reference: image.recipe for image in images},
        "bases": [base.reference for base in bases],
        "mmdebstrap": shutil.which("mmdebstrap") is not None,
        "diff": [{"before_header": build.reference, "after_header": build.reference,
                  "before": f"{build.found}\n" if build.found else "", "after": f"{build.recipe}\n"}
                 for build in builds],
    }
