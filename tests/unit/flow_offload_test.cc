// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The offload manager against good and bad NICs.
#include "dataplane/flow_offload.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/fake_flow_device.h"

namespace cheshire {
namespace {

using test::FakeFlowDevice;
using test::FakeNic;

constexpr be32 kVip{0xc000020a};
constexpr be32 kOtherVip{0xc000020b};
constexpr be32 kStranger{0xc0000263};
constexpr uint64_t kTickNs = 10 * kNsPerMs;

OffloadService service(uint16_t index, be32 vip, uint16_t port) {
  return {ServiceIndex{index}, vip, be16(port)};
}

class FlowOffloadTest : public testing::Test {
 protected:
  void start(const FakeNic& nic, FlowOffloadOptions options = {}) {
    offload_.reset();
    device_ = std::make_unique<FakeFlowDevice>(nic, board_);
    offload_ = std::make_unique<FlowOffload>(*device_, options, board_, [this] { return device_->now_ns; });
    offload_->set_services(services_);
  }
  // Rounds of traffic to every service, then a tick.
  void run(int ticks, uint64_t packets_each = 100) {
    for (int i = 0; i < ticks; ++i) {
      for (const OffloadService& s : services_) {
        arrived_ += device_->deliver(s.vip, s.port, s.index, packets_each);
        sent_ += packets_each;
      }
      tick();
    }
  }
  void tick() {
    device_->now_ns += kTickNs;
    offload_->tick(device_->now_ns);
    for (const std::string& line : offload_->take_news()) news_ += line + "\n";
  }
  [[nodiscard]] const OffloadStatus::Rung& rung(OffloadRung which) const {
    return offload_->status().rungs[static_cast<size_t>(which)];
  }
  void expect_off(const std::string& reason) {
    EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOff);
    EXPECT_NE(rung(OffloadRung::kMark).reason.find(reason), std::string::npos)
        << rung(OffloadRung::kMark).reason;
    EXPECT_EQ(rung(OffloadRung::kDrop).state, OffloadState::kOff);
    EXPECT_EQ(rung(OffloadRung::kPin).state, OffloadState::kOff);
    EXPECT_TRUE(device_->rules.empty());
    EXPECT_NE(news_.find("mark: off, "), std::string::npos) << news_;
    // From here on software has it all.
    const uint64_t lost = sent_ - arrived_;
    run(100);
    EXPECT_EQ(sent_ - arrived_, lost);
    EXPECT_TRUE(device_->rules.empty());
  }

  FlowMarkBoard board_{64};
  std::vector<OffloadService> services_ = {service(0, kVip, 80), service(1, kVip, 443),
                                           service(2, kOtherVip, 80)};
  std::unique_ptr<FakeFlowDevice> device_;
  std::unique_ptr<FlowOffload> offload_;
  std::string news_;
  uint64_t sent_ = 0;
  uint64_t arrived_ = 0;
};

TEST_F(FlowOffloadTest, a_services_rule_leads_to_its_owners_queue_or_to_all_where_that_has_none) {
  services_ = {service(0, kVip, 80), service(1, kVip, 81), service(2, kVip, 82)};
  services_[1].worker = 1;
  services_[2].worker = 2;  // two receive queues only
  start({}, {.queues = {0, 1}});
  run(20);
  const auto queues_of = [&](uint16_t port) {
    for (const auto& [handle, installed] : device_->rules) {
      const FlowRule& rule = installed.rule;
      if (rule.match == FlowRule::Match::kService && rule.port == be16(port)) return rule.queues;
    }
    return std::vector<uint16_t>{};
  };
  EXPECT_EQ(queues_of(80), std::vector<uint16_t>{0});
  EXPECT_EQ(queues_of(81), std::vector<uint16_t>{1});
  EXPECT_EQ(queues_of(82), (std::vector<uint16_t>{0, 1}));
}

TEST_F(FlowOffloadTest, ClimbsAllRungsOnAGoodNicWithoutLosingAPacket) {
  start({});
  EXPECT_TRUE(device_->rules.empty());
  run(20);
  EXPECT_EQ(sent_, arrived_);
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOn);
  EXPECT_EQ(rung(OffloadRung::kDrop).state, OffloadState::kOn);
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 3U);
  EXPECT_EQ(device_->count(FlowRule::Match::kAddress), 2U);
  EXPECT_EQ(device_->count(FlowRule::Match::kAllIpv4), 1U);
  EXPECT_EQ(device_->deliver(kStranger, be16(80), std::nullopt, 10), 0U);  // for nobody: ends in the NIC
  EXPECT_EQ(device_->deliver(kVip, be16(9999), std::nullopt, 10), 10U);    // a wrong port: reset by software
  EXPECT_EQ(news_, "mark: trial\nmark: on\ndrop: trial\ndrop: on\n");
}

