# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The builders against bytes from the standards and against their own reader."""

import unittest

from support import frames


class Frames(unittest.TestCase):
    def test_checksum_of_rfc_1071(self):
        self.assertEqual(frames.checksum(bytes.fromhex("0001f203f4f5f6f7")), 0xFFFF & ~0xDDF2)
        self.assertEqual(frames.checksum(b"\x01"), 0xFEFF, "an odd byte counts as the high one")

    def test_a_header_whose_checksum_is_known(self):
        # The example of RFC 1071's readers everywhere: checksum b861.
        packet = frames.ipv4("192.168.0.1", "192.168.0.199", frames.UDP, bytes(95), identification=0)
        self.assertEqual(packet[10:12].hex(), "b861")

    def test_what_is_built_is_read(self):
        segment = frames.tcp("192.0.2.77", "192.0.2.10", 40000, 80, frames.SYN, sequence=5,
                             options=frames.option_mss(1460))
        packet = frames.ipv4("192.0.2.77", "192.0.2.10", frames.TCP, segment)
        data = frames.ethernet("02:00:00:00:00:01", "02:00:00:00:00:77", frames.ETHERTYPE_IPV4, packet, 7)
        frame = frames.parse(data + bytes(6))
        self.assertEqual((frame.vlan, frame.source_ip, frame.destination_port, frame.flags, frame.sequence),
                         (7, "192.0.2.77", 80, frames.SYN, 5))
        self.assertTrue(frame.ip_checksum_right and frame.l4_checksum_right)
        self.assertEqual(frame.payload, b"")

    def test_what_is_ill_formed_on_purpose_is_ill_formed(self):
        def parsed(packet):
            return frames.parse(frames.ethernet("02:00:00:00:00:01", "02:00:00:00:00:77",
                                                frames.ETHERTYPE_IPV4, packet))

        def segment(**fields):
            return frames.tcp("192.0.2.77", "192.0.2.10", 1, 80, frames.ACK, **fields)
        bad_segment = frames.ipv4("192.0.2.77", "192.0.2.10", frames.TCP, segment(wrong_checksum=True))
        self.assertFalse(parsed(bad_segment).l4_checksum_right)
        self.assertTrue(parsed(bad_segment).ip_checksum_right)
        bad_header = frames.ipv4("192.0.2.77", "192.0.2.10", frames.TCP, segment(),
                                 header_checksum=lambda right: right ^ 1)
        self.assertFalse(parsed(bad_header).ip_checksum_right)
        self.assertTrue(parsed(bad_header).l4_checksum_right)
        self.assertFalse(frames.checksum(frames.icmp_echo(1, 1, wrong_checksum=True)) == 0)
        self.assertTrue(frames.checksum(frames.icmp_echo(1, 1)) == 0)
