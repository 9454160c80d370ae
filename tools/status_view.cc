// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/status_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

#include "tools/text_table.h"
#include "units.h"

namespace cheshire {
namespace {

using Align = TextTable::Align;

// A field's kind, so that a column is one line of a table.
enum class Show { kText, kNumber, kId, kMs, kNs, kBytes };
struct Field {
  const char* key;
  const char* title;
  Show show = Show::kNumber;
};

constexpr size_t kCellMax = 48;

// Text from the socket must not move a terminal's cursor.
std::string clean(const std::string& text) {
  std::string out = text.substr(0, kCellMax);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
}

const Json& member(const Json& object, const char* key) {
  static const Json kMissing;
  if (!object.is_object()) return kMissing;
  const auto found = object.find(key);
  return found == object.end() ? kMissing : *found;
}

std::optional<uint64_t> number(const Json& value) {
  if (!value.is_number_integer() || (!value.is_number_unsigned() && value.get<int64_t>() < 0)) {
    return std::nullopt;
  }
  return value.get<uint64_t>();
}

std::string cell(const Json& value, Show show) {
  if (value.is_string()) return clean(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  const std::optional<uint64_t> n = number(value);
  if (!n) return "-";
  if (show == Show::kId) return std::to_string(*n);
  if (show == Show::kBytes) return short_size(*n);
  if (show == Show::kNs) return short_duration(*n);
  if (show != Show::kMs) return grouped(*n);
  return *n > UINT64_MAX / kNsPerMs ? "-" : short_duration(*n * kNsPerMs);
}

// A table with one row for each entry of a dictionary.
std::string table_of(const char* heading, const char* key_title, const Json& entries,
                     const std::vector<Field>& fields) {
  const std::string title = std::string(heading) + "\n";
  if (!entries.is_object() || entries.empty()) return title + "  none\n";
  std::vector<TextTable::Column> columns{{key_title, Align::kLeft}};
  for (const Field& field : fields) {
    columns.push_back({field.title, field.show == Show::kText ? Align::kLeft : Align::kRight});
  }
  TextTable table(columns);
  for (const auto& [name, entry] : entries.items()) {
    std::vector<std::string> row{clean(name)};
    for (const Field& field : fields) row.push_back(cell(member(entry, field.key), field.show));
    table.add_row(std::move(row));
  }
  return title + table.text();
}

std::string services_view(const Json& services) {
  return table_of("SERVICES", "service", services,
                  {{"listen", "listen", Show::kText},
                   {"image", "image", Show::kText},
                   {"min", "min"},
                   {"max", "max"},
                   {"wanted", "wanted"},
                   {"active", "active"},
                   {"booting", "booting"},
                   {"draining", "draining"},
                   {"shells", "shells"},
                   {"standby", "standby"},
                   {"in_flight", "in flight"},
                   {"held_syns", "held"},
                   {"flows_opened", "opened"},
                   {"flows_closed", "closed"},
                   {"cold_starts", "cold starts"},
                   {"boots_failed", "boots failed"},
                   {"refusing", "refusing"},
                   {"last_decision", "last decision", Show::kText}});
}

std::string admission_view(const Json& admission) {
  if (!admission.is_object() || admission.empty()) return "";  // of a daemon that does not tell
  return "\n" + table_of("ADMISSION", "service", admission,
                         {{"syns", "asked"},
                          {"admitted", "admitted"},
                          {"rejected_full", "full"},
                          {"rejected_hold_full", "hold full"},
                          {"rejected_hold_expired", "expired"},
                          {"rejected_refused", "refused"},
                          {"with_reset", "by reset"},
                          {"with_http503", "by 503"},
                          {"with_drop", "by drop"},
                          {"with_silent", "silent"},
                          {"challenges_sent", "challenged"},
                          {"challenges_passed", "passed"}});
}

std::string instances_view(const Json& instances) {
  return table_of("INSTANCES", "instance", instances,
                  {{"state", "state", Show::kText},
                   {"tier", "tier", Show::kText},
                   {"pid", "pid", Show::kId},
                   {"age_ms", "age", Show::kMs},
                   {"memory_bytes", "memory", Show::kBytes},
                   {"cpu_ns", "cpu", Show::kNs},
                   {"in_flight", "in flight"},
                   {"flows_limit", "limit"},
                   {"flows_opened", "opened"},
                   {"packets_to_guest", "pkts to guest"},
                   {"packets_from_guest", "pkts from guest"},
                   {"bytes_to_guest", "bytes to guest"},
                   {"bytes_from_guest", "bytes from guest"},
                   {"drops", "drops"}});
}

std::string workers_view(const Json& workers) {
  return table_of("WORKERS", "worker", workers,
                  {{"turns", "turns"},
                   {"nic_rx_packets", "nic rx"},
                   {"nic_tx_packets", "nic tx"},
                   {"packets_to_guest", "to guest"},
                   {"packets_from_guest", "from guest"},
                   {"handed_over", "handed over"},
                   {"taken_over", "taken over"},
                   {"generated", "generated"},
                   {"drops", "drops"},
                   {"held", "held"},
                   {"flows", "flows"}});
}

std::string drops_view(const Json& drops) {
  std::vector<std::pair<uint64_t, std::string>> counted;
  if (drops.is_object()) {
    for (const auto& [reason, value] : drops.items()) {
      const uint64_t count = number(value).value_or(0);
      if (count > 0) counted.emplace_back(count, clean(reason));
    }
  }
  if (counted.empty()) return "DROPS\n  none\n";
  std::stable_sort(counted.begin(), counted.end(), [](auto& a, auto& b) { return a.first > b.first; });
  TextTable table({{"reason", Align::kLeft}, {"packets", Align::kRight}});
  for (const auto& [count, reason] : counted) table.add_row({reason, grouped(count)});
  return "DROPS\n" + table.text();
}

// By the nearest rank, of a sorted list that is not empty.
uint64_t percentile(const std::vector<uint64_t>& sorted, double percent) {
  const auto rank = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

struct Stage {
  const char* key;
  const char* title;
};
constexpr std::array<Stage, 8> kStages{{{"boot_ordered_ns", "boot ordered"},
                                        {"spawned_ns", "process spawned"},
                                        {"vhost_connected_ns", "vhost connected"},
                                        {"ring_up_ns", "ring up"},
                                        {"syn_delivered_ns", "SYN delivered"},
                                        {"syn_ack_ns", "SYN-ACK seen"},
                                        {"on_wire_ns", "SYN-ACK on the wire"},
                                        {"own_ns", "Cheshire's own share"}}};

// The times of one stage, sorted, of the starts from one tier; "" stands for a daemon that names none.
std::vector<uint64_t> times_of(const Json& cold_starts, const std::string& tier, const char* stage) {
  std::vector<uint64_t> times;
  if (!cold_starts.is_object()) return times;
  for (const Json& start : cold_starts) {
    const Json& named = member(start, "tier");
    if ((named.is_string() ? named.get<std::string>() : "") != tier) continue;
    if (const auto time = number(member(start, stage))) times.push_back(*time);
  }
  std::sort(times.begin(), times.end());
  return times;
}

// A table for each tier, as a median over several says nothing.
std::string cold_starts_view(const Json& cold_starts) {
  std::string out;
  for (const char* tier : {"", "cold", "shell", "standby"}) {
    TextTable table({{"since the SYN arrived", Align::kLeft},
                     {"p50", Align::kRight},
                     {"p99", Align::kRight},
                     {"max", Align::kRight}});
    size_t starts = 0;
    for (const Stage& stage : kStages) {
      const std::vector<uint64_t> times = times_of(cold_starts, tier, stage.key);
      starts = std::max(starts, times.size());
      if (times.empty()) continue;
      table.add_row({stage.title, short_duration(percentile(times, 50)),
                     short_duration(percentile(times, 99)), short_duration(times.back())});
    }
    if (table.empty()) continue;
    const std::string from = *tier == '\0' ? "" : std::string("from ") + tier + ", ";
    out += (out.empty() ? "COLD STARTS (" : "\nCOLD STARTS (") + from + "the newest " +
           std::to_string(starts) + ")\n" + table.text();
  }
  return out.empty() ? "COLD STARTS\n  none\n" : out;
}

}  // namespace

std::string render_status(const Json& status) {
  return services_view(member(status, "services")) + admission_view(member(status, "admission")) + "\n" +
         instances_view(member(status, "instances")) + "\n" + workers_view(member(status, "workers")) + "\n" +
         drops_view(member(status, "drops")) + "\n" + cold_starts_view(member(status, "cold_starts"));
}

}  // namespace cheshire
