# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""VMs that are kept ready in shells and on standby, and VMs that sleep with their connections, on both
drivers."""

import os
import time

from support import config, processes
from support.clients import Curl, KeepAlive, curl, url, wrk
from support.daemon import why_no_kvm
from support.stories import Skip
from support.wait import wait_until

DRIVERS = ("kvm", "qemu")


def on_each_driver(tell):
    """Makes a story for each driver of a function that tells it of any."""
    for driver in DRIVERS:
        def story(world, driver=driver):
            needs(driver)
            tell(world, driver)
        story.__name__ = f"story_{driver}_{tell.__name__}"
        story.__module__ = tell.__module__
        globals()[story.__name__] = story
    return tell


def needs(driver):
    if driver == "kvm" and why_no_kvm():
        raise Skip(f"KVM does not work here: {why_no_kvm()}")


def start(world, driver, **changes):
    return world.start(images={"web": config.image(driver)}, services={"hello": config.service(**changes)})


def only_start(daemon):
    """The record of the only start that a client waited for; telemetry is some milliseconds late."""
    records = wait_until("the start is in telemetry", daemon.telemetry.cold_starts, within_s=1)
    (record,) = records.values()
    return record


def cpu_ns(pid):
    """CPU time of all threads of a process."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def vms_of_the_daemon(daemon):
    """Pidfds of all its children. A VM that ends while we look does not matter."""
    found = []
    for pid in processes.children_of(daemon.pid):
        try:
            found.append(processes.Pidfd(pid))
        except ProcessLookupError:
            pass
    return found


def kill_vm(daemon, pid):
    assert pid in processes.children_of(daemon.pid), f"{pid} is no VM of our daemon"
    with processes.Pidfd(pid) as vm:
        vm.kill()
        assert vm.ended(within_s=5), f"VM {pid} does not die"


@on_each_driver
def standby_is_filled_and_resumed_by_a_client(world, driver):
    daemon = start(world, driver, instances=(0, 1), standby=1)
    ((name, pid),) = daemon.wait_for_vms("hello", 1, state="standby").items()

    answer = curl()

    assert answer.ok, answer
    record = only_start(daemon)
    assert (record["tier"], record["instance"]) == ("standby", name), record
    assert daemon.wait_for_vms("hello", 1) == {name: pid}, "another VM answered"
    assert daemon.telemetry.services()["hello"]["boots"] == 1
    print(f"SYN-ACK on the wire {record['on_wire_ns'] / 1e6:.3f} ms after the SYN", flush=True)


@on_each_driver
def a_shell_is_filled_and_started_by_a_client(world, driver):
    daemon = start(world, driver, instances=(0, 1), shells=1)
    ((name, pid),) = daemon.wait_for_vms("hello", 1, state="shell").items()

    answer = curl()

    assert answer.ok, answer
    record = only_start(daemon)
    assert (record["tier"], record["instance"]) == ("shell", name), record
    assert daemon.wait_for_vms("hello", 1) == {name: pid}, "another VM answered"
    ((successor, _),) = daemon.wait_for_vms("hello", 1, state="shell").items()
    assert successor != name, "what has run is no shell"
    print(f"SYN-ACK on the wire {record['on_wire_ns'] / 1e6:.3f} ms after the SYN", flush=True)


@on_each_driver
def scale_in_refills_standby(world, driver):
    daemon = start(world, driver, instances=(0, 1), standby=1, idle_after="50ms")
    vms = daemon.wait_for_vms("hello", 1, state="standby")
    answers = []
    for _ in range(3):
        answers.append(curl())
        daemon.wait_for_instances("hello", within_s=5, active=0, booting=0, draining=0)
        assert daemon.wait_for_vms("hello", 1, state="standby") == vms, "not the one that had served"
    assert all(answer.ok for answer in answers), answers
    assert len({answer.instance for answer in answers}) == 1, answers
    assert daemon.telemetry.services()["hello"]["boots"] == 1


@on_each_driver
def more_clients_than_standby_take_every_tier(world, driver):
    daemon = world.start(images={"web": config.image(driver, service_us=20_000, workers=1)},
                         services={"hello": config.service(instances=(0, 3), soft=2, standby=1, shells=1)})
    daemon.wait_for_vms("hello", 1, state="standby")
    daemon.wait_for_vms("hello", 1, state="shell")
    transfer = world.until_the_end(Curl(url(), times=90, at_once=12, max_time_s=30))
    answers = transfer.answers()
    assert len(answers) == 90 and all(answer.ok for answer in answers), answers
    assert len({answer.instance for answer in answers}) == 3, "not every VM answered"
    daemon.wait_for_instances("hello", within_s=10, active=0, booting=0, draining=0, standby=1, shells=1)


@on_each_driver
def a_connection_survives_a_pause(world, driver):
    daemon = start(world, driver, instances=(0, 1), idle="pause", idle_after="200ms")
    with KeepAlive() as connection:
        status, first, _ = connection.get()
        assert status == 200
        for _ in range(3):
            ((_, pid),) = daemon.wait_for_vms("hello", 1, state="standby").items()
            before = cpu_ns(pid)
            began = time.monotonic()
            wait_until("a while has gone", lambda: time.monotonic() - began > 0.2, within_s=1)
            used = (cpu_ns(pid) - before) / (1e9 * (time.monotonic() - began))
            assert used < 0.02, f"{100 * used:.1f} % of a CPU while it is paused"

            began = time.monotonic()
            status, headers, _ = connection.get()
            print(f"answered after {1000 * (time.monotonic() - began):.3f} ms", flush=True)
            assert status == 200 and headers["x-instance"] == first["x-instance"], headers
        service = daemon.telemetry.services()["hello"]
        assert (service["boots"], service["flows_opened"], service["flows_closed"]) == (1, 1, 0), service
    daemon.wait_for_zero("hello")