TEST_F(FlowOffloadTest, WaitsForTrafficToBeTriedWith) {
  start({});
  for (int i = 0; i < 50; ++i) tick();
  run(50, kTrialPackets - 1);
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kWaiting);
  EXPECT_TRUE(device_->rules.empty());
}

// --- the five bad NICs, and others

TEST_F(FlowOffloadTest, ANicWithoutFlowRules) {
  start({.has_flow_rules = false});
  run(3);
  expect_off("Function not implemented");
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(FlowOffloadTest, ANicThatValidatesAndRefusesToCreate) {
  start({.creates = false});
  run(3);
  expect_off("Operation not supported");
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(FlowOffloadTest, ANicThatAcceptsAndDropsLosesAFewPacketsOfOneService) {
  start({.drops_what_matches = true});
  run(6);
  expect_off("it drops packets that its rules match");
  EXPECT_LE(sent_ - arrived_, 300U);  // three ticks of one service
}

TEST_F(FlowOffloadTest, ANicThatIsFullKeepsWhatItTook) {
  start({.rules_max = 2});
  run(20);
  EXPECT_EQ(sent_, arrived_);
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOn);
  EXPECT_NE(rung(OffloadRung::kMark).reason.find("full at 2 rules: No space left on device"),
            std::string::npos);
  EXPECT_EQ(rung(OffloadRung::kDrop).state, OffloadState::kOff);
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 2U);
  EXPECT_EQ(device_->count(FlowRule::Match::kAllIpv4), 0U);
  EXPECT_GE(offload_->status().rules_refused, 1U);
  // A service goes: there is room for the third.
  services_.erase(services_.begin());
  offload_->set_services(services_);
  run(3);
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 2U);
}

TEST_F(FlowOffloadTest, ANicThatTakes10MillisecondsARuleGetsOneATickAndNoPins) {
  for (uint16_t i = 3; i < 40; ++i) services_.push_back(service(i, kVip, static_cast<uint16_t>(1000 + i)));
  start({.rule_ns = 10 * kNsPerMs});
  for (int i = 0; i < 60; ++i) {
    const size_t before = device_->rules.size();
    run(1);
    EXPECT_LE(device_->rules.size(), before + 2);  // of two rungs
  }
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 40U);
  offload_->pin({.client_port = be16(5), .vip = kVip, .port = be16(80)});
  run(2);
  EXPECT_EQ(device_->count(FlowRule::Match::kFlow), 0U);
  EXPECT_EQ(rung(OffloadRung::kPin).state, OffloadState::kOff) << news_;
  EXPECT_NE(rung(OffloadRung::kPin).reason.find("a rule takes 10000 us"), std::string::npos);
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(FlowOffloadTest, ANicWhosePacketsVanishIsTriedThreeTimes) {
  start({.loses_silently = true});
  run(100);
  expect_off("packets stay away while its rules are in");
  EXPECT_LE(sent_ - arrived_, 3 * 700U);
}

TEST_F(FlowOffloadTest, ATrialDuringWhichTheClientsGoAwayIsRepeated) {
  start({});
  run(1);
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kTrial);
  for (int i = 0; i < 10; ++i) tick();
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kWaiting);
  EXPECT_TRUE(device_->rules.empty());
  run(20);
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOn);
}

