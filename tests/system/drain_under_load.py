# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Instances are drained while clients are at work: not a request is lost, on both drivers."""

import time

from support import config
from support.clients import Curl, KeepAlive, curl, url, wrk
from support.control import cheshire, tell
from support.daemon import why_no_kvm
from support.stories import Skip


def needs(driver):
    if driver == "kvm" and why_no_kvm():
        raise Skip(f"KVM does not work here: {why_no_kvm()}")


def start(world, driver, **changes):
    needs(driver)
    return world.start(images={"web": config.image(driver, body=64)},
                       services={"hello": config.service(soft=1000, **changes)})


def drain_all_in_turn(world, driver, rounds=2):
    """Short connections all the while, and every VM that there is gets drained, one after the other."""
    daemon = start(world, driver, instances=(2, 3))
    daemon.wait_for_vms("hello", 2, within_s=15, state="active")
    transfer = world.until_the_end(Curl(url(), times=400 if driver == "qemu" else 150, at_once=8, max_time_s=60))
    drained = set()
    give_up = time.monotonic() + 30
    while transfer.running() and len(drained) < 2 * rounds and time.monotonic() < give_up:
        # Telemetry is some milliseconds late: one that was just drained may still seem active.
        active = [name for name, each in daemon.telemetry.instances().items()
                  if each["state"] == "active" and name not in drained]
        if len(active) < 2:
            time.sleep(0.01)
            continue
        done = cheshire("drain", "--daemon", daemon.name, active[0])
        assert done.status == 0, done
        drained.add(active[0])
    answers = transfer.answers(within_s=120)
    bad = [answer for answer in answers if not answer.ok]
    assert len(answers) == transfer.requests and not bad, bad
    service = daemon.telemetry.services()["hello"]
    print(f"{len(drained)} drained under {len(answers)} requests", flush=True)
    assert drained and service["hold_expired"] == service["boots_failed"] == 0, service
    resets = sum(each["resets_to_client"] for each in daemon.telemetry.instances().values())
    assert resets == 0, "a connection was reset"


def story_qemu_short_connections_while_every_vm_is_drained(world):
    drain_all_in_turn(world, "qemu")


def story_kvm_short_connections_while_every_vm_is_drained(world):
    drain_all_in_turn(world, "kvm")


def story_keep_alive_clients_while_the_service_shrinks_and_grows(world):
    daemon = start(world, "qemu", instances=(3, 3), drain_deadline="60s")
    daemon.wait_for_vms("hello", 3, within_s=15, state="active")
    connections = [world.until_the_end(KeepAlive()) for _ in range(12)]
    homes = [connection.get()[1]["x-instance"] for connection in connections]
    assert len(set(homes)) == 3, homes
    requests = 0
    for size in (1, 3, 1):
        tell(daemon, "scale", "init", "hello", "--min-size", str(size), "--max-size", str(size))
        for _ in range(20):
            for connection, home in zip(connections, homes):
                status, headers, _ = connection.get()
                assert status == 200 and headers["x-instance"] == home, "a connection stays with its VM"
                requests += 1
        fresh = curl()
        assert fresh.ok, fresh
    print(f"{requests} requests over {len(connections)} connections", flush=True)
    assert sum(each["resets_to_client"] for each in daemon.telemetry.instances().values()) == 0


def story_wrk_while_the_service_shrinks_and_grows(world):
    daemon = start(world, "qemu", instances=(1, 3), drain_deadline="60s")
    expected = curl()
    assert expected.ok, expected
    import threading
    results = []
    worker = threading.Thread(target=lambda: results.append(wrk(connections=24, seconds=6,
                                                                expected_body=expected.body)))
    worker.start()
    try:
        began = time.monotonic()
        for size in (3, 1, 2, 1, 3):
            tell(daemon, "scale", "init", "hello", "--min-size", str(size), "--max-size", str(size))
            while time.monotonic() - began < 1:
                time.sleep(0.05)
            began = time.monotonic()
    finally:
        worker.join()
    (result,) = results
    print(f"wrk: {result.requests} requests, {result.per_second:.0f} a second", flush=True)
    assert not result.complaints and result.wrong == 0, result.text
    assert result.requests > 500, result.text


def story_the_last_vm_serves_on_while_there_is_no_room_for_another(world):
    needs("qemu")
    values = world.config(images={"web": config.image("qemu")},
                          services={"hello": config.service(instances=(1, 1), soft=1000, drain_deadline="60s")},
                          spare={"slots": 0, "services": 0})
    daemon = world.start(values)
    with KeepAlive() as connection:
        home = connection.get()[1]["x-instance"]
        (name,) = daemon.wait_for_vms("hello", 1, state="active")
        tell(daemon, "drain", name)
        answers = [curl() for _ in range(5)]
        assert all(answer.ok and answer.instance == home for answer in answers), answers
    # Now it is empty and goes; the next client has a new one.
    assert curl().ok
    wait = daemon.wait_for_instances("hello", within_s=10, active=1, draining=0)
    assert wait["boots"] == 2, wait
