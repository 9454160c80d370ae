#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Measures the whole daemon on this machine, with real VMs in a network namespace of its own.

  cold starts        one curl each, from zero VMs: the daemon's own record of every stage
  memory             PSS of one idle VM's process, nobody else running the same image
  packets            wrk through one VM: requests, and the packets that the VM took and gave
  idle               CPU time that a daemon without clients and VMs takes, by thread

The build is in build/, or where CHESHIRE_BUILD_DIR says. Needs root. A busy machine gives worse figures: the
load average is printed with them. With --check the bounds of SPECIFICATION.md decide the exit status: Cheshire's own
share of a cold start with QEMU is a part of the whole of it, the CPU time of an idle daemon one of a core.
"""

import argparse
import contextlib
import os
import statistics
import sys
import time

import demo
import demo_report

sys.path.insert(0, os.path.join(demo_report.TOP, "tests"))

from support import config, sandbox, stories, wait  # noqa: E402  (the path comes first)
from support.clients import curl, wrk  # noqa: E402
from support.hugepages import Hugepages, Unavailable  # noqa: E402
from support.telemetry import STAGES  # noqa: E402

IDLE_SLEEP = "500us"  # of the daemon whose CPU time is measured
OWN_SHARE_MAX = 0.05  # of a cold start's median
IDLE_MAX_PERCENT = 5  # of a core
SETTLE_S = 2.0  # a VM that has answered its last client is idle by then


@contextlib.contextmanager
def world_with(hugepages, image, service, **changes):
    """A daemon with one service, and nothing left of it afterwards."""
    world = stories.World(hugepages)
    try:
        yield world.start(images={"web": config.image(**image)}, services={"hello": config.service(**service)},
                          **changes)
    finally:
        world.close()


def cold_starts(hugepages, number):
    """[(record of the daemon, answer of curl)]; a request that is lost is an error."""
    taken = []
    with world_with(hugepages, {}, {"instances": (0, 1), "soft": 64, "idle_after": "100ms"}) as daemon:
        for ordinal in range(1, number + 1):
            daemon.wait_for_zero("hello")
            answer = curl()
            if not answer.ok:
                raise AssertionError(f"a request was lost: {answer}")
            # Telemetry shows it some milliseconds later (docs/telemetry.md).
            record = wait.wait_until("the cold start is told",
                                     lambda number=ordinal: daemon.telemetry.cold_starts().get(number), within_s=2)
            taken.append((record, answer))
    return taken


def one_vm(hugepages, seconds, connections):
    """Memory of one idle VM, then a load through it: figures by name."""
    with world_with(hugepages, {"body": 256}, {"instances": (1, 1), "soft": 1024}) as daemon:
        page = curl().body
        (pid,) = daemon.wait_for_vms("hello", 1, state="active").values()
        wait.wait_until("no flow is open",
                        lambda: daemon.telemetry.services()["hello"]["in_flight"] == 0, within_s=5)
        time.sleep(SETTLE_S)
        memory_mib = demo.mean_memory_mib([pid])
        before, began = packets(daemon), time.monotonic()
        result = wrk(connections=connections, seconds=seconds, expected_body=page)
        took_s, after = time.monotonic() - began, packets(daemon)
        if result.wrong or result.complaints:
            raise AssertionError(f"not every answer was right:\n{result.text}")
    return {
        "memory of one idle VM, MiB": memory_mib,
        "requests a second": result.per_second,
        "packets to the VM a second": (after[0] - before[0]) / took_s,
        "packets from the VM a second": (after[1] - before[1]) / took_s,
    }


def idle_daemon(hugepages, seconds):
    """CPU time of a daemon that nobody asks, in percent of a core: {thread: percent}."""
    with world_with(hugepages, {}, {"instances": (0, 1)},
                    worker={"flows_max": 65536, "idle_sleep": IDLE_SLEEP}) as daemon:
        time.sleep(SETTLE_S)
        before, began = cpu_of_threads(daemon.pid), time.monotonic()
        time.sleep(seconds)
        after, took_s = cpu_of_threads(daemon.pid), time.monotonic() - began
    percent = {}
    for tid, (name, cpu_ns) in after.items():
        percent[name] = percent.get(name, 0) + 100 * (cpu_ns - before.get(tid, (name, 0))[1]) / 1e9 / took_s
    return {"all threads": sum(percent.values()),
            **{name: value for name, value in sorted(percent.items()) if value >= 0.05}}


def cpu_of_threads(pid):
    """{thread id: (name, ns on a CPU)}"""
    threads = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        base = f"/proc/{pid}/task/{tid}"
        threads[tid] = (demo.read(f"{base}/comm").strip(), int(demo.read(f"{base}/schedstat").split()[0]))
    return threads


def packets(daemon):
    (instance,) = daemon.telemetry.instances().values()
    return instance["packets_to_guest"], instance["packets_from_guest"]


def show_cold_starts(taken):
    print(f"\ncold starts: {len(taken)}, in ms since the SYN was seen")
    print(f"  {'':<34}{'p50':>9}{'p99':>9}{'min':>9}{'max':>9}")
    rows = [(words, [record[key] / 1e6 for record, _ in taken]) for key, words in STAGES.items()]
    rows.append(("Cheshire's own share", [record["own_ns"] / 1e6 for record, _ in taken]))
    rows.append(("first byte at the client", [answer.first_byte_ms for _, answer in taken]))
    for words, values in rows:
        figures = demo_report.figures(values)
        print(f"  {words:<34}{figures['p50']:9.3f}{figures['p99']:9.3f}{min(values):9.3f}{figures['max']:9.3f}")


def own_share(taken):
    """The median of Cheshire's own share by the median of the whole, from the SYN to the SYN-ACK on the wire."""
    return (statistics.median(record["own_ns"] for record, _ in taken)
            / statistics.median(record["on_wire_ns"] for record, _ in taken))


