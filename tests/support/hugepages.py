# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Huge pages for a while: taken before a run, given back after the last one.

Several runs may hold pages at once. The first writes down how the machine was before; each holder has a
file that names it by pid and start time, so that a killed one is recognised; the last one to leave, or
the next one to come, puts everything back as it was. Should somebody else have changed the number of
pages in between, it is left as that somebody wants it.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess

from . import processes

MIB = 1024 * 1024


class Unavailable(Exception):
    """There are no huge pages to be had here; the text says why."""


class Machine:
    """The knobs of the real machine. The unit test has its own (tests/support/test_hugepages.py)."""

    state_directory = "/run/cheshire-hugepages"  # there only while somebody holds pages
    mount_point = "/dev/hugepages"
    knob = "/proc/sys/vm/nr_hugepages"  # also what is locked

    def _meminfo(self, key):
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        raise Unavailable(f"this kernel has no {key}")

    def page_bytes(self):
        return self._meminfo("Hugepagesize") * 1024

    def free_pages(self):
        return self._meminfo("HugePages_Free")

    def pages(self):
        with open(self.knob) as file:
            return int(file.read())

    def set_pages(self, number):
        with open(self.knob, "w") as file:
            file.write(str(number))

    def mounted(self):
        with open("/proc/mounts") as mounts:
            return any(line.split()[2] == "hugetlbfs" for line in mounts)

    def mount(self):
        """Returns whether the mount point had to be made."""
        made = not os.path.isdir(self.mount_point)
        if made:
            os.mkdir(self.mount_point)
        done = subprocess.run(["mount", "-t", "hugetlbfs", "none", self.mount_point],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(done.stderr.strip())
        return made

    def unmount(self, remove):
        if subprocess.run(["umount", self.mount_point], capture_output=True).returncode == 0 and remove:
            os.rmdir(self.mount_point)


class Hugepages:
    """with Hugepages(256 * MIB) as pages: …   Raises Unavailable, and then nothing has changed."""

    def __init__(self, wanted_bytes, machine=None, owner=None):
        self._machine = machine or Machine()
        self._bytes = wanted_bytes
        owner = owner or os.getpid()
        self._holder = f"{owner}-{processes.start_time(owner)}"

    def __enter__(self):
        machine = self._machine
        try:
            with self._locked():
                self._forget_the_dead()
                before = self._read("before") or self._look()
                self._write("before", before)
                try:
                    self._raise(before)
                except (OSError, Unavailable) as error:
                    self._put_back_if_last()
                    raise Unavailable(str(error)) from error
        except OSError as error:
            raise Unavailable(str(error)) from error
        self.pages = machine.pages()
        return self

    def __exit__(self, *_):
        with self._locked():
            self._remove(self._holder)
            self._forget_the_dead()
            self._put_back_if_last()

    def _look(self):
        return {"pages": self._machine.pages(), "set": None, "mounted_here": False, "made": False}

    def _raise(self, before):
        machine = self._machine
        own = -(-self._bytes // machine.page_bytes())
        held = sum(self._read(holder)["pages"] for holder in self._holders())
        wanted = before["pages"] + held + own
        if machine.pages() < wanted:
            before["set"] = wanted
            self._write("before", before)  # first, so that a kill right after it leaves a way back
            machine.set_pages(wanted)
            before["set"] = machine.pages()
            self._write("before", before)
        if machine.pages() < wanted or machine.free_pages() < own:
            raise Unavailable(f"{own} huge pages wanted, the kernel gives {machine.free_pages()}")
        if not machine.mounted():
            before["made"] = machine.mount()
            before["mounted_here"] = True
            self._write("before", before)
        self._write(self._holder, {"pages": own})

    def _put_back_if_last(self):
        before = self._read("before")
        if before is None or self._holders():
            return
        if before["mounted_here"]:
            self._machine.unmount(remove=before["made"])
        if before["set"] is not None and self._machine.pages() == before["set"]:
            self._machine.set_pages(before["pages"])
        shutil.rmtree(self._machine.state_directory)

    def _forget_the_dead(self):
        for holder in self._holders():
            pid, _, start = holder.partition("-")
            if str(processes.start_time(int(pid))) != start:
                self._remove(holder)
        self._put_back_if_last()

    def _holders(self):
        try:
            names = os.listdir(self._machine.state_directory)
        except FileNotFoundError:
            return []
        return [name for name in names if re.fullmatch(r"[0-9]+-[0-9]+", name)]

    @contextlib.contextmanager
    def _locked(self):
        with open(self._machine.knob) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, name):
        return os.path.join(self._machine.state_directory, name)

    def _read(self, name):
        try:
            with open(self._path(name)) as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def _write(self, name, value):
        os.makedirs(self._machine.state_directory, exist_ok=True)
        with open(self._path(name + ".new"), "w") as file:
            json.dump(value, file)
        os.rename(self._path(name + ".new"), self._path(name))

    def _remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))
