// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The life of a flow's entry (dataplane/worker/flow_life.h), transition by transition, without DPDK: the real parts that
// it stands on, with time made up. tests/packets has the same through a whole worker.
#include "dataplane/worker/flow_life.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>

#include "tests/support/frame_builder.h"

namespace cheshire::test {
namespace {

constexpr SlotIndex kSlot{1};
constexpr ServiceIndex kService{0};
constexpr FlowKey kFlow{kClientIp, be16(kClientPort), kService};
constexpr uint32_t kGuestNext = 5001;  // after the guest's SYN-ACK

class FlowLifeTest : public ::testing::Test {
 protected:
  FlowLifeTest() {
    for (uint16_t index = 0; index < slots_.size(); ++index)
      slots_[index].load = &board_.slot(SlotIndex{index});
    Slot& slot = slots_[kSlot.value];
    slot.generation = slot.living = Generation{7};
    slot.service = kService;
    slot.role = SlotRole::kAccepting;
    turn_.table = &table_;
    turn_.now_ns = 10 * kNsPerSecond;
    chooser_.configure(kService, table_.service(kService));
    chooser_.begin(kService, kSlot);
    limits_.begin_instance(turn_, kSlot);
    life_.begin_instance(kSlot);
  }

  static ParsedPacket segment(uint8_t flags, uint16_t payload_bytes = 0) {
    ParsedPacket parsed;
    parsed.kind = PacketKind::kTcp;
    parsed.tcp_flags = flags;
    parsed.tcp_header_length = sizeof(TcpHeader);
    parsed.l4_length = static_cast<uint16_t>(sizeof(TcpHeader) + payload_bytes);
    return parsed;
  }
  static EthernetHeader from_client() {
    EthernetHeader header{};
    header.source = kClientMac;
    return header;
  }

  FlowEntry& begun() {
    FlowEntry* flow = life_.insert(kFlow, segment(kTcpSyn), from_client());
    EXPECT_NE(flow, nullptr);
    return *flow;
  }
  FlowEntry& given() {
    FlowEntry& flow = begun();
    life_.give(turn_, flow, kSlot);
    return flow;
  }
  FlowEntry& open() {
    FlowEntry& flow = given();
    FlowLife::answered(flow, kGuestNext);
    client(flow, kTcpAck);
    return flow;
  }
  void client(FlowEntry& flow, uint8_t flags, uint16_t payload_bytes = 0,
              uint32_t acknowledges = kGuestNext) {
    TcpHeader tcp{};
    tcp.acknowledgment = be32(acknowledges);
    life_.client_segment(turn_, flow, segment(flags, payload_bytes), from_client(), tcp);
  }
  void guest(FlowEntry& flow, uint8_t flags, uint16_t payload_bytes = 0, uint32_t sequence = kGuestNext) {
    TcpHeader tcp{};
    tcp.sequence = be32(sequence);
    life_.guest_segment(turn_, flow, segment(flags, payload_bytes), tcp);
  }
  [[nodiscard]] const SlotLoad& load() { return board_.slot(kSlot); }
  // What must hold whenever nothing is half done.
  void expect_in_flight(uint64_t count) {
    EXPECT_EQ(slots_[kSlot.value].in_flight, count);
    EXPECT_EQ(load().in_flight.get(), count);
    EXPECT_EQ(load().flows_opened.get() - load().flows_closed.get(), count);
  }
  [[nodiscard]] size_t edges(LoadEdge edge) {
    size_t count = 0;
    for (LoadRecord record; ring_.pop(record);) count += record.edge == edge ? 1 : 0;
    return count;
  }
  void age_for(uint64_t ns) {
    for (const uint64_t end_ns = turn_.now_ns + ns; turn_.now_ns < end_ns;) {
      turn_.now_ns += 100 * kNsPerMs;
      life_.age(turn_);
    }
  }

