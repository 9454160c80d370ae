// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which flows are worth a rule of the NIC's own: those that keep coming to a queue that is not their owner's, so that
// each of their packets is handed over (hand_over.h). Asked by the owner, who has the flow table; answered by the
// offload manager (flow_offload.h), which gives the NIC a rule to the owner's queue.
//
// Sample and hold (Estan and Varghese, "New Directions in Traffic Measurement and Accounting", 2002), in its smallest
// form: of the packets that are handed over one in kPacketsPerSample on average is looked at. Its flow is remembered in
// its entry, by one bit, and asked for when it is met once more. So a flow is found after about twice as many packets of
// its own, whatever else comes; one of ten packets with a chance of three in a million, and one whose packets all come
// within half of kPacketsPerSample not at all. There is nothing to do per packet: a subtraction per burst.
//
// The steps differ (by xorshift), or traffic with a period would show the same flow each time, and others never.
// A request that was lost or refused, or whose rule does nothing, is made again after as many packets. So the requests
// are bounded by the packets, whoever sends them, and an attacker has to pay for a pin with a flow that is open.
#pragma once

#include <cstdint>
#include <optional>

#include "be.h"
#include "ids.h"

namespace cheshire {

inline constexpr uint32_t kPacketsPerSample = 4096;

// A request's way off the polling core: one ring for each worker. Full: the flow is met again.
inline constexpr size_t kPinRequestsMax = 256;

// Owner to offload manager: this flow is long, bring it to my queue.
struct PinRequest {
  be32 client;
  be16 client_port;
  be32 vip;
  be16 port;
  ServiceIndex service;
  uint16_t queue = 0;  // the owner's
};

// One thread.
class PacketSampler {
 public:
  // One packet of `every`, a power of two, on average; `seed` is not 0.
  explicit PacketSampler(uint32_t every, uint32_t seed) : every_(every), state_(seed), left_(step()) {}

  // Of `count` packets that come, no more than every / 2: the place of the one to look at, if it is among them.
  [[nodiscard]] std::optional<uint16_t> among(uint16_t count) {
    if (left_ >= count) [[likely]] {
      left_ -= count;
      return std::nullopt;
    }
    const auto place = static_cast<uint16_t>(left_);
    left_ = step() - (count - place);
    return place;
  }

 private:
  // From every / 2 up to 3 / 2 every.
  uint32_t step() {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 17U;
    state_ ^= state_ << 5U;
    return every_ / 2 + (state_ & (every_ - 1));
  }

  const uint32_t every_;
  uint32_t state_;
  uint32_t left_;  // packets until the next one
};

}  // namespace cheshire
