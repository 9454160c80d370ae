// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Two workers, the offload manager, and a NIC that takes rules for single flows but none for services: RSS leads every
// flow to the queue that is not its owner's, until its owner has it pinned.
#include "dataplane/offload/flow_offload.h"
#include "tests/support/fake_flow_device.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

constexpr uint32_t kEvery = 128;  // packets per sample: a long flow here has some hundred packets

class Pinned : public WorkerTest {
 protected:
  Pinned() : WorkerTest(Setup{.workers = 2, .packets_per_sample = kEvery}) {}
  void SetUp() override {
    is_ready(0);
    is_ready(3);
    offload_.set_services({{kWeb.index, kWeb.vip.ip, be16(kWeb.vip.port), 0},
                           {kApi.index, kApi.vip.ip, be16(kApi.vip.port), 1}});
    tick();
  }
  // What dataplane/offload/offload_thread.h does every 10 ms.
  void tick() {
    PinRequest request;
    for (SpscRing<PinRequest>* ring : pin_requests()) {
      while (ring->pop(request)) offload_.pin(request);
    }
    device_.now_ns += 10 * kNsPerMs;
    offload_.tick(device_.now_ns);
  }
  // The NIC puts it into the queue that its rules name, else RSS does.
  void comes(const Flow& flow, const TcpFrame& frame) {
    const auto way =
        device_.route({flow.service.vip.ip, be16(flow.service.vip.port), be16(flow.port), flow.client_ip}, 1);
    const uint16_t others = flow.service.index == kWeb.index ? 1 : 0;
    arrives_at(way.queue.value_or(others));
    put(build(frame));
  }
  void opens_by_rss(const Flow& flow) {
    const uint16_t slot = flow.service.index == kWeb.index ? 0 : 3;
    comes(flow, flow.syn());
    run();
    guest(slot).sends(flow.syn_ack());
    comes(flow, flow.ack());
    run();
    forget_what_was_got();
  }
  void sends(const Flow& flow, int packets) {
    for (int sent = 0; sent < packets; ++sent) {
      comes(flow, flow.data("x"));
      if (sent % 32 == 31) run();
    }
    run();
    forget_what_was_got();
  }
  void forget_what_was_got() {
    static_cast<void>(raw_guest(0).takes_off_ring());
    static_cast<void>(raw_guest(3).takes_off_ring());
    static_cast<void>(take_from_wire());
  }
  // Long enough to be met twice, and for its trial.
  void is_long(const Flow& flow) {
    sends(flow, 3 * kEvery);
    for (int i = 0; i < 4; ++i) {
      tick();
      sends(flow, 32);
    }
  }
  [[nodiscard]] uint64_t handed_over() { return board().sum(&WorkerLoad::handed_over); }
  [[nodiscard]] size_t pins() const { return device_.count(FlowRule::Match::kFlow); }
  [[nodiscard]] uint64_t asked() { return marks().sum(&WorkerMarks::pins_asked); }
  [[nodiscard]] const OffloadStatus::Rung& rung() const {
    return offload_.status().rungs[static_cast<size_t>(OffloadRung::kPin)];
  }

  FakeFlowDevice device_{{.refuses = {FlowRule::Match::kService}}, marks()};
  FlowOffload offload_{device_, {.queues = {0, 1}}, marks(), [this] { return device_.now_ns; }};
};

TEST_F(Pinned, a_long_flow_comes_home_and_nothing_of_it_is_handed_over_any_more) {
  const auto given = [&] { return load(0).packets_to_guest.get() + load(3).packets_to_guest.get(); };
  const uint64_t given_before = given();
  for (const ServiceWords* service : {&kWeb, &kApi}) {
    const Flow flow{.service = *service};
    opens_by_rss(flow);
    is_long(flow);
    const uint64_t before = handed_over();
    sends(flow, 500);
    EXPECT_EQ(handed_over(), before) << service->name;
  }
  EXPECT_EQ(pins(), 2U);
  EXPECT_EQ(rung().state, OffloadState::kOn) << rung().reason;
  EXPECT_EQ(drops(), "");
  EXPECT_EQ(given() - given_before, 2U * (2 + 3 * kEvery + 4 * 32 + 500)) << "none was lost";
}

TEST_F(Pinned, one_that_is_handed_over_although_it_is_pinned_is_served_all_the_same) {
  const Flow flow;
  opens_by_rss(flow);
  is_long(flow);
  ASSERT_EQ(pins(), 1U);
  arrives_at(1);  // whatever its rule says
  client.sends(flow.data("GET"));
  EXPECT_THAT(guest(0).got(), ElementsAre("40000>web PSH-ACK seq 1001 ack 5001 \"GET\""));
  guest(0).sends(flow.reply("200"));
  EXPECT_THAT(client.got(), ElementsAre("web>40000 PSH-ACK seq 5001 ack 1001 \"200\""));
}

