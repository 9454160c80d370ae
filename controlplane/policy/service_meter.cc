// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy/service_meter.h"

#include <algorithm>

namespace cheshire {

void ServiceMeter::take(const LoadRecord& record) {
  delay_max_ns_ = std::max(delay_max_ns_, record.queue_delay_ns);
  if (record.time_ns != burst_time_ns_) burst_ = 0;
  burst_time_ns_ = record.time_ns;
  burst_ += record.in_flight_peak - std::min(record.in_flight, record.in_flight_peak);
  burst_max_ = std::max(burst_max_, burst_);
}

bool ServiceMeter::wants_usage(const ServiceConfig& rules, uint64_t now_ns) {
  const bool wanted =
      std::any_of(rules.policies.begin(), rules.policies.end(), [](const PolicyConfig& policy) {
        const bool looks = policy.kind == PolicyKind::kStep || policy.kind == PolicyKind::kTarget;
        return looks && policy.metric == Metric::kCpu;
      });
  if (!wanted || now_ns < usage_due_ns_) return false;
  usage_due_ns_ = now_ns + rules.metrics_window_ns / kWindowParts;
  return true;
}

struct ServiceMeter::Sums {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t handshakes = 0;
  uint64_t handshake_ns = 0;
  uint64_t delay_ns = 0;
};

void ServiceMeter::look(InstanceRange<const Instance> instances, const LoadBoard& board, ServiceIndex service,
                        const ServiceConfig& rules, uint64_t now_ns, ServiceView& view) {
  Sums sums;
  sums.delay_ns = delay_max_ns_;
  forget_if_slots_changed(instances);
  for (const Instance& instance : instances) {
    const SlotLoad& load = board.slot(instance.id.slot);
    sums.packets += load.packets_to_guest.get() + load.packets_from_guest.get();
    sums.bytes += load.bytes_to_guest.get() + load.bytes_from_guest.get();
    sums.handshakes += load.handshakes.get();
    sums.handshake_ns += load.handshake_ns.get();
    if (instance.counts()) sums.delay_ns = std::max(sums.delay_ns, load.queue_delay_ns.get());
  }
  const uint64_t window_ns = rules.metrics_window_ns;
  const int64_t size = std::max<int64_t>(view.size, 1);
  const auto spread = [size](int64_t total) { return MetricView{total / size, total}; };

  in_flight_.look(now_ns, int64_t{view.in_flight} + view.waiting_syns + burst_max_, window_ns);
  set(view, Metric::kInFlight, spread(in_flight_.get()), rules, now_ns);
  queue_delay_.look(now_ns, static_cast<int64_t>(sums.delay_ns), window_ns);
  set(view, Metric::kQueueDelay, {queue_delay_.get(), queue_delay_.get() * size}, rules, now_ns);
  burst_ = burst_max_ = 0;
  delay_max_ns_ = 0;

  const auto rate = [&](Metric metric, WindowRate& of, uint64_t count, int64_t scale) {
    of.look(now_ns, count, window_ns);
    if (const auto per_second = of.per_second(window_ns)) {
      set(view, metric, spread(*per_second * scale), rules, now_ns);
    }
  };
  rate(Metric::kFlowRate, flows_, board.service(service).syns.get(), 1);
  rate(Metric::kPacketRate, packets_, sums.packets, 1);
  rate(Metric::kBitRate, bytes_, sums.bytes, 8);

  handshakes_.look(now_ns, sums.handshakes, window_ns);
  handshake_ns_.look(now_ns, sums.handshake_ns, window_ns);
  const auto ended = handshakes_.span(window_ns);
  const auto took = handshake_ns_.span(window_ns);
  if (ended && took && ended->count != 0) {
    const auto mean = static_cast<int64_t>(took->count / ended->count);
    set(view, Metric::kHandshakeTime, {mean, mean * size}, rules, now_ns);
  }
  look_at_cpu(instances, rules, now_ns, view);
}

// What a slot has counted before it came to the service, or takes along when it goes, is no load of the moment.
void ServiceMeter::forget_if_slots_changed(InstanceRange<const Instance> instances) {
  uint64_t slots = 0;
  for (const Instance& instance : instances) slots = slots * 31 + instance.id.slot.value + 1;
  if (slots == slots_) return;
  slots_ = slots;
  for (WindowRate* rate : {&packets_, &bytes_, &handshakes_, &handshake_ns_}) rate->forget();
  for (WindowRate& rate : cpu_) rate.forget();
}

// Those that are not warm yet are taken to be as busy as the others: they get the same share of new flows.
void ServiceMeter::look_at_cpu(InstanceRange<const Instance> instances, const ServiceConfig& rules,
                               uint64_t now_ns, ServiceView& view) {
  uint64_t serving = 0;
  for (const Instance& instance : instances) {
    constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;
    const uint64_t name = uint64_t{instance.id.slot.value} << 32U | instance.id.generation.value;
    if (instance.state == InstanceState::kActive) serving += (name + 1) * kSpread;
  }
  if (serving != serving_) {
    for (WindowRate& rate : cpu_) rate.forget();
    serving_ = serving;
  }
  int64_t sum = 0;
  int64_t known = 0;
  size_t position = 0;
  for (const Instance& instance : instances) {
    const size_t i = position++;
    if (instance.state != InstanceState::kActive || now_ns - instance.ready_ns < rules.warmup_ns) continue;
    const auto used = i < cpu_.size() ? cpu_[i].per_second(rules.metrics_window_ns) : std::nullopt;
    if (!used) return;
    constexpr int64_t kNsPerMillicoreSecond = 1'000'000;
    sum += *used / kNsPerMillicoreSecond;
    ++known;
  }
  if (known != 0) set(view, Metric::kCpu, {sum / known, sum * view.size / known}, rules, now_ns);
}

void ServiceMeter::set(ServiceView& view, Metric metric, MetricView raw, const ServiceConfig& rules,
                       uint64_t now_ns) {
  const auto at = static_cast<size_t>(metric);
  view.set(metric, {smoothed_values_[at].look(now_ns, raw.value, rules.metrics_smoothing_ns),
                    smoothed_totals_[at].look(now_ns, raw.total, rules.metrics_smoothing_ns)});
}

}  // namespace cheshire
