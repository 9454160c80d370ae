// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The configuration after it was read and checked (controlplane/config/config_yaml.h): plain values, no
// optional parts, every default filled in. docs/config.md and examples/cheshire.yaml say what each key means.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "be.h"
#include "ids.h"
#include "net.h"
#include "policy_config.h"
#include "units.h"

namespace cheshire {

// eal: what DPDK is started with
struct EalConfig {
  uint32_t lcore = 0;                  // CPU of the polling worker
  uint64_t memory_bytes = 256 * kMiB;  // packet memory, from hugepages unless `hugepages: false`
  bool hugepages = true;
};

// nic: the port that faces the clients
struct NicConfig {
  std::string device;  // PCI address, or a DPDK virtual device: net_tap0,iface=cheshire0
  uint16_t rx_descriptors = 1024;
  uint16_t tx_descriptors = 1024;
};

// worker: the polling loop and its flow table
struct WorkerConfig {
  uint32_t flows_max = 65536;
  uint64_t idle_sleep_ns = 0;  // 0: never sleeps; else the longest nap of a worker that has nothing to do
  uint64_t handshake_timeout_ns = 10 * kNsPerSecond;
  uint64_t idle_timeout_ns = 300 * kNsPerSecond;
  uint64_t closing_timeout_ns = 2 * kNsPerSecond;
};

// control: the thread that decides
struct ControlConfig {
  uint64_t tick_ns = 50 * kNsPerUs;  // longest nap between two looks at the load rings
};

// kAuto: our own VMM where KVM really works, else QEMU.
enum class DriverKind { kAuto, kKvm, kQemu, kFake };
enum class Accelerator { kAuto, kKvm, kTcg };

// What becomes of an instance whose open flows are all quiet.
enum class IdleAction { kStop, kPause };

struct ImageConfig {
  std::string name;
  std::string kernel;  // path of the ELF, absolute
  uint64_t memory_bytes = 32 * kMiB;
  // The guest's command line. {guest_ip}, {guest_port} and {gateway_ip} are filled in per service.
  std::string command_line;
  DriverKind driver = DriverKind::kAuto;
  Accelerator accelerator = Accelerator::kAuto;
};

struct ServiceConfig {
  std::string name;
  be32 vip;  // listen
  be16 port;
  be32 guest_ip;  // guest; the same as listen unless mapped
  be16 guest_port;
  uint32_t image = 0;  // index into Config::images
  uint32_t instances_min = 0;
  uint32_t instances_max = 1;
  uint32_t shells = 0;   // kept prepared, not one guest instruction run; within instances_max
  uint32_t standby = 0;  // kept booted, proven and paused; within instances_max
  // kPause: an instance with open flows, all quiet for idle_after, is paused with them.
  IdleAction idle = IdleAction::kStop;
  uint32_t in_flight_soft = 64;  // flows per instance at which the next one is woken
  uint32_t hold_syns_max = 128;  // SYNs parked at once
  uint64_t hold_time_max_ns = 3 * kNsPerSecond;
  uint64_t boot_deadline_ns = 2 * kNsPerSecond;    // from the boot order to the first SYN-ACK
  uint64_t idle_after_ns = 10 * kNsPerSecond;      // an instance without flows for so long is surplus
  uint64_t drain_deadline_ns = 30 * kNsPerSecond;  // flows left after it are reset

  std::vector<PolicyConfig> policies = default_policies();  // at most kPoliciesMax
  // step and target only; on_demand and idle have paces of their own. At least kPolicyPaceMinNs with a step.
  uint64_t warmup_ns =
      10 * kNsPerMs;  // a new instance's metrics do not count until so long after it is ready
  uint64_t cooldown_ns = 10 * kNsPerMs;         // from one scale-in to the next
  uint64_t metrics_window_ns = 100 * kNsPerMs;  // rates and cpu are means over it, delays the largest in it
  uint64_t metrics_smoothing_ns = 0;            // time constant of an exponential mean on top of it; 0: none
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
  std::vector<ImageConfig> images;
  std::vector<ServiceConfig> services;

  // One slot for each instance that may run at once, over all services.
  [[nodiscard]] uint32_t slots() const {
    uint32_t sum = 0;
    for (const ServiceConfig& service : services) sum += service.instances_max;
    return sum;
  }
};

}  // namespace cheshire
