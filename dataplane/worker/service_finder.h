// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which service a client's packet is for. Most are for that of the packet before: the last answer is kept.
#pragma once

#include <cstddef>
#include <cstdint>

#include "be.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/worker/packet_burst.h"
#include "steering_table.h"

namespace cheshire {

class ServiceFinder {
 public:
  struct Found {
    ServiceIndex index;
    bool mine;
    Step plain_step;    // of plain segments
    uint64_t key_bits;  // in their flow keys
  };
  // `worker`: whose services are not foreign. Before there is a table everything is for nobody.
  explicit ServiceFinder(size_t worker) : worker_(worker) {}
  void use(const SteeringTable* table) {
    table_ = table;
    last_ = kNone;
  }

  // By plain_destination(). nullptr: nobody listens there. Good until the next call.
  [[nodiscard]] const Found* find(uint64_t destination) {
    return destination == last_ ? &found_ : ask(destination);
  }
  [[nodiscard]] bool is_vip(be32 address) const { return table_ != nullptr && table_->is_vip(address); }

 private:
  static constexpr uint64_t kNone = UINT64_MAX;  // no destination has these bits
  [[gnu::noinline]] const Found* ask(uint64_t destination) {
    if (table_ == nullptr) return nullptr;
    const auto vip = be32::from_raw(static_cast<uint32_t>(destination));
    const auto port = be16::from_raw(static_cast<uint16_t>(destination >> 48U));
    const auto index = table_->find(vip, port);
    if (!index) return nullptr;
    last_ = destination;
    const bool mine = table_->service(*index).worker == worker_;
    found_ = {*index, mine, mine ? Step::kPlainSegment : Step::kForeign,
              FlowKey{{}, {}, *index}.as_integer()};
    return &found_;
  }

  const size_t worker_;
  const SteeringTable* table_ = nullptr;
  uint64_t last_ = kNone;
  Found found_{};
};

}  // namespace cheshire
