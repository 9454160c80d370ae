// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/syn_cookie.h"

#include "ids.h"

namespace cheshire {
namespace {

constexpr unsigned kHashBits = 29;
constexpr uint32_t kHashMask = (1U << kHashBits) - 1;
constexpr unsigned kClassShift = kHashBits;
constexpr unsigned kParityShift = 31;

// The flow's integer has its service in the top 16 bits, of which a service's number never needs the last
// four: there is room for what else the hash has to cover.
constexpr unsigned kKindShift = 62;
constexpr unsigned kClassInWordShift = 60;
static_assert(kServicesMax < (1U << 12U));

uint32_t hash_of(const HashKey& key, CookieKind kind, const FlowKey& flow, uint8_t mss_class) {
  const uint64_t word = flow.as_integer() ^ (uint64_t{static_cast<uint8_t>(kind)} << kKindShift) ^
                        (uint64_t{mss_class} << kClassInWordShift);
  return static_cast<uint32_t>(siphash13(key, word)) & kHashMask;
}

}  // namespace

uint16_t mss_of_options(std::span<const uint8_t> options) {
  constexpr uint8_t kEnd = 0;
  constexpr uint8_t kNothing = 1;
  constexpr uint8_t kMss = 2;
  constexpr uint8_t kMssLength = 4;
  size_t at = 0;
  while (at < options.size() && options[at] != kEnd) {
    if (options[at] == kNothing) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) break;
    const uint8_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) break;
    if (options[at] == kMss && length == kMssLength) {
      return static_cast<uint16_t>(options[at + 2] << 8U | options[at + 3]);
    }
    at += length;
  }
  return kMssUnsaid;
}

std::optional<uint8_t> mss_class(uint16_t mss) {
  std::optional<uint8_t> found;
  for (uint8_t index = 0; index < kMssClasses.size(); ++index) {
    if (mss >= kMssClasses[index]) found = index;
  }
  return found;
}

HashKey SynCookies::key_of(uint64_t epoch) const {
  return {siphash13(master_, 2 * epoch), siphash13(master_, 2 * epoch + 1)};
}

void SynCookies::roll(uint64_t now_ns) {
  if (now_ns < next_roll_ns_) return;
  epoch_ = now_ns / period_ns_;
  next_roll_ns_ = (epoch_ + 1) * period_ns_;
  keys_[epoch_ & 1U] = key_of(epoch_);
  keys_[(epoch_ & 1U) ^ 1U] = key_of(epoch_ - 1);
}

uint32_t SynCookies::make(CookieKind kind, const FlowKey& flow, uint8_t mss_class, uint64_t now_ns) {
  roll(now_ns);
  const auto parity = static_cast<uint32_t>(epoch_ & 1U);
  return parity << kParityShift | uint32_t{mss_class} << kClassShift |
         hash_of(keys_[parity], kind, flow, mss_class);
}

std::optional<uint8_t> SynCookies::check(CookieKind kind, const FlowKey& flow, uint32_t cookie,
                                         uint64_t now_ns) {
  roll(now_ns);
  const auto mss_class = static_cast<uint8_t>(cookie >> kClassShift & 3U);
  const HashKey& key = keys_[cookie >> kParityShift];
  if (hash_of(key, kind, flow, mss_class) != (cookie & kHashMask)) return std::nullopt;
  return mss_class;
}

}  // namespace cheshire
