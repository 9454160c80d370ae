#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors
"""A link that loses frames, for kernels without sch_netem.

usage: lossy_link.py CLIENT_TAP GUEST_TAP LOSS_PERCENT [SEED]

CLIENT_TAP is an existing TAP device with the client's address; this program is its other end. GUEST_TAP is the
device whose other end QEMU holds; it has no address. Each frame is lost with the same chance, both ways. Run it
inside a network namespace of the test's own; end it with a signal.
"""

import fcntl
import os
import random
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
ETH_P_ALL = 0x0003
MAX_FRAME_BYTES = 2048


def open_tap(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


def open_packet(name):
    packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packet.bind((name, 0))
    return packet


def main():
    loss = float(sys.argv[3]) / 100
    rng = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    tap, packet = open_tap(sys.argv[1]), open_packet(sys.argv[2])
    while True:
        for ready in select.select([tap, packet], [], [])[0]:
            if ready == tap:
                frame = os.read(tap, MAX_FRAME_BYTES)
                if rng.random() >= loss:
                    packet.send(frame)
                continue
            frame, address = packet.recvfrom(MAX_FRAME_BYTES)
            # The socket also sees what goes out by the device.
            if address[2] != socket.PACKET_OUTGOING and rng.random() >= loss:
                os.write(tap, frame)


if __name__ == "__main__":
    main()
