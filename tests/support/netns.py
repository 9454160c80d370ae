# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Network namespaces. The calling thread steps into one; what it starts afterwards lives there too."""

import ctypes
import os
import subprocess

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    """Runs iproute2's ip in the namespace of the calling thread."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def exists(name):
    return os.path.exists(f"/run/netns/{name}")


def named(prefix):
    try:
        return [name for name in os.listdir("/run/netns") if name.startswith(prefix)]
    except FileNotFoundError:
        return []


def delete(name):
    if exists(name):
        ip("netns", "delete", name)


def _enter(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A namespace of our own, entered for the life of the object: loopback up, IPv6 off (its router
    solicitations would be noise in the counters)."""

    def __init__(self, name):
        self.name = name
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ip("netns", "add", name)
        inside = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(inside)
        finally:
            os.close(inside)
        for which in ("all", "default"):
            knob = f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6"
            if os.path.exists(knob):
                with open(knob, "w") as file:
                    file.write("1")
        ip("link", "set", "lo", "up")

    def close(self):
        _enter(self._before)
        os.close(self._before)
        delete(self.name)