TEST_F(Pinned, short_flows_ask_for_nothing_however_many_there_are) {
  for (uint16_t i = 0; i < 300; ++i) {
    const Flow flow{.port = static_cast<uint16_t>(20000 + i)};
    opens_by_rss(flow);
    sends(flow, 20);
    comes(flow, flow.rst());
    run();
    tick();
  }
  forget_what_was_got();
  EXPECT_GT(handed_over(), 40U * kEvery);
  EXPECT_EQ(asked(), 0U);
  EXPECT_EQ(pins(), 0U);
}

TEST_F(Pinned, among_short_flows_the_long_one_is_found) {
  const Flow elephant{.port = 50000};
  opens_by_rss(elephant);
  for (uint16_t i = 0; i < 300 && pins() == 0; ++i) {
    const Flow mouse{.port = static_cast<uint16_t>(20000 + i)};
    opens_by_rss(mouse);
    sends(mouse, 5);
    sends(elephant, 20);
    tick();
  }
  ASSERT_EQ(pins(), 1U);
  EXPECT_EQ(device_.rules.begin()->second.rule.client_port, be16(50000));
}

TEST_F(Pinned, a_flood_of_syns_asks_for_nothing) {
  for (uint16_t i = 0; i < 40 * kEvery; ++i) {
    const Flow forged{.port = static_cast<uint16_t>(1024 + i)};
    comes(forged, forged.syn());
    if (i % 32 == 0) run();
    if (i % 512 == 0) tick();
  }
  // Nor does one SYN, again and again, answered or not; nor what follows without a handshake.
  const Flow one{.port = 60000, .service = kApi};
  const Flow none{.port = 60001};
  for (uint32_t i = 0; i < 10 * kEvery; ++i) {
    comes(one, one.syn());
    comes(none, none.data("x"));
    if (i % 32 == 0) run();
    if (i == kEvery) guest(3).sends(one.syn_ack());
  }
  run();
  forget_what_was_got();
  static_cast<void>(drops());
  tick();
  EXPECT_GT(handed_over(), 40U * kEvery);
  EXPECT_EQ(asked(), 0U);
  EXPECT_EQ(pins(), 0U);
}

TEST_F(Pinned, a_forged_handshake_that_the_guest_resets_asks_for_nothing) {
  const Flow forged;
  comes(forged, forged.syn());
  run();
  guest(0).sends(forged.syn_ack());
  comes(forged, forged.from_client(kTcpAck, 1001, 4711));  // it has not seen the SYN-ACK
  run();
  guest(0).sends(forged.from_guest(kTcpRst, 4711, 0));
  sends(forged, 10 * kEvery);
  tick();
  EXPECT_EQ(asked(), 0U);
}

TEST_F(Pinned, a_flow_with_a_vlan_tag_asks_for_nothing_as_no_rule_matches_it) {
  const Flow tagged{.vlan_tci = 7};
  opens_by_rss(tagged);
  sends(tagged, 10 * kEvery);
  EXPECT_GT(handed_over(), 10U * kEvery);
  EXPECT_EQ(asked(), 0U);
}

TEST_F(Pinned, where_no_pins_are_taken_nobody_looks) {
  offload_.remove_all();
  const Flow flow;
  opens_by_rss(flow);
  sends(flow, 10 * kEvery);
  EXPECT_EQ(asked(), 0U);
}

TEST_F(Pinned, one_whose_flow_has_ended_ages_out_and_may_come_back) {
  const Flow flow;
  opens_by_rss(flow);
  is_long(flow);
  ASSERT_EQ(pins(), 1U);
  comes(flow, flow.rst());
  run();
  for (uint64_t ns = 0; ns < kPinIdleNs + 2 * kCheckNs; ns += 10 * kNsPerMs) tick();
  EXPECT_EQ(pins(), 0U);
  advance(3 * kNsPerSecond);  // the closed flow is forgotten
  forget_what_was_got();
  opens_by_rss(flow);
  is_long(flow);
  EXPECT_EQ(pins(), 1U) << "a new connection of that port, as long";
}

TEST_F(Pinned, a_request_that_finds_the_ring_full_is_counted_and_made_again_later) {
  const Flow flow;
  opens_by_rss(flow);
  while (marks().sum(&WorkerMarks::pins_lost) == 0) sends(flow, 64);  // the manager is away
  EXPECT_EQ(asked(), kPinRequestsMax + 1);
  tick();
  EXPECT_EQ(pins(), 1U) << "the same flow, so often, is one rule";
  EXPECT_EQ(offload_.status().rules_created, 1U);
}

}  // namespace
}  // namespace cheshire::test
