// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The configuration after it was read and checked (controlplane/config/config_yaml.h): plain values, no
// optional parts, every default filled in. docs/config.md and examples/cheshire.yaml say what each key means.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "admission_rules.h"
#include "balance.h"
#include "be.h"
#include "ids.h"
#include "net.h"
#include "policy_config.h"
#include "units.h"

namespace cheshire {

// eal: what DPDK is started with
struct EalConfig {
  std::vector<uint32_t> lcores = {0};  // CPU of each polling worker; several may share one
  uint64_t memory_bytes = 256 * kMiB;  // packet memory, from hugepages unless `hugepages: false`
  bool hugepages = true;
  friend bool operator==(const EalConfig&, const EalConfig&) = default;
};

// kAuto: the NIC takes over what it shows that it can (dataplane/offload/flow_offload.h).
enum class FlowOffloadMode : uint8_t { kOff, kAuto };

// nic: the port that faces the clients
struct NicConfig {
  std::string device;  // PCI address, or a DPDK virtual device: net_tap0,iface=cheshire0
  uint16_t rx_descriptors = 1024;
  uint16_t tx_descriptors = 1024;
  FlowOffloadMode flow_offload = FlowOffloadMode::kAuto;
  uint32_t flow_rules_max = 4096;  // rules of ours in the NIC, of all kinds
  uint32_t pins_max = 1024;        // of those for single flows; 0: none
  friend bool operator==(const NicConfig&, const NicConfig&) = default;
};

// worker: the polling loop and its flow table
struct WorkerConfig {
  uint32_t flows_max = 65536;
  uint64_t idle_sleep_ns = 0;  // 0: never sleeps; else the longest nap of a worker that has nothing to do
  uint64_t handshake_timeout_ns = 10 * kNsPerSecond;
  uint64_t idle_timeout_ns = 300 * kNsPerSecond;
  uint64_t closing_timeout_ns = 2 * kNsPerSecond;
  uint32_t sources_max = 65536;  // client addresses that are remembered
  uint64_t cookie_period_ns =
      32 * kNsPerSecond;               // keys of cookies change so often; a cookie lives up to twice
  uint64_t publication_ns = kNsPerMs;  // control.publication: a touched instance sends a load record so often
  friend bool operator==(const WorkerConfig&, const WorkerConfig&) = default;
};

// control: the thread that decides
struct ControlConfig {
  // Nap between two looks at the load rings, longer while nothing happens; edges end it. 0: never naps.
  uint64_t tick_ns = 50 * kNsPerUs;
  std::string trace;                     // file of decisions; empty: kept in memory only
  uint64_t trace_max_bytes = 16 * kMiB;  // then it becomes FILE.1 and a new one begins
};

// kAuto: our own VMM where KVM really works, else QEMU.
enum class DriverKind { kAuto, kKvm, kQemu, kFake };
enum class Accelerator { kAuto, kKvm, kTcg };

// What becomes of an instance whose open flows are all quiet.
enum class IdleAction { kStop, kPause };

struct ImageConfig {
  std::string name;
  std::string kernel;  // path of the ELF, absolute
  uint64_t file_stamp =
      0;  // of that file when the config was read: another one, another file; 0: not looked at
  uint64_t memory_bytes = 32 * kMiB;
  // The guest's command line. {guest_ip}, {guest_port} and {gateway_ip} are filled in per service.
  std::string command_line;
  DriverKind driver = DriverKind::kAuto;
  Accelerator accelerator = Accelerator::kAuto;
  bool hugepages = false;  // for the guest's memory
};

// Values of ServiceConfig::in_flight_hard that are no number of flows.
inline constexpr uint32_t kHardNone = 0;
inline constexpr uint32_t kHardAuto = 0xffffffff;  // found by itself (dataplane/flow/admission_limit.h)

// overload: of a service all of whose instances are full, when no more may start
struct OverloadConfig {
  OverloadAction action = OverloadAction::kReset;
  uint64_t retry_after_ns = kNsPerSecond;       // of a 503: whole seconds
  uint64_t retry_jitter_ns = 2 * kNsPerSecond;  // up to so much more, by client
  std::string body = "This service is busy. Please try again.";
  uint32_t per_source = 1000;  // refusals a second and client address; more get no answer; 0: no bound
  friend bool operator==(const OverloadConfig&, const OverloadConfig&) = default;
};

// flood: SYNs from addresses that have not shown that they receive our answers
struct FloodConfig {
  Challenge challenge = Challenge::kFlood;
  uint32_t syn_rate = 10'000;                 // a second; 0: each of them
  uint64_t remember_ns = 300 * kNsPerSecond;  // how long an address that has shown it is believed
  friend bool operator==(const FloodConfig&, const FloodConfig&) = default;
};

// health: of the instances of a service
struct HealthConfig {
  uint64_t silent_after_ns =
      5 * kNsPerSecond;                    // asked, and not a packet for so long: it has failed; 0: never
  uint64_t probe_every_ns = kNsPerSecond;  // one without flows is asked so often; 0: never
  friend bool operator==(const HealthConfig&, const HealthConfig&) = default;
};

// Value of ServiceConfig::worker: in turn, by the service's index.
inline constexpr uint32_t kAnyWorker = 0xffffffff;

struct ServiceConfig {
  std::string name;
  // A reload found it gone: its flows end in peace, nobody new is served. Without a name: so are its flows,
  // and its index is free.
  bool removed = false;
  be32 vip;  // listen
  be16 port;
  be32 guest_ip;  // guest; the same as listen unless mapped
  be16 guest_port;
  uint32_t image = 0;  // index into Config::images
  uint32_t worker = kAnyWorker;
  uint32_t instances_min = 0;
  uint32_t instances_max = 1;
  uint32_t shells = 0;   // kept prepared, not one guest instruction run; within instances_max
  uint32_t standby = 0;  // kept booted, proven and paused; within instances_max
  // kPause: an instance with open flows, all quiet for idle_after, is paused with them.
  IdleAction idle = IdleAction::kStop;
  uint32_t in_flight_soft = 64;         // flows per instance at which the next one is woken
  uint32_t in_flight_hard = kHardNone;  // flows per instance, never more
  Balance balance = Balance::kLeast;
  // A new instance's share of new flows rises from the floor to the full one in that time; 0: at once.
  uint64_t slow_start_ns = 0;
  uint32_t slow_start_floor_percent = 10;
  uint32_t hold_syns_max = 128;  // SYNs parked at once
  uint64_t hold_time_max_ns = 3 * kNsPerSecond;
  uint64_t boot_deadline_ns = 2 * kNsPerSecond;    // from the boot order to the first SYN-ACK
  uint64_t idle_after_ns = 10 * kNsPerSecond;      // an instance without flows for so long is surplus
  uint64_t drain_deadline_ns = 30 * kNsPerSecond;  // flows left after it are reset
  OverloadConfig overload;
  FloodConfig flood;
  HealthConfig health;

