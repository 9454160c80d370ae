# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""cheshired in a sandbox: start, readiness, what it says, its end."""

import functools
import os
import subprocess
import sys

from . import config, netns, processes
from .telemetry import Telemetry
from .wait import wait_until

READY = "cheshired: ready"
START_MAX_S = 30.0  # EAL takes its memory; slow under load
STOP_MAX_S = 15.0

BINARY = "cheshired"


@functools.cache
def why_no_kvm():
    """Why the kvm driver cannot run here, in the VMM's own words; empty where it can. Asks only once."""
    try:
        done = subprocess.run([config.built("hypervisor/cheshire-vmm"), "--check"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stdout.strip() or f"status {done.returncode}"


class StartFailed(AssertionError):
    pass


def run_to_its_end(arguments, within_s=START_MAX_S, environment=None):
    """For a cheshired that is expected to end by itself: (exit status, what it wrote)."""
    done = subprocess.run([config.built(BINARY), *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=within_s,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout


class Daemon:
    """A running daemon whose NIC port is the tap of the sandbox's network namespace.

    Its log goes to a file, not to a pipe: should we be killed, it must still be able to end in order."""

    def __init__(self, sandbox, config_path, environment=None):
        """The configuration must name the daemon after the sandbox."""
        self.name = sandbox.name
        self.config_path = config_path
        self._log_path = sandbox.path("daemon.log")
        with open(self._log_path, "ab") as log:
            self._log_start = log.tell()  # an earlier daemon of this sandbox may have written before
            self.process = processes.spawn(
                [config.built(BINARY), "--config", config_path], dies_by="TERM",
                environment={**sandbox.environment, **(environment or {})}, stdout=log, stderr=log)
        self.telemetry = None
        self.killed = False  # by kill(): then no order in its end is expected
        try:
            wait_until(f"'{READY}' in the daemon's log", self._ready_or_ended, START_MAX_S, poll_s=0.01)
            self.telemetry = Telemetry(self.name)
            netns.ip("address", "add", f"{config.CLIENT}/24", "dev", config.TAP)
            netns.ip("link", "set", config.TAP, "up")
        except BaseException:
            self.kill()
            raise

    def _ready_or_ended(self):
        # The order matters: a line written before the end must not be missed.
        ended = self.process.poll() is not None
        if any(READY in line for line in self.log().splitlines()):
            return True
        if ended:
            raise StartFailed(f"cheshired ended with status {self.process.returncode} before it was ready")
        return False

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        """All that this daemon has said until now."""
        with open(self._log_path, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def vm_pids(self):
        """Of the instances that have a process."""
        return {name: instance["pid"] for name, instance in self.telemetry.instances().items()
                if instance["pid"]}

    def wait_for_vms(self, service, number, within_s=5.0, state=None):
        """Until so many VMs of a service have a process (and are in that state): {name: pid}."""
        def vms():
            found = {name: instance["pid"] for name, instance in self.telemetry.instances().items()
                     if instance["service"] == service and instance["pid"]
                     and state in (None, instance["state"])}
            return found if len(found) == number else None
        return wait_until(f"{number} {state or 'running'} VMs of {service}", vms, within_s)

    def wait_for_instances(self, service, within_s, **wanted):
        """Waits until the numbers of a service are as wanted: active=0, booting=0. Returns them."""
        def as_wanted():
            now = self.telemetry.services()[service]
            return now if all(now[key] == value for key, value in wanted.items()) else None
        words = ", ".join(f"{value} {key}" for key, value in wanted.items())
        return wait_until(f"service {service} has {words}", as_wanted, within_s)

    def wait_for_zero(self, service, within_s=10.0):
        """Until the service is at zero and the last VM's process is gone."""
        self.wait_for_instances(service, within_s, active=0, booting=0, draining=0)
        wait_until(f"no instance of {service} is left",
                   lambda: not any(instance["service"] == service
                                   for instance in self.telemetry.instances().values()), within_s)

    def stop(self):
        """SIGTERM; returns the exit status."""
        self._hang_up()
        return processes.end(self.process, asked_s=STOP_MAX_S)

    def kill(self):
        self._hang_up()
        self.killed = True
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def _hang_up(self):
        if self.telemetry is not None:
            self.telemetry.close()
            self.telemetry = None


def show_log(log, lines=60):
    """For a person who wants to know why: the end of the daemon's log."""
    tail = log.splitlines()[-lines:]
    print(f"--- the daemon's log, its last {len(tail)} lines", *tail, "---", sep="\n", file=sys.stderr,
          flush=True)
