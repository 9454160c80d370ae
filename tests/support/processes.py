# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Processes: children that die with us, and killing by pid without ever hitting a stranger.

A pid alone names nobody for long. Every signal here goes through a pidfd that was opened first and
whose process was then recognised, so that a reused pid is never hit.
"""

import os
import select
import signal
import subprocess

MARKER = "CHESHIRE_SANDBOX"  # environment variable of everything that runs in a sandbox


def start_time(pid):
    """Ticks since boot at which a process started, None where there is none: with the pid, a name."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def command_line(pid):
    """The words of a process's command line, empty where there is none (gone, or a zombie)."""
    return [os.fsdecode(word) for word in _proc_words(pid, "cmdline")]


def marker_of(pid):
    prefix = f"{MARKER}=".encode()
    for word in _proc_words(pid, "environ"):
        if word.startswith(prefix):
            return os.fsdecode(word[len(prefix):])
    return None


def _proc_words(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return [word for word in file.read().split(b"\0") if word]
    except OSError:
        return []


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children_of(pid):
    def parent(child):
        try:
            with open(f"/proc/{child}/stat", "rb") as stat:
                return int(stat.read().rpartition(b")")[2].split()[1])
        except OSError:
            return None
    return [child for child in all_pids() if parent(child) == pid]


class Pidfd:
    """A process that we may signal and whose end we can wait for, even if it is no child of ours."""

    def __init__(self, pid):
        self.pid = pid
        self._fd = os.pidfd_open(pid)  # ProcessLookupError where there is none

    def kill(self, sig=signal.SIGKILL):
        try:
            signal.pidfd_send_signal(self._fd, sig)
        except ProcessLookupError:
            pass  # ended meanwhile

    def ended(self, within_s=0.0):
        """Whether the process ends within that time. A zombie has ended."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))

    def close(self):
        os.close(self._fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def spawn(command, *, dies_by="KILL", environment=None, **popen):
    """Starts a child that gets the signal `dies_by` should we die, in a session of its own, so that a
    Ctrl-C reaches us alone."""
    # Should we die before setpriv is there, no signal comes: whoever finds another parent then ends by itself.
    mind_the_parent = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())]
    if dies_by not in ("KILL", "TERM"):
        mind_the_parent = []  # it is meant to get a signal, not to end
    return subprocess.Popen(["setpriv", "--pdeathsig", dies_by, "--", *mind_the_parent, *map(str, command)],
                            stdin=subprocess.DEVNULL, start_new_session=True,
                            env={**os.environ, **(environment or {})}, **popen)


def end(child, *, asked_s):
    """Asks a child of ours to end, kills it if it does not. Returns its exit status."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(asked_s)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()