def show_runs(runs, seconds, connections):
    print(f"\none VM: {len(runs)} runs, wrk with {connections} connections for {seconds} s each")
    print(f"  {'':<34}{'median':>9}{'min':>9}{'max':>9}")
    for name in runs[0]:
        values = [run[name] for run in runs]
        print(f"  {name:<34}{statistics.median(values):9.1f}{min(values):9.1f}{max(values):9.1f}")


def measure(options, hugepages):
    print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}, packet memory in "
          f"{'huge' if hugepages else 'ordinary'} pages", flush=True)
    bounds = []  # (what, figure, at most)
    if options.cold_starts:
        taken = cold_starts(hugepages, options.cold_starts)
        show_cold_starts(taken)
        bounds.append(("own share of a cold start", own_share(taken), OWN_SHARE_MAX))
    if options.idle:
        print(f"\nidle daemon, idle_sleep {IDLE_SLEEP}: percent of a core over {options.idle} s")
        figures = idle_daemon(hugepages, options.idle)
        for name, percent in figures.items():
            print(f"  {name:<34}{percent:9.1f}")
        bounds.append(("idle daemon, percent of a core", figures["all threads"], IDLE_MAX_PERCENT))
    runs = [one_vm(hugepages, options.seconds, options.connections) for _ in range(options.runs)]
    if runs:
        show_runs(runs, options.seconds, options.connections)
    print(f"\nload average at the end {os.getloadavg()[0]:.1f}")
    missed = [what for what, figure, most in bounds if figure > most]
    if options.check:
        print(f"measure: {'MISSED' if missed else 'met'}: "
              + ", ".join(f"{what} {figure:.3g} (at most {most:g})" for what, figure, most in bounds))
    return 1 if options.check and missed else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cold-starts", type=int, default=40, metavar="N", help="0: none (40)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of wrk through one VM; 0: none (5)")
    parser.add_argument("--idle", type=int, default=10, metavar="S", help="seconds of an idle daemon; 0: none (10)")
    parser.add_argument("--seconds", type=int, default=5, metavar="N", help="of each run (5)")
    parser.add_argument("--connections", type=int, default=32, metavar="N", help="of wrk (32)")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a bound is missed; the last line has them")
    return parser.parse_args()


def main():
    options = parse_arguments()
    for words in sandbox.sweep(stories.KIND):
        print(f"removed what a killed run had left: {words}")
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(Hugepages(stories.HUGEPAGES_BYTES))
            hugepages = True
        except Unavailable as error:
            print(f"no huge pages: {error}")
            hugepages = False
        return measure(options, hugepages)


if __name__ == "__main__":
    sys.exit(main())