  std::vector<PolicyConfig> policies = default_policies();  // at most kPoliciesMax
  // step and target only; on_demand and idle have paces of their own. At least kPolicyPaceMinNs with a step.
  uint64_t warmup_ns =
      10 * kNsPerMs;  // a new instance's metrics do not count until so long after it is ready
  uint64_t cooldown_ns = 10 * kNsPerMs;         // from one scale-in to the next
  uint64_t metrics_window_ns = 100 * kNsPerMs;  // rates and cpu are means over it, delays the largest in it
  uint64_t metrics_smoothing_ns = 0;            // time constant of an exponential mean on top of it; 0: none
};

// spare: made at start beyond what the file needs, for services and instances that are added while it runs
struct SpareConfig {
  uint32_t services = 16;
  uint32_t slots = 16;
  friend bool operator==(const SpareConfig&, const SpareConfig&) = default;
};

struct Config {
  std::string name;  // of this daemon: its files, sockets and DPDK prefix
  std::string runtime_dir = "/run/cheshire";
  std::string log_level = "info";
  uint32_t held_syns_max = 4096;  // over all services
  EalConfig eal;
  NicConfig nic;
  WorkerConfig worker;
  ControlConfig control;
  SpareConfig spare;
  std::vector<ImageConfig> images;
  std::vector<ServiceConfig> services;

  [[nodiscard]] uint16_t workers() const { return static_cast<uint16_t>(eal.lcores.size()); }
  // The one place that says which worker owns a service, and with it its instances and flows. By index, which a
  // service keeps for as long as one of its flows may live.
  [[nodiscard]] uint16_t worker_of(ServiceIndex index) const {
    const uint32_t wanted = services[index.value].worker;
    return static_cast<uint16_t>(wanted == kAnyWorker ? index.value % eal.lcores.size() : wanted);
  }

  // Instances that may run at once, over all services: each needs a slot.
  [[nodiscard]] uint32_t instances_most() const {
    uint32_t sum = 0;
    for (const ServiceConfig& service : services) sum += service.instances_max;
    return sum;
  }
  // What a daemon that starts with this configuration makes, and has for as long as it lives.
  [[nodiscard]] uint32_t slots() const {
    // The check of a file keeps instances_most() within kSlotsMax; a bench may go beyond.
    return std::max(instances_most(), std::min<uint32_t>(instances_most() + spare.slots, kSlotsMax));
  }
  [[nodiscard]] uint32_t services_made() const {
    return std::min<uint32_t>(static_cast<uint32_t>(services.size()) + spare.services, kServicesMax);
  }
};

}  // namespace cheshire
