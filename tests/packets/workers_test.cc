// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Three workers, each with its queue: web is worker 0's, api worker 1's, worker 2 has no service. Who receives a
// packet is the NIC's choice; who acts on it never is.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class Workers : public WorkerTest {
 protected:
  Workers() : WorkerTest(Setup{.workers = 3}) {}
  // "0 1 0": packets that each worker gave away, or took over.
  [[nodiscard]] std::string counts(Counter WorkerLoad::*counter) {
    std::string words;
    for (const WorkerLoad& load : board().workers()) {
      words += (words.empty() ? "" : " ") + std::to_string((load.*counter).get());
    }
    return words;
  }
  [[nodiscard]] std::string handed_over() { return counts(&WorkerLoad::handed_over); }
  [[nodiscard]] std::string taken_over() { return counts(&WorkerLoad::taken_over); }
};

// --- one packet, wherever it comes ---

struct ArrivalRow {
  const char* what;
  const ServiceWords& service;
  size_t arrives_at;
  const char* handed_over;
  const char* taken_over;
};
void PrintTo(const ArrivalRow& row, std::ostream* out) {
  *out << row.what;
}

class Arrival : public Workers, public ::testing::WithParamInterface<ArrivalRow> {};

TEST_P(Arrival, the_owner_serves_it_as_if_it_had_come_to_its_own_queue) {
  const ArrivalRow& row = GetParam();
  const uint16_t slot = row.service.index == kWeb.index ? 0 : 3;
  is_ready(slot);
  arrives_at(row.arrives_at);
  opens(Flow{.service = row.service}, slot);
  EXPECT_EQ(handed_over(), row.handed_over);
  EXPECT_EQ(taken_over(), row.taken_over);
  const size_t owner = row.service.index == kWeb.index ? 0 : 1;
  advance(2 * kNsPerMs);
  for (size_t number = 0; number < 3; ++number) {
    EXPECT_EQ(of_worker(number).flows.get(), number == owner ? 1U : 0U) << "of worker " << number;
  }
  EXPECT_EQ(load(slot).in_flight.get(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Rows, Arrival,
                         ::testing::Values(ArrivalRow{"web at its owner", kWeb, 0, "0 0 0", "0 0 0"},
                                           ArrivalRow{"api at its owner", kApi, 1, "0 0 0", "0 0 0"},
                                           ArrivalRow{"web at the owner of api", kWeb, 1, "0 2 0", "2 0 0"},
                                           ArrivalRow{"web at who owns nothing", kWeb, 2, "0 0 2", "2 0 0"},
                                           ArrivalRow{"api at the owner of web", kApi, 0, "2 0 0", "0 2 0"},
                                           ArrivalRow{"api at who owns nothing", kApi, 2, "0 0 2", "0 2 0"}));

TEST_F(Workers, a_connection_whose_packets_change_queues_stays_with_its_instance) {
  is_ready(0);
  is_ready(1);
  const Flow flow;
  opens(flow, 0);
  for (const size_t queue : {1U, 2U, 0U, 2U}) {
    arrives_at(queue);
    client.sends(flow.data("GET"));
    EXPECT_THAT(guest(0).got(), ElementsAre("40000>web PSH-ACK seq 1001 ack 5001 \"GET\""))
        << "by queue " << queue;
    guest(0).sends(flow.reply("200"));
    EXPECT_THAT(client.got(), ElementsAre("web>40000 PSH-ACK seq 5001 ack 1001 \"200\""));
  }
  EXPECT_EQ(drops(), "");
}

TEST_F(Workers, a_burst_is_sorted_by_owner_and_stays_in_order) {
  is_ready(0);
  is_ready(3);
  arrives_at(2);
  const Flow a{.port = 40000};
  const Flow b{.port = 40001, .service = kApi};
  client.sends(a.syn(), b.syn(), ArpFrame{}, a.ack(), b.ack());
  EXPECT_EQ(guest(0).got(), (Words{"40000>web SYN seq 1000", "40000>web ACK seq 1001 ack 5001"}));
  EXPECT_EQ(guest(3).got(), (Words{"40001>api SYN seq 1000", "40001>api ACK seq 1001 ack 5001"}));
  EXPECT_EQ(client.got().size(), 1U) << "the ARP reply, by who was asked";
  EXPECT_EQ(handed_over(), "0 0 4");
  EXPECT_EQ(of_worker(2).nic_tx_packets.get(), 1U);
}

TEST_F(Workers, what_is_for_no_service_is_answered_or_dropped_where_it_comes) {
  arrives_at(2);
  TcpFrame elsewhere = Flow{}.syn();
  elsewhere.ip.destination = be32(0xc0000263);
  TcpFrame nobody = Flow{}.syn();
  nobody.tcp.destination_port = 4711;
  TcpFrame broken = Flow{}.syn();
  broken.tcp.checksum = 0xbeef;
  client.sends(ArpFrame{}, IcmpFrame{}, elsewhere, nobody, broken);
  EXPECT_EQ(client.got().size(), 3U) << "ARP and echo reply, and a reset";
  EXPECT_EQ(drops(), "bad_tcp_checksum 1, not_ours 1");
  EXPECT_EQ(handed_over(), "0 0 0");
  EXPECT_EQ(of_worker(2).resets_no_service.get(), 1U);
}

// --- waiting ---

TEST_F(Workers, a_syn_that_came_elsewhere_is_held_by_the_owner_who_alone_tells_of_it) {
  arrives_at(2);
  client.sends(Flow{}.syn());
  EXPECT_THAT(edges(), ElementsAre("demand web"));
  EXPECT_EQ(of_worker(0).held_packets.get(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U);
  expects(0);
  comes_up(0);
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 1000"));
  guest(0).sends(Flow{}.syn_ack());
  EXPECT_THAT(client.got(), ElementsAre("web>40000 SYN-ACK seq 5000 ack 1001"));
  EXPECT_THAT(edges(), ElementsAre("attached 0/1", "ready 0/1"));
}

// --- full ---

TEST_F(Workers, a_full_ring_drops_and_counts_and_keeps_nobody_waiting) {
  is_ready(0);
  is_ready(3);
  constexpr size_t kMore = 40;
  arrives_at(2);
  for (size_t i = 0; i < kHandOverPackets + kMore; ++i) {
    put(build(Flow{.port = static_cast<uint16_t>(20000 + i)}.data("lost")));
    if (i % kBurst == 0) static_cast<void>(turn_of(2));  // the owner is late
  }
  while (turn_of(2)) {
  }
  EXPECT_EQ(drops(), "hand_over_full 40");
  EXPECT_EQ(of_worker(2).handed_over.get(), kHandOverPackets);
  EXPECT_EQ(of_worker(0).taken_over.get(), 0U);
  // The ring to another owner is another one.
  put(build(Flow{.port = 50000, .service = kApi}.syn()));
  static_cast<void>(turn_of(2));
  static_cast<void>(turn_of(1));
  EXPECT_EQ(of_worker(1).taken_over.get(), 1U);
  EXPECT_EQ(guest(3).got().size(), 1U);
  run();
  EXPECT_EQ(of_worker(0).taken_over.get(), kHandOverPackets);
  EXPECT_EQ(of_worker(0).resets_no_flow.get(), kHandOverPackets) << "the owner has acted on the rest";
}

TEST_F(Workers, what_lies_in_the_rings_at_the_end_is_freed_and_counted) {
  is_ready(0);
  arrives_at(1);
  put(build(Flow{}.syn()));
  put(build(Flow{.port = 40001}.syn()));
  static_cast<void>(turn_of(1));
  EXPECT_EQ(of_worker(1).handed_over.get(), 2U);
  end_worker();
  EXPECT_EQ(of_worker(0).taken_over.get(), 2U);
  EXPECT_EQ(drops(), "shutdown 2");
  check_sum();
}

// --- ports ---

TEST_F(Workers, a_port_is_left_only_when_every_worker_has_said_so) {
  is_ready(0);
  sends_port_down(0);
  static_cast<void>(turn_of(0));
  static_cast<void>(turn_of(2));
  EXPECT_EQ(downs_acknowledged(), 0U) << "worker 1 has not turned";
  static_cast<void>(turn_of(1));
  EXPECT_EQ(downs_acknowledged(), 1U);
}

TEST_F(Workers, only_the_owner_attaches_polls_and_mourns_an_instance) {
  expects(3);
  comes_up(3);
  EXPECT_THAT(edges(), ElementsAre("attached 3/1"));
  EXPECT_EQ(load(3).connected_ns.get(), now_ns() - 30);
  raw_guest(3).puts_on_ring(build(ArpFrame{.ethernet = {.source = kGuestMac}, .sender_mac = kGuestMac}));
  for (int i = 0; i < 200; ++i) {
    static_cast<void>(turn_of(0));
    static_cast<void>(turn_of(2));
  }
  EXPECT_FALSE(raw_guest(3).has_sent_all());
  run();
  EXPECT_TRUE(raw_guest(3).has_sent_all());
  dies(3);
  EXPECT_THAT(edges(), ElementsAre("dead 3/1"));
  EXPECT_EQ(counts(&WorkerLoad::sweeps_begun), "0 1 0");
  EXPECT_EQ(counts(&WorkerLoad::sweeps_done), "0 1 0");
}

// --- who owns what changes ---

TEST_F(Workers, a_slot_that_goes_to_a_service_of_another_worker) {
  is_ready(3);  // api's, of worker 1
  const Flow old{.service = kApi};
  opens(old, 3);
  removes(3);
  EXPECT_THAT(client.got(), ElementsAre("api>40000 RST seq 5001"));
  EXPECT_EQ(of_worker(1).sweeps_done.get(), of_worker(1).sweeps_begun.get())
      << "worker 1 has said its last word";
  EXPECT_EQ(load(3).flows_opened.get(), load(3).flows_closed.get());
  dies(3);
  has_slot(3, kWeb);  // web's, of worker 0
  comes_up(3);
  guest(3).sends(Flow{.port = 9}.syn_ack());  // as it answers a probe
  static_cast<void>(guest(3).got());
  static_cast<void>(client.got());
  EXPECT_EQ(load(3).ready_generation.get(), generation(3).value);
  arrives_at(1);
  const Flow fresh{.port = 41000};
  opens(fresh, 3);
  EXPECT_EQ(load(3).flows_opened.get(), 2U) << "counts go on";
  EXPECT_EQ(load(3).in_flight.get(), 1U);
  // A straggler of the old flow finds nothing, and its service's owner says so.
  arrives_at(1);
  client.sends(old.data("late"));
  EXPECT_THAT(client.got(), ElementsAre("api>40000 RST seq 5001"));
  EXPECT_THAT(guest(3).got(), IsEmpty());
}

TEST_F(Workers, a_service_that_a_reload_adds_is_served_by_its_owner) {
  service(kApi).port = be16{};  // not there yet
  publish();
  arrives_at(0);
  client.sends(Flow{.service = kApi}.syn());
  EXPECT_EQ(drops(), "not_ours 1");
  service(kApi).port = be16(kApi.vip.port);
  service(kApi).worker = 2;
  publish();
  is_ready(3);
  opens(Flow{.service = kApi}, 3);
  EXPECT_EQ(handed_over(), "2 0 0");
  EXPECT_EQ(taken_over(), "0 0 2");
}

TEST_F(Workers, an_owner_that_has_not_heard_of_its_new_service_hears_of_it_with_the_packet) {
  service(kApi).port = be16{};
  publish();
  service(kApi).port = be16(kApi.vip.port);
  steering_publishes();
  static_cast<void>(turn_of(0));  // takes the table; worker 1 has not yet
  arrives_at(0);
  put(build(Flow{.service = kApi}.syn()));
  static_cast<void>(turn_of(0));
  static_cast<void>(turn_of(1));
  EXPECT_EQ(drops(), "");
  EXPECT_EQ(load(kApi).waiting_syns.get(), 1U);
}

TEST_F(Workers, a_packet_whose_service_moved_while_it_was_on_its_way_is_not_sent_round) {
  service(kApi).worker = 2;
  steering_publishes();
  static_cast<void>(turn_of(1));  // takes the table; worker 0 has not yet
  arrives_at(0);
  put(build(Flow{.service = kApi}.syn()));
  static_cast<void>(turn_of(0));
  EXPECT_EQ(handed_over(), "1 0 0");
  static_cast<void>(turn_of(1));
  EXPECT_EQ(drops(), "hand_over_astray 1");
  EXPECT_EQ(load(kApi).syns.get(), 0U);
}

TEST_F(Workers, marks_are_counted_by_the_owner_wherever_the_packet_came) {
  is_ready(0);
  arrives_at(2);
  put(build(Flow{}.syn()), 0, mark_of(kWeb.index));
  put(build(Flow{.port = 40001}.syn()), 0, mark_of(kApi.index));
  run();
  EXPECT_EQ(marks().by_service[0].seen.get(), 2U);
  EXPECT_EQ(marks().by_service[0].marked.get(), 1U);
  EXPECT_EQ(marks().by_worker[0].wrong.get(), 1U);
  EXPECT_EQ(marks().wrong(), 1U);
}

}  // namespace
}  // namespace cheshire::test
