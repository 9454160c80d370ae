# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""./demo itself: it passes, and however it ends, nothing stays behind."""

import json
import os
import signal
import sys

from support import config, processes, sandbox
from support.daemon import why_no_kvm
from support.wait import wait_until

KIND = "demo"


class Demo:
    """scripts/demo.py at work, without ./demo's installing and building."""

    def __init__(self, world, *arguments):
        self._path = world.sandbox.path("demo.out")
        with open(self._path, "wb") as out:
            self.process = processes.spawn(
                [sys.executable, os.path.join(config.TOP, "scripts/demo.py"), *arguments],
                environment={"CHESHIRE_BUILD_DIR": config.build_directory()}, stdout=out, stderr=out)
        world.until_the_end(self)

    def said(self):
        with open(self._path) as out:
            return out.read()

    def wait_until_it_says(self, words):
        wait_until(f"the demo says '{words}'", lambda: words in self.said(), within_s=60, poll_s=0.02)

    def close(self):
        processes.end(self.process, asked_s=20)


def story_it_passes(world):
    path = world.sandbox.path("demo.json")
    demo = Demo(world, "--json", path)
    status = demo.process.wait(timeout=120)
    print(demo.said(), flush=True)
    assert status == 0, f"status {status}"
    assert demo.said().splitlines()[-1].startswith("PASS: ")
    assert "\033" not in demo.said(), "colours without a terminal"
    with open(path) as file:
        figures = json.load(file)
    assert figures["answered"] == figures["requests"] > 100, figures
    assert figures["cold_starts"] >= 20 and figures["instances_end"] == 0, figures
    assert figures["instances_peak"] == 4, figures
    assert figures["driver"] == ("qemu" if why_no_kvm() else "kvm"), figures
    assert set(figures["tiers_ms"]) == {figures["driver"], "qemu"}, figures
    for tiers in figures["tiers_ms"].values():
        assert set(tiers) == {"cold", "shell", "standby"}, figures
        assert all(0 < tier["p50"] <= tier["p99"] <= tier["max"] for tier in tiers.values()), figures
        assert tiers["standby"]["p50"] < tiers["cold"]["p50"], figures
    assert figures["pause"]["same_instance"], figures
    cold = figures["cold_start_ms"]
    assert 0 < cold["p50"] <= cold["p99"] <= cold["max"], figures
    assert sandbox.traces(KIND) == []


def story_interrupted_it_leaves_nothing(world):
    for number in (signal.SIGINT, signal.SIGTERM):
        demo = Demo(world)
        demo.wait_until_it_says("5 of 25")
        demo.process.send_signal(number)
        assert demo.process.wait(timeout=30) == 128 + number, demo.said()
        assert sandbox.traces(KIND) == []


def story_what_a_killed_one_left_the_next_one_removes(world):
    demo = Demo(world)
    demo.wait_until_it_says("5 of 25")
    left = children_with_pidfds(world, demo.process.pid)
    assert left, "the demo has no daemon"
    demo.process.kill()
    demo.process.wait()
    for process in left:
        assert process.ended(within_s=20), f"still there: {processes.command_line(process.pid)}"
    swept = sandbox.sweep(KIND)
    assert any(str(demo.process.pid) in words for words in swept), swept
    assert sandbox.traces(KIND) == []


def children_with_pidfds(world, pid):
    """The daemon and its VMs. A curl or a VM that ends while we look does not matter."""
    found = []
    for child in processes.children_of(pid):
        for each in (child, *processes.children_of(child)):
            try:
                found.append(world.until_the_end(processes.Pidfd(each)))
            except ProcessLookupError:
                pass
    return found
