// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A NIC with flow rules, and the wire before it: good, or bad in one of the ways that NICs are bad in. Packets go
// through deliver(), which does with them what the rules say and counts on the mark board what a worker would.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/offload/flow_offload.h"
#include "dataplane/packet/flow_key.h"

namespace cheshire::test {

struct FakeNic {
  bool has_flow_rules = true;
  bool creates = true;
  bool drops_what_matches = false;  // and counts it
  bool loses_silently = false;      // and does not
  bool counts = true;               // false: queries fail
  bool matches = true;              // false: rules have no effect
  bool marks = true;
  uint32_t mark_error = 0;  // added to each mark
  std::set<FlowRule::Match> refuses = {};
  // With rules for single flows only:
  bool drops_pins = false;
  bool loses_pins = false;  // and does not count them
  bool pins_match = true;
  bool pins_go_home = true;  // false: to where RSS leads
  size_t rules_max = 1'000'000;
  size_t services_max = 1'000'000;  // rules for services, in a table of their own
  uint64_t rule_ns = 1000;
};

class FakeFlowDevice final : public FlowDevice {
 public:
  FakeFlowDevice(const FakeNic& is, FlowMarkBoard& board) : nic(is), board_(board) {}

  Result<void> validate(const FlowRule& rule) override {
    if (!nic.has_flow_rules) return Error{ErrorCode::kUnavailable, "Function not implemented"};
    if (nic.refuses.contains(rule.match)) return Error{ErrorCode::kUnavailable, "Invalid argument"};
    return {};
  }
  Result<FlowRuleHandle> create(const FlowRule& rule) override {
    now_ns += nic.rule_ns;
    if (!nic.creates) return Error{ErrorCode::kUnavailable, "Operation not supported"};
    const bool no_room = rule.match == FlowRule::Match::kService && count(rule.match) >= nic.services_max;
    if (no_room || rules.size() >= nic.rules_max)
      return Error{ErrorCode::kUnavailable, "No space left on device"};
    for (const auto& [handle, other] : rules) EXPECT_FALSE(same_match(other.rule, rule)) << "a rule twice";
    rules[++last_] = {rule, 0};
    return last_;
  }
  Result<uint64_t> packets(FlowRuleHandle handle) override {
    if (!nic.counts) return Error{ErrorCode::kUnavailable, "no counters"};
    return rules.at(handle).packets;
  }
  Result<void> destroy(FlowRuleHandle handle) override {
    EXPECT_EQ(rules.erase(handle), 1U) << "a rule that is not there";
    return {};
  }

  struct Flow {
    be32 vip;
    be16 port;
    be16 client_port = be16(1000);
    be32 client{};
  };
  // What becomes of so many packets of it.
  struct Way {
    bool arrives = true;
    std::optional<uint16_t> queue;  // nullopt: where RSS leads
    uint32_t mark = kNoMark;
  };
  Way route(const Flow& flow, uint64_t count) {
    Installed* rule = nic.matches ? best(flow) : nullptr;
    if (rule == nullptr) return {};
    const bool is_pin = rule->rule.match == FlowRule::Match::kFlow;
    const bool is_service = rule->rule.match == FlowRule::Match::kService;
    if ((nic.loses_silently && is_service) || (nic.loses_pins && is_pin)) return {.arrives = false};
    rule->packets += count;
    if (nic.drops_what_matches || (nic.drops_pins && is_pin) || rule->rule.action == FlowRule::Action::kDrop)
      return {.arrives = false};
    Way way;
    if (rule->rule.queues.size() == 1 && (!is_pin || nic.pins_go_home)) way.queue = rule->rule.queues.front();
    if (nic.marks && rule->rule.mark != kNoMark) way.mark = rule->rule.mark + nic.mark_error;
    return way;
  }

  // Packets of a client to vip:port, which RSS leads to a queue that is not the owner's, worker 0. `service` is what the
  // worker finds; nullopt: none. Returns how many arrived.
  uint64_t deliver(be32 vip, be16 port, std::optional<ServiceIndex> service, uint64_t count,
                   be16 client_port = be16(1000)) {
    const Way way = route({vip, port, client_port}, count);
    if (!way.arrives) return 0;
    if (!service) return count;
    FlowMarkLoad& load = board_.by_service[service->value];
    load.seen.add(count);
    WorkerMarks& owner = board_.by_worker[0];
    if (way.mark != kNoMark) (way.mark == mark_of(*service) ? load.marked : owner.wrong).add(count);
    if (FlowKey{be32{}, client_port, *service}.as_integer() == board_.orders.watched.get()) {
      (way.queue == 0 ? owner.watched_here : owner.watched_over).add(count);
    }
    return count;
  }
  [[nodiscard]] size_t count(FlowRule::Match match) const {
    return static_cast<size_t>(std::count_if(
        rules.begin(), rules.end(), [&](const auto& entry) { return entry.second.rule.match == match; }));
  }

  struct Installed {
    FlowRule rule;
    uint64_t packets = 0;
  };
  FakeNic nic;
  std::map<FlowRuleHandle, Installed> rules;
  uint64_t now_ns = 1'000'000'000;

 private:
  static bool same_match(const FlowRule& a, const FlowRule& b) {
    return a.match == b.match && a.vip == b.vip && a.port == b.port && a.client == b.client &&
           a.client_port == b.client_port;
  }
  Installed* best(const Flow& flow) {
    Installed* found = nullptr;
    for (auto& [handle, installed] : rules) {
      const FlowRule& rule = installed.rule;
      const bool is_pin = rule.match == FlowRule::Match::kFlow;
      const bool by_port = rule.match == FlowRule::Match::kService || is_pin;
      const bool hit =
          (rule.match == FlowRule::Match::kAllIpv4 || rule.vip == flow.vip) &&
          (!by_port || rule.port == flow.port) &&
          (!is_pin || (nic.pins_match && rule.client_port == flow.client_port && rule.client == flow.client));
      if (hit && (found == nullptr || rule.priority < found->rule.priority)) found = &installed;
    }
    return found;
  }

  FlowMarkBoard& board_;
  FlowRuleHandle last_ = 0;
};

}  // namespace cheshire::test
