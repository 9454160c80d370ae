// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Rules for single flows: mostly on NICs that refuse rules for services, so that flows come where RSS leads.
#include <gtest/gtest.h>

#include "tests/support/flow_offload_stage.h"

namespace cheshire::test {
namespace {

class Pins : public FlowOffloadTest {
 protected:
  static PinRequest request(uint16_t client_port) {
    return {.client_port = be16(client_port), .vip = kVip, .port = be16(80), .service = ServiceIndex{0}};
  }
  // Two queues; services are refused unless that is said otherwise.
  void start(FakeNic nic, size_t pins_max = 100, size_t rules_max = 4096) {
    if (nic.refuses.empty()) nic.refuses = {FlowRule::Match::kService};
    FlowOffloadTest::start(nic, {.queues = {0, 1}, .rules_max = rules_max, .pins_max = pins_max});
    run(3);
  }
  void start_with_marks(FakeNic nic, size_t pins_max = 100, size_t rules_max = 4096) {
    nic.refuses = {FlowRule::Match::kAddress};  // and does not drop what is for nobody
    start(nic, pins_max, rules_max);
    run(20);
  }
  void add_fourth_service() {
    services_.push_back(service(4, kVip, 8443));
    offload_->set_services(services_);
    run(3);
  }
  // The flow's worker asks, and the flow goes on for so long.
  void asks(uint16_t client_port, int ticks = 5) {
    offload_->pin(request(client_port));
    goes_on(client_port, ticks);
  }
  void goes_on(uint16_t client_port, int ticks = 5, uint64_t packets_each = 100) {
    for (int i = 0; i < ticks; ++i) {
      sent_ += packets_each;
      arrived_ += device_->deliver(kVip, be16(80), ServiceIndex{0}, packets_each, be16(client_port));
      tick();
    }
  }
  [[nodiscard]] size_t pins() const { return device_->count(FlowRule::Match::kFlow); }
  [[nodiscard]] bool workers_look() const { return board_.orders.taken.get() != 0; }
  [[nodiscard]] OffloadState state() const { return rung(OffloadRung::kPin).state; }
  [[nodiscard]] const std::string& reason() const { return rung(OffloadRung::kPin).reason; }
  void expect_no_pins(const std::string& why) {
    EXPECT_EQ(state(), OffloadState::kOff) << news_;
    EXPECT_NE(reason().find(why), std::string::npos) << reason();
    EXPECT_FALSE(workers_look());
    EXPECT_EQ(pins(), 0U);
    EXPECT_EQ(board_.orders.watched.get(), 0U);
    const uint64_t lost = sent_ - arrived_;
    asks(99);
    EXPECT_EQ(pins(), 0U);
    EXPECT_EQ(sent_ - arrived_, lost) << "from here on software has it all";
  }
};

TEST_F(Pins, a_nic_that_refuses_services_and_takes_flows_pins_those_that_are_asked_for) {
  start({});
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOff);
  EXPECT_EQ(rung(OffloadRung::kMark).reason, "Invalid argument");
  EXPECT_EQ(state(), OffloadState::kWaiting);
  EXPECT_TRUE(workers_look());
  EXPECT_EQ(pins(), 0U) << "nobody has asked";
  asks(5);
  EXPECT_EQ(state(), OffloadState::kOn);
  ASSERT_EQ(pins(), 1U);
  const FlowRule& rule = device_->rules.begin()->second.rule;
  EXPECT_EQ(rule.queues, std::vector<uint16_t>{0});
  EXPECT_EQ(rule.mark, kNoMark) << "marks were refused";
  asks(6);
  EXPECT_EQ(pins(), 2U);
  EXPECT_EQ(sent_, arrived_);
  EXPECT_EQ(news_, "mark: off, Invalid argument\ndrop: off, without marks\npin: trial\npin: on\n");
}

TEST_F(Pins, nobody_looks_for_long_flows_where_no_pin_is_taken) {
  FlowOffloadTest::start({.refuses = {FlowRule::Match::kService}}, {.queues = {0}});
  run(3);
  expect_no_pins("there is one receive queue only");
  start({}, 0);
  expect_no_pins("nic.pins_max is 0");
}

TEST_F(Pins, nobody_looks_for_long_flows_before_marks_are_tried) {
  FlowOffloadTest::start({}, {.queues = {0, 1}});
  for (int i = 0; i < 10; ++i) tick();
  EXPECT_FALSE(workers_look());
  run(20);
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOn);
  EXPECT_TRUE(workers_look());
}

