// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/command_options.h"

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "policy_config.h"
#include "tools/text_table.h"

namespace cheshire {
namespace {

using Json = nlohmann::ordered_json;

// A command of the protocol, and which option fills which of its keys.
class Command {
 public:
  Command(CLI::App& parent, CommandOptions& options, const std::string& word, const std::string& protocol,
          const std::string& help)
      : options_(options), app_(parent.add_subcommand(word, help)) {
    app_->add_option("--daemon", options.daemon, "The daemon's name, from its config");
    app_->add_option("--socket", options.socket, "The daemon's control socket");
    app_->add_flag("--json", options.json, "Print the daemon's own answer");
    app_->parse_complete_callback([&options, protocol] { options.command["command"] = protocol; });
  }

  Command& alias(const std::string& word) {
    app_->alias(word);
    return *this;
  }
  Command& text(const std::string& flag, const std::string& key, const std::string& help,
                bool required = false) {
    app_->add_option_function<std::string>(
            flag, [&to = options_.command, key](const std::string& value) { to[key] = value; }, help)
        ->required(required);
    return *this;
  }
  Command& number(const std::string& flag, const std::string& key, const std::string& help) {
    app_->add_option_function<uint32_t>(
        flag, [&to = options_.command, key](const uint32_t& value) { to[key] = value; }, help);
    return *this;
  }
  Command& list(const std::string& flag, const std::string& key, const std::string& help) {
    app_->add_option_function<std::vector<std::string>>(
            flag, [&to = options_.command, key](const std::vector<std::string>& values) { to[key] = values; },
            help)
        ->delimiter(',')
        ->allow_extra_args(false);  // SERVICE may follow
    return *this;
  }

 private:
  CommandOptions& options_;
  CLI::App* app_;
};

// "step (default), target or idle": a list of words as help.
template <size_t N>
std::string one_of(const std::array<std::string_view, N>& words, std::string_view by_default = {}) {
  std::string text;
  for (size_t i = 0; i < N; ++i) {
    if (i != 0) text += i + 1 == N ? " or " : ", ";
    text += words[i];
    if (words[i] == by_default) text += " (default)";
  }
  return text;
}

void add_scale(CLI::App& app, CommandOptions& options) {
  CLI::App* const scale = app.add_subcommand("scale", "Show and change how a service scales");
  scale->require_subcommand(1);
  const std::string service = "SERVICE";
  const std::string service_help = "A service of the daemon";
  Command(*scale, options, "get", "scale get", "Show sizes, paces and policies")
      .alias("gt")
      .text(service, "service", service_help, true)
      .text("-p,--policy", "policy", "Only this policy");
  Command(*scale, options, "init", "scale init", "Set sizes and paces; what is left out stays")
      .alias("initialize")
      .text(service, "service", service_help, true)
      .number("-m,--min-size", "min_size", "Instances at least")
      .number("-M,--max-size", "max_size", "Instances at most")
      .text("-w,--warmup-time", "warmup", "A new instance counts after this: 10ms")
      .text("-c,--cooldown-time", "cooldown", "From one scale-in to the next: 1s");
  Command(*scale, options, "add", "scale add", "Add a policy")
      .alias("a")
      .text(service, "service", service_help, true)
      .text("-n,--name", "name", "The policy's name", true)
      .text("-t,--type", "type", one_of(kPolicyKindNames, to_string(kCommandPolicyKind)))
      .text("-m,--metric", "metric", one_of(kMetricNames))
      .text("-a,--adjustment", "adjustment", one_of(kAdjustmentNames, to_string(PolicyConfig{}.adjustment)))
      .list("-s,--step", "steps", "LOWER:UPPER/ADJUSTMENT, up to four: 600:800/50, 800:/100, :50/-50")
      .text("--target", "target", "Of the type target: the metric's value wanted per instance");
  Command(*scale, options, "remove", "scale remove", "Remove a policy")
      .alias("rm")
      .alias("delete")
      .text(service, "service", service_help, true)
      .text("POLICY", "policy", "The policy's name", true);
  Command(*scale, options, "reset", "scale reset", "Back to what the config file says")
      .alias("rs")
      .text(service, "service", service_help, true);
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return found->dump();
  std::string words;
  for (const Json& item : *found)
    words += (words.empty() ? "" : " ") + (item.is_string() ? item.get<std::string>() : "");
  return words;
}

// Text from the socket must not move a terminal's cursor; lines stay.
std::string clean(std::string text) {
  for (char& c : text) {
    if ((c < 0x20 && c != '\n') || c > 0x7e) c = '?';
  }
  return text;
}

std::string policies_table(const Json& answer) {
  const auto policies = answer.find("policies");
  if (policies == answer.end() || !policies->is_array() || policies->empty()) return "POLICIES\n  none\n";
  using Align = TextTable::Align;
  TextTable table({{"policy", Align::kLeft},
                   {"type", Align::kLeft},
                   {"metric", Align::kLeft},
                   {"adjustment", Align::kLeft},
                   {"steps or target", Align::kLeft}});
  for (const Json& policy : *policies) {
    if (!policy.is_object()) continue;
    table.add_row({text_of(policy, "name"), text_of(policy, "type"), text_of(policy, "metric"),
                   text_of(policy, "adjustment"),
                   text_of(policy, policy.contains("steps") ? "steps" : "target")});
  }
  return "POLICIES\n" + table.text();
}

}  // namespace

void add_commands(CLI::App& app, CommandOptions& options) {
  options.command = Json::object();
  add_scale(app, options);
  Command(app, options, "drain", "drain", "Let an instance's connections end, then stop it")
      .text("INSTANCE", "instance", "As `cheshire status` shows it: hello/3/17", true);
  Command(app, options, "reload", "reload", "Take the changed config file in, whole or not at all");
}

std::string render_answer(const Json& command, const Json& answer) {
  if (text_of(command, "command") != "scale get") return clean(text_of(answer, "done")) + "\n";
  std::string text = text_of(answer, "service") + ": min size " + text_of(answer, "min_size") +
                     ", max size " + text_of(answer, "max_size") + ", warmup " + text_of(answer, "warmup") +
                     ", cooldown " + text_of(answer, "cooldown") + "\n\n" + policies_table(answer);
  return clean(std::move(text));
}

std::string render_warning(const Json& answer) {
  if (!answer.contains("warning")) return {};
  return "cheshire: warning: " + clean(text_of(answer, "warning")) + "\n";
}

std::string render_refusal(const Json& answer) {
  return clean(text_of(answer, "error")) + "\n";
}

}  // namespace cheshire
