# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: files that are never seen half-written, and the lock beside them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import secrets
import shutil
import socket
import stat
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import File
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

TEMPORARY = ".mooring-new"


class Busy(MooringError):
    """Somebody else holds a lock."""


def read_text(path: str) -> str | None:
    """Content of a text file, None where there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_file(path: str) -> File | None:
    """A file with its mode and owner, or what lies in its place; a link counts as different from any file."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return File(b"", "link" if stat.S_ISLNK(status.st_mode) else "no file", status.st_uid)
        with open(path, "rb") as stream:
            return File(stream.read(), f"{stat.S_IMODE(status.st_mode):04o}", status.st_uid)
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextlib.contextmanager
def acting_as(uid: int) -> t.Iterator[None]:
    """Do what the block does with the rights of another user, if this process is root.

    For directories in which somebody else may write: a link that they put there
    while the block runs leads root to nothing that was not theirs anyway.
    """
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    gid = os.getegid()
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)


def write_file(path: str, content: bytes, mode: int, uid: int = 0, gid: int = 0, shared: bool = False) -> None:
    """Put a file in place in one step, with its mode and owner from the start.

    A reader sees the old file or the new one. The content is on the disk
    before the name changes, so a power cut leaves no empty file behind. ``shared``
    is for a file that several processes may write at once.
    """
    temporary = (f"{path}.{secrets.token_hex(4)}" if shared else path) + TEMPORARY
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    with _naming(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if (uid, gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, path)


@contextlib.contextmanager
def _naming(path: str) -> t.Iterator[None]:
    """Say of which file an error is: what fails to write to an open one does not know its name."""
    try:
        yield
    except OSError as error:
        error.filename = path
        raise


def make_directory(path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Create a directory, or give an existing one this mode and owner.

    Never by way of a link: where a container may write, one could lead anywhere.
    Raises :class:`MooringError` for what is not a directory.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError:
        raise MooringError(f"{path} is not a directory, but one is needed there. Move it away and run again.") from None
    try:
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != (uid, gid):
            os.fchown(descriptor, uid, gid)
            status = os.fstat(descriptor)
        # One that is right is not touched: it may lie on a file system that is read-only.
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def copy_file(source: str, target: str) -> None:
    """Copy a file with its mode, times and owner."""
    shutil.copy2(source, target, follow_symlinks=False)
    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)


def copy_tree(source: str, target: str) -> None:
    """Copy a directory with modes, times and owners; what is not a file, a link or a directory stays behind."""
    os.mkdir(target, 0o700)
    for item in os.scandir(source):
        copy = os.path.join(target, item.name)
        if item.is_dir(follow_symlinks=False):
            copy_tree(item.path, copy)
        elif item.is_file(follow_symlinks=False) or item.is_symlink():
            copy_file(item.path, copy)
    status = os.stat(source)
    os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)


def exchange(one: str, other: str) -> bool:
    """Let two paths change places in one step; False where kernel or file system cannot.

    renameat2(2) with RENAME_EXCHANGE, which Python does not offer: Linux 3.15,
    glibc 2.28, and among the file systems ext4, XFS, Btrfs and overlayfs.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    at_fdcwd, rename_exchange = -100, 2
    if library.renameat2(at_fdcwd, os.fsencode(one), at_fdcwd, os.fsencode(other), rename_exchange) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EXDEV):
        return False
    raise OSError(number, os.strerror(number), one, None, other)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def flock_within(stream: t.IO[t.Any], seconds: float) -> bool:
    """Take the kernel's lock on an open file; False where somebody else still has it after so many ``seconds``."""
    limit = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= limit:
                return False
        time.sleep(0.1)


@contextlib.contextmanager
def lock(path: str, what: str, seconds: float = 0) -> t.Iterator[None]:
    """Hold ``path`` as a lock; it ends with the process, however that ends.

    Waits so many ``seconds`` for whoever has it, and then raises :class:`Busy`, which
    names the holder.
    """
    with open(path, "a+", encoding="utf-8", opener=_no_link) as stream:
        if not flock_within(stream, seconds):
            raise Busy(f"{what} is being changed by {_holder(stream)}. Wait until it ends and run again.")
        stream.truncate(0)
        # A number of a process says little without the machine, or container, that counts them.
        json.dump({"pid": os.getpid(), "on": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S %Z")},
                  stream)
        stream.flush()
        yield


def _holder(stream: t.TextIO) -> str:
    stream.seek(0)
    try:
        holder = json.loads(stream.read())
        return f"process {holder['pid']} on {holder['on']} since {holder['since']}"
    except (ValueError, KeyError):
        return "another process"
