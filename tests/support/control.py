# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The control socket (docs/control.md), spoken to as a program does, and `cheshire` as a person does."""

import json
import os
import socket
import subprocess

from . import config, processes


class Control:
    """A connection to a daemon's control socket."""

    def __init__(self, path, timeout_s=5.0):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        self._unread = b""
        try:
            self._socket.connect(path)
        except BaseException:
            self._socket.close()
            raise

    def send(self, data):
        self._socket.sendall(data)

    def ask(self, **command):
        self.send(json.dumps(command).encode() + b"\n")
        return self.answer()

    def answer(self):
        while b"\n" not in self._unread:
            data = self._socket.recv(65536)
            if not data:
                return None
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Done:
    """What a `cheshire` came to."""

    def __init__(self, process, words):
        self.status = process.returncode
        self.words = words

    def __repr__(self):
        return f"status {self.status}: {self.words}"


def cheshire(*words, within_s=15.0):
    """Runs the client to its end."""
    process = processes.spawn([config.built("tools/cheshire"), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    try:
        text, _ = process.communicate(timeout=within_s)
    finally:
        processes.end(process, asked_s=0)
    return Done(process, text)


def tell(daemon, *words):
    """The same for this daemon, where it has to be obeyed."""
    verb, *rest = words
    if verb == "scale":
        subcommand, *rest = rest
        done = cheshire("scale", subcommand, "--daemon", daemon.name, *rest)
    else:
        done = cheshire(verb, "--daemon", daemon.name, *rest)
    assert done.status == 0, f"cheshire {' '.join(words)}: {done}"
    return done.words


def socket_path(world):
    return os.path.join(world.sandbox.path("run"), world.sandbox.name, "control.sock")
