// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a guest may send, what it may not, and what happens when it does not take its packets.
#include "tests/support/sentence.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

constexpr MacAddress kOtherMac{{0x02, 1, 2, 3, 4, 5}};

struct Row {
  const char* sentence;
  Bytes frame;
  const char* drops;
  const char* answer = "";  // to the guest
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.sentence;
}

class GuestSends : public WorkerTest, public ::testing::WithParamInterface<Row> {};

TEST_P(GuestSends, and_the_client_gets_nothing) {
  is_ready(0);
  opens(Flow{}, 0);
  const uint64_t slot_drops = load(0).drops.get();
  guest(0).sends_bytes(GetParam().frame);
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_EQ(drops(), GetParam().drops);
  EXPECT_EQ(load(0).drops.get(), slot_drops + 1) << "it is counted with its slot";
  const Words answers = guest(0).got();
  EXPECT_EQ(answers, *GetParam().answer == 0 ? Words{} : Words{GetParam().answer});
  // The flow itself is not harmed.
  guest(0).sends(Flow{}.reply("200"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 PSH-ACK seq 5001 ack 1001 \"200\""));
}

Bytes with(TcpFrame frame, void (*change)(TcpFrame&)) {
  change(frame);
  return build(frame);
}

Bytes cut(Bytes frame, size_t length) {
  frame.resize(length);
  return frame;
}

const Row kRows[] = {
    {"with another MAC", with(Flow{}.reply("x"), [](TcpFrame& f) { f.ethernet.source = kOtherMac; }),
     "guest_spoofed 1"},
    {"with the VIP as its address", with(Flow{}.reply("x"), [](TcpFrame& f) { f.ip.source = kVip; }),
     "guest_spoofed 1"},
    {"with the address of a client", with(Flow{}.reply("x"), [](TcpFrame& f) { f.ip.source = kClientIp; }),
     "guest_spoofed 1"},
    {"from another port", with(Flow{}.reply("x"), [](TcpFrame& f) { f.tcp.source_port = 22; }),
     "guest_spoofed 1"},
    {"as the guest of another service", build(Flow{.service = kApi}.reply("x")), "guest_spoofed 1"},
    {"to a client port that has no flow", build(Flow{.port = 40009}.reply("x")), "",
     "40009>web RST seq 1001"},
    {"to a client that has no flow",
     with(Flow{}.reply("x"), [](TcpFrame& f) { f.ip.destination = be32(0x01020304); }), "",
     "1.2.3.4:40000>web RST seq 1001"},
    {"a SYN of its own", build(Flow{.port = 40009}.from_guest(kTcpSyn, 9, 0)), "",
     "40009>web RST-ACK seq 0 ack 10"},
    {"a reset without a flow", build(Flow{.port = 40009}.from_guest(kTcpRst, 9, 0)), "guest_no_flow 1"},
    {"with a VLAN tag", with(Flow{}.reply("x"), [](TcpFrame& f) { f.ethernet.vlan_tci = 7; }),
     "guest_bad_packet 1"},
    {"IPv6", with(Flow{}.reply("x"), [](TcpFrame& f) { f.ethernet.ether_type = 0x86dd; }),
     "guest_bad_packet 1"},
    {"a fragment", with(Flow{}.reply("x"), [](TcpFrame& f) { f.ip.flags_fragment = 0x2000; }),
     "guest_bad_packet 1"},
    {"IPv4 options",
     with(Flow{}.reply("x"),
          [](TcpFrame& f) {
            f.ip.options = {1, 1, 1, 1};
          }),
     "guest_bad_packet 1"},
    {"ping", build(IcmpFrame{.ethernet = {.source = kGuestMac}}), "guest_bad_packet 1"},
    {"an ARP reply", build(ArpFrame{.ethernet = {.source = kGuestMac}, .operation = kArpOperationReply}),
     "guest_bad_packet 1"},
    {"ARP with another MAC", build(ArpFrame{.ethernet = {.source = kOtherMac}}), "guest_spoofed 1"},
    {"ARP with a VLAN tag", build(ArpFrame{.ethernet = {.source = kGuestMac, .vlan_tci = 7}}),
     "guest_bad_packet 1"},
    {"a stub", cut(build(Flow{}.reply("x")), 13), "guest_bad_packet 1"},
    {"a cut IPv4 header", cut(build(Flow{}.reply("x")), 30), "guest_bad_packet 1"},
    {"a cut TCP header", cut(build(Flow{}.reply("x")), 40), "guest_bad_packet 1"},
    {"an impossible TCP data offset",
     with(Flow{}.reply("x"), [](TcpFrame& f) { f.tcp.header_words = uint8_t{15}; }), "guest_bad_packet 1"},
    {"a total length beyond the frame",
     with(Flow{}.reply("x"), [](TcpFrame& f) { f.ip.total_length = uint16_t{1500}; }), "guest_bad_packet 1"},
    {"no TCP flags", build(Flow{}.from_guest(0, 5001, 1001)), "guest_bad_packet 1"},
};
INSTANTIATE_TEST_SUITE_P(A, GuestSends, ::testing::ValuesIn(kRows), kSentenceAsName);

