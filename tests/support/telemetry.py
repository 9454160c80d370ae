# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What the daemon says about itself: a client of DPDK's telemetry socket (docs/telemetry.md)."""

import json
import socket


def socket_path(daemon_name):
    return f"/run/dpdk/cheshire-{daemon_name}/dpdk_telemetry.v2"


# The stages of a cold start in their order, as the record calls them and as a person reads them.
STAGES = {
    "boot_ordered_ns": "boot ordered",
    "spawned_ns": "process spawned",
    "vhost_connected_ns": "vhost connected",
    "ring_up_ns": "vhost ring up",
    "syn_delivered_ns": "SYN delivered",
    "syn_ack_ns": "first SYN-ACK",
    "on_wire_ns": "SYN-ACK on the wire",
}


def unaccounted(worker):
    """Packets of a worker that came in and neither left nor are anywhere else: zero when nothing is on
    its way just now (docs/telemetry.md, "Conservation")."""
    came = worker["nic_rx_packets"] + worker["packets_from_guest"] + worker["generated"] + worker["taken_over"]
    went = (worker["nic_tx_packets"] + worker["packets_to_guest"] + worker["drops"] + worker["held"]
            + worker["handed_over"])
    return came - went


class Telemetry:
    """One connection, kept. Every call is a question of its own: the answers are of now."""

    def __init__(self, daemon_name, timeout_s=5.0):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(socket_path(daemon_name))
            self.greeting = json.loads(self._socket.recv(1024))
        except BaseException:
            self._socket.close()
            raise

    def close(self):
        self._socket.close()

    def ask(self, command):
        self._socket.send(command.encode())
        answer = json.loads(self._socket.recv(self.greeting["max_output_len"] + 1))
        return answer[command.split(",")[0]]

    def services(self):
        return self.ask("/cheshire/services")

    def admission(self, service="hello"):
        return self.ask("/cheshire/admission")[service]

    def instances(self):
        return self.ask("/cheshire/instances")

    def workers(self):
        return self.ask("/cheshire/workers")

    def drops(self):
        return self.ask("/cheshire/drops")

    def cold_starts(self):
        """All that the daemon remembers, as {number: record}, oldest first, read page by page."""
        all_of_them = {}
        while True:
            page = {int(number): record
                    for number, record in self.ask(f"/cheshire/cold_starts,{len(all_of_them)},32").items()}
            if not page.keys() - all_of_them.keys():
                return dict(sorted(all_of_them.items()))
            all_of_them.update(page)
