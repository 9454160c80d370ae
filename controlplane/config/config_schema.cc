// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_schema.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "controlplane/config/config_values.h"
#include "controlplane/config/policy_words.h"
#include "refusal_page.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr uint64_t kMinuteNs = 60 * kNsPerSecond;
constexpr uint64_t kHourNs = 60 * kMinuteNs;
constexpr uint64_t kHugepageBytes = 2 * kMiB;
constexpr auto kPowerOfTwo = CountValue::Powers::kRequired;
constexpr auto kAnyNumber = CountValue::Powers::kAny;
constexpr auto kRoundUp = CountValue::Powers::kRoundUp;

template <typename E>
using WordList = std::vector<std::pair<std::string_view, E>>;

template <typename E>
ChoiceValue choice(E& into, const std::type_identity_t<WordList<E>>& list) {
  ChoiceValue value{};
  std::vector<E> meanings;
  for (const auto& [word, meaning] : list) {
    if (meaning == into) value.chosen = meanings.size();
    value.words.push_back(word);
    meanings.push_back(meaning);
  }
  value.choose = [&into, meanings](size_t chosen) { into = meanings[chosen]; };
  return value;
}

// Of an enumeration whose words are in the order of its values.
template <typename E, size_t N>
WordList<E> words_of(const std::array<std::string_view, N>& names) {
  WordList<E> list;
  for (size_t i = 0; i < N; ++i) list.emplace_back(names[i], static_cast<E>(i));
  return list;
}

ChoiceValue word_choice(std::string& into, std::initializer_list<std::string_view> words) {
  ChoiceValue value{.words = words, .choose = {}, .chosen = 0};
  for (size_t i = 0; i < value.words.size(); ++i) {
    if (value.words[i] == into) value.chosen = i;
  }
  value.choose = [&into, words = value.words](size_t chosen) { into = words[chosen]; };
  return value;
}

// The runtime directory becomes part of QEMU's options, where a comma separates.
bool is_runtime_dir(std::string_view text) {
  return text.starts_with('/') && text.find(',') == std::string_view::npos;
}
bool is_trace_path(std::string_view text) {
  return text.empty() || text.starts_with('/');
}
bool is_device(std::string_view text) {
  return text.front() != ',' && text.find(' ') == std::string_view::npos;
}

std::vector<Key> image_keys(ImageConfig& image) {
  return {
      {"kernel", TextValue{&image.kernel, 1, 4095, "a path of an ELF file"}, true},
      {"memory", SizeValue{&image.memory_bytes, 2 * kMiB, 64 * kGiB, kHugepageBytes}},
      {"command_line", TextValue{&image.command_line, 0, 1024, "text with {placeholders}"}},
      {"driver", choice(image.driver, {{"auto", DriverKind::kAuto},
                                       {"kvm", DriverKind::kKvm},
                                       {"qemu", DriverKind::kQemu},
                                       {"fake", DriverKind::kFake}})},
      {"accelerator",
       choice(image.accelerator,
              {{"auto", Accelerator::kAuto}, {"kvm", Accelerator::kKvm}, {"tcg", Accelerator::kTcg}})},
      {"hugepages", FlagValue{&image.hugepages}},
  };
}

std::vector<Key> policy_keys(PolicyDraft& draft) {
  PolicyConfig& policy = draft.config;
  WordList<Adjustment> adjustments = words_of<Adjustment>(kAdjustmentNames);
  adjustments.insert(adjustments.end(), kAdjustmentAliases.begin(), kAdjustmentAliases.end());
  return {
      {"name",
       TextValue{&policy.name, 1, kPolicyNameMax, "letters, digits, hyphens and underscores", is_policy_name},
       false, "its kind"},
      {"kind", choice(policy.kind, words_of<PolicyKind>(kPolicyKindNames)), true},
      {"metric", choice(policy.metric, words_of<Metric>(kMetricNames)), false, "none"},
      {"adjustment", choice(policy.adjustment, adjustments)},
      {"steps", TextListValue{&draft.steps, kStepsMax, "a list of 1 to 4 steps LOWER:UPPER/ADJUSTMENT"}},
      {"target", TextValue{&draft.target, 1, 32, "a number above 0, or a duration for a delay"}, false,
       "none"},
  };
}

