# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What ./demo shows of the ways to keep VMs ready: which driver runs them, its tiers beside QEMU's, and an
instance that sleeps with its connections."""

import re
import time

from support import wait
from support.clients import KeepAlive, url

TIERS = ("cold", "shell", "standby")
STARTS = 10  # of each tier of each driver
PORTS = {"kvm": 8101, "qemu": 8201}  # examples/demo.yaml: of the cold service; the other tiers' come next
SERVICES = {"kvm": "auto", "qemu": "qemu"}  # … and how the names of their services begin

SLEEPY_PORT = 8300
SETTLED_S, ASLEEP_S = 0.1, 0.5

# States of instances that nobody uses or waits for.
KEPT_READY = {"preparing", "shell", "warming", "pausing", "standby"}


class DriverTaken:
    """What `driver: auto` came to, by the daemon's log."""

    def __init__(self, log):
        kvm = re.search(r": driver (kvm, .*)$", log, re.MULTILINE)
        why_not = re.search(r": driver: auto: (qemu, because kvm is not to be had: (.*))$", log, re.MULTILINE)
        if not kvm and not why_not:
            raise AssertionError("the daemon does not say which driver it took")
        self.name = "kvm" if kvm else "qemu"
        self.words = (kvm or why_not)[1]
        self.why_no_kvm = None if kvm else why_not[2]


def in_use(running):
    """Instances that are there because somebody wants or wanted them, each with its state."""
    return [f"{name} ({instance['state']})" for name, instance in running.telemetry.instances().items()
            if instance["state"] not in KEPT_READY]


def one_start(running, request, service, port):
    """One curl that starts an instance: (what telemetry says of the start, curl's answer). Telemetry is some
    milliseconds late; the record is None where there was no start, or several."""
    seen = running.telemetry.cold_starts().keys()
    answer = request(url(port))

    def new():
        return [record for number, record in running.telemetry.cold_starts().items()
                if number not in seen and record["service"] == service]
    try:
        records = wait.wait_until("the start is in telemetry", new, within_s=0.5)
    except wait.TookTooLong:
        records = []
    return records[0] if len(records) == 1 else None, answer


class Cell:
    """One tier of one driver: so many starts, each from that tier."""

    def __init__(self, running, driver, tier):
        self._running = running
        self._service = f"{SERVICES[driver]}-{tier}"
        self._port = PORTS[driver] + TIERS.index(tier)
        self._tier = tier
        self.memory_bytes = None  # of the instance on standby

    def measure(self, request):
        """ms from the SYN to the SYN-ACK on the wire of each start; fewer than STARTS if one was lost."""
        times_ms = []
        for _ in range(STARTS):
            self._wait_until_it_is_kept_ready()
            record, answer = one_start(self._running, request, self._service, self._port)
            if record is None or not answer.ok:
                continue
            if record["tier"] != self._tier:
                raise AssertionError(f"a start of {self._service} was one from {record['tier']}")
            times_ms.append(record["on_wire_ns"] / 1e6)
        self._wait_until_it_is_kept_ready()
        return times_ms

    def _wait_until_it_is_kept_ready(self):
        states = [] if self._tier == "cold" else [self._tier]

        def there():
            instances = [instance for instance in self._running.telemetry.instances().values()
                         if instance["service"] == self._service]
            if self._tier == "standby" and instances:
                self.memory_bytes = instances[0].get("memory_bytes")
            return [instance["state"] for instance in instances] == states
        wait.wait_until(f"{self._service} is ready for the next start", there, within_s=5)


def measure_tiers(running, taken, request, out):
    """Fills out.tiers_ms and out.idle_memory_kib."""
    for driver in PORTS:
        if driver == "kvm" and taken.why_no_kvm is not None:
            out.kvm_missing = taken.why_no_kvm
            continue
        out.tiers_ms[driver] = {}
        for tier in TIERS:
            cell = Cell(running, driver, tier)
            out.tiers_ms[driver][tier] = cell.measure(request)
            if cell.memory_bytes:
                out.idle_memory_kib[driver] = cell.memory_bytes / 1024


class Nap:
    """One connection, long quiet: its instance is paused, and the next request wakes it."""

    def __init__(self, running):
        self._running = running
        self.answered = 0
        with KeepAlive(port=SLEEPY_PORT) as connection:
            self._count(status_and_headers := connection.get())
            before = status_and_headers[1]["x-instance"]
            began = time.monotonic()
            wait.wait_until("the instance sleeps", lambda: self._instance()["state"] == "standby", within_s=5)
            self.falls_asleep_ms = 1000 * (time.monotonic() - began)
            _let_pass(SETTLED_S)  # the usage in telemetry is some ten milliseconds old
            cpu_ns = self._instance()["cpu_ns"]
            _let_pass(ASLEEP_S)
            self.cpu_us = (self._instance()["cpu_ns"] - cpu_ns) / 1000
            began = time.monotonic()
            self._count(status_and_headers := connection.get())
            self.answered_ms = 1000 * (time.monotonic() - began)
            self.same_instance = status_and_headers[1]["x-instance"] == before

    def _instance(self):
        (instance,) = [instance for instance in self._running.telemetry.instances().values()
                       if instance["service"] == "sleepy"]
        return instance

    def _count(self, answer):
        status, headers, body = answer
        self.answered += status == 200 and body.decode().strip() == f"Hello from grin {headers['x-instance']}"

    def faults(self):
        faults = []
        if not self.same_instance:
            faults.append("another instance answered after the pause")
        if self.cpu_us > 1e4 * ASLEEP_S:  # one percent
            faults.append(f"the paused instance used {self.cpu_us:.0f} us of CPU time")
        return faults

    def figures(self):
        return {"asleep_ms": round(1000 * (SETTLED_S + ASLEEP_S)), "cpu_us": round(self.cpu_us, 1),
                "answered_ms": round(self.answered_ms, 3), "same_instance": self.same_instance}


def _let_pass(seconds):
    end = time.monotonic() + seconds
    wait.wait_until("a while is over", lambda: time.monotonic() >= end, within_s=seconds + 1, poll_s=0.01)
