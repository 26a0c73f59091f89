#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: distro_image
short_description: Images built on the host from distribution packages
version_added: "0.1.0"
description:
  - Builds images with C(docker build) from directories of the controller, and the bases they stand on with
    C(mmdebstrap), so that no container registry is needed.
  - Each image carries the label C(mooring.recipe), a digest of its directory, its base and its arguments. Only images
    whose label differs are built, and a base only when something must be built on it.
  - One line is printed when the build of an image begins and one when it ends.
  - Mirrors are C(mmdebstrap)'s defaults unless O(mirror) is set. Proxies are those of the host, from the environment or
    from apt's configuration.
  - C(mmdebstrap) is installed when a base must be built and it is missing.
  - A build that fails or is killed leaves the tag as it was; the next run builds it again.
  - After the last build, untagged images that carry the label and that no container uses are removed. No other image
    is touched.
attributes:
  check_mode:
    support: full
    description: Names what would be built. Builds nothing and works where Docker is not installed yet.
  diff_mode:
    support: full
    description: Shows the recipe's digest of each image before and after.
  idempotent:
    support: full
    description: An image whose label is the digest of its recipe is left alone.
  action:
    support: full
    description: The controller half reads the directories and sends those that are built.
options:
  images:
    description: What can be built.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the image, without O(repository).
        type: str
        required: true
      tag:
        description: Tag of the image.
        type: str
        required: true
      context:
        description:
          - Directory on the controller that holds the C(Dockerfile). Files that version control, editors and tests
            leave there (C(.git), C(.venv), C(node_modules), C(__pycache__) and the like) are left out.
        type: path
        required: true
      base:
        description: Name of one of O(bases). Its reference is given to the build as the argument C(BASE).
        type: str
        default: ""
      args:
        description: Build arguments. They can be read from the image, so they must not be secret.
        type: dict
        default: {}
      ca_bundle:
        description:
          - Whether the build gets the host's CA certificates as the file C(host-ca-certificates.crt) in its context,
            for downloads behind a proxy that inspects TLS. The file is empty where the host has none.
          - Use it in an early stage of the C(Dockerfile), so that it does not become part of the image.
        type: bool
        default: false
  build:
    description: Names of O(images) to build. Every image of a name is built, whatever its tag.
    type: list
    elements: str
    required: true
  bases:
    description:
      - Minimal systems by name, each with the keys C(suite), C(packages) (a list) and C(apt_options) (a list).
        The image of a base is O(repository)C(/base:)name.
    type: dict
    default: {}
  repository:
    description: What stands before the name of every image.
    type: str
    default: mooring.local
  mirror:
    description: Package mirror for the bases. Empty takes the default of C(mmdebstrap).
    type: str
    default: ""
  revision:
    description: Any text. A new one builds everything anew, for instance to get today's packages.
    type: str
    default: ""
  files:
    description: Digest of the files of each context. Set by the controller half.
    type: dict
    default: {}
  step:
    description: The reference to build in this call; empty builds nothing. Set by the controller half.
    type: str
    default: ""
  archive:
    description: The files of O(step)'s context on the host. Set by the controller half.
    type: path
  last_step:
    description: Whether leftovers of earlier builds are removed after O(step). Set by the controller half.
    type: bool
    default: false
notes:
  - The module runs as root on the host.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Build the image of our application
  mooring.stack.distro_image:
    build: [shop]
    bases:
      trixie:
        suite: trixie
        packages: [ca-certificates]
    images:
      - name: shop
        tag: 1.4.2
        context: "{{ playbook_dir }}/../apps/shop"
        base: trixie
        args:
          RELEASE: 1.4.2
"""

RETURN = r"""
builds:
  description: What was built, or would be, in order.
  type: list
  elements: dict
  returned: success
  contains:
    reference:
      description: The image.
      type: str
    reason:
      description: Why it was built.
      type: str
    seconds:
      description: How long it took; absent in check mode.
      type: int
images:
  description: Every image asked for, by reference, with the digest of its recipe.
  type: dict
  returned: success
bases:
  description: The references of all bases, needed or not.
  type: list
  elements: str
  returned: success
mmdebstrap:
  description: Whether the host had C(mmdebstrap) before.
  type: bool
  returned: success
"""

import fcntl
import os
import pathlib
import shutil
import tarfile
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _images
from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors

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
    "last_step": {"type": "bool", "default": False},
}

CA_BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
# Not below /tmp, which is often too small for a system and mounted without devices.
WORK = pathlib.Path("/var/cache/mooring-distro_images")


class Builder:
    """Builds one image at a time on this host."""

    def __init__(self, module: AnsibleModule, docker: Docker) -> None:
        self._module, self._docker = module, docker
        _rc, apt_config, _err = (
            module.run_command(["apt-config", "dump"]) if shutil.which("apt-config") else (0, "", ""))
        self._proxies = _images.proxy_environment(os.environ, apt_config)

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

    def remove_leftovers(self) -> None:
        """Remove what builds have left without a tag; the label keeps other images out."""
        self._docker.run("image", "prune", "--force", "--filter", "dangling=true",
                         "--filter", f"label={_images.RECIPE_LABEL}")


def build_step(
    builder: Builder, bases: list[_images.Base], images: list[_images.Image], params: dict[str, t.Any],
) -> None:
    """Build the one base or image that the controller half asked for."""
    for base in bases:
        if base.reference == params["step"]:
            builder.base(base)
    for image in images:
        if image.reference == params["step"]:
            builder.image(image, params["archive"])
    if params["last_step"]:
        builder.remove_leftovers()


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    docker = Docker(module.run_command)
    with domain_errors(module):
        bases, images = _images.declare(params, params["files"])
        answers = docker.answers()
        if not answers and not module.check_mode:
            raise MooringError("No Docker Engine answers on this host. Run the role docker_engine first.")
        references = [one.reference for one in [*bases, *images]]
        found = _images.found_recipes(docker.inspect("image", references)) if answers else {}
        builds = _images.decide(bases, images, found)
        if not module.check_mode and params["step"] in [build.reference for build in builds]:
            build_step(Builder(module, docker), bases, images, params)
        module.exit_json(
            changed=bool(builds),
            builds=[{"reference": build.reference, "reason": build.reason} for build in builds],
            images={image.reference: image.recipe for image in images},
            bases=[base.reference for base in bases],
            mmdebstrap=shutil.which("mmdebstrap") is not None,
            diff=[{"before_header": build.reference, "after_header": build.reference,
                   "before": f"{build.found}\n" if build.found else "", "after": f"{build.recipe}\n"}
                  for build in builds],
        )


if __name__ == "__main__":
    main()