std::vector<Key> service_keys(ServiceDraft& draft) {
  ServiceConfig& service = draft.config;
  const auto add_policy = [&draft] { return policy_keys(draft.policies.emplace_back()); };
  return {
      {"listen", EndpointValue{&service.vip, &service.port}, true},
      {"guest", EndpointValue{&service.guest_ip, &service.guest_port}, false, "same as listen"},
      {"image", TextValue{&draft.image_name, 1, kNameMax, "a name from images"}, true},
      {"worker", CountValue{&service.worker, 0, kWorkersMax - 1, kAnyNumber, {{"auto", kAnyWorker}}}},
      {"instances.min", CountValue{&service.instances_min, 0, kSlotsMax}},
      {"instances.max", CountValue{&service.instances_max, 1, kSlotsMax}},
      {"instances.shells", CountValue{&service.shells, 0, kSlotsMax}},
      {"instances.standby", CountValue{&service.standby, 0, kSlotsMax}},
      {"in_flight.soft", CountValue{&service.in_flight_soft, 1, 1 << 20}},
      {"in_flight.hard",
       CountValue{
           &service.in_flight_hard, 1, 1 << 20, kAnyNumber, {{"none", kHardNone}, {"auto", kHardAuto}}}},
      {"balance", choice(service.balance, {{"least", Balance::kLeast},
                                           {"two_choices", Balance::kTwoChoices},
                                           {"maglev", Balance::kMaglev}})},
      {"slow_start.time", DurationValue{&service.slow_start_ns, kNsPerMs, 5 * kMinuteNs, true}},
      {"slow_start.floor_percent", CountValue{&service.slow_start_floor_percent, 1, 100}},
      {"hold.syns_max", CountValue{&service.hold_syns_max, 1, 1 << 16}},
      {"hold.time_max", DurationValue{&service.hold_time_max_ns, kNsPerMs, kMinuteNs}},
      {"boot_deadline", DurationValue{&service.boot_deadline_ns, 10 * kNsPerMs, 5 * kMinuteNs}},
      {"idle_after", DurationValue{&service.idle_after_ns, 10 * kNsPerMs, 24 * kHourNs}},
      {"idle", choice(service.idle, {{"stop", IdleAction::kStop}, {"pause", IdleAction::kPause}})},
      {"drain_deadline", DurationValue{&service.drain_deadline_ns, kNsPerMs, 24 * kHourNs, true}},
      {"policies", MapListValue{kPoliciesMax, add_policy}, false, "on_demand and idle"},
      {"warmup", DurationValue{&service.warmup_ns, kNsPerUs, 24 * kHourNs, true}},
      {"cooldown", DurationValue{&service.cooldown_ns, kNsPerUs, 24 * kHourNs, true}},
      {"metrics.window", DurationValue{&service.metrics_window_ns, 10 * kNsPerMs, kHourNs}},
      {"metrics.smoothing", DurationValue{&service.metrics_smoothing_ns, kNsPerMs, kHourNs, true}},
      {"overload.action", choice(service.overload.action, {{"reset", OverloadAction::kReset},
                                                           {"http503", OverloadAction::kHttp503},
                                                           {"hold", OverloadAction::kHold},
                                                           {"drop", OverloadAction::kDrop}})},
      {"overload.retry_after", DurationValue{&service.overload.retry_after_ns, kNsPerSecond, kHourNs}},
      {"overload.retry_jitter",
       DurationValue{&service.overload.retry_jitter_ns, kNsPerSecond, kHourNs, true}},
      {"overload.body", TextValue{&service.overload.body, 0, kRefusalBodyMax - 1, "text of one line"}},
      {"overload.per_source", CountValue{&service.overload.per_source, 0, 1 << 30}},
      {"flood.challenge",
       choice(service.flood.challenge,
              {{"never", Challenge::kNever}, {"flood", Challenge::kFlood}, {"wake", Challenge::kWake}})},
      {"flood.syn_rate", CountValue{&service.flood.syn_rate, 0, 1 << 30}},
      {"flood.remember", DurationValue{&service.flood.remember_ns, kNsPerSecond, 24 * kHourNs}},
      {"health.silent_after", DurationValue{&service.health.silent_after_ns, 100 * kNsPerMs, kHourNs, true}},
      {"health.probe_every", DurationValue{&service.health.probe_every_ns, 10 * kNsPerMs, kHourNs, true}},
  };
}

}  // namespace

