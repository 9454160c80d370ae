// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/trace_view.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <map>
#include <ostream>

#include "controlplane/config/config_yaml.h"
#include "controlplane/policy/decision_words.h"
#include "controlplane/policy/policy_json.h"
#include "controlplane/trace/replay.h"
#include "controlplane/trace/trace_reader.h"
#include "units.h"

namespace cheshire {
namespace {

// Monotonic times of a trace on the wall clock; by themselves where the trace has lost its begin.
class TraceClock {
 public:
  void take(const TraceBegin& begin) { begin_ = begin; }
  [[nodiscard]] std::string text(uint64_t time_ns) const {
    const uint64_t real_ns =
        begin_.realtime_ns == 0 ? time_ns : begin_.realtime_ns + (time_ns - begin_.monotonic_ns);
    const auto seconds = static_cast<time_t>(real_ns / kNsPerSecond);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 80> text;
    const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::snprintf(text.data() + length, text.size() - length, ".%06uZ",
                  static_cast<unsigned>(real_ns % kNsPerSecond / kNsPerUs));
    return text.data();
  }

 private:
  TraceBegin begin_;
};

std::string clean(std::string text) {
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text;
}

Json decision_json(uint64_t size, const Decision& decision, const ServiceConfig& rules) {
  Json json{{"size", size},
            {"wanted", decision.wanted},
            {"by", to_string(decision.by)},
            {"brake", to_string(decision.brake)}};
  if (decision.policy < rules.policies.size()) {
    const PolicyConfig& policy = rules.policies[decision.policy];
    json["policy"] = clean(policy.name);
    if (decision.step < policy.steps.size()) json["step"] = format_step(policy.steps[decision.step]);
  }
  return json;
}

Json record_json(const TraceDecision& record, const ServiceConfig& rules, const TraceClock& clock) {
  const ServiceView& view = record.view;
  Json json{
      {"time", clock.text(record.time_ns)}, {"time_ns", record.time_ns}, {"service", clean(rules.name)}};
  json.update(decision_json(view.size, record.decision, rules));
  json["inputs"] = {{"booting", view.booting},
                    {"cold", view.cold},
                    {"quiet", view.quiet},
                    {"in_flight", view.in_flight},
                    {"held_syns", view.waiting_syns},
                    {"draining", view.draining},
                    {"grew_ns", view.grew_ns},
                    {"shrank_ns", view.shrank_ns}};
  for (size_t i = 0; i < kMetrics; ++i) {
    const auto metric = static_cast<Metric>(i);
    if (!view.knows(metric)) continue;
    json["inputs"][std::string(to_string(metric))] = {{"value", view.metric(metric).value},
                                                      {"total", view.metric(metric).total}};
  }
  json["slots"] = Json::array();
  for (size_t i = 0; i < std::min<size_t>(record.slots_count, record.slots.size()); ++i) {
    json["slots"].push_back(record.slots[i]);
  }
  json["slots_count"] = record.slots_count;
  return json;
}

Json rules_json(const ServiceConfig& rules) {
  Json json{{"rules", clean(rules.name)},
            {"min", rules.instances_min},
            {"max", rules.instances_max},
            {"warmup_ns", rules.warmup_ns},
            {"cooldown_ns", rules.cooldown_ns}};
  for (const PolicyConfig& policy : rules.policies) {
    Json row = policy_json<Json>(policy);
    row["name"] = clean(policy.name);
    json["policies"].push_back(row);
  }
  return json;
}

std::string record_line(const TraceDecision& record, const ServiceConfig& rules, const TraceClock& clock) {
  std::string line = clock.text(record.time_ns) + "  " + clean(rules.name) + "  " +
                     clean(describe_decision(record.view, record.decision, rules));
  for (size_t i = 0; i < std::min<size_t>(record.slots_count, record.slots.size()); ++i) {
    line += (i == 0 ? "  slots " : ",") + std::to_string(record.slots[i]);
  }
  if (record.slots_count > record.slots.size()) line += ",…";
  return line;
}

void tell_damages(const std::string& path, const Trace& trace, std::ostream& errors) {
  for (const TraceDamage& damage : trace.damages) {
    errors << path << ": " << damage.bytes << " bytes left out at offset " << damage.offset << ": "
           << damage.what << "\n";
  }
}

// nullopt: told already.
std::optional<Trace> open_trace(const std::string& path, std::ostream& errors) {
  Result<Trace> trace = read_trace_file(path);
  if (!trace.ok()) {
    errors << "cheshire: " << trace.error().what << "\n";
    return std::nullopt;
  }
  tell_damages(path, trace.value(), errors);
  return std::move(trace).value();
}

}  // namespace

int show_trace_file(const std::string& path, bool json, std::ostream& out, std::ostream& errors) {
  const std::optional<Trace> trace = open_trace(path, errors);
  if (!trace) return 1;
  std::map<uint16_t, ServiceConfig> rules;
  TraceClock clock;
  for (const auto& any : trace->records) {
    if (const auto* begin = std::get_if<TraceBegin>(&any)) clock.take(*begin);
    if (const auto* fresh = std::get_if<TraceRules>(&any)) {
      rules[fresh->service] = rules_of(*fresh);
      if (json) out << rules_json(rules[fresh->service]).dump() << "\n";
    }
    if (const auto* record = std::get_if<TraceDecision>(&any)) {
      ServiceConfig& known = rules[record->service];
      if (known.name.empty()) known.name = "service-" + std::to_string(record->service);
      if (json) {
        out << record_json(*record, known, clock).dump() << "\n";
      } else {
        out << record_line(*record, known, clock) << "\n";
      }
    }
  }
  return 0;
}

void show_live_decisions(const Json& decisions, bool json, std::ostream& out) {
  if (!decisions.is_object()) return;
  for (const auto& item : decisions.items()) {
    const Json& row = item.value();
    if (json) {
      out << row.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
      continue;
    }
    const auto text = [&row](const char* key) {
      const auto found = row.find(key);
      return found != row.end() && found->is_string() ? clean(found->get<std::string>()) : std::string("?");
    };
    out << clean(item.key()) << "  " << text("age") << "  " << text("service") << "  " << text("what")
        << "\n";
  }
}

int replay_trace_file(const ReplayOptions& options, std::ostream& out, std::ostream& errors) {
  const std::optional<Trace> trace = open_trace(options.trace, errors);
  if (!trace) return 1;
  Replay replay;
  if (options.config.empty()) {
    replay = replay_same(*trace);
  } else {
    const ConfigResult other = load_config(options.config);
    errors << format_problems(other.problems);
    if (!other.ok()) return 2;
    replay = replay_other(*trace, other.config->services);
  }
  const bool same_rules = options.config.empty();
  TraceClock clock;
  for (const auto& any : trace->records) {
    if (const auto* begin = std::get_if<TraceBegin>(&any)) clock.take(*begin);
  }
  for (const ReplayedDecision& decision : replay.decisions) {
    const bool differs =
        decision.size != decision.recorded.view.size || !(decision.now == decision.recorded.decision);
    if (options.json) {
      ServiceConfig name_only;
      Json json{{"time_ns", decision.recorded.time_ns}, {"service", clean(decision.service)}};
      json["recorded"] = decision_json(decision.recorded.view.size, decision.recorded.decision, name_only);
      json["replayed"] = decision_json(decision.size, decision.now, name_only);
      out << json.dump() << "\n";
    } else if (differs) {
      out << clock.text(decision.recorded.time_ns) << "  " << clean(decision.service) << "  recorded "
          << decision.recorded.view.size << " -> " << decision.recorded.decision.wanted << " ("
          << to_string(decision.recorded.decision.by) << "), "
          << (same_rules ? "replayed " : "would have been ") << decision.size << " -> " << decision.now.wanted
          << " (" << to_string(decision.now.by) << ")\n";
    }
  }
  errors << replay.decisions.size() << " decisions replayed, " << replay.different << " differ";
  if (replay.without_rules != 0)
    errors << ", " << replay.without_rules << " left out: no rules for their service";
  errors << "\n";
  return same_rules && replay.different != 0 ? 1 : 0;
}

}  // namespace cheshire
