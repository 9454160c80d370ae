// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A NIC's flow rules, as little of them as we need: rte_flow behind four calls, so that the manager is tested
// against NICs that behave badly (tests/support/fake_flow_device.h). One thread, never a polling one: a call may
// take milliseconds. Errors are words for the log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "be.h"
#include "flow_mark_board.h"
#include "result.h"

namespace cheshire {

struct FlowRule {
  enum class Match : uint8_t {
    kService,  // TCP to vip:port
    kAddress,  // IPv4 to vip
    kFlow,     // TCP from client:client_port to vip:port
    kAllIpv4,
  };
  enum class Action : uint8_t {
    kQueues,  // to `queues`, spread by RSS if there are several; with `mark` unless that is kNoMark
    kDrop,
  };
  Match match = Match::kService;
  Action action = Action::kQueues;
  uint32_t priority = 0;  // 0 is looked at first
  be32 vip{};
  be16 port{};
  be32 client{};
  be16 client_port{};
  uint32_t mark = kNoMark;
  std::vector<uint16_t> queues;
};

// 0: none.
using FlowRuleHandle = uint64_t;

// Every rule counts the packets that it met.
class FlowDevice {
 public:
  virtual ~FlowDevice() = default;
  [[nodiscard]] virtual Result<void> validate(const FlowRule& rule) = 0;
  [[nodiscard]] virtual Result<FlowRuleHandle> create(const FlowRule& rule) = 0;
  [[nodiscard]] virtual Result<uint64_t> packets(FlowRuleHandle handle) = 0;
  [[nodiscard]] virtual Result<void> destroy(FlowRuleHandle handle) = 0;
};

}  // namespace cheshire