std::vector<Key> schema(ConfigDraft& draft) {
  Config& config = draft.config;
  const auto add_image = [&draft](const std::string& name) {
    draft.images.emplace_back().name = name;
    return image_keys(draft.images.back());
  };
  const auto add_service = [&draft](const std::string& name) {
    draft.services.emplace_back().config.name = name;
    return service_keys(draft.services.back());
  };
  return {
      {"name", TextValue{&config.name, 1, kNameMax, "a-z 0-9 and hyphen, the first no hyphen", is_name},
       true},
      {"runtime_dir",
       TextValue{&config.runtime_dir, 1, 107, "an absolute path without a comma", is_runtime_dir}},
      {"log_level", word_choice(config.log_level, {"trace", "debug", "info", "warn", "error"})},
      {"held_syns_max", CountValue{&config.held_syns_max, 1, 1 << 16}},
      {"eal.lcore", TextListValue{&draft.lcores, kWorkersMax, "a CPU, or a list of 1 to 16", true}, false,
       "0"},
      {"eal.memory", SizeValue{&config.eal.memory_bytes, 32 * kMiB, 64 * kGiB, kHugepageBytes}},
      {"eal.hugepages", FlagValue{&config.eal.hugepages}},
      {"nic.device",
       TextValue{&config.nic.device, 1, 256, "a PCI address or a DPDK device, without a space", is_device},
       true},
      {"nic.rx_descriptors", CountValue{&config.nic.rx_descriptors, 64, 32768, kPowerOfTwo}},
      {"nic.tx_descriptors", CountValue{&config.nic.tx_descriptors, 64, 32768, kPowerOfTwo}},
      {"nic.flow_offload",
       choice(config.nic.flow_offload, {{"auto", FlowOffloadMode::kAuto}, {"off", FlowOffloadMode::kOff}})},
      {"nic.flow_rules_max", CountValue{&config.nic.flow_rules_max, 1, 1 << 16}},
      {"nic.pins_max", CountValue{&config.nic.pins_max, 0, 1 << 16}},
      {"worker.flows_max", CountValue{&config.worker.flows_max, 1024, 1 << 24, kRoundUp}},
      {"worker.idle_sleep", DurationValue{&config.worker.idle_sleep_ns, kNsPerUs, 10 * kNsPerMs, true}},
      {"worker.handshake_timeout",
       DurationValue{&config.worker.handshake_timeout_ns, 100 * kNsPerMs, 5 * kMinuteNs}},
      {"worker.idle_timeout", DurationValue{&config.worker.idle_timeout_ns, kNsPerSecond, 24 * kHourNs}},
      {"worker.closing_timeout",
       DurationValue{&config.worker.closing_timeout_ns, 10 * kNsPerMs, 5 * kMinuteNs}},
      {"worker.sources_max", CountValue{&config.worker.sources_max, 1024, 1 << 24, kRoundUp}},
      {"worker.cookie_period", DurationValue{&config.worker.cookie_period_ns, kNsPerSecond, 10 * kMinuteNs}},
      {"control.tick", DurationValue{&config.control.tick_ns, kNsPerUs, 100 * kNsPerMs, true}},
      {"control.publication", DurationValue{&config.worker.publication_ns, 10 * kNsPerUs, 100 * kNsPerMs}},
      {"control.trace",
       TextValue{&config.control.trace, 0, 4095, "an absolute path, or empty", is_trace_path}},
      {"control.trace_max", SizeValue{&config.control.trace_max_bytes, kMiB, 64 * kGiB, kMiB}},
      {"spare.services", CountValue{&config.spare.services, 0, kServicesMax}},
      {"spare.slots", CountValue{&config.spare.slots, 0, kSlotsMax}},
      {"images", NamedMapsValue{kServicesMax, add_image}, true},
      {"services", NamedMapsValue{kServicesMax, add_service}, true},
  };
}

}  // namespace cheshire
