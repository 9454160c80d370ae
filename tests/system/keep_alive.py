# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Clients that keep their connections get only correct answers."""

from support import config
from support.clients import KeepAlive, curl, url, wrk


def story_many_requests_over_one_connection_reach_one_vm(world):
    daemon = world.start()
    with KeepAlive() as connection:
        answers = [connection.get(f"/{number}") for number in range(200)]
    assert all(status == 200 for status, _, _ in answers)
    assert len({body for _, _, body in answers}) == 1, "one page, several bodies"
    service = daemon.telemetry.services()["hello"]
    assert (service["flows_opened"], service["cold_starts"]) == (1, 1), service


def story_wrk_with_32_connections_gets_only_correct_answers(world):
    # A page of a given size is the same from every VM; the usual one names the VM.
    daemon = world.start(images={"web": config.image(body=256)},
                         services={"hello": config.service(instances=(0, 2), soft=20)})
    expected = curl()
    assert expected.ok, expected

    result = wrk(connections=32, seconds=10, expected_body=expected.body)

    print(f"wrk: {result.requests} requests, {result.per_second:.0f} a second", flush=True)
    assert not result.complaints and result.wrong == 0, result.text
    assert result.requests > 1000, result.text
    assert daemon.telemetry.services()["hello"]["boots_failed"] == 0
    daemon.wait_for_zero("hello")


def story_a_large_page_arrives_whole(world):
    world.start(images={"web": config.image(body=300_000)})
    answer = curl(url(path="/large"))
    assert answer.ok and len(answer.body) == 300_000, (answer, len(answer.body))
