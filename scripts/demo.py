#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The main job, shown on this machine: a daemon on a tap in a network namespace of its own, real VMs, and
curl as the client.

  act 1   at least 20 cold starts: nobody is there, a SYN comes, a VM boots and answers it
  act 2   load rises and falls, and the VMs follow; the daemon tells why, for each step
  act 3   many connections at once: more VMs join, all requests are answered, and nobody is left at the end
  act 4   VMs that are kept ready, in a shell or on standby: how much faster, on our own VMM and on QEMU
  act 5   a connection goes quiet: its VM sleeps, and wakes for the next request
  act 6   more requests than a VM can serve: what clients see without a limit, and with one

Leaves nothing behind, also when interrupted, and removes what a killed earlier run left. Exit status: 0 if
every request was answered, no VM was left and at least 20 cold starts were measured.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import demo_report as report
import demo_tiers as tiers

sys.path.insert(0, os.path.join(report.TOP, "tests"))

import demo_load as load  # noqa: E402  (the path comes first)
import demo_overload as overload  # noqa: E402  (the path comes first)

from support import config, daemon, sandbox, wait  # noqa: E402  (the path comes first)
from support.clients import Curl, url  # noqa: E402
from support.hugepages import MIB, Hugepages, Unavailable  # noqa: E402

KIND = "demo"
COLD_STARTS_MIN = 20
HUGEPAGES_BYTES = 288 * MIB  # the packet memory of examples/demo.yaml and what EAL adds to it

BUSY_PORT, BUSY_REQUESTS, BUSY_AT_ONCE = 8080, 240, 24


class Interrupted(BaseException):
    pass


class Demo:
    """One performance. `out` collects what happened; screen shows it."""

    def __init__(self, cold_starts, screen):
        self.cold_starts = cold_starts
        self.screen = screen
        self.out = report.Outcome()
        self.trace = None  # the file of the daemon's decisions

    def play(self):
        """All acts, with everything set up before and removed after them."""
        for words in sandbox.sweep(KIND):
            self.screen.line(f"removed what a killed run had left: {words}")
        with contextlib.ExitStack() as stack:
            hugepages = self._take_hugepages(stack)
            place = sandbox.Sandbox(KIND)
            stack.callback(lambda: self.out.left_behind.extend(place.close()))
            self.trace = place.path("decisions.trace")
            path = write_config(place, hugepages, self.trace)
            try:
                running = daemon.Daemon(place, path)
                stack.callback(running.kill)  # for the case that an act fails; else it has ended by then
                self._perform(place, running)
            except Exception:
                daemon.show_log(read(place.path("daemon.log")))
                raise
        self.out.left_behind += sandbox.traces(KIND)

    def _take_hugepages(self, stack):
        try:
            stack.enter_context(Hugepages(HUGEPAGES_BYTES))
            self.screen.fact("memory", "256 MiB of packet memory in huge pages")
            return True
        except Unavailable as error:
            self.screen.fact("memory", f"256 MiB of packet memory in ordinary pages ({error})")
            return False

    def _perform(self, place, running):
        self.screen.fact("network", f"tap {config.TAP} in the namespace cheshire-{place.name}")
        taken = tiers.DriverTaken(running.log())
        self.out.driver = taken.name
        self.screen.fact("driver", f"auto took {taken.name}; the daemon's words: {taken.words}")
        self._ping(running)
        self._act_1(running)
        self._act_2(running)
        self._act_3(running)
        self._act_4(running, taken)
        self._act_5(running)
        self._act_6(running)
        status = running.stop()
        if status != 0:
            raise AssertionError(f"the daemon ended with status {status}")

    def _ping(self, running):
        """Also lets the client learn the VIP's MAC address, which is not what act 1 measures."""
        done = subprocess.run(["ping", "-n", "-q", "-c", "1", "-W", "2", config.VIP], capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"{config.VIP} does not answer ping")
        woken = sum(service["cold_starts"] for service in running.telemetry.services().values())
        if woken:
            raise AssertionError("a ping woke a VM")
        self.screen.fact("ping", f"{config.VIP} answers, the daemon itself: no VM was woken")

    def _act_1(self, running):
        self.screen.title(f"Act 1: nobody is there; {self.cold_starts} times one curl, each from zero VMs")
        for number in range(1, self.cold_starts + 1):
            running.wait_for_zero("hello")
            record, answer = tiers.one_start(running, self._request, "hello", 80)
            if answer.ok and record is not None and record["tier"] == "cold":
                self.out.cold_starts.append(report.ColdStart(record, answer))
            self.screen.cold_start_progress(self.out.cold_starts, number, self.cold_starts)
        self.screen.cold_starts(self.out)

    def _act_2(self, running):
        self.screen.title(f"Act 2: load rises and falls: {', then '.join(load.WAVE_PHASES)} requests a second x seconds; "
                          "a VM is to have 40 a second")
        wave = load.Wave(running, report.ScaleLog(self.screen), lambda look: self._until_zero(running, look))
        self.out.requests += wave.requests
        self.out.answered += wave.answered
        self.out.steps = wave.steps(self.trace)
        self.screen.line(f"{wave.answered} of {wave.requests} answered. Why the size changed, by `cheshire trace`:")
        for ms, words in self.out.steps:
            self.screen.line(f"{ms:8.1f} ms  {words}")

    def _act_3(self, running):
        self.screen.title(f"Act 3: {BUSY_REQUESTS} requests, {BUSY_AT_ONCE} at once, 20 ms of work each")
        log = report.ScaleLog(self.screen)
        transfer = Curl(url(BUSY_PORT), times=BUSY_REQUESTS, at_once=BUSY_AT_ONCE, max_time_s=30)
        try:
            while transfer.running():
                service = log.look(running.telemetry.services()["busy"])
                if service["active"] == service["max"] and self.out.instance_memory_mib is None:
                    self.out.instance_memory_mib = mean_memory_mib(
                        running.wait_for_vms("busy", service["max"]).values())
            answers = self._count(transfer)
        finally:
            transfer.close()
        self.out.instances_peak = log.peak
        per_vm = sorted((sum(1 for answer in answers if answer.instance == name)
                         for name in {answer.instance for answer in answers if answer.ok}), reverse=True)
        self.screen.line(f"{sum(per_vm)} of {BUSY_REQUESTS} answered in {transfer.seconds:.2f} s, "
                         f"by {len(per_vm)} VMs: {' + '.join(map(str, per_vm))}")
        self._until_zero(running, lambda: log.look(running.telemetry.services()["busy"]))

    def _until_zero(self, running, look=lambda: None):
        def at_zero():
            look()
            left[:] = tiers.in_use(running)
            return not left
        left = []
        with contextlib.suppress(wait.TookTooLong):  # the verdict says what is left
            wait.wait_until("no VM is left", at_zero, within_s=15)
        self.out.instances_left += left

    def _act_4(self, running, taken):
        self.screen.title(f"Act 4: VMs that are kept ready; {tiers.STARTS} starts of each tier, ms from SYN "
                          "to SYN-ACK on the wire")
        tiers.measure_tiers(running, taken, self._request, self.out)
        self.screen.tiers(self.out, tiers.TIERS)

    def _act_5(self, running):
        self.screen.title("Act 5: a connection goes quiet, and its VM sleeps with it")
        self.out.requests += 2
        self.out.nap = nap = tiers.Nap(running)
        self.out.answered += nap.answered
        self.screen.line(f"{nap.falls_asleep_ms:8.1f} ms after its answer it was paused; then, in "
                         f"{tiers.ASLEEP_S} s, it used {nap.cpu_us:.0f} us of CPU time")
        self.screen.line(f"{nap.answered_ms:8.1f} ms after the next request on the same connection "
                         f"{'the same' if nap.same_instance else 'ANOTHER'} instance answered")
        self._until_zero(running)

    def _act_6(self, running):
        self.screen.title(f"Act 6: {overload.PER_SECOND} requests a second for {overload.SECONDS} s, to one VM that "
                          "can serve 50")
        self.out.overload = overload.Overload()
        for line in self.out.overload.lines():
            self.screen.line(line)
        self._until_zero(running)

    def _request(self, address):
        transfer = Curl(address)
        try:
            (answer,) = self._count(transfer)
            return answer
        finally:
            transfer.close()

    def _count(self, transfer):
        """Counts requests and right answers: each body names the VM that the header names."""
        answers = transfer.answers()
        self.out.requests += transfer.requests
        wanted = Counter(f"Hello from grin {answer.instance}" for answer in answers if answer.ok)
        self.out.answered += (wanted & Counter(transfer.bodies.splitlines())).total()
        return answers