TEST_F(FlowOffloadTest, OtherNicsThatAreNotToBeTrusted) {
  struct Case {
    FakeNic nic;
    const char* reason;
  };
  for (const Case& c :
       {Case{{.counts = false}, "cannot be counted: no counters"},
        Case{{.matches = false}, "its rules match nothing"}, Case{{.marks = false}, "it sets no marks"},
        Case{{.mark_error = 1}, "packets carry marks that are not theirs"}}) {
    SCOPED_TRACE(c.reason);
    news_.clear();
    start(c.nic);
    run(40);
    expect_off(c.reason);
    EXPECT_EQ(sent_, arrived_);
  }
}

TEST_F(FlowOffloadTest, MarksThatBeginToLieEndItAtOnce) {
  start({});
  run(20);
  device_->nic.mark_error = 2;
  run(1);
  expect_off("packets carry marks that are not theirs");
}

TEST_F(FlowOffloadTest, ANicThatBeginsToDropIsFoundOut) {
  start({});
  run(20);
  device_->nic.drops_what_matches = true;
  run(40);
  expect_off("it drops packets that its rules match");
}

// --- services and VIPs that come and go

TEST_F(FlowOffloadTest, AServiceThatGoesTakesItsRuleWithIt) {
  start({});
  run(20);
  services_.erase(services_.begin() + 1);
  offload_->set_services(services_);
  run(1);
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 2U);
  EXPECT_EQ(device_->count(FlowRule::Match::kAllIpv4), 1U);  // the VIPs are the same
  // Its index for another service: another rule.
  services_.push_back(service(1, kVip, 8443));
  offload_->set_services(services_);
  run(2);
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 3U);
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(FlowOffloadTest, ANewVipNeverMeetsTheDropRule) {
  start({});
  run(20);
  services_.push_back(service(5, kStranger, 80));
  offload_->set_services(services_);
  tick();
  EXPECT_EQ(device_->count(FlowRule::Match::kAllIpv4), 0U);
  run(20);
  EXPECT_EQ(device_->count(FlowRule::Match::kAddress), 3U);
  EXPECT_EQ(rung(OffloadRung::kDrop).state, OffloadState::kOn);
  EXPECT_EQ(sent_, arrived_);
}

// --- pins, bounds, the end

PinRequest pin_of(uint16_t client_port, uint16_t port = 80) {
  return {.client_port = be16(client_port),
          .vip = kVip,
          .port = be16(port),
          .service = ServiceIndex{0},
          .queue = 0};
}

TEST_F(FlowOffloadTest, PinsLongFlowsWithinTheLimit) {
  start({}, {.pins_max = 2});
  run(20);
  for (uint16_t port = 1; port <= 4; ++port) offload_->pin(pin_of(port));
  offload_->pin(pin_of(1));
  run(2);
  EXPECT_EQ(device_->count(FlowRule::Match::kFlow), 2U);
  EXPECT_EQ(offload_->status().pins_refused, 3U);
  EXPECT_EQ(rung(OffloadRung::kPin).state, OffloadState::kOn);
  // Its service goes, and the pins with it.
  services_.erase(services_.begin());
  offload_->set_services(services_);
  run(1);
  EXPECT_EQ(device_->count(FlowRule::Match::kFlow), 0U);
}

TEST_F(FlowOffloadTest, UnpinsWhatStandsStill) {
  start({});
  run(20);
  offload_->pin(pin_of(7));
  run(1);
  EXPECT_EQ(device_->count(FlowRule::Match::kFlow), 1U);
  run(static_cast<int>(kPinIdleNs / kTickNs) + 20);
  EXPECT_EQ(device_->count(FlowRule::Match::kFlow), 0U);
}

TEST_F(FlowOffloadTest, HoldsNoMoreRulesThanItMay) {
  start({}, {.rules_max = 2});
  run(20);
  EXPECT_LE(device_->count(FlowRule::Match::kService), 2U);
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(FlowOffloadTest, LeavesTheNicAsItFoundIt) {
  start({});
  run(20);
  EXPECT_FALSE(device_->rules.empty());
  offload_.reset();
  EXPECT_TRUE(device_->rules.empty());
}

}  // namespace
}  // namespace cheshire
