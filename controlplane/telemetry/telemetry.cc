// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/telemetry/telemetry.h"

#include <rte_telemetry.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <string>

#include "controlplane/fleet/table_builder.h"
#include "controlplane/policy/decision_words.h"
#include "controlplane/telemetry/telemetry_dict.h"

namespace cheshire {
namespace {

TelemetryLinks g_links;   // the library's callbacks carry no context
std::mutex g_links_lock;  // between the library's thread and the end

// Their rows are long: so many are within DPDK's 16 KiB.
constexpr size_t kWorkerRowsMax = 16;

std::string address(be32 ip, be16 port) {
  const uint32_t a = ip.value();
  return std::to_string(a >> 24U) + "." + std::to_string(a >> 16U & 255U) + "." +
         std::to_string(a >> 8U & 255U) + "." + std::to_string(a & 255U) + ":" + std::to_string(port.value());
}

// The metrics that are known, and why the size is what it is.
void fill_decision(Dict& row, const ServiceConfig& config, const ServiceStatus& state, uint64_t now_ns) {
  for (size_t i = 0; i < kMetrics; ++i) {
    if ((state.metrics_valid >> i & 1U) == 0) continue;
    row.add(("metric_" + std::string(kMetricNames[i])).c_str(),
            static_cast<uint64_t>(std::max<int64_t>(state.metrics[i].value, 0)));
  }
  const TraceDecision& last = state.last_decision;
  if (last.time_ns == 0) return;
  row.add("last_decision", describe_decision(last.view, last.decision, config));
  row.add("last_decision_ms", (now_ns - std::min(last.time_ns, now_ns)) / kNsPerMs);
}

void fill_service(Dict& row, size_t index, const Status& status) {
  const ServiceConfig& config = status.config->services[index];
  const ServiceStatus& state = status.services[index];
  const ServiceLoad& load = g_links.board->service(ServiceIndex{static_cast<uint16_t>(index)});
  row.add("listen", address(config.vip, config.port));
  row.add("guest", address(config.guest_ip, config.guest_port));
  row.add("image", status.config->images[config.image].name);
  row.add("min", config.instances_min);
  row.add("max", config.instances_max);
  row.add("active", state.active);
  row.add("booting", state.booting);
  row.add("draining", state.draining);
  row.add("shells", state.shells);
  row.add("standby", state.standby);
  row.add("stopping", state.stopping);
  row.add("wanted", state.wanted);
  uint64_t in_flight = 0;
  uint64_t opened = state.flows_elsewhere;
  uint64_t closed = state.flows_elsewhere;
  for (const Instance& instance : status.instances) {
    if (instance.service.value != index) continue;
    const SlotLoad& slot = g_links.board->slot(instance.id.slot);
    opened += slot.flows_opened.get();
    closed += slot.flows_closed.get();
    if (instance.counts() || instance.state == InstanceState::kDraining) in_flight += slot.in_flight.get();
  }
  row.add("in_flight", in_flight);
  row.add("held_syns", load.held_syns.get());
  row.add("syns", load.syns.get());
  row.add("flows_opened", opened);
  row.add("flows_closed", closed);
  row.add("hold_expired", load.rejected(Rejection::kExpired).get());
  row.add("hold_full", load.rejected(Rejection::kHoldFull).get());
  row.add("refused", load.rejected(Rejection::kRefusing).get());
  row.add("boots", state.boots);
  row.add("boots_failed", state.boots_failed);
  row.add("silent", state.silent);
  row.add("cold_starts", state.cold_starts);
  row.add("refusing", state.refusing ? 1 : 0);
  row.add("removed", config.removed ? 1 : 0);
  fill_decision(row, config, state, status.time_ns);
}

void fill_admission(Dict& row, const ServiceLoad& load) {
  row.add("syns", load.syns.get());
  row.add("admitted", load.admitted.get());
  for (size_t i = 0; i < kRejectionNames.size(); ++i) {
    row.add(("rejected_" + std::string(kRejectionNames[i])).c_str(), load.rejected_by[i].get());
  }
  for (size_t i = 0; i < kRefusalNames.size(); ++i) {
    row.add(("with_" + std::string(kRefusalNames[i])).c_str(), load.rejected_with[i].get());
  }
  row.add("refusals_answered", load.refusals_answered.get());
  row.add("not_http", load.not_http.get());
  row.add("cookies_bad", load.cookies_bad.get());
  row.add("challenges_sent", load.challenges_sent.get());
  row.add("challenges_passed", load.challenges_passed.get());
}

void fill_instance(Dict& row, const Instance& instance, const Status& status) {
  const SlotLoad& load = g_links.board->slot(instance.id.slot);
  row.add("service", status.config->services[instance.service.value].name);
  row.add("slot", instance.id.slot.value);
  row.add("generation", instance.id.generation.value);
  row.add("state", std::string(to_string(instance.state)));
  row.add("tier", std::string(to_string(instance.tier)));
  if (const auto& usage = status.usage[instance.id.slot.value]; usage) {
    row.add("cpu_ns", usage->cpu_ns);
    row.add("memory_bytes", usage->memory_bytes);
    row.add("exits_port", usage->exits[static_cast<size_t>(VmExit::kPort)]);
    row.add("exits_mmio", usage->exits[static_cast<size_t>(VmExit::kMmio)]);
    row.add("exits_idle", usage->exits[static_cast<size_t>(VmExit::kIdle)]);
    row.add("exits_interrupted", usage->exits[static_cast<size_t>(VmExit::kInterrupted)]);
    row.add("exits_other", usage->exits[static_cast<size_t>(VmExit::kOther)]);
  }
  row.add("pid", static_cast<uint64_t>(std::max(instance.pid, 0)));
  row.add("in_flight", load.in_flight.get());
  row.add("flows_limit", load.flows_limit.get());
  row.add("age_ms", (status.time_ns - std::min(instance.ordered_ns, status.time_ns)) / kNsPerMs);
  // Of the slot, over all the instances that it has held.
  row.add("flows_opened", load.flows_opened.get());
  row.add("flows_closed", load.flows_closed.get());
  row.add("packets_to_guest", load.packets_to_guest.get());
  row.add("bytes_to_guest", load.bytes_to_guest.get());
  row.add("packets_from_guest", load.packets_from_guest.get());
  row.add("bytes_from_guest", load.bytes_from_guest.get());
  row.add("resets_to_client", load.resets_to_client.get());
  row.add("drops", load.drops.get());
}

int services_command(const char*, const char* parameters, rte_tel_data* answer) {
  const auto page = parse_page(parameters);
  if (!page) return -EINVAL;
  const auto status = g_links.status->latest();
  Dict dict(answer);
  for (size_t i = page->start; i < status->services.size() && i - page->start < page->count; ++i) {
    if (status->config->services[i].name.empty()) continue;  // its index is free
    if (!dict.add_row(as_key(status->config->services[i].name),
                      [&](Dict& row) { fill_service(row, i, *status); }))
      break;
  }
  return 0;
}

int admission_command(const char*, const char* parameters, rte_tel_data* answer) {
  const auto page = parse_page(parameters);
  if (!page) return -EINVAL;
  const auto status = g_links.status->latest();
  Dict dict(answer);
  for (size_t i = page->start; i < status->services.size() && i - page->start < page->count; ++i) {
    const ServiceLoad& load = g_links.board->service(ServiceIndex{static_cast<uint16_t>(i)});
    if (!dict.add_row(as_key(status->config->services[i].name),
                      [&](Dict& row) { fill_admission(row, load); }))
      break;
  }
  return 0;
}

int instances_command(const char*, const char* parameters, rte_tel_data* answer) {
  const auto page = parse_page(parameters);
  if (!page) return -EINVAL;
  const auto status = g_links.status->latest();
  Dict dict(answer);
  size_t position = 0;
  for (const Instance& instance : status->instances) {
    if (instance.state == InstanceState::kAbsent) continue;
    if (position++ < page->start) continue;
    if (position > page->start + page->count) break;
    if (!dict.add_row(as_key(instance_name(*status->config, instance)),
                      [&](Dict& row) { fill_instance(row, instance, *status); }))
      break;
  }
  return 0;
}

// Of one worker, or summed over several.
void fill_worker(Dict& row, std::span<const WorkerLoad> workers) {
  const auto add = [&](const char* name, auto&& count_of) {
    uint64_t sum = 0;
    for (const WorkerLoad& load : workers) sum += count_of(load);
    row.add(name, sum);
  };
  const auto add_counter = [&](const char* name, Counter WorkerLoad::*counter) {
    add(name, [counter](const WorkerLoad& load) { return (load.*counter).get(); });
  };
  add_counter("turns", &WorkerLoad::turns);
  add_counter("idle_turns", &WorkerLoad::idle_turns);
  add_counter("nic_rx_packets", &WorkerLoad::nic_rx_packets);
  add_counter("nic_tx_packets", &WorkerLoad::nic_tx_packets);
  add_counter("packets_to_guest", &WorkerLoad::packets_to_guest);
  add_counter("packets_from_guest", &WorkerLoad::packets_from_guest);
  add_counter("generated", &WorkerLoad::generated);
  add_counter("handed_over", &WorkerLoad::handed_over);
  add_counter("taken_over", &WorkerLoad::taken_over);
  add("drops", [](const WorkerLoad& load) {
    uint64_t drops = 0;
    for (const Counter& counter : load.drops) drops += counter.get();
    return drops;
  });
  add_counter("held", &WorkerLoad::held_packets);
  add_counter("flows", &WorkerLoad::flows);
  add_counter("resets_no_flow", &WorkerLoad::resets_no_flow);
  add_counter("resets_no_service", &WorkerLoad::resets_no_service);
  add_counter("untracked", &WorkerLoad::untracked);
  add_counter("no_memory", &WorkerLoad::no_memory);
  add_counter("load_records_lost", &WorkerLoad::load_records_lost);
  add_counter("proofs_displaced", &WorkerLoad::proofs_displaced);
  for (size_t i = 0; i <= kRejectionBoundsUs.size(); ++i) {
    const bool last = i == kRejectionBoundsUs.size();
    const std::string name =
        last ? "rejections_later" : "rejections_within_" + std::to_string(kRejectionBoundsUs[i]) + "us";
    add(name.c_str(), [i](const WorkerLoad& load) { return load.rejections_within[i].get(); });
  }
}

// With several workers their sum is the first row.
int workers_command(const char*, const char* parameters, rte_tel_data* answer) {
  const auto page = parse_page(parameters);
  if (!page) return -EINVAL;
  const std::span<const WorkerLoad> workers = g_links.board->workers();
  const size_t sums = workers.size() > 1 ? 1 : 0;
  const size_t end = std::min(workers.size() + sums, page->start + std::min(page->count, kWorkerRowsMax));
  Dict dict(answer);
  for (size_t row = page->start; row < end; ++row) {
    const bool is_sum = row < sums;
    const auto whom = is_sum ? workers : workers.subspan(row - sums, 1);
    const std::string key = is_sum ? "all" : std::to_string(row - sums);
    if (!dict.add_row(key, [&](Dict& fields) { fill_worker(fields, whom); })) break;
  }
  return 0;
}

int drops_command(const char*, const char*, rte_tel_data* answer) {
  Dict dict(answer);
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    dict.add(kDropReasonNames[reason].data(), g_links.board->dropped(static_cast<DropReason>(reason)));
  }
  return 0;
}

int control_command(const char*, const char*, rte_tel_data* answer) {
  const ControlSocketCounters& counters = g_links.control_socket->counters();
  Dict dict(answer);
  dict.add("socket", g_links.control_socket->path());
  dict.add("connections", counters.connections.get());
  dict.add("commands", counters.commands.get());
  dict.add("bad_lines", counters.bad_lines.get());
  dict.add("refused_user", counters.refused_user.get());
  dict.add("refused_full", counters.refused_full.get());
  dict.add("evicted_idle", counters.evicted_idle.get());
  dict.add("closed_idle", counters.closed_idle.get());
  dict.add("closed_slow_reader", counters.closed_slow_reader.get());
  dict.add("line_too_long", counters.line_too_long.get());
  dict.add("half_lines", counters.half_lines.get());
  return 0;
}

int offload_command(const char*, const char*, rte_tel_data* answer) {
  Dict dict(answer);
  if (g_links.offload == nullptr || g_links.marks == nullptr) return 0;
  const OffloadStatus status = g_links.offload->latest();
  for (size_t i = 0; i < kOffloadRungs; ++i) {
    const OffloadStatus::Rung& rung = status.rungs[i];
    (void)dict.add_row(std::string(kOffloadRungNames[i]), [&](Dict& row) {
      row.add("state", std::string(kOffloadStateNames[static_cast<size_t>(rung.state)]));
      row.add("reason", rung.reason);
      row.add("rules", rung.rules);
    });
  }
  uint64_t seen = 0;
  uint64_t marked = 0;
  for (const FlowMarkLoad& load : g_links.marks->by_service) {
    seen += load.seen.get();
    marked += load.marked.get();
  }
  dict.add("packets", seen);
  dict.add("packets_marked", marked);
  dict.add("marks_wrong", g_links.marks->wrong());
  dict.add("rules_created", status.rules_created);
  dict.add("rules_removed", status.rules_removed);
  dict.add("rules_refused", status.rules_refused);
  dict.add("pins_asked", g_links.marks->sum(&WorkerMarks::pins_asked));
  dict.add("pins_lost", g_links.marks->sum(&WorkerMarks::pins_lost));
  dict.add("pins_refused", status.pins_refused);
  dict.add("slowest_rule_ns", status.slowest_rule_ns);
  return 0;
}

int cold_starts_command(const char*, const char* parameters, rte_tel_data* answer) {
  const auto page = parse_page(parameters);
  if (!page) return -EINVAL;
  const auto status = g_links.status->latest();
  Dict dict(answer);
  for (size_t i = page->start; i < status->cold_starts.size() && i - page->start < page->count; ++i) {
    const ColdStart& start = status->cold_starts[i];
    const bool added = dict.add_row(std::to_string(start.number), [&](Dict& row) {
      row.add("service", status->config->services[start.service.value].name);
      row.add("instance", start.name);
      row.add("tier", std::string(to_string(start.tier)));
      row.add("boot_ordered_ns", start.boot_ordered_ns);
      row.add("spawn_began_ns", start.spawn_began_ns);
      row.add("spawned_ns", start.spawned_ns);
      row.add("vhost_connected_ns", start.vhost_connected_ns);
      row.add("ring_up_ns", start.ring_up_ns);
      row.add("syn_delivered_ns", start.syn_delivered_ns);
      row.add("syn_ack_ns", start.syn_ack_ns);
      row.add("on_wire_ns", start.on_wire_ns);
      row.add("own_ns", start.own_ns);
    });
    if (!added) break;
  }
  return 0;
}

int decisions_command(const char*, const char* parameters, rte_tel_data* answer) {
  const auto page = parse_page(parameters);
  if (!page) return -EINVAL;
  const auto status = g_links.status->latest();
  Dict dict(answer);
  for (const auto& numbered : g_links.trace->latest(page->start, page->count)) {
    const TraceDecision& record = numbered.decision;
    if (record.service >= status->config->services.size()) continue;
    const ServiceConfig& config = status->config->services[record.service];
    const bool added = dict.add_row(std::to_string(numbered.number), [&](Dict& row) {
      const uint64_t age_ns = status->time_ns - std::min(record.time_ns, status->time_ns);
      row.add("service", config.name);
      row.add("age", std::to_string(age_ns / kNsPerMs) + " ms");
      row.add("time_ns", record.time_ns);
      row.add("size", record.view.size);
      row.add("wanted", record.decision.wanted);
      row.add("by", std::string(to_string(record.decision.by)));
      row.add("brake", std::string(to_string(record.decision.brake)));
      row.add("what", describe_decision(record.view, record.decision, config));
    });
    if (!added) break;
  }
  return 0;
}

// The library cannot unregister a command, and its thread outlives what the links point to.
template <int (*kCommand)(const char*, const char*, rte_tel_data*)>
int guarded(const char* command, const char* parameters, rte_tel_data* answer) {
  const std::lock_guard lock(g_links_lock);
  return g_links.board == nullptr ? -ESHUTDOWN : kCommand(command, parameters, answer);
}

}  // namespace

