# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Runs the stories of one file: every function whose name starts with `story_`, in the order in which
they stand there, each in a world of its own.

Prints a line per story in GoogleTest's form, which scripts/test_summary.py counts. Exit status: 0 all
well, 1 a story failed, 77 nothing but skips.
"""

import contextlib
import os
import signal
import sys
import time
import traceback

from . import config, daemon, sandbox
from .hugepages import MIB, Hugepages, Unavailable
from .sandbox import Sandbox

KIND = "test"
HUGEPAGES_BYTES = 288 * MIB  # the daemon's packet memory and what EAL adds to it


class Skip(Exception):
    """This machine lacks something; the text says what."""


class World:
    """What a story lives in: a network namespace, and a daemon if it starts one. All is gone afterwards."""

    def __init__(self, hugepages):
        self.hugepages = hugepages
        self.sandbox = Sandbox(KIND)
        self.daemon = None
        self._to_end = []

    def config(self, services=None, images=None, **changes):
        """A configuration for this world; without arguments, one service `hello` on port 80."""
        return config.config(self.sandbox, hugepages=self.hugepages,
                             images=images or {"web": config.image()},
                             services=services or {"hello": config.service()}, **changes)

    def write(self, values, name="cheshire.yaml"):
        """Writes a configuration file; returns its path."""
        return config.write(self.sandbox.path(name), values)

    def start(self, values=None, environment=None, **changes):
        """Starts the daemon with config(**changes), or with these values, and waits until it is ready."""
        self.daemon = daemon.Daemon(self.sandbox, self.write(values or self.config(**changes)), environment)
        return self.daemon

    def until_the_end(self, thing):
        """thing.close() is called when the story is over."""
        self._to_end.append(thing)
        return thing

    def explain(self):
        """For a person who wants to know why a story failed: the daemon's numbers and its log."""
        with contextlib.suppress(OSError, ValueError, AttributeError):  # it may be gone, or never have come
            for command in ("services", "instances", "workers", "drops"):
                print(f"{command}: {self.daemon.telemetry.ask('/cheshire/' + command)}", file=sys.stderr)
        log = self.sandbox.path("daemon.log")
        if os.path.exists(log):
            with open(log, errors="replace") as file:
                daemon.show_log(file.read())

    def close(self):
        """Ends the daemon, and says so if it did not end as it should."""
        for thing in reversed(self._to_end):
            thing.close()
        status = self.daemon.stop() if self.daemon is not None else 0
        ended = self.sandbox.close()
        return status, ended


def run(module):
    """Runs all stories of a module. Returns the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)  # meson's time-out: clean up, then end
    if (why := _why_not()) is not None:
        return _skip_all(module, why)
    for words in sandbox.sweep(KIND):
        print(f"removed what a killed run had left: {words}", flush=True)
    try:
        with Hugepages(HUGEPAGES_BYTES):
            outcomes = [_run_one(story, hugepages=True) for story in _stories(module)]
    except Unavailable as error:
        print(f"no huge pages ({error}): ordinary pages instead", flush=True)
        outcomes = [_run_one(story, hugepages=False) for story in _stories(module)]
    if "FAILED" in outcomes:
        return 1
    return 77 if set(outcomes) == {"SKIPPED"} else 0


def _interrupt(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def _stories(module):
    stories = [thing for name, thing in vars(module).items() if name.startswith("story_")]
    assert stories, f"{module.__name__} has no story"
    return stories


def _why_not():
    if os.geteuid() != 0:
        return "needs root: network namespaces, taps"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun on this machine"
    return None


def _skip_all(module, why):
    for story in _stories(module):
        _print("SKIPPED", story, 0.0, why)
    return 77


def _run_one(story, hugepages):
    print(f"[ RUN      ] {_name(story)}", flush=True)
    began = time.monotonic()
    outcome, why = "OK", ""
    world = None
    try:
        world = World(hugepages)
        story(world)
    except Skip as skip:
        outcome, why = "SKIPPED", str(skip)
    except Exception:  # KeyboardInterrupt must end the run
        outcome = "FAILED"
        traceback.print_exc()
    finally:
        if world is not None:
            if outcome == "FAILED":
                world.explain()
            outcome = _close(world, outcome)
    _print(outcome, story, time.monotonic() - began, why)
    return outcome


def _close(world, outcome):
    """A story is only over when its world has gone in order."""
    log = world.daemon.log() if world.daemon is not None else ""
    status, ended = world.close()
    complaints = [f"had to be killed: {words}" for words in ended]
    if status != 0 and not (world.daemon and world.daemon.killed):
        complaints.append(f"the daemon ended with status {status}")
    complaints += [f"left behind: {words}" for words in sandbox.traces(KIND)]
    if not complaints:
        return outcome
    print(*complaints, sep="\n", file=sys.stderr, flush=True)
    if outcome != "FAILED":
        daemon.show_log(log)
    return "FAILED"


def _name(story):
    return f"{story.__module__}.{story.__name__.removeprefix('story_')}"


def _print(outcome, story, seconds, why):
    if why:
        print(f"{_name(story)}: Skipped\n{why}")
    print(f"[ {outcome:>8} ] {_name(story)} ({seconds * 1000:.0f} ms)", flush=True)


def main():
    """tests/system/run NAME: runs tests/system/NAME.py."""
    import importlib
    if len(sys.argv) != 2:
        sys.exit("usage: tests/system/run NAME")
    try:
        sys.exit(run(importlib.import_module(sys.argv[1])))
    except KeyboardInterrupt as interrupt:
        sys.exit(f"interrupted {interrupt}")