TEST_F(Pins, beside_marks_a_pin_has_its_services_mark) {
  start_with_marks({});
  asks(5);
  EXPECT_EQ(state(), OffloadState::kOn);
  EXPECT_EQ(pins(), 1U);
  for (const auto& [handle, installed] : device_->rules) {
    if (installed.rule.match != FlowRule::Match::kFlow) continue;
    EXPECT_EQ(installed.rule.mark, mark_of(ServiceIndex{0}));
  }
  EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOn);
  EXPECT_EQ(board_.wrong(), 0U);
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(Pins, one_that_is_asked_for_again_and_again_is_one_rule) {
  start({});
  for (int i = 0; i < 50; ++i) asks(5, 1);
  EXPECT_EQ(pins(), 1U);
  EXPECT_EQ(offload_->status().rules_created, 1U);
  EXPECT_EQ(offload_->status().pins_refused, 0U);
}

TEST_F(Pins, while_the_first_is_on_trial_the_others_wait) {
  start({});
  for (uint16_t port = 5; port <= 7; ++port) offload_->pin(request(port));
  tick();
  EXPECT_EQ(pins(), 1U);
  EXPECT_EQ(state(), OffloadState::kTrial);
  goes_on(7);
  EXPECT_EQ(state(), OffloadState::kOn);
  EXPECT_EQ(pins(), 3U);
}

TEST_F(Pins, no_more_than_the_limit) {
  start({}, 2);
  asks(1);
  for (uint16_t port = 2; port <= 4; ++port) asks(port, 1);
  EXPECT_EQ(pins(), 2U);
  EXPECT_EQ(offload_->status().pins_refused, 2U);
  for (uint16_t port = 5; port <= 8; ++port) offload_->pin(request(port));
  EXPECT_EQ(offload_->status().pins_refused, 4U) << "more than two do not even wait";
}

// --- the end of a pin

TEST_F(Pins, one_whose_flow_has_ended_goes_and_the_others_stay) {
  start({});
  asks(5);
  asks(6);
  goes_on(6, static_cast<int>(kPinIdleNs / kTickNs) + 20);
  EXPECT_EQ(pins(), 1U);
  EXPECT_EQ(state(), OffloadState::kOn);
  goes_on(5, 1);
  asks(5);
  EXPECT_EQ(pins(), 2U) << "it is back, and asked for anew";
}

TEST_F(Pins, all_go_with_their_service) {
  start({});
  asks(5);
  services_.erase(services_.begin());
  offload_->set_services(services_);
  tick();
  EXPECT_EQ(pins(), 0U);
  asks(5);
  EXPECT_EQ(pins(), 0U) << "a late request for a service that is gone";
}

TEST_F(Pins, all_go_when_their_service_gets_another_owner_or_another_index) {
  start({});
  asks(5);
  services_[0].worker = 1;
  offload_->set_services(services_);
  asks(6);
  EXPECT_EQ(pins(), 0U) << "to the queue of the former owner";
  services_[0].worker = 0;
  offload_->set_services(services_);
  asks(5);
  EXPECT_EQ(pins(), 1U);
  services_[0].index = ServiceIndex{7};
  offload_->set_services(services_);
  tick();
  EXPECT_EQ(pins(), 0U);
}

TEST_F(Pins, a_trial_whose_service_goes_is_no_verdict) {
  start({});
  asks(5, 1);
  EXPECT_EQ(state(), OffloadState::kTrial);
  offload_->set_services({services_[1], services_[2]});
  tick();
  EXPECT_EQ(state(), OffloadState::kWaiting);
  EXPECT_EQ(board_.orders.watched.get(), 0U);
  offload_->set_services(services_);
  asks(5);
  EXPECT_EQ(state(), OffloadState::kOn);
}

TEST_F(Pins, the_nic_is_left_as_it_was_found) {
  start({});
  asks(5);
  offload_.reset();
  EXPECT_TRUE(device_->rules.empty());
  EXPECT_FALSE(workers_look());
}

// --- the five bad NICs, and others

TEST_F(Pins, a_nic_without_flow_rules_is_asked_for_none) {
  start({.has_flow_rules = false});
  expect_no_pins("Function not implemented");
}

