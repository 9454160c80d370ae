// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Frames from the wire that are not of any flow: what is answered, what is dropped, and with which reason.
#include "tests/support/sentence.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

constexpr MacAddress kOtherMac{{0x02, 1, 2, 3, 4, 5}};
constexpr be32 kNobody{0xc00002fe};

struct Row {
  const char* sentence;
  Bytes frame;
  const char* answer;  // empty: none
  const char* drops = "";
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.sentence;
}

class FromWire : public WorkerTest, public ::testing::WithParamInterface<Row> {};

TEST_P(FromWire, gets_its_answer_or_its_reason) {
  is_ready(0);
  client.sends_bytes(GetParam().frame);
  EXPECT_EQ(client.got(), *GetParam().answer == 0 ? Words{} : Words{GetParam().answer});
  EXPECT_EQ(drops(), GetParam().drops);
  EXPECT_THAT(guest(0).got(), IsEmpty());
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

TcpFrame to(Address address, uint8_t flags = kTcpSyn) {
  return {.ip = {.destination = address.ip},
          .tcp = {.destination_port = address.port, .acknowledgment = 77, .flags = flags}};
}

Bytes cut(Bytes frame, size_t length) {
  frame.resize(length);
  return frame;
}

const Row kRows[] = {
    {"ARP for a VIP", build(ArpFrame{}), "ARP reply: 192.0.2.10 is at 02:aa:bb:cc:dd:ee"},
    {"ARP for a VIP, to us alone",
     build(ArpFrame{.ethernet = {.destination = kNicMac}, .target_ip = kApi.vip.ip}),
     "ARP reply: 192.0.2.11 is at 02:aa:bb:cc:dd:ee"},
    {"ARP for a VIP in a VLAN", build(ArpFrame{.ethernet = {.destination = kBroadcastMac, .vlan_tci = 7}}),
     "ARP reply: 192.0.2.10 is at 02:aa:bb:cc:dd:ee vlan 7"},
    {"ARP for somebody else", build(ArpFrame{.target_ip = kNobody}), "", "not_ours 1"},
    {"ARP to another station", build(ArpFrame{.ethernet = {.destination = kOtherMac}}), "", "other_mac 1"},
    {"an ARP reply", build(ArpFrame{.operation = kArpOperationReply}), "", "bad_arp 1"},
    {"ping to a VIP", build(IcmpFrame{}), "192.0.2.10>198.51.100.7 echo reply"},
    {"ping to a VIP in a VLAN", build(IcmpFrame{.ethernet = {.vlan_tci = 7}}),
     "192.0.2.10>198.51.100.7 echo reply vlan 7"},
    {"ping to somebody else", build(IcmpFrame{.ip = {.destination = kNobody}}), "", "not_ours 1"},
    {"ping to another station", build(IcmpFrame{.ethernet = {.destination = kOtherMac}}), "", "other_mac 1"},
    {"ping as broadcast", build(IcmpFrame{.ethernet = {.destination = kBroadcastMac}}), "", "other_mac 1"},
    {"ICMP of another type", build(IcmpFrame{.icmp = {.type = 3}}), "", "icmp_unhandled 1"},
    {"a SYN to another station",
     build(TcpFrame{.ethernet = {.destination = kOtherMac}, .tcp = {.flags = kTcpSyn}}), "", "other_mac 1"},
    {"a SYN as broadcast",
     build(TcpFrame{.ethernet = {.destination = kBroadcastMac}, .tcp = {.flags = kTcpSyn}}), "",
     "other_mac 1"},
    {"a SYN to an address that is no VIP", build(to({kNobody, 80})), "", "not_ours 1"},
    {"a SYN to the guest itself", build(to(kWeb.guest)), "", "not_ours 1"},
    {"a SYN to a port of a VIP where nobody listens", build(to({kVip, 81})),
     "192.0.2.10:81>40000 RST-ACK seq 0 ack 1001"},
    {"a SYN to the port of the other VIP", build(to({kVip, 443})),
     "192.0.2.10:443>40000 RST-ACK seq 0 ack 1001"},
    {"an ACK to a port where nobody listens", build(to({kVip, 81}, kTcpAck)),
     "192.0.2.10:81>40000 RST seq 77"},
    {"a reset to a port where nobody listens", build(to({kVip, 81}, kTcpRst)), "", "no_flow_reset 1"},
    {"an ACK without a flow", build(Flow{}.ack()), "web>40000 RST seq 5001"},
    {"a FIN without a flow", build(Flow{}.from_client(kTcpFin, 5, 0)), "web>40000 RST-ACK seq 0 ack 6"},
    {"data without a flow", build(Flow{}.data("GET")), "web>40000 RST seq 5001"},
    {"a SYN-ACK without a flow", build(Flow{}.from_client(kTcpSyn | kTcpAck, 1, 2)), "web>40000 RST seq 2"},
    {"a reset without a flow", build(Flow{}.rst()), "", "no_flow_reset 1"},
    {"UDP", build(Ipv4Frame{.payload = text("12345678")}), "", "not_tcp 1"},
    {"IPv6", build(TcpFrame{.ethernet = {.ether_type = uint16_t{0x86dd}}}), "", "not_ipv4 1"},
    {"a bad IPv4 checksum", build(TcpFrame{.ip = {.checksum = uint16_t{1}}}), "", "bad_ipv4_checksum 1"},
    {"a bad TCP checksum", build(TcpFrame{.tcp = {.checksum = uint16_t{1}}}), "", "bad_tcp_checksum 1"},
    {"a fragment", build(TcpFrame{.ip = {.flags_fragment = 0x2000}}), "", "fragment 1"},
    {"two VLAN tags", build(TcpFrame{.ethernet = {.vlan_tci = uint16_t{1}, .second_vlan_tci = uint16_t{2}}}),
     "", "stacked_vlan 1"},
    {"a cut frame", cut(build(TcpFrame{}), 50), "", "bad_ipv4_length 1"},
    {"a stub", cut(build(TcpFrame{}), 5), "", "truncated_ethernet 1"},
};
INSTANTIATE_TEST_SUITE_P(A, FromWire, ::testing::ValuesIn(kRows), kSentenceAsName);

class Wire : public WorkerTest {};

TEST_F(Wire, a_frame_in_two_buffers_is_dropped) {
  put(build(Flow{}.data("0123456789")), 20);
  run();
  EXPECT_EQ(drops(), "oversize 1");
}

TEST_F(Wire, a_nic_that_takes_no_more_packets_costs_the_rest) {
  for (int i = 0; i < 1100; ++i) put(build(IcmpFrame{}));
  run();
  EXPECT_EQ(drops(), "nic_tx_full 77");  // its ring has room for 1023
  EXPECT_EQ(client.got().size(), 1023U);
}

TEST_F(Wire, the_order_of_packets_stays) {
  is_ready(0);
  const Flow flow{};
  opens(flow, 0);
  for (int i = 0; i < 200; ++i) put(build(flow.data(std::to_string(i))));
  run();
  const Words got = guest(0).got();
  ASSERT_EQ(got.size(), 200U);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i], "40000>web PSH-ACK seq 1001 ack 5001 \"" + std::to_string(i) + "\"");
  }
}

TEST_F(Wire, under_load_the_worker_still_keeps_house) {
  expects(0);
  comes_up(0);
  dies(0);
  const uint64_t downs = worker().downs_acknowledged();
  sends_port_down(0);
  for (int turns = 0; turns < 16; ++turns) {
    put(build(IcmpFrame{}));
    EXPECT_TRUE(turn());
  }
  EXPECT_EQ(worker().downs_acknowledged(), downs + 1);
}

class LostRecords : public WorkerTest {
 protected:
  LostRecords() : WorkerTest(Setup{.load_records = 2}) {}
};

TEST_F(LostRecords, a_full_load_ring_costs_records_and_is_counted) {
  expects(0);
  comes_up(0);
  client.sends(Flow{}.syn());
  guest(0).sends(Flow{}.syn_ack());
  dies(0);
  EXPECT_GT(board().worker(0).load_records_lost.get(), 0U);
  EXPECT_EQ(load(0).dead_generation.get(), 1U) << "the truth is on the board";
}

}  // namespace
}  // namespace cheshire::test
