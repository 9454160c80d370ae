# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What ./demo measured, for a person and as JSON."""

import json
import math
import os
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests"))

from support.telemetry import STAGES  # noqa: E402  (the path comes first)


STARTS_OF_A_TIER_MIN = 5


def percentile(values, percent):
    """Nearest rank: the smallest value that so many percent do not exceed. Of 25 values, p99 is the
    largest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def figures(values):
    if not values:
        return None
    return {"p50": round(percentile(values, 50), 3), "p99": round(percentile(values, 99), 3),
            "max": round(max(values), 3)}


class ColdStart:
    """One cold start, in ms: by the daemon since the SYN was seen, by curl since it sent the SYN."""

    def __init__(self, record, answer):
        self.stages = {key.removesuffix("_ns"): record[key] / 1e6 for key in STAGES}
        self.own = record["own_ns"] / 1e6
        self.connect = answer.connect_ms
        self.first_byte = answer.first_byte_ms

    @property
    def total(self):
        return self.stages["on_wire"]


class Outcome:
    """All that a performance is judged by."""

    def __init__(self):
        self.requests = 0
        self.answered = 0
        self.cold_starts = []
        self.instances_peak = 0
        self.instances_left = []
        self.steps = []  # [(ms, words)] of the service whose load rises and falls
        self.instance_memory_mib = None
        self.driver = None  # that `driver: auto` came to
        self.tiers_ms = {}  # {driver: {tier: [ms of each start]}}
        self.kvm_missing = None
        self.idle_memory_kib = {}  # by driver
        self.nap = None
        self.overload = None
        self.left_behind = []
        self.failure = None

    def figures_of(self, pick):
        return figures([pick(one) for one in self.cold_starts])

    def stages_ms(self):
        names = [key.removesuffix("_ns") for key in STAGES]
        return {name: self.figures_of(lambda one, name=name: one.stages[name]) for name in names}

    def faults(self, cold_starts_min):
        """Why this was no success: sentences; empty for a success."""
        if self.failure is not None:
            return [self.failure]
        faults = []
        if self.answered != self.requests:
            faults.append(f"{self.requests - self.answered} of {self.requests} requests lost")
        if len(self.cold_starts) < cold_starts_min:
            faults.append(f"only {len(self.cold_starts)} cold starts measured, {cold_starts_min} wanted")
        if self.instances_left:
            faults.append(f"{len(self.instances_left)} VMs at the end: {', '.join(self.instances_left)}")
        for driver, tiers in self.tiers_ms.items():
            faults += [f"only {len(times)} starts of {driver} from {tier}" for tier, times in tiers.items()
                       if len(times) < STARTS_OF_A_TIER_MIN]
        faults += self.nap.faults() + self.overload.faults()
        if len(self.steps) < 3:
            faults.append(f"{len(self.steps)} steps for a load that rises and falls")
        return faults + [f"left behind: {words}" for words in self.left_behind]

    def write_json(self, path):
        values = {
            "driver": self.driver,
            "requests": self.requests,
            "answered": self.answered,
            "cold_starts": len(self.cold_starts),
            "cold_start_ms": self.figures_of(lambda one: one.total),
            "stages_ms": self.stages_ms(),
            "own_share_ms": self.figures_of(lambda one: one.own),
            "client_connect_ms": self.figures_of(lambda one: one.connect),
            "client_first_byte_ms": self.figures_of(lambda one: one.first_byte),
            "instance_memory_mib": self.instance_memory_mib and round(self.instance_memory_mib, 1),
            "tiers_ms": {driver: {tier: figures(times) for tier, times in tiers.items()}
                         for driver, tiers in self.tiers_ms.items()},
            "kvm_missing": self.kvm_missing,
            "idle_memory_kib": {driver: round(kib, 1) for driver, kib in self.idle_memory_kib.items()},
            "pause": self.nap and self.nap.figures(),
            "overload": self.overload and self.overload.figures(),
            "steps": [{"ms": round(ms, 3), "words": words} for ms, words in self.steps],
            "instances_peak": self.instances_peak,
            "instances_end": len(self.instances_left),
            "failure": self.failure,
        }
        with open(path, "w") as file:
            json.dump(values, file, indent=2)
            file.write("\n")


class Screen:
    """Plain lines; bold and colours only on a terminal."""

    def __init__(self, stream):
        self._stream = stream
        self._colours = stream.isatty() and "NO_COLOR" not in os.environ

    def line(self, words=""):
        print(f"  {words}" if words else "", file=self._stream, flush=True)

    def fact(self, name, words):
        self.line(f"{name:<9} {words}")

    def title(self, words):
        print(f"\n{self._styled(words, '1')}", file=self._stream, flush=True)

    def _styled(self, words, style):
        return f"\033[{style}m{words}\033[0m" if self._colours else words

    def cold_start_progress(self, cold_starts, number, of):
        """A line for every five, so that one sees that it goes on."""
        if number % 5 and number != of:
            return
        last = cold_starts[-(number % 5 or 5):]
        values = "".join(f"{one.total:8.1f}" for one in last)
        self.line(f"{number:3} of {of}: SYN-ACK on the wire after{values} ms")

    def cold_starts(self, out):
        if not out.cold_starts:
            return
        self._timeline(out)
        self._table(out)

    def _timeline(self, out):
        ordered = sorted(out.cold_starts, key=lambda one: one.total)
        median = ordered[(len(ordered) - 1) // 2]
        self.line()
        self.line("The median one, in ms since the SYN was seen:")
        self.line(f"{0:10.3f}  SYN seen, and held")
        for key, words in STAGES.items():
            self.line(f"{median.stages[key.removesuffix('_ns')]:10.3f}  {words}")
        self.line(f"{median.first_byte:10.3f}  first byte at the client (by curl, since it sent the SYN)")

    def _table(self, out):
        rows = [(words, out.stages_ms()[key.removesuffix("_ns")]) for key, words in STAGES.items()]
        rows += [("first byte at the client", out.figures_of(lambda one: one.first_byte)),
                 ("Cheshire's own share", out.figures_of(lambda one: one.own))]
        self.line()
        self.line(f"{f'All {len(out.cold_starts)}, in ms until':<28}{'p50':>9}{'p99':>9}{'max':>9}")
        for words, row in rows:
            self.line(f"{words:<28}{row['p50']:9.3f}{row['p99']:9.3f}{row['max']:9.3f}")

    def tiers(self, out, tiers):
        """The tiers of the drivers side by side. A driver that is not here comes last, with the reason."""
        drivers = list(out.tiers_ms)
        missing = f"  {'kvm':>7} not here: {out.kvm_missing}" if out.kvm_missing is not None else ""
        self.line((" " * 24 + "".join(f"{driver:>13}{'':7}" for driver in drivers) + missing).rstrip())
        self.line(" " * 24 + f"{'p50':>10}{'max':>10}" * len(drivers))
        for tier in tiers:
            cells = (figures(out.tiers_ms[driver][tier]) for driver in drivers)
            self.line(f"{tier:<24}" + "".join(f"{cell['p50']:10.3f}{cell['max']:10.3f}" if cell else
                                              f"{'-':>10}{'-':>10}" for cell in cells))
        memory = (f"{f'{out.idle_memory_kib[driver]:.0f} KiB' if driver in out.idle_memory_kib else '-':>20}"
                  for driver in drivers)
        self.line(f"{'memory, on standby':<24}" + "".join(memory))

    def verdict(self, out, cold_starts_min, seconds):
        """The last line. Returns the exit status."""
        faults = out.faults(cold_starts_min)
        if faults:
            words = f"{self._styled('FAIL', '1;31')}: {'; '.join(faults)}"
        else:
            words = (f"{self._styled('PASS', '1;32')}: {out.answered} of {out.requests} requests answered, "
                     f"{len(out.cold_starts)} cold starts on {out.driver} with a median of "
                     f"{out.figures_of(lambda one: one.total)['p50']:.1f} ms, {out.instances_peak} VMs at "
                     f"the peak and {len(out.instances_left)} at the end, nothing left behind, {seconds:.0f} s")
        print(f"\n{words}", file=self._stream, flush=True)
        return 1 if faults else 0


class ScaleLog:
    """Shows a service's numbers whenever they change."""

    def __init__(self, screen):
        self._screen = screen
        self._began = time.monotonic()
        self._shown = None
        self.peak = 0

    def look(self, service):
        """Takes note of what telemetry says of a service now, and returns it."""
        self.peak = max(self.peak, service["active"])
        numbers = tuple(service[key] for key in ("active", "booting", "draining"))
        if numbers != self._shown:
            self._shown = numbers
            ms = 1000 * (time.monotonic() - self._began)
            active, booting, draining = numbers
            self._screen.line(f"{ms:8.1f} ms  {active} active, {booting} booting, {draining} draining; "
                              f"{service['in_flight']} connections, {service['held_syns']} SYNs held")
        return service
