// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A NIC with flow rules, and the wire before it: good, or bad in one of the ways that NICs are bad in. Packets go
// through deliver(), which does with them what the rules say and counts on the mark board what a worker would.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/flow_offload.h"

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
  size_t rules_max = 1'000'000;
  uint64_t rule_ns = 1000;
};

class FakeFlowDevice final : public FlowDevice {
 public:
  FakeFlowDevice(const FakeNic& is, FlowMarkBoard& board) : nic(is), board_(board) {}

  Result<void> validate(const FlowRule&) override {
    if (!nic.has_flow_rules) return Error{ErrorCode::kUnavailable, "Function not implemented"};
    return {};
  }
  Result<FlowRuleHandle> create(const FlowRule& rule) override {
    now_ns += nic.rule_ns;
    if (!nic.creates) return Error{ErrorCode::kUnavailable, "Operation not supported"};
    if (rules.size() >= nic.rules_max) return Error{ErrorCode::kUnavailable, "No space left on device"};
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

  // Packets of a client to vip:port. `service` is what the worker finds; nullopt: none. Returns how many arrived.
  uint64_t deliver(be32 vip, be16 port, std::optional<ServiceIndex> service, uint64_t count,
                   be16 client_port = be16(1000)) {
    Installed* rule = nic.matches ? best(vip, port, client_port) : nullptr;
    if (rule != nullptr) {
      if (nic.loses_silently && rule->rule.match == FlowRule::Match::kService) return 0;
      rule->packets += count;
      if (nic.drops_what_matches || rule->rule.action == FlowRule::Action::kDrop) return 0;
    }
    if (!service) return count;
    FlowMarkLoad& load = board_.by_service[service->value];
    load.seen.add(count);
    if (rule != nullptr && nic.marks && rule->rule.mark != kNoMark) {
      const bool right = rule->rule.mark + nic.mark_error == mark_of(*service);
      (right ? load.marked : board_.by_worker[0].marks).add(count);
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
  Installed* best(be32 vip, be16 port, be16 client_port) {
    Installed* found = nullptr;
    for (auto& [handle, installed] : rules) {
      const FlowRule& rule = installed.rule;
      const bool by_port = rule.match == FlowRule::Match::kService || rule.match == FlowRule::Match::kFlow;
      const bool hit = (rule.match == FlowRule::Match::kAllIpv4 || rule.vip == vip) &&
                       (!by_port || rule.port == port) &&
                       (rule.match != FlowRule::Match::kFlow || rule.client_port == client_port);
      if (hit && (found == nullptr || rule.priority < found->rule.priority)) found = &installed;
    }
    return found;
  }

  FlowMarkBoard& board_;
  FlowRuleHandle last_ = 0;
};

}  // namespace cheshire::test
