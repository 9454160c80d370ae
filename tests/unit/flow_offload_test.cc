// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The offload manager against good and bad NICs.
#include <gtest/gtest.h>

#include "tests/support/flow_offload_stage.h"

namespace cheshire::test {
namespace {

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

TEST_F(FlowOffloadTest, ANicThatTakes10MillisecondsARuleGetsOneATick) {
  for (uint16_t i = 3; i < 40; ++i) services_.push_back(service(i, kVip, static_cast<uint16_t>(1000 + i)));
  start({.rule_ns = 10 * kNsPerMs});
  for (int i = 0; i < 60; ++i) {
    const size_t before = device_->rules.size();
    run(1);
    EXPECT_LE(device_->rules.size(), before + 2);  // of two rungs
  }
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 40U);
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

// --- bounds, the end

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
}  // namespace cheshire::test
