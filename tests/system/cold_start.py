# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A client's SYN boots a VM, the VM answers, and it goes when nobody calls any more."""

from support import config
from support.clients import Curl, curl, url
from support.telemetry import STAGES


def story_a_syn_boots_a_vm_that_answers(world):
    daemon = world.start()
    before = daemon.telemetry.services()["hello"]
    assert (before["active"], before["booting"], before["cold_starts"]) == (0, 0, 0), before

    answer = curl()

    assert answer.ok, answer
    after = daemon.telemetry.services()["hello"]
    assert (after["cold_starts"], after["boots_failed"], after["refusing"]) == (1, 0, 0), after
    (record,) = daemon.telemetry.cold_starts().values()
    assert record["service"] == "hello", record
    stages = [record[key] for key in STAGES]
    assert 0 <= stages[0] and stages == sorted(stages), f"stages out of order: {record}"
    assert 0 < record["own_ns"] < record["on_wire_ns"], record
    assert record["on_wire_ns"] / 1e6 < answer.first_byte_ms, (record, answer.first_byte_ms)


def story_it_goes_and_comes_again(world):
    daemon = world.start()
    for times in range(1, 6):
        assert curl().ok
        daemon.wait_for_zero("hello")
        assert not daemon.vm_pids()
        assert daemon.telemetry.services()["hello"]["cold_starts"] == times


def story_clients_that_come_together_are_answered_by_the_vm_that_boots(world):
    daemon = world.start(services={"hello": config.service(instances=(0, 1), soft=64)})
    transfer = world.until_the_end(Curl(url(), times=30, at_once=30))
    answers = transfer.answers()
    assert len(answers) == 30 and all(answer.ok for answer in answers), answers
    service = daemon.telemetry.services()["hello"]
    assert (service["held_syns"], service["cold_starts"]) == (0, 1), service


def story_a_service_with_a_minimum_stays_when_others_go(world):
    daemon = world.start(services={
        "stays": config.service(port=80, instances=(1, 2)),
        "goes": config.service(port=81),
    })
    before = daemon.wait_for_vms("stays", 1)
    assert curl(url(80)).ok and curl(url(81)).ok
    daemon.wait_for_zero("goes")  # by now both have been quiet for longer than idle_after
    assert daemon.wait_for_vms("stays", 1) == before
