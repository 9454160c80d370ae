# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The overload experiment: two instances with 8 workers of 50 ms and a queue without an end, as an application
server has, and more clients than they can serve.

  settings   none        no limit: everybody is let in
             limit       in_flight.hard, the rest is told 503 by the data plane
             scale       likewise, and up to 8 instances
  loads      1.4, 2 and 4 times what two instances can serve: first 0.8 times for a while, then the step,
             then 0.8 times again
             flash: 700 requests a second from zero instances

The client is open-loop (bench/failfast/open_loop.h): real TCP, a connection a request, times from the moment at
which a request was to start. Prints a table; --json, --svg write files. The whole takes more than an hour: the
file of --json is written after each run, and --resume takes what it has and runs the rest. With --check the bounds of
SPECIFICATION.md are checked in a run of some minutes, with --quick in one of 20 seconds; the last line has the
figures, and the exit status is 1 when a bound is missed. --quick is a test, and leaves out what a busy machine
decides: times, and the last 15 % of the goodput.

Needs root, like the stories of tests/system. Leaves nothing behind.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "tests", "system"), os.path.dirname(os.path.abspath(__file__))]

from support import config, open_loop, stories  # noqa: E402  (the path comes first)
from support.hugepages import Hugepages, Unavailable  # noqa: E402

import report  # noqa: E402

WORKERS, SERVICE_MS = 8, 50
CAPACITY = 2 * WORKERS * 1000 / SERVICE_MS  # requests a second of two instances
HARD = 12  # eight are worked on, four wait: an answer takes at most two service times
FLASH_PER_SECOND = 700
TIMEOUT_S = 60
SOURCES = 64
NO_LIMIT = 65536
FLOWS_MAX = 262144  # without a limit: all that four times the capacity opens until the first clients give up

SETTINGS = ("none", "limit", "scale")


def service(setting, load):
    most = 8 if setting == "scale" else 2
    least = 0 if load == "flash" else 2
    values = {"instances": (least, most), "idle_after": "10s", "hold": {"syns_max": 256, "time_max": "3s"},
              "overload": {"action": "http503", "retry_after": "1s", "retry_jitter": "2s", "per_source": 0}}
    if setting == "none":
        return config.service(soft=NO_LIMIT, **values)
    return config.service(soft=8, hard=HARD, **values)


def phases(load, requests, quick):
    if load == "flash":
        return [f"{FLASH_PER_SECOND}x{30 if not quick else 5}"]
    rate = CAPACITY * float(load)
    calm = 0.8 * CAPACITY
    calm_s = 2 if quick else 4
    return [f"{calm:.0f}x{calm_s}", f"{rate:.0f}x{requests / rate:.3f}", f"{calm:.0f}x{calm_s}"]


def worker_first(daemon):
    """A polling worker is meant to have a CPU of its own. Here it shares: it gets real-time priority, so that times
    on it are its own and not those of the client. It naps when idle, so nobody starves."""
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{task}/comm") as file:
            if file.read().strip() == "cheshire-worker":
                with contextlib.suppress(PermissionError):
                    os.sched_setscheduler(int(task), os.SCHED_FIFO, os.sched_param(1))
                    return True
    return False


def run(setting, load, requests, quick, hugepages):
    """One load on one setting: the client's result, with what the data plane says of it."""
    world = stories.World(hugepages)
    try:
        image = {**config.image(workers=WORKERS, service_us=SERVICE_MS * 1000, quiet=1), "memory": "64MiB"}
        daemon = world.start(images={"web": image}, services={"hello": service(setting, load)},
                             worker={"flows_max": FLOWS_MAX, "idle_sleep": "50us"})
        open_loop.give_sources(SOURCES)
        first = worker_first(daemon)
        if load != "flash":
            daemon.wait_for_instances("hello", within_s=20, active=2)
        plan = phases(load, requests, quick)
        result = open_loop.load(*plan, sources=SOURCES, timeout=TIMEOUT_S, bucket=0.1, within_s=3600)
        result.update(setting=setting, load=load, phases=plan, worker_first=first, admission=daemon.telemetry.admission(),
                      worker=daemon.telemetry.workers()["0"], service=daemon.telemetry.services()["hello"])
        return result
    finally:
        world.close()


def flood(hugepages):
    """(SYNs a second sent, boots before curl came, whether curl was served): from invented addresses, at zero."""
    import time
    from syn_flood import FLOOD_S, Flood
    from support import clients
    world = stories.World(hugepages)
    try:
        rules = {"challenge": "wake", "syn_rate": 0}
        daemon = world.start(services={"hello": config.service(idle_after="5s", flood=rules)})
        sender = world.until_the_end(Flood())
        time.sleep(FLOOD_S)
        boots, sent = daemon.telemetry.services()["hello"]["boots"], sender.sent
        answer = clients.curl(max_time_s=20)
        sender.close()
        return sent / FLOOD_S, boots, answer.ok
    finally:
        world.close()


