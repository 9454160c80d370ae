// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What grin answers: a head and the start of a body as text, each built when it is first asked for, because
// building all of them would be the larger part of the boot on an emulating KVM.
//
// A body that is longer than the text goes on with a pattern that depends on the offset alone. So any piece
// of an answer can be made again at any time, and retransmission needs no send buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "unikernel/counters.h"

namespace cheshire::grin {

enum class PageId : uint8_t {
  kHello,
  kHealth,
  kContinue,
  kBadRequest,
  kMethodNotAllowed,
  kHeadTooLarge,
  kNotImplemented,
  kUnavailable,
};
inline constexpr size_t kPageCount = 8;

struct Page {
  uint32_t head_size_bytes;
  uint32_t text_size_bytes;  // head and the part of the body that is text
  uint32_t body_size_bytes;
  std::array<char, 640> text;

  [[nodiscard]] uint32_t size_bytes() const { return head_size_bytes + body_size_bytes; }
  // Bytes [offset, offset + out.size()) of head and body.
  void copy(uint32_t offset, std::span<std::byte> out) const;
};

// The numbers of /stats that are not in Counters.
struct StatsView {
  uint64_t uptime_us;
  uint64_t connections;
  uint64_t time_wait;
  uint64_t waiting;
  uint64_t running;
};

class Pages {
 public:
  void init(uint64_t token, uint32_t hello_size_bytes) {
    token_ = token;
    hello_size_bytes_ = hello_size_bytes;
  }

  [[nodiscard]] const Page& page(PageId id, bool close);

  // A page of /stats, with the numbers of now. There are kStatsSlots of them at a time: null if none is free.
  [[nodiscard]] const Page* take_stats(const Counters& counters, const StatsView& view, bool close);
  // Does nothing for pages of page().
  void give_back(const Page* page);

 private:
  static constexpr size_t kStatsSlots = 8;
  void build(Page& page, std::string_view status, std::string_view extra, std::string_view body, bool close);
  void build_hello(Page& page, bool close);

  uint64_t token_ = 0;
  uint32_t hello_size_bytes_ = 0;
  uint32_t stats_used_ = 0;  // bit per slot
  std::array<std::array<Page, 2>, kPageCount> pages_ = {};
  std::array<Page, kStatsSlots> stats_ = {};
};

}  // namespace cheshire::grin
