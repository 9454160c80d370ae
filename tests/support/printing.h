// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// How the project's types look in the message of a failed expectation.
#pragma once

#include <iomanip>
#include <ostream>

#include "dataplane/packet/parse.h"
#include "drop_reason.h"
#include "net.h"

namespace cheshire {

inline void PrintTo(DropReason reason, std::ostream* out) {
  *out << to_string(reason);
}
inline void PrintTo(PacketKind kind, std::ostream* out) {
  constexpr std::array<const char*, 4> kNames = {"drop", "tcp", "arp", "icmp echo"};
  *out << kNames[static_cast<size_t>(kind)];
}
inline void PrintTo(const MacAddress& mac, std::ostream* out) {
  for (const uint8_t byte : mac.bytes) *out << std::hex << std::setw(2) << std::setfill('0') << int{byte};
}
inline void PrintTo(const be16& number, std::ostream* out) {
  *out << number.value();
}
inline void PrintTo(const be32& number, std::ostream* out) {
  *out << number.value();
}

}  // namespace cheshire