@on_each_driver
def a_request_longer_than_idle_after_is_answered(world, driver):
    world.start(images={"web": config.image(driver, service_us=500_000)},
                services={"hello": config.service(instances=(0, 1), idle="pause", idle_after="100ms")})
    with KeepAlive(timeout_s=4) as connection:
        assert connection.get()[0] == 200
        assert connection.get()[0] == 200, "after a sleep"


@on_each_driver
def a_client_that_closes_wakes_a_paused_vm_and_it_goes(world, driver):
    daemon = start(world, driver, instances=(0, 1), idle="pause", idle_after="100ms")
    for _ in range(2):
        with KeepAlive() as connection:
            assert connection.get()[0] == 200
            daemon.wait_for_vms("hello", 1, state="standby")
        daemon.wait_for_zero("hello")


@on_each_driver
def a_kept_vm_that_dies_is_replaced_and_no_client_notices(world, driver):
    for turn, (state, pool) in enumerate((("standby", {"standby": 1}), ("shell", {"shells": 1}))):
        if turn:
            assert world.daemon.stop() == 0
        daemon = start(world, driver, instances=(0, 2), **pool)
        vms = daemon.wait_for_vms("hello", 1, state=state)
        for _ in range(2):
            ((name, pid),) = vms.items()
            kill_vm(daemon, pid)
            wait_until("it is replaced", lambda gone=name: is_replaced(daemon, gone, state), within_s=5)
            vms = daemon.wait_for_vms("hello", 1, state=state)
        ((_, pid),) = vms.items()
        kill_vm(daemon, pid)
        answer = curl()  # its SYN may come while the daemon does not know yet
        assert answer.ok, f"{state}: {answer}"
        assert daemon.telemetry.services()["hello"]["refusing"] == 0


def is_replaced(daemon, gone, state):
    instances = daemon.telemetry.instances()
    return gone not in instances and [each["state"] for each in instances.values()] == [state]


@on_each_driver
def a_paused_vm_that_dies_resets_its_connection(world, driver):
    daemon = start(world, driver, instances=(0, 2), idle="pause", idle_after="100ms")
    with KeepAlive() as connection:
        assert connection.get()[0] == 200
        ((_, pid),) = daemon.wait_for_vms("hello", 1, state="standby").items()
        kill_vm(daemon, pid)
        assert connection.wait_for_reset(within_s=2) < 0.5
    assert curl().ok


def with_all_tiers(world, driver):
    """A daemon with a VM in every tier and one that runs: (daemon, pidfds)."""
    daemon = start(world, driver, instances=(1, 4), standby=1, shells=1)
    daemon.wait_for_vms("hello", 1, state="standby")
    daemon.wait_for_vms("hello", 1, state="shell")
    daemon.wait_for_vms("hello", 3)
    assert world.until_the_end(KeepAlive()).get()[0] == 200
    vms = [world.until_the_end(vm) for vm in vms_of_the_daemon(daemon)]
    assert len(vms) >= 3, vms
    return daemon, vms


@on_each_driver
def a_daemon_that_is_killed_takes_all_tiers_along(world, driver):
    daemon, vms = with_all_tiers(world, driver)
    daemon.kill()
    for vm in vms:
        assert vm.ended(within_s=2), f"VM {vm.pid} survives its daemon: {processes.command_line(vm.pid)}"


@on_each_driver
def a_daemon_that_is_asked_to_end_leaves_nothing(world, driver):
    daemon, vms = with_all_tiers(world, driver)
    began = time.monotonic()
    assert daemon.stop() == 0
    print(f"ended within {1000 * (time.monotonic() - began):.0f} ms", flush=True)
    assert all(vm.ended() for vm in vms), "a VM is still there"
    left = [os.path.join(where, name) for where, _, names in os.walk(world.sandbox.path("run"))
            for name in names]
    assert not left, left


@on_each_driver
def a_daemon_that_is_asked_to_end_while_a_connection_sleeps(world, driver):
    daemon = start(world, driver, instances=(0, 1), idle="pause", idle_after="100ms")
    with KeepAlive() as connection:
        assert connection.get()[0] == 200
        ((_, pid),) = daemon.wait_for_vms("hello", 1, state="standby").items()
        with processes.Pidfd(pid) as vm:
            assert daemon.stop() == 0
            assert vm.ended(), "the paused VM is still there"


def story_auto_says_which_driver_it_took(world):
    daemon = start(world, "auto")
    log = daemon.log()
    if why_no_kvm():
        assert "driver: auto: qemu, because kvm is not to be had: " in log, log
    else:
        assert "driver kvm, " in log, log
    assert curl().ok


def story_kvm_serves_wrk_correctly(world):
    needs("kvm")
    # A page of a given size is the same from every VM; the usual one names the VM.
    daemon = world.start(images={"web": config.image("kvm", body=256)},
                         services={"hello": config.service(instances=(0, 2), soft=20, standby=1)})
    expected = curl()
    assert expected.ok, expected

    result = wrk(connections=32, seconds=3, expected_body=expected.body)

    print(f"wrk: {result.requests} requests, {result.per_second:.0f} a second", flush=True)
    assert not result.complaints and result.wrong == 0, result.text
    assert result.requests > 60, result.text  # an emulating KVM takes some milliseconds for each
    assert daemon.telemetry.services()["hello"]["boots_failed"] == 0
    daemon.wait_for_instances("hello", within_s=10, active=0, booting=0, draining=0)