def write_config(place, hugepages, trace):
    """examples/demo.yaml, made to fit this machine and this run."""
    text = read(os.path.join(report.TOP, "examples/demo.yaml"))
    for pattern, replacement, times in (
            (r"^name: .*$", f"name: {place.name}", 1),
            (r"^runtime_dir: .*$", f"runtime_dir: {place.path('run')}", 1),
            (r"\bhugepages: \w+", f"hugepages: {'true' if hugepages else 'false'}", 1),
            (r"^  trace: .*$", f"  trace: {trace}", 1),
            (r"\bkernel: \.\./build/", f"kernel: {config.build_directory()}/", 3)):
        text, done = re.subn(pattern, lambda _, words=replacement: words, text, flags=re.MULTILINE)
        if done != times:
            raise AssertionError(f"examples/demo.yaml: {pattern} is there {done} times, not {times}")
    path = place.path("demo.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def mean_memory_mib(pids):
    """What a VM's process costs: its private pages and its share of the shared ones (PSS)."""
    sizes = []
    for pid in pids:
        with contextlib.suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+) kB", read(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
            sizes += [int(found[1]) / 1024] if found else []
    return sum(sizes) / len(sizes) if sizes else None


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, prog="./demo",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    parser.add_argument("--cold-starts", type=int, default=25, metavar="N",
                        help=f"in act 1, {COLD_STARTS_MIN} at least (25)")
    options = parser.parse_args()
    if options.cold_starts < COLD_STARTS_MIN:
        parser.error(f"--cold-starts: {COLD_STARTS_MIN} at least")
    return options


def on_signals(handler):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def interrupt(number, _):
    on_signals(signal.SIG_IGN)  # what follows is cleaning up, which shall not be interrupted
    raise Interrupted(number)


def main():
    options = parse_arguments()
    on_signals(interrupt)
    screen = report.Screen(sys.stdout)
    demo = Demo(options.cold_starts, screen)
    began = time.monotonic()
    try:
        screen.title("Cheshire: servers that appear when a client looks for them")
        demo.play()
    except Interrupted as interrupted:
        number = interrupted.args[0]
        print(f"demo: {signal.Signals(number).name}: stopped, nothing is left behind", file=sys.stderr)
        return 128 + number
    except (AssertionError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        demo.out.failure = str(error)
    if options.json:
        demo.out.write_json(options.json)
    return screen.verdict(demo.out, COLD_STARTS_MIN, time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
