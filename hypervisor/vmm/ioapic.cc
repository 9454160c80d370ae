// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/ioapic.h"

namespace cheshire {
namespace {

constexpr uint64_t kSelectOffset = 0x00;
constexpr uint64_t kWindowOffset = 0x10;
constexpr uint8_t kIdRegister = 0;
constexpr uint8_t kVersionRegister = 1;
constexpr uint8_t kArbitrationRegister = 2;
constexpr uint8_t kFirstRedirection = 0x10;
constexpr uint32_t kVersion = 0x11 | (kIoapicLines - 1) << 16;
constexpr uint64_t kReadOnlyBits = uint64_t{1} << 12 | uint64_t{1} << 14;  // delivery status, remote IRR
constexpr uint32_t kMsiAddress = 0xfee0'0000;

}  // namespace

uint32_t Ioapic::read(uint64_t offset) const {
  if (offset == kSelectOffset) return selected_;
  if (offset != kWindowOffset) return 0;
  if (selected_ == kIdRegister || selected_ == kArbitrationRegister) return id_;
  if (selected_ == kVersionRegister) return kVersion;
  const unsigned index = (selected_ - kFirstRedirection) / 2U;
  if (selected_ < kFirstRedirection || index >= kIoapicLines) return 0;
  const uint64_t entry = redirections_[index];
  return static_cast<uint32_t>((selected_ & 1U) != 0 ? entry >> 32U : entry);
}

std::optional<uint32_t> Ioapic::write(uint64_t offset, uint32_t value) {
  if (offset == kSelectOffset) selected_ = static_cast<uint8_t>(value);
  if (offset != kWindowOffset) return std::nullopt;
  if (selected_ == kIdRegister) id_ = value & 0x0f00'0000U;
  const unsigned index = (selected_ - kFirstRedirection) / 2U;
  if (selected_ < kFirstRedirection || index >= kIoapicLines) return std::nullopt;
  uint64_t& entry = redirections_[index];
  const uint64_t before = entry;
  if ((selected_ & 1U) != 0) {
    entry = (entry & 0xffff'ffffU) | uint64_t{value} << 32U;
  } else {
    entry = (entry & ~uint64_t{0xffff'ffff}) | (value & ~kReadOnlyBits);
  }
  if (entry == before) return std::nullopt;
  return index;
}

std::optional<MsiMessage> Ioapic::message(uint32_t line) const {
  const uint64_t entry = redirections_[line];
  if ((entry & kMasked) != 0) return std::nullopt;
  const auto destination = static_cast<uint32_t>(entry >> 56U);
  const auto logical = static_cast<uint32_t>(entry >> 11U & 1U);
  const auto delivery = static_cast<uint32_t>(entry >> 8U & 7U);
  // ExtINT, which only a real 8259 can serve, is taken for fixed; the vector's bits lie alike in both.
  const uint32_t mode = delivery == 7 ? 0 : delivery;
  return MsiMessage{.address = kMsiAddress | destination << 12U | logical << 2U,
                    .data = mode << 8U | static_cast<uint32_t>(entry & 0xffU)};
}

}  // namespace cheshire
