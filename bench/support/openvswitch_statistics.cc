// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/support/openvswitch_statistics.h"

#include <charconv>
#include <optional>

namespace cheshire {
namespace {

Error unreadable(const std::string& what) {
  return {ErrorCode::kInvalidArgument, "Open vSwitch's statistics: " + what};
}

// The next line without the blanks before it; takes it away.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line;
}

// The number behind `name`, which is somewhere in the line; whatever follows it.
std::optional<uint64_t> number_behind(std::string_view line, std::string_view name) {
  const size_t at = line.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view digits = line.substr(at + name.size());
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc()) return {};
  return value;
}

}  // namespace

// "pmd thread numa_id 0 core_id 1:", then "  packets received: 4711", "  processing cycles: 4711 (99.00%)" and
// others; then the next thread's.
Result<PmdStatistics> parse_pmd_statistics(std::string_view text, long core) {
  const std::string head = "core_id " + std::to_string(core) + ":";
  bool here = false;
  bool found = false;
  std::optional<uint64_t> packets;
  std::optional<uint64_t> misses;
  std::optional<uint64_t> failed_misses;
  std::optional<uint64_t> busy;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.starts_with("pmd thread") || line.starts_with("main thread")) {
      here = line.starts_with("pmd") && line.ends_with(head);
      found = found || here;
    } else if (here) {
      if (line.starts_with("packets received: ")) packets = number_behind(line, ": ");
      if (line.starts_with("miss with success upcall: ")) misses = number_behind(line, ": ");
      if (line.starts_with("miss with failed upcall: ")) failed_misses = number_behind(line, ": ");
      if (line.starts_with("processing cycles: ")) busy = number_behind(line, ": ");
    }
  }
  if (!found) return unreadable("nothing of a polling thread on core " + std::to_string(core));
  if (!packets) return unreadable("no number of packets received");
  if (!misses || !failed_misses) return unreadable("no number of misses");
  if (!busy) return unreadable("no number of processing cycles");
  return PmdStatistics{*packets, *misses + *failed_misses, *busy};
}

// "  port 11: rx pkts=…", then "           tx pkts=4711, bytes=…"; the bridge's own is "port LOCAL".
Result<std::map<uint32_t, uint64_t>> parse_sent_packets(std::string_view text) {
  std::map<uint32_t, uint64_t> sent;
  uint64_t port = 0;  // whose line is to come; 0: none's
  const auto without_number = [&] {
    return unreadable("no number of packets sent by port " + std::to_string(port));
  };
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.starts_with("port ")) {
      if (port != 0) return without_number();
      port = number_behind(line, "port ").value_or(0);
    } else if (port != 0 && line.starts_with("tx pkts=")) {
      const auto packets = number_behind(line, "tx pkts=");
      if (!packets) return without_number();
      sent[static_cast<uint32_t>(port)] = *packets;
      port = 0;
    }
  }
  if (port != 0) return without_number();
  if (sent.empty()) return unreadable("no ports");
  return sent;
}

}  // namespace cheshire
