# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A client behind one VLAN tag is served, and every frame to it carries that tag."""

from support.wire import CLIENT_IP, Connection, Wire, resolve


def story_a_tagged_client_is_served(world):
    daemon = world.start()
    with Wire() as wire:
        mac = resolve(wire, vlan=7)
        assert mac is not None, "no ARP answer under the tag"
        connection = Connection(wire, mac, vlan=7)  # it takes frames with this tag only
        connection.open()
        answer = connection.get()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert daemon.telemetry.services()["hello"]["flows_opened"] == 1


def story_tagged_and_untagged_clients_side_by_side(world):
    world.start()
    with Wire() as wire:
        mac = resolve(wire)
        # Priority bits and another id belong to the tag as well.
        for port, vlan in ((40001, None), (40002, 7), (40003, 3 << 13 | 7), (40004, 4094)):
            connection = Connection(wire, mac, source_port=port, vlan=vlan)
            connection.open()
            answer = connection.get()
            assert answer.startswith(b"HTTP/1.1 200"), f"{CLIENT_IP}:{port} with tag {vlan}: {answer}"