  const WorkerConfig config_{.flows_max = 1024,
                             .handshake_timeout_ns = 5 * kNsPerSecond,
                             .idle_timeout_ns = 60 * kNsPerSecond,
                             .closing_timeout_ns = 10 * kNsPerSecond};
  SteeringTable table_{{SteeringService{.vip = kVip, .port = be16(kVipPort), .in_flight_soft = 2}}, {}};
  Turn turn_;
  LoadBoard board_{2, 1};
  SpscRing<LoadRecord> ring_{256};
  HoldQueue hold_{1, 8};
  SlotArray slots_{2};
  Chooser chooser_{1, 2};
  LoadReport report_{WorkerBoard(board_, 0), ring_, nullptr, hold_, slots_};
  InstanceLimits limits_{slots_, chooser_};
  FlowLife life_{config_, HashKey{1, 2}, slots_, chooser_, limits_, report_};
};

TEST_F(FlowLifeTest, AHeldFlowIsNotInFlightAndNamesItsParkedSyn) {
  FlowEntry& flow = begun();
  life_.hold(turn_, flow, 5);
  EXPECT_EQ(flow.state, FlowState::kHeld);
  EXPECT_TRUE(flow.flags.has(FlowFlag::kHoldsSyn));
  EXPECT_EQ(flow.guest_next, 5U);
  EXPECT_EQ(flow.client_mac, kClientMac);
  expect_in_flight(0);
}

TEST_F(FlowLifeTest, AFlowThatIsGivenToAnInstanceIsInFlightAndCurrent) {
  const FlowEntry& flow = given();
  EXPECT_EQ(flow.state, FlowState::kSynSent);
  EXPECT_TRUE(life_.is_current(flow));
  expect_in_flight(1);
}

TEST_F(FlowLifeTest, AFlowIsNotCurrentOnceItsInstanceIsGone) {
  const FlowEntry& flow = given();
  slots_[kSlot.value].living = Generation{};
  EXPECT_FALSE(life_.is_current(flow));
}

TEST_F(FlowLifeTest, AWithdrawnFlowIsHeldAgainAndNotInFlight) {
  FlowEntry& flow = begun();
  life_.hold(turn_, flow, 5);
  life_.give(turn_, flow, kSlot);
  expect_in_flight(1);
  life_.withdraw(turn_, flow);
  EXPECT_EQ(flow.state, FlowState::kHeld);
  EXPECT_EQ(flow.guest_next, 5U);
  expect_in_flight(0);
}

TEST_F(FlowLifeTest, OnlyTheFirstSynAckOpensAFlow) {
  FlowEntry& flow = given();
  FlowLife::answered(flow, kGuestNext);
  EXPECT_EQ(flow.state, FlowState::kOpen);
  FlowLife::answered(flow, kGuestNext + 100);
  EXPECT_EQ(flow.guest_next, kGuestNext);
}

TEST_F(FlowLifeTest, AResetOfTheClientEndsItAndTheNextSegmentOfEitherSideGoesOn) {
  FlowEntry& flow = open();
  client(flow, kTcpRst);
  EXPECT_EQ(flow.state, FlowState::kClosing);
  expect_in_flight(0);
  client(flow, kTcpAck);
  EXPECT_EQ(flow.state, FlowState::kOpen);
  expect_in_flight(1);
  client(flow, kTcpRst);
  guest(flow, kTcpAck);
  EXPECT_EQ(flow.state, FlowState::kOpen);
  expect_in_flight(1);
}

TEST_F(FlowLifeTest, AResetOfTheGuestEndsItForGood) {
  FlowEntry& flow = open();
  guest(flow, kTcpRst);
  EXPECT_EQ(flow.state, FlowState::kClosing);
  client(flow, kTcpAck);
  EXPECT_EQ(flow.state, FlowState::kClosing);
  expect_in_flight(0);
}

TEST_F(FlowLifeTest, FinsBothWaysEndItWhenTheClientHasAcknowledgedAll) {
  FlowEntry& flow = open();
  guest(flow, kTcpAck | kTcpFin, 10);
  EXPECT_EQ(flow.guest_next, kGuestNext + 11);
  client(flow, kTcpAck | kTcpFin, 0, kGuestNext + 10);
  EXPECT_EQ(flow.state, FlowState::kOpen) << "the FIN is not acknowledged";
  client(flow, kTcpAck, 0, kGuestNext + 11);
  EXPECT_EQ(flow.state, FlowState::kClosing);
  expect_in_flight(0);
}

TEST_F(FlowLifeTest, AnAnswerIsOwedFromTheClientsDataToTheGuests) {
  FlowEntry& flow = open();
  client(flow, kTcpAck, 10);
  client(flow, kTcpAck, 10);
  EXPECT_EQ(load().flows_owing.get(), 1U);
  guest(flow, kTcpAck);
  EXPECT_EQ(load().flows_owing.get(), 1U) << "an ACK alone is no answer";
  guest(flow, kTcpAck, 5);
  EXPECT_EQ(load().flows_owing.get(), 0U);
}

TEST_F(FlowLifeTest, AFlowThatEndsOwesNothing) {
  FlowEntry& flow = open();
  client(flow, kTcpAck, 10);
  life_.erase(turn_, flow);
  EXPECT_EQ(load().flows_owing.get(), 0U);
  EXPECT_EQ(life_.table().size(), 0U);
  expect_in_flight(0);
}

TEST_F(FlowLifeTest, AFlowOfAFormerInstanceEndsWithoutTouchingThePresentOnesCount) {
  FlowEntry& flow = open();
  slots_[kSlot.value].generation = slots_[kSlot.value].living = Generation{8};
  life_.begin_instance(kSlot);
  life_.erase(turn_, flow);
  EXPECT_EQ(slots_[kSlot.value].in_flight, 0U);
  EXPECT_EQ(load().flows_closed.get(), 1U);
}

TEST_F(FlowLifeTest, TheGuestsSequenceNumberNeverGoesBack) {
  FlowEntry& flow = open();
  guest(flow, kTcpAck, 100, kGuestNext);
  guest(flow, kTcpAck, 10, kGuestNext);
  EXPECT_EQ(flow.guest_next, kGuestNext + 100);
}

TEST_F(FlowLifeTest, TheSoftLimitIsToldOnceUntilTheLoadWasBelowIt) {
  std::array<FlowEntry*, 3> flows{};
  for (uint16_t i = 0; i < flows.size(); ++i) {
    flows[i] = life_.insert({kClientIp, be16(static_cast<uint16_t>(kClientPort + i)), kService},
                            segment(kTcpSyn), from_client());
    life_.give(turn_, *flows[i], kSlot);
  }
  EXPECT_EQ(edges(LoadEdge::kSoftLimit), 1U);
  for (FlowEntry* flow : flows) life_.erase(turn_, *flow);
  EXPECT_EQ(edges(LoadEdge::kSoftLimit), 0U);
  for (uint16_t i = 0; i < 2; ++i) {
    FlowEntry* flow = life_.insert({kClientIp, be16(static_cast<uint16_t>(kClientPort + i)), kService},
                                   segment(kTcpSyn), from_client());
    life_.give(turn_, *flow, kSlot);
  }
  EXPECT_EQ(edges(LoadEdge::kSoftLimit), 1U);
}

TEST_F(FlowLifeTest, TheLastFlowOfADrainingInstanceIsTold) {
  FlowEntry& flow = open();
  slots_[kSlot.value].role = SlotRole::kDraining;
  life_.erase(turn_, flow);
  EXPECT_EQ(edges(LoadEdge::kDrained), 1U);
}

TEST_F(FlowLifeTest, ASynForAQuietFlowOfADrainingInstanceIsANewConnection) {
  const FlowEntry& flow = open();
  turn_.now_ns += 2 * kReusedAfterQuietNs;
  EXPECT_FALSE(life_.is_forgotten_by_client(turn_, flow)) << "its instance does not drain";
  slots_[kSlot.value].role = SlotRole::kDraining;
  EXPECT_TRUE(life_.is_forgotten_by_client(turn_, flow));
  turn_.now_ns -= 2 * kReusedAfterQuietNs;
  EXPECT_FALSE(life_.is_forgotten_by_client(turn_, flow)) << "it was just in use";
}

TEST_F(FlowLifeTest, EachStateIsForgottenAfterItsOwnTime) {
  struct Case {
    const char* what;
    uint64_t kept_ns;  // at least, and forgotten within two rounds after
    std::function<void()> make;
  };
  const std::array cases = {
      Case{"half open", 5 * kNsPerSecond, [this] { given(); }},
      Case{"open", 60 * kNsPerSecond, [this] { open(); }},
      Case{"reset by its client", 5 * kNsPerSecond, [this] { client(open(), kTcpRst); }},
      Case{"reset by its guest", 10 * kNsPerSecond, [this] { guest(open(), kTcpRst); }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    one.make();
    age_for(one.kept_ns - kNsPerSecond);
    EXPECT_EQ(life_.table().size(), 1U);
    age_for(4 * kNsPerSecond);
    EXPECT_EQ(life_.table().size(), 0U);
    expect_in_flight(0);
  }
}

TEST_F(FlowLifeTest, AFlowWhoseSynIsParkedDoesNotAge) {
  life_.hold(turn_, begun(), 5);
  age_for(200 * kNsPerSecond);
  EXPECT_EQ(life_.table().size(), 1U);
}

TEST_F(FlowLifeTest, OnlyAnOpenConfirmedFlowIsPassedOnUnseen) {
  FlowEntry& flow = given();
  FlowLife::answered(flow, kGuestNext);
  EthernetHeader header = from_client();
  header.ether_type = be16(kEtherTypeIpv4);
  EXPECT_FALSE(FlowLife::is_plain_from_client(flow, false, header)) << "not confirmed yet";
  client(flow, kTcpAck);
  EXPECT_TRUE(FlowLife::is_plain_from_client(flow, false, header));
  EXPECT_FALSE(FlowLife::is_plain_from_client(flow, true, header))
      << "no answer is owed yet: payload tells something";
  client(flow, kTcpAck, 10);
  EXPECT_TRUE(FlowLife::is_plain_from_client(flow, true, header));
  EXPECT_FALSE(life_.is_plain_from_guest(flow, kSlot, true)) << "it answers";
  EXPECT_TRUE(life_.is_plain_from_guest(flow, kSlot, false));
  EXPECT_FALSE(life_.is_plain_from_guest(flow, SlotIndex{0}, false)) << "another instance's";
  header.source = kNicMac;
  EXPECT_FALSE(FlowLife::is_plain_from_client(flow, true, header)) << "the client has moved";
  client(flow, kTcpRst);
  EXPECT_FALSE(life_.is_plain_from_guest(flow, kSlot, false));
}

}  // namespace
}  // namespace cheshire::test