void forget_telemetry() {
  const std::lock_guard lock(g_links_lock);
  g_links = {};
}

Result<void> register_telemetry(const TelemetryLinks& links) {
  g_links = links;
  struct Command {
    const char* name;
    telemetry_cb handler;
    const char* help;
  };
  const Command commands[] = {
      {"/cheshire/services", guarded<services_command>,
       "Services, their instances and load. Parameters: start,count"},
      {"/cheshire/admission", guarded<admission_command>,
       "New connections let in, rejected and challenged, by service. Parameters: start,count"},
      {"/cheshire/instances", guarded<instances_command>, "Instances that exist. Parameters: start,count"},
      {"/cheshire/workers", guarded<workers_command>,
       "Packets in and out of each worker, and their sum. Parameters: start,count"},
      {"/cheshire/drops", guarded<drops_command>, "Packets dropped, by reason. No parameters"},
      {"/cheshire/control", guarded<control_command>,
       "The control socket: where, and what came by it. No parameters"},
      {"/cheshire/offload", guarded<offload_command>, "What the NIC does for us, by rung. No parameters"},
      {"/cheshire/cold_starts", guarded<cold_starts_command>,
       "The newest starts a client waited for, ns since its SYN. Parameters: start,count"},
      {"/cheshire/decisions", guarded<decisions_command>,
       "The newest decisions of the autoscaler, oldest first. Parameters: start,count"},
  };
  for (const Command& command : commands) {
    if (rte_telemetry_register_cmd(command.name, command.handler, command.help) != 0) {
      return Error{ErrorCode::kInternal, std::string("telemetry: cannot register ") + command.name};
    }
  }
  return {};
}

}  // namespace cheshire
