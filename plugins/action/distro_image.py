# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of distro_image: reads the recipes, asks what differs, sends and builds that."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mooring.stack.plugins.module_utils import _images
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._step_distro_image import ARGUMENT_SPEC
from ansible_collections.mooring.stack.plugins.plugin_utils import _steps

display = Display()
Files = dict[str, "tuple[bool, bytes]"]
# 1980-01-01, the first day that a zip archive can say. 1970 would be taken for the time of a file that is not there:
# Maven compares like that, and leaves such resources out of a jar.
MODIFIED = 315532800


def read_recipe(context: str) -> Files:
    """Every file of a recipe: path -> (executable, content)."""
    if not os.path.isfile(os.path.join(context, "Dockerfile")):
        raise MooringError(f"There is no Dockerfile in {context}.")
    files: Files = {}
    for folder, folders, names in os.walk(context):
        folders[:] = sorted(name for name in folders if not _images.ignored(name))
        for name in sorted(names):
            full = os.path.join(folder, name)
            if _images.ignored(name) or not os.path.isfile(full):
                continue
            with open(full, "rb") as stream:
                files[os.path.relpath(full, context)] = (os.access(full, os.X_OK), stream.read())
    return files


def write_archive(files: Files, target: str) -> None:
    """A recipe as an archive that says nothing of who wrote it and when."""
    with tarfile.open(target, "w:gz") as archive:
        for path, (executable, content) in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(content), 0o755 if executable else 0o644, MODIFIED
            archive.addfile(entry, io.BytesIO(content))


class ActionModule(ActionBase):
    """See the module's documentation for its options."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ask once; where nothing differs, that is all."""
        result = super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        _validation, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        try:
            recipes = self._read_recipes(options)
        except MooringError as error:
            raise AnsibleActionFail(str(error)) from error
        digests = {context: _images.files_digest(files) for context, files in recipes.items()}
        self._arguments = {**options, "files": digests}
        result.update(self._ask())
        if result.get("failed") or self._task.check_mode or not result["builds"]:
            return result

        contexts = {
            _images.parse_reference(options["repository"], image["name"], image["tag"]): image["context"]
            for image in options["images"]
        }
        if not result["mmdebstrap"] and any(build["reference"] in result["bases"] for build in result["builds"]):
            failure = self._install_mmdebstrap()
            if failure:
                return {**result, **failure, "changed": False}
        total = len(result["builds"])
        for number, build in enumerate(result["builds"], start=1):
            context = contexts.get(build["reference"])
            failure = self._build(build, number, total, recipes[context] if context else None)
            if failure:
                return {**result, **failure, "changed": number > 1}
        return result

    def _read_recipes(self, options: dict[str, t.Any]) -> dict[str, Files]:
        """The files of each context that may be built."""
        # Before validation turned the tag into a text: 1.10 without quotes would become 1.1.
        for image in self._task.args["images"]:
            _images.parse_reference(options["repository"], image["name"], image["tag"])
        chosen = _images.select(options["build"], options["images"])
        return {context: read_recipe(context) for context in {image["context"] for image in chosen}}

    def _ask(self, **arguments: t.Any) -> dict[str, t.Any]:
        """One call of the host half."""
        return _steps.run_one(self, "distro_image", {**self._arguments, **arguments}, self._task_vars)

    def _install_mmdebstrap(self) -> dict[str, t.Any] | None:
        """The failure, or None."""
        display.display("distro_images: installing mmdebstrap")
        answer = self._execute_module(
            module_name="ansible.builtin.apt",
            module_args={"name": ["mmdebstrap", "debian-archive-keyring"], "install_recommends": False,
                         "update_cache": True, "cache_valid_time": 3600},
            task_vars=self._task_vars,
        )
        if not answer.get("failed"):
            return None
        return {"failed": True, "msg": f"mmdebstrap could not be installed: {answer.get('msg')}"}

    def _build(self, build: dict[str, t.Any], number: int, total: int, files: Files | None) -> dict[str, t.Any] | None:
        """Build one image or base; the failure, or None."""
        reference = build["reference"]
        display.display(f"distro_images: building {reference} ({number} of {total}): {build['reason']}")
        started = time.monotonic()
        answer = self._ask(step=reference, archive=self._send(files) if files else None)
        build["seconds"] = round(time.monotonic() - started)
        if answer.get("failed"):
            display.display(f"distro_images: {reference} failed after {build['seconds']} s")
            return answer
        display.display(f"distro_images: built {reference} in {build['seconds']} s")
        return None

    def _send(self, files: Files) -> str:
        """The path on the host of the recipe's archive."""
        shell = self._connection._shell
        if shell.tmpdir is None:
            self._make_tmp_path()
        target = shell.join_path(shell.tmpdir, "recipe.tar.gz")
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "recipe.tar.gz")
            write_archive(files, source)
            self._transfer_file(source, target)
        self._fixup_perms2([shell.tmpdir, target], execute=False)
        return target