TEST_F(Pins, a_nic_that_validates_and_refuses_to_create) {
  start({.creates = false});
  asks(5);
  expect_no_pins("Operation not supported");
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(Pins, a_nic_that_accepts_and_drops_loses_a_few_packets_of_one_flow) {
  start({.drops_pins = true});
  asks(5);
  expect_no_pins("it drops packets that its rules match");
  EXPECT_LE(sent_ - arrived_, 300U);  // three ticks
}

TEST_F(Pins, a_nic_that_drops_what_matches_a_service_gets_no_flow_to_drop) {
  start_with_marks({.drops_what_matches = true});
  expect_no_pins("without marks");
}

TEST_F(Pins, a_nic_that_is_full_keeps_what_it_took) {
  start({.rules_max = 2});
  for (uint16_t port = 1; port <= 4; ++port) asks(port);
  EXPECT_EQ(pins(), 2U);
  EXPECT_EQ(state(), OffloadState::kOn);
  EXPECT_EQ(reason(), "full at 2 rules: No space left on device");
  EXPECT_EQ(offload_->status().pins_refused, 2U);
  // The first ends: there is room for another.
  for (int i = 0; i < static_cast<int>(kPinIdleNs / kTickNs) + 20; ++i) goes_on(2, 1);
  EXPECT_EQ(reason(), "");
  asks(3);
  EXPECT_EQ(pins(), 2U);
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(Pins, a_nic_that_takes_10_milliseconds_a_rule_gets_no_pins) {
  start({.rule_ns = 10 * kNsPerMs});
  asks(5);
  expect_no_pins("a rule takes 10000 us");
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(Pins, other_nics_that_are_not_to_be_trusted) {
  struct Case {
    FakeNic nic;
    const char* reason;
  };
  for (const Case& c : {Case{{.counts = false}, "cannot be counted: no counters"},
                        Case{{.pins_match = false}, "its rules match nothing"},
                        Case{{.pins_go_home = false}, "its rules lead to another queue"}}) {
    SCOPED_TRACE(c.reason);
    start(c.nic);
    asks(5, 20);
    expect_no_pins(c.reason);
    EXPECT_EQ(sent_, arrived_);
  }
}

TEST_F(Pins, a_nic_whose_pinned_packets_vanish_is_tried_eight_times) {
  start({.loses_pins = true});
  for (uint16_t port = 1; port <= 20; ++port) asks(port, 30);
  expect_no_pins("packets stay away while its rules are in");
  EXPECT_EQ(offload_->status().rules_created, kPinSilencesMax);
  EXPECT_LE(sent_ - arrived_, kPinSilencesMax * 100 * (kPinSilenceNs / kTickNs + 1));
}

TEST_F(Pins, flows_that_end_in_their_trial_are_no_verdict_on_the_nic) {
  start({});
  for (uint16_t port = 1; port < kPinSilencesMax; ++port) {
    offload_->pin(request(port));
    for (int i = 0; i < 30; ++i) tick();
    EXPECT_EQ(pins(), 0U);
    EXPECT_EQ(state(), OffloadState::kWaiting);
  }
  asks(100);
  EXPECT_EQ(state(), OffloadState::kOn);
}

TEST_F(Pins, a_nic_that_begins_to_drop_is_found_out_whichever_flow_it_drops) {
  start({});
  for (uint16_t port = 1; port <= 4; ++port) asks(port);
  ASSERT_EQ(pins(), 4U);
  device_->nic.drops_pins = true;
  for (int i = 0; i < 200 && state() == OffloadState::kOn; ++i) goes_on(4, 1);
  expect_no_pins("it drops packets that its rules match");
}

TEST_F(Pins, marks_that_begin_to_lie_end_pins_too) {
  start_with_marks({});
  asks(5);
  device_->nic.mark_error = 2;
  goes_on(5, 2);
  expect_no_pins("without marks");
}

TEST_F(Pins, nics_that_do_less_for_services_than_they_were_told_may_pin_flows) {
  FakeNic nic{.marks = false};
  start_with_marks(nic);
  EXPECT_EQ(rung(OffloadRung::kMark).reason, "it sets no marks");
  asks(5);
  EXPECT_EQ(state(), OffloadState::kOn);
  EXPECT_EQ(pins(), 1U);
}

// --- services come first

TEST_F(Pins, a_service_that_finds_no_room_takes_that_of_the_pins) {
  start_with_marks({.rules_max = 4});
  asks(5);
  ASSERT_EQ(pins(), 1U);
  add_fourth_service();
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 4U);
  EXPECT_EQ(pins(), 0U);
  asks(6);
  EXPECT_EQ(pins(), 0U);
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(Pins, where_flows_have_a_table_of_their_own_they_give_way_to_a_service_once) {
  start_with_marks({.services_max = 2});
  EXPECT_EQ(rung(OffloadRung::kMark).reason, "full at 2 rules: No space left on device");
  const auto one_ages = [&] {
    asks(5);
    asks(6);
    EXPECT_EQ(pins(), 2U);
    goes_on(6, static_cast<int>(kPinIdleNs / kTickNs) + 20);
  };
  one_ages();
  EXPECT_EQ(pins(), 0U) << "room for the third service, it seemed";
  one_ages();
  EXPECT_EQ(pins(), 1U) << "now it is known that there is none";
  one_ages();
  EXPECT_EQ(pins(), 1U);
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 2U);
  EXPECT_EQ(offload_->status().rules_refused, 2U) << "before, and when they had given way";
  EXPECT_EQ(sent_, arrived_);
}

TEST_F(Pins, a_service_that_finds_our_own_limit_does_the_same) {
  start_with_marks({}, 100, 4);
  asks(5);
  ASSERT_EQ(pins(), 1U);
  add_fourth_service();
  EXPECT_EQ(device_->count(FlowRule::Match::kService), 4U);
  EXPECT_EQ(pins(), 0U);
}

}  // namespace
}  // namespace cheshire::test
