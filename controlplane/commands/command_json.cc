// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/commands/command_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "controlplane/config/config_values.h"
#include "controlplane/config/policy_words.h"
#include "controlplane/policy/policy_json.h"

namespace cheshire {
namespace {

using Json = nlohmann::ordered_json;

Error invalid(std::string what) {
  return Error{ErrorCode::kInvalidArgument, std::move(what)};
}

struct CommandWords {
  std::string_view words;
  CommandKind kind;
  std::vector<std::string_view> keys;      // besides "command"
  std::vector<std::string_view> required;  // of those
};
const std::array<CommandWords, 7>& commands() {
  static const std::array<CommandWords, 7> kCommands{{
      {"scale get", CommandKind::kScaleGet, {"service", "policy"}, {"service"}},
      {"scale init",
       CommandKind::kScaleInit,
       {"service", "min_size", "max_size", "warmup", "cooldown"},
       {"service"}},
      {"scale add",
       CommandKind::kScaleAdd,
       {"service", "name", "type", "metric", "adjustment", "steps", "target"},
       {"service", "name"}},
      {"scale remove", CommandKind::kScaleRemove, {"service", "policy"}, {"service", "policy"}},
      {"scale reset", CommandKind::kScaleReset, {"service"}, {"service"}},
      {"drain", CommandKind::kDrain, {"instance"}, {"instance"}},
      {"reload", CommandKind::kReload, {}, {}},
  }};
  return kCommands;
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

Result<const CommandWords*> find_command(const Json& request) {
  std::vector<std::string_view> known;
  for (const CommandWords& command : commands()) known.push_back(command.words);
  const auto found = request.find("command");
  if (found == request.end() || !found->is_string()) {
    return invalid("\"command\" is missing; write one of " + joined(known));
  }
  const auto& words = found->get_ref<const std::string&>();
  for (const CommandWords& command : commands()) {
    if (command.words == words) return &command;
  }
  return invalid(in_quotes(words) + " is no command" + did_you_mean(words, known) + "; write one of " +
                 joined(known));
}

Result<void> check_keys(const Json& request, const CommandWords& command) {
  for (const auto& [key, value] : request.items()) {
    if (key == "command" || std::find(command.keys.begin(), command.keys.end(), key) != command.keys.end()) {
      continue;
    }
    return invalid(in_quotes(key) + " is no key of " + std::string(command.words) +
                   did_you_mean(key, command.keys) + "; it has " +
                   (command.keys.empty() ? "none" : joined(command.keys)));
  }
  for (const std::string_view key : command.required) {
    if (!request.contains(key)) return invalid(in_quotes(key) + " is missing");
  }
  return {};
}

// Reads the values of one request; the first one that does not fit is kept as the error.
class Reader {
 public:
  explicit Reader(const Json& request) : request_(request) {}

  [[nodiscard]] bool has(const char* key) const { return request_.contains(key); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  void text(const char* key, std::string& into) {
    const Json* const value = get(key, &Json::is_string, "text in quotes");
    if (value != nullptr) into = value->get_ref<const std::string&>();
  }
  void size(const char* key, std::optional<uint32_t>& into) {
    const Json* const value = get(key, &Json::is_number_unsigned, "a whole number");
    if (value == nullptr) return;
    const auto number = value->get<uint64_t>();
    if (number > kSlotsMax) return fail(key, "is above " + std::to_string(kSlotsMax));
    into = static_cast<uint32_t>(number);
  }
  void duration(const char* key, std::optional<uint64_t>& into) {
    std::string words;
    text(key, words);
    if (!has(key) || error_) return;
    const Result<uint64_t> ns = parse_duration_ns(words);
    if (!ns.ok()) return fail(key, ns.error().what);
    constexpr uint64_t kDayNs = 24 * 3600 * kNsPerSecond;
    if (ns.value() > kDayNs) return fail(key, "is longer than 24h");
    into = ns.value();
  }
  // Reads one word with a parser of its own.
  template <typename T>
  void word(const char* key, Result<T> (*parse)(std::string_view), T& into) {
    std::string words;
    text(key, words);
    if (!has(key) || error_) return;
    const Result<T> value = parse(words);
    if (!value.ok()) return fail(key, value.error().what);
    into = value.value();
  }
  void steps(const char* key, Metric metric, std::vector<StepRange>& into) {
    const Json* const list = get(key, &Json::is_array, "a list of steps");
    if (list == nullptr) return;
    for (const Json& item : *list) {
      if (!item.is_string()) return fail(key, "has an item that is no text in quotes");
      const Result<StepRange> step = parse_step(item.get_ref<const std::string&>(), metric);
      if (!step.ok()) return fail(key, step.error().what);
      into.push_back(step.value());
      if (into.size() > kStepsMax) break;  // the check of them together says how many there may be
    }
  }
  void target(const char* key, Metric metric, int64_t& into) {
    const Json* const value = has(key) ? &request_.at(key) : nullptr;
    if (value == nullptr || error_) return;
    const bool is_number = value->is_number_unsigned();
    if (!is_number && !value->is_string()) return fail(key, "is no number");
    const Result<int64_t> parsed = parse_target(
        is_number ? std::to_string(value->get<uint64_t>()) : value->get_ref<const std::string&>(), metric);
    if (!parsed.ok()) return fail(key, parsed.error().what);
    into = parsed.value();
  }
  void fail(const char* key, const std::string& what) {
    if (!error_) error_ = invalid(std::string(key) + ": " + what);
  }

 private:
  // nullptr where the key is left out, or an error was found.
  const Json* get(const char* key, bool (Json::*is_kind)() const noexcept, const char* kind) {
    const auto found = request_.find(key);
    if (found == request_.end() || error_) return nullptr;
    if (((*found).*is_kind)()) return &*found;
    fail(key, std::string("is not ") + kind);
    return nullptr;
  }

  const Json& request_;
  std::optional<Error> error_;
};

// Whether the request has the keys of the policy's kind, and no others.
void check_policy_keys(Reader& reader, const PolicyConfig& policy) {
  const std::string kind(to_string(policy.kind));
  for (size_t i = 0; i < kPolicyKeyNames.size(); ++i) {
    const char* const key = kPolicyKeyNames[i].data();
    const KeyUse use = ops_of(policy.kind).keys[i];
    if (reader.has(key) && use == KeyUse::kNone) {
      reader.fail(key, "means nothing to the type " + kind + "; leave it out");
    }
    if (!reader.has(key) && use == KeyUse::kRequired) {
      reader.fail(key, "is missing; the type " + kind + " needs it");
    }
  }
}

void read_policy(Reader& reader, PolicyConfig& policy) {
  policy.kind = kCommandPolicyKind;
  reader.text("name", policy.name);
  if (!reader.error() && !is_policy_name(policy.name)) {
    reader.fail("name",
                in_quotes(policy.name) + " is no name; write 1 to 32 letters, digits, hyphens, underscores");
  }
  reader.word("type", &parse_policy_kind, policy.kind);
  check_policy_keys(reader, policy);
  reader.word("metric", &parse_metric, policy.metric);
  reader.word("adjustment", &parse_adjustment, policy.adjustment);
  reader.steps("steps", policy.metric, policy.steps);
  reader.target("target", policy.metric, policy.target);
  if (!ops_of(policy.kind).has(PolicyKey::kSteps) || reader.error()) return;
  Result<std::vector<StepRange>> ordered = order_steps(std::move(policy.steps));
  if (!ordered.ok()) return reader.fail("steps", ordered.error().what);
  policy.steps = std::move(ordered).value();
  for (const StepRange& each : policy.steps) {
    if (const Result<void> fine = check_adjustment(each, policy.adjustment); !fine.ok()) {
      return reader.fail("steps", fine.error().what);
    }
  }
}

// nlohmann keeps the last of two equal keys in silence.
Result<Json> parse_object(std::string_view line) {
  bool doubled = false;
  std::vector<std::vector<std::string>> seen;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1) {
      const auto& key = parsed.get_ref<const std::string&>();
      for (const std::string& other : seen.front()) doubled |= other == key;
      seen.front().push_back(key);
    }
    return true;
  };
  seen.emplace_back();
  Json request = Json::parse(line, watch, false);
  if (request.is_discarded())
    return invalid("no JSON; write one object a line, such as {\"command\": \"reload\"}");
  if (!request.is_object()) return invalid("no JSON object; write one such as {\"command\": \"reload\"}");
  if (doubled) return invalid("a key is there twice; remove one");
  return request;
}

void add_service(Json& json, const ServiceConfig& service, const std::string& only_policy) {
  json["service"] = service.name;
  json["min_size"] = service.instances_min;
  json["max_size"] = service.instances_max;
  json["warmup"] = format_duration(service.warmup_ns);
  json["cooldown"] = format_duration(service.cooldown_ns);
  json["policies"] = Json::array();
  for (const PolicyConfig& policy : service.policies) {
    if (only_policy.empty() || policy.name == only_policy)
      json["policies"].push_back(policy_json<Json>(policy));
  }
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Result<ControlCommand> parse_command(std::string_view line) {
  const Result<Json> request = parse_object(line);
  if (!request.ok()) return request.error();
  const Result<const CommandWords*> found = find_command(request.value());
  if (!found.ok()) return found.error();
  if (Result<void> fine = check_keys(request.value(), *found.value()); !fine.ok()) return fine.error();

  ControlCommand command;
  command.kind = found.value()->kind;
  Reader reader(request.value());
  reader.text("service", command.service);
  reader.size("min_size", command.min_size);
  reader.size("max_size", command.max_size);
  reader.duration("warmup", command.warmup_ns);
  reader.duration("cooldown", command.cooldown_ns);
  reader.text("policy", command.policy_name);
  reader.text("instance", command.instance);
  // As telemetry shows them: its keys have no hyphens, and the names no underscores.
  for (std::string* name : {&command.service, &command.instance}) {
    std::replace(name->begin(), name->end(), '_', '-');
  }
  if (command.kind == CommandKind::kScaleAdd) read_policy(reader, command.policy);
  if (reader.error()) return *reader.error();
  return command;
}

std::string format_answer(const ControlCommand& command, const CommandAnswer& answer,
                          const std::string& warning) {
  if (answer.error) return format_error(answer.error->what);
  Json json{{"ok", true}, {"done", answer.done}};
  if (!warning.empty()) json["warning"] = warning;
  if (!command.service.empty() && answer.config != nullptr) {
    const ServiceIndex index = find_service(*answer.config, command.service);
    const bool one = command.kind == CommandKind::kScaleGet;
    if (!(index == kNobodys)) {
      add_service(json, answer.config->services[index.value], one ? command.policy_name : "");
    }
  }
  return line_of(json);
}

std::string format_error(const std::string& what) {
  return line_of(Json{{"ok", false}, {"error", what}});
}

}  // namespace cheshire
