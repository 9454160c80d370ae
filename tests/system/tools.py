# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What a person uses to look inside: dpdk-telemetry.py and `cheshire status`."""

import json
import subprocess

from support import config
from support.clients import KeepAlive

COMMANDS = ("services", "instances", "workers", "drops", "cold_starts")


def story_the_stock_telemetry_client_reads_it(world):
    daemon = world.start()
    with KeepAlive() as connection:
        assert connection.get()[0] == 200
        done = subprocess.run(["dpdk-telemetry.py", "--file-prefix", f"cheshire-{daemon.name}"],
                              input="".join(f"/cheshire/{command}\n" for command in COMMANDS) + "quit\n",
                              capture_output=True, text=True, timeout=20)
        answers = {}
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                answers.update(json.loads(line))
        assert set(answers) >= {f"/cheshire/{command}" for command in COMMANDS}, done.stdout + done.stderr
        assert answers["/cheshire/services"]["hello"]["active"] == 1
        (instance,) = answers["/cheshire/instances"].values()
        assert instance["in_flight"] == 1 and instance["pid"] > 0, instance


def story_cheshire_status_says_it_to_a_person(world):
    daemon = world.start()
    with KeepAlive() as connection:
        assert connection.get()[0] == 200
        ((name, pid),) = daemon.vm_pids().items()
        done = status(daemon.name)
        assert done.returncode == 0, done.stderr
        for word in ("hello", f"{config.VIP}:80", name, str(pid), "active"):
            assert word in done.stdout, f"no {word} in:\n{done.stdout}"


def story_cheshire_status_without_a_daemon_says_so(world):
    done = status(world.sandbox.name)
    assert done.returncode == 1, done
    assert world.sandbox.name in done.stderr and not done.stdout, done


def status(name):
    return subprocess.run([config.built("tools/cheshire"), "status", "--name", name],
                          capture_output=True, text=True, timeout=20)
