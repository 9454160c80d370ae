// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/wire.h"

#include <algorithm>

namespace cheshire::sim {
namespace {

using test::Dpdk;

// The stage's pool is asked before it is taken from: on a real NIC a packet without a buffer is dropped as well.
constexpr uint32_t kBuffersLeft = 64;
constexpr uint32_t kBuffers = 8191;

}  // namespace

unsigned Wire::copies() {
  if (scene_.calm) return 1;
  if (scene_.random.per_million(scene_.plan.wire.lost_ppm)) return 0;
  return scene_.random.per_million(scene_.plan.wire.doubled_ppm) ? 2 : 1;
}

uint64_t Wire::arrival_ns() {
  const WirePlan& plan = scene_.plan.wire;
  return scene_.now_ns() + scene_.random.between(plan.delay_min_ns, plan.delay_max_ns);
}

void Wire::to_nic(Bytes frame, Attempt* attempt, uint32_t spread) {
  const size_t workers = scene_.plan.config.workers();
  const size_t queue = scene_.plan.wire.changes_queues ? scene_.random.below(workers) : spread % workers;
  const unsigned count = copies();
  if (count == 0) {
    scene_.covered.count(Event::k_frames_lost);
    scene_.journal.note(What::kWireLoses, attempt != nullptr ? attempt->serial : 0);
    if (attempt != nullptr) ++attempt->lost;
  }
  if (count == 2) scene_.covered.count(Event::k_frames_doubled);
  for (unsigned i = 0; i < count; ++i) to_nic_.emplace(arrival_ns(), Frame{frame, queue});
}

void Wire::act() {
  while (!to_nic_.empty() && to_nic_.begin()->first <= scene_.now_ns()) {
    const Frame frame = std::move(to_nic_.begin()->second);
    to_nic_.erase(to_nic_.begin());
    const bool room = Dpdk::get().packets_in_use() + kBuffersLeft < kBuffers;
    if (room && Dpdk::get().put_on_wire(frame.bytes, 0, 0, frame.queue)) {
      ++given_;
    } else {
      scene_.covered.count(Event::k_frames_refused_by_nic);
      ++scene_.excuses;
    }
  }
  if (scene_.now_ns() < stands_until_ns_) return;
  for (Bytes& frame : Dpdk::get().take_from_wire()) {
    ++taken_;
    for (const uint8_t byte : frame) scene_.journal.mix(byte);
    const unsigned count = copies();
    if (count == 0) {
      scene_.covered.count(Event::k_frames_lost);
      const std::optional<Segment> segment = read_segment(frame);
      Attempt* attempt =
          segment ? scene_.book.attempt((segment->acknowledgment - 1) >> kSerialShift) : nullptr;
      if (attempt != nullptr) ++attempt->lost;
      // A reset without an acknowledgment does not tell whose it is.
      if (segment && !segment->has(kTcpAck)) ++scene_.excuses;
    }
    if (count == 2) scene_.covered.count(Event::k_frames_doubled);
    for (unsigned i = 0; i < count; ++i) to_clients_.emplace(arrival_ns(), frame);
  }
}

std::vector<Bytes> Wire::take() {
  std::vector<Bytes> frames;
  while (!to_clients_.empty() && to_clients_.begin()->first <= scene_.now_ns()) {
    frames.push_back(std::move(to_clients_.begin()->second));
    to_clients_.erase(to_clients_.begin());
  }
  return frames;
}

uint64_t Wire::due_ns() const {
  uint64_t due = UINT64_MAX;
  if (!to_nic_.empty()) due = std::min(due, to_nic_.begin()->first);
  if (!to_clients_.empty()) due = std::min(due, to_clients_.begin()->first);
  return due;
}

}  // namespace cheshire::sim