def rejections():
    """(whether the bounds of one core are kept, the last line of refusal_bench)."""
    done = subprocess.run([config.built("bench/refusal_bench"), "--check"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120)
    return done.returncode == 0, (done.stdout.splitlines() or ["refusal_bench said nothing"])[-1]


def plan_of(options):
    """[(setting, load)] and the requests of each."""
    if options.quick:
        return [("limit", "2"), ("scale", "flash")], int(CAPACITY * 2 * 3)
    if options.check:
        loads = [("limit", load) for load in ("1.4", "2", "4")]
        return loads + [("none", "2"), ("scale", "2"), ("scale", "flash")], int(CAPACITY * 2 * 15)
    return [(setting, load) for load in ("1.4", "2", "4", "flash") for setting in SETTINGS], options.requests


def read_results(path):
    """The results of an earlier run; none where there is no such file."""
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return []
    except ValueError as error:
        sys.exit(f"failfast: {path} is not a file of results: {error}; remove it, or leave --resume out")


def write_results(path, results):
    """Whole or not at all: a run that is killed loses only the load that it was at."""
    with open(path + ".part", "w") as file:
        json.dump(results, file)
        file.write("\n")
    os.replace(path + ".part", path)


def run_plan(plan, requests, hugepages, options, out):
    """The results of all loads, in the plan's order; those that --resume has are not run again."""
    results = {(result["setting"], result["load"]): result
               for result in (read_results(options.json) if options.resume else [])
               if result["phases"] == phases(result["load"], requests, options.quick)}
    for setting, load in plan:
        if (setting, load) not in results:
            results[setting, load] = run(setting, load, requests, options.quick, hugepages)
            if options.json and options.json != "-":
                write_results(options.json, list(results.values()))
        print(report.row(results[setting, load]), file=out, flush=True)
    return [results[key] for key in plan]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300_000, help="of each load above capacity (%(default)s)")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="all results; to stdout without a file")
    parser.add_argument("--svg", metavar="FILE", help="latency and answers over time, at twice the capacity")
    parser.add_argument("--check", action="store_true", help="a run of some minutes against the bounds")
    parser.add_argument("--quick", action="store_true", help="a run of 20 seconds against the bounds")
    parser.add_argument("--only", metavar="SETTING:LOAD", action="append", default=[],
                        help="of the plan only this, like limit:2; may be given several times")
    parser.add_argument("--resume", action="store_true", help="the runs that the file of --json has are not run again")
    options = parser.parse_args()
    if options.resume and options.json in (None, "-"):
        parser.error("--resume needs --json FILE, the file of the run that was cut off")
    if os.geteuid() != 0:
        print("failfast: needs root: network namespaces, taps")
        return 77
    plan, requests = plan_of(options)
    strange = set(options.only) - {f"{setting}:{load}" for setting, load in plan}
    if strange:
        parser.error(f"--only {min(strange)}: not in the plan, which has "
                     + ", ".join(f"{setting}:{load}" for setting, load in plan))
    plan = [run for run in plan if not options.only or ":".join(run) in options.only]
    out = sys.stderr if options.json == "-" else sys.stdout
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(Hugepages(stories.HUGEPAGES_BYTES))
            hugepages = True
        except Unavailable:
            hugepages = False
        print(f"two instances of {WORKERS} workers and {SERVICE_MS} ms: {CAPACITY:.0f} requests a second; "
              f"hard {HARD}; load average {os.getloadavg()[0]:.1f}", file=out)
        print(report.HEAD, file=out, flush=True)
        results = run_plan(plan, requests, hugepages, options, out)
        extra = [flood(hugepages), rejections()] if options.check else []
    if options.json == "-":
        json.dump(results, sys.stdout)
        print()
    if options.svg:
        with open(options.svg, "w") as file:
            file.write(report.svg(results, CAPACITY))
    missed, figures = report.judge(results, CAPACITY, SERVICE_MS, strict=not options.quick)
    if extra:
        (syns, boots, served), (fast_enough, words) = extra
        print(words, file=out)
        figures += f"; flood of {syns:.0f} SYNs/s: {boots} boots, curl {'served' if served else 'not served'}; {words}"
        if boots or not served:
            missed.append("a flood booted an instance, or kept curl out")
        if not fast_enough:
            missed.append("rejections a second and core")
    for words in missed:
        print(f"missed: {words}", file=out)
    print(f"failfast: {figures}; {'all bounds kept' if not missed else f'{len(missed)} missed'}", file=out)
    return 1 if missed and (options.check or options.quick) else 0


if __name__ == "__main__":
    sys.exit(main())
