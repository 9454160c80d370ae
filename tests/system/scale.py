# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Load wakes more VMs, all are answered, and the VMs go when the load has gone."""

from support import config
from support.clients import Curl, KeepAlive, url

MAX = 4
REQUESTS = 240  # more than a second of work for all four
SLOW = {"web": config.image(service_us=20_000, workers=1)}  # 20 ms of work for each request, one at a time


def story_load_wakes_more_vms_and_every_request_is_answered(world):
    daemon = world.start(images=SLOW, services={"hello": config.service(instances=(0, MAX), soft=2)})
    transfer = world.until_the_end(Curl(url(), times=REQUESTS, at_once=16, max_time_s=30))
    peak = watch(daemon, transfer)
    answers = transfer.answers()

    assert len(answers) == REQUESTS and all(answer.ok for answer in answers), \
        [answer for answer in answers if not answer.ok]
    assert peak == MAX, f"{peak} VMs at most, {MAX} expected"
    assert len({answer.instance for answer in answers}) == MAX, "not every VM answered"
    daemon.wait_for_zero("hello")
    service = daemon.telemetry.services()["hello"]
    assert service["flows_opened"] == service["flows_closed"] == REQUESTS, service


def watch(daemon, transfer):
    """The largest number of active VMs while the transfer ran. Never are there more than MAX in all."""
    peak = 0
    while transfer.running():
        now = daemon.telemetry.services()["hello"]
        assert now["active"] + now["booting"] + now["draining"] <= MAX, now
        peak = max(peak, now["active"])
    return peak


def story_an_open_connection_keeps_its_vm(world):
    daemon = world.start(images=SLOW, services={"hello": config.service(instances=(0, MAX), soft=2)})
    with KeepAlive() as connection:
        status, headers, _ = connection.get()
        assert status == 200
        (kept,) = daemon.wait_for_vms("hello", 1)
        transfer = world.until_the_end(Curl(url(), times=40, at_once=12, max_time_s=30))
        assert all(answer.ok for answer in transfer.answers())
        daemon.wait_for_instances("hello", within_s=10, active=1, draining=0, booting=0)
        assert [*daemon.wait_for_vms("hello", 1)] == [kept], "the VM with the open connection went"
        status, after, _ = connection.get()
        assert status == 200 and after["x-instance"] == headers["x-instance"]
    daemon.wait_for_zero("hello")
