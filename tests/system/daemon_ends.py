# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The end of the daemon, by order and by force, and a second one that must not begin."""

import os
import time

from support import config, netns, processes, sandbox, telemetry
from support.clients import KeepAlive, curl, url
from support.daemon import run_to_its_end
from support.wait import wait_until


def with_two_vms(world):
    """A daemon with two running VMs and a connection to each: (daemon, the VMs' pidfds)."""
    daemon = world.start(services={"hello": config.service(port=80), "other": config.service(port=81)})
    for port in (80, 81):
        assert world.until_the_end(KeepAlive(port=port)).get()[0] == 200
    pids = daemon.vm_pids().values()
    assert len(pids) == 2 and all(pids), pids
    return daemon, [world.until_the_end(processes.Pidfd(pid)) for pid in pids]


def tap_is_gone():
    return config.TAP not in netns.ip("-o", "link", "show")


def story_killed_by_force_it_takes_its_vms_along(world):
    daemon, vms = with_two_vms(world)
    daemon.kill()
    began = time.monotonic()
    for vm in vms:
        assert vm.ended(within_s=2), f"VM {vm.pid} survives its daemon: {processes.command_line(vm.pid)}"
    print(f"the last VM was gone {1000 * (time.monotonic() - began):.1f} ms after the daemon", flush=True)

    # What it left behind is no obstacle for the next one of the same name.
    wait_until("the tap is gone", tap_is_gone, within_s=2)
    world.start(services={"hello": config.service()})
    assert curl().ok


def story_asked_to_end_it_leaves_nothing(world):
    daemon, vms = with_two_vms(world)
    status = daemon.stop()
    assert status == 0, f"status {status}"
    assert all(vm.ended() for vm in vms), "a VM is still there"
    assert tap_is_gone()
    assert not os.path.exists(telemetry.socket_path(daemon.name)), "its telemetry socket is still there"
    left = [os.path.join(where, name) for where, _, names in os.walk(world.sandbox.path("run"))
            for name in names]
    assert not left, left
    assert not sandbox.hugepage_files(f"cheshire-{daemon.name}")


def story_asked_to_end_while_a_vm_boots(world):
    daemon = world.start(images={"web": config.image(silent=1)})
    from support.clients import Curl
    world.until_the_end(Curl(url()))
    (pid,) = daemon.wait_for_vms("hello", 1, state="booting").values()
    vm = world.until_the_end(processes.Pidfd(pid))
    assert daemon.stop() == 0
    assert vm.ended(), "the VM that was booting is still there"


def story_a_second_one_of_the_same_name_says_so_and_ends(world):
    daemon = world.start()
    assert curl().ok
    status, words = run_to_its_end(["--config", daemon.config_path])
    assert status == 1, f"status {status}: {words}"
    assert daemon.name in words, words
    assert daemon.telemetry.services()["hello"]["active"] >= 0 and curl().ok, "the first one was disturbed"
