# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A private place for one daemon and its clients, of which nothing stays.

A sandbox is named after its kind, its owner's pid and a number: demo-4711-1. From the name follow all
the traces that it can leave, so that the next run finds those of a killed one without having been told:

    /run/cheshire-demo/4711-1/      owner, configuration, log, the daemon's runtime_dir
    cheshire-demo-4711-1            network namespace
    demo-4711-1                     name of the daemon: /run/dpdk/cheshire-demo-4711-1, huge page files
    CHESHIRE_SANDBOX=…              in the environment of every process in it
"""

import glob
import itertools
import json
import os
import shutil

from . import netns, processes

_numbers = itertools.count(1)


def state_root(kind):
    return f"/run/cheshire-{kind}"


class Sandbox:
    def __init__(self, kind):
        self.kind = kind
        self._id = f"{os.getpid()}-{next(_numbers)}"
        self.name = f"{kind}-{self._id}"
        self.directory = os.path.join(state_root(kind), self._id)
        owner = {"pid": os.getpid(), "start": processes.start_time(os.getpid()), "boot": processes.boot_id()}
        self.marker = _marker(self.directory, owner)
        os.makedirs(self.directory, mode=0o700)
        _write_owner(self.directory, owner)
        self.namespace = None
        try:
            self.namespace = netns.Namespace(f"cheshire-{self.name}")
        except BaseException:
            self.close()
            raise

    @property
    def environment(self):
        return {processes.MARKER: self.marker}

    def path(self, name):
        return os.path.join(self.directory, name)

    def close(self):
        """Ends what still runs in the sandbox and removes its traces. Returns what it had to end by
        force: a list of command lines, empty where everything had ended by itself."""
        if self.namespace is not None:
            self.namespace.close()
            self.namespace = None
        ended = _end_processes(self.directory, self.marker)
        _remove_traces(self.kind, self._id)
        return ended


def traces(kind):
    """What sandboxes of this kind left on the machine, as words for a person; empty when all is well.
    Those of living owners other than us count for nothing: they are in use."""
    left = []
    for sandbox_id in _ids(kind):
        owner = _owner(os.path.join(state_root(kind), sandbox_id))
        if owner is not None and owner["pid"] != os.getpid() and _alive(owner):
            continue
        left += [path for path in _paths(kind, sandbox_id) if os.path.lexists(path)]
        if netns.exists(f"cheshire-{kind}-{sandbox_id}"):
            left.append(f"network namespace cheshire-{kind}-{sandbox_id}")
    ours = f"{state_root(kind)}/{os.getpid()}-"
    for pid in processes.all_pids():
        words = " ".join(processes.command_line(pid))
        if pid != os.getpid() and (ours in words or ours in (processes.marker_of(pid) or "")):
            left.append(f"process {pid}: {words}")
    return left


def sweep(kind):
    """Removes what sandboxes of dead owners left. Returns words for a person, one per sandbox."""
    swept = []
    for sandbox_id in _ids(kind):
        directory = os.path.join(state_root(kind), sandbox_id)
        owner = _owner(directory)
        if owner is None:
            # Nothing says whose it was. Its pid is in its name; only a free pid proves that it is dead.
            if processes.start_time(int(sandbox_id.split("-")[0])) is not None:
                continue
        elif _alive(owner):
            continue
        ended = _end_processes(directory, _marker(directory, owner)) if owner else []
        _remove_traces(kind, sandbox_id)
        swept.append(f"{kind}-{sandbox_id}" + (f", {len(ended)} processes" if ended else ""))
    return swept


def _ids(kind):
    """Of every sandbox of the kind of which any trace is there."""
    names = netns.named(f"cheshire-{kind}-") + \
        [os.path.basename(path) for path in glob.glob(f"/run/dpdk/cheshire-{kind}-*")]
    found = {name.removeprefix(f"cheshire-{kind}-") for name in names}
    if os.path.isdir(state_root(kind)):
        found.update(os.listdir(state_root(kind)))
    return sorted(name for name in found if _is_id(name))


def _is_id(name):
    pid, _, number = name.partition("-")
    return pid.isdecimal() and number.isdecimal()


def _paths(kind, sandbox_id):
    prefix = f"cheshire-{kind}-{sandbox_id}"
    return [os.path.join(state_root(kind), sandbox_id), f"/run/dpdk/{prefix}", *hugepage_files(prefix)]


def hugepage_files(prefix):
    """Of a DPDK process with this file prefix, in whichever hugetlbfs it chose."""
    found = []
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, mount_point, filesystem = line.split()[:3]
            if filesystem == "hugetlbfs":
                found += glob.glob(f"{mount_point}/{prefix}map_*")
    return found


def _remove_traces(kind, sandbox_id):
    netns.delete(f"cheshire-{kind}-{sandbox_id}")
    *others, directory = reversed(_paths(kind, sandbox_id))
    for path in others:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.unlink(path)
    shutil.rmtree(directory, ignore_errors=True)  # last: as long as it is there, a sweep knows the owner
    try:
        os.rmdir(state_root(kind))
    except OSError:
        pass  # other sandboxes are in it


def _end_processes(directory, marker):
    """Kills what runs in the sandbox: the command line names the directory, and the environment carries
    the marker, in which the owner's start time and the machine's boot make the pid unmistakable."""
    ended = []
    for pid in processes.all_pids():
        if pid == os.getpid():
            continue
        try:
            process = processes.Pidfd(pid)
        except OSError:
            continue
        with process:
            words = " ".join(processes.command_line(pid))
            if directory in words and processes.marker_of(pid) == marker:
                process.kill()
                process.ended(within_s=5.0)
                ended.append(words)
    return ended


def _marker(directory, owner):
    return f"{directory} {owner['start']} {owner['boot']}"


def _write_owner(directory, owner):
    path = os.path.join(directory, "owner")
    with open(path + ".new", "w") as file:
        json.dump(owner, file)
    os.rename(path + ".new", path)


def _owner(directory):
    try:
        with open(os.path.join(directory, "owner")) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _alive(owner):
    return owner["boot"] == processes.boot_id() and processes.start_time(owner["pid"]) == owner["start"]