class Guests : public WorkerTest {
 protected:
  const Flow flow{};
};

TEST_F(Guests, may_ask_by_arp_for_whomever_they_like) {
  is_ready(0);
  guest(0).sends(ArpFrame{.ethernet = {.destination = kBroadcastMac, .source = kGuestMac},
                          .sender_mac = kGuestMac,
                          .sender_ip = kGuestIp,
                          .target_ip = be32(0x0a000001)});
  EXPECT_THAT(guest(0).got(), ElementsAre("ARP reply: 10.0.0.1 is at 02:43:48:45:53:00"));
}

TEST_F(Guests, that_pad_their_frames_are_heard_without_the_padding) {
  is_ready(0);
  opens(flow, 0);
  TcpFrame padded = flow.from_guest(kTcpAck, 5001, 1001);
  padded.padding = 6;
  guest(0).sends(padded);
  EXPECT_THAT(client.got(), ElementsAre("web>40000 ACK seq 5001 ack 1001"));
}

TEST_F(Guests, that_damage_a_checksum_do_not_get_it_mended) {
  is_ready(0);
  opens(flow, 0);
  TcpFrame damaged = flow.reply("200");
  damaged.tcp.checksum = uint16_t{0x1234};
  guest(0).sends(damaged);
  EXPECT_THAT(client.got(), ElementsAre("web>40000 PSH-ACK seq 5001 ack 1001 \"200\" BAD TCP CHECKSUM"));
}

TEST_F(Guests, of_one_service_do_not_speak_in_the_flows_of_another_instance) {
  is_ready(0);
  is_ready(1);
  opens(flow, 0);
  guest(1).sends(flow.reply("mine"));
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_THAT(guest(1).got(), ElementsAre("40000>web RST seq 1001"));
  client.sends(flow.data("GET"));
  EXPECT_EQ(guest(0).got().size(), 1U);
}

TEST_F(Guests, do_not_answer_a_syn_that_waits) {
  is_ready(0);
  opens(flow, 0);
  drains(0);
  const Flow waiting{.port = 40001};
  client.sends(waiting.syn());
  guest(0).sends(waiting.syn_ack());
  EXPECT_THAT(client.got(), IsEmpty());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
}

TEST_F(Guests, that_refuse_a_connection_when_they_are_ready_are_heard) {
  is_ready(0);
  client.sends(flow.syn());
  guest(0).sends(flow.refusal());
  EXPECT_THAT(client.got(), ElementsAre("web>40000 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(load(0).in_flight.get(), 0U);
}

// --- a guest that is late ---

TEST_F(Guests, whose_ring_is_full_get_their_packets_later_and_in_order) {
  is_ready(0);
  opens(flow, 0);
  guest(0).has_buffers(1);
  client.sends(flow.data("a"), flow.data("b"), flow.data("c"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web PSH-ACK seq 1001 ack 5001 \"a\""));
  EXPECT_EQ(board().worker(0).held_packets.get(), 2U);
  client.sends(flow.data("d"));
  guest(0).has_buffers(100);
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web PSH-ACK seq 1001 ack 5001 \"b\"",
                                          "40000>web PSH-ACK seq 1001 ack 5001 \"c\"",
                                          "40000>web PSH-ACK seq 1001 ack 5001 \"d\""));
  EXPECT_EQ(drops(), "");
}

TEST_F(Guests, that_stay_late_lose_what_goes_beyond_the_queue) {
  is_ready(0);
  opens(flow, 0);
  guest(0).has_buffers(0);
  for (uint32_t i = 0; i < PacketQueue::kCapacity + 5; ++i) put(build(flow.data(std::to_string(i))));
  run();
  EXPECT_EQ(drops(), "guest_ring_full 5");
  guest(0).has_buffers(1000);
  const Words got = guest(0).got();
  ASSERT_EQ(got.size(), PacketQueue::kCapacity);
  for (uint32_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i], "40000>web PSH-ACK seq 1001 ack 5001 \"" + std::to_string(i) + "\"");
  }
}

TEST_F(Guests, that_are_late_do_not_hold_others_up) {
  is_ready(0);
  is_ready(1);
  const Flow other{.port = 40001};
  opens(flow, 0);
  opens(other, 1);
  guest(0).has_buffers(0);
  for (int i = 0; i < 300; ++i) put(build(flow.data("x")));
  client.sends(other.data("y"));
  EXPECT_EQ(guest(1).got().size(), 1U);
}

TEST_F(Guests, packets_and_bytes_are_counted) {
  is_ready(0);
  const uint64_t packets_to = load(0).packets_to_guest.get();
  const uint64_t bytes_to = load(0).bytes_to_guest.get();
  opens(flow, 0);  // SYN, SYN-ACK, ACK: 54 bytes each
  EXPECT_EQ(load(0).packets_to_guest.get() - packets_to, 2U);
  EXPECT_EQ(load(0).bytes_to_guest.get() - bytes_to, 108U);
  const uint64_t bytes_from = load(0).bytes_from_guest.get();
  guest(0).sends(flow.reply("1234"));
  EXPECT_EQ(load(0).bytes_from_guest.get() - bytes_from, 58U);
}

}  // namespace
}  // namespace cheshire::test
