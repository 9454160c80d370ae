// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/port/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "dataplane/flow/packet_queue.h"
#include "dataplane/worker/hand_over.h"

namespace cheshire {
namespace {

constexpr unsigned kFirstWorkerLcore = 1;

// 0000:03:00.0 or 03:00.0, with device arguments behind a comma.
bool is_pci_address(const std::string& device) {
  const std::string address = device.substr(0, device.find(','));
  return address.size() >= 7 && address[address.size() - 2] == '.' && address[address.size() - 5] == ':' &&
         std::all_of(address.begin(), address.end(),
                     [](unsigned char c) { return std::isxdigit(c) != 0 || c == ':' || c == '.'; });
}

const char* dpdk_log_level(const std::string& ours) {
  if (ours == "trace") return "debug";
  if (ours == "debug") return "info";
  return ours == "error" ? "error" : "warning";
}

}  // namespace

std::vector<uint32_t> cpus_beside_workers(const Config& config) {
  const auto count = static_cast<uint32_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
  const std::vector<uint32_t>& polled = config.eal.lcores;
  std::vector<uint32_t> all;
  std::vector<uint32_t> others;
  for (uint32_t cpu = 0; cpu < count; ++cpu) {
    all.push_back(cpu);
    if (std::find(polled.begin(), polled.end(), cpu) == polled.end()) others.push_back(cpu);
  }
  return config.worker.idle_sleep_ns != 0 || others.empty() ? all : others;
}

std::vector<std::string> eal_arguments(const Config& config) {
  std::string beside;
  for (const uint32_t cpu : cpus_beside_workers(config)) {
    beside += (beside.empty() ? "" : ",") + std::to_string(cpu);
  }
  std::string lcores = "--lcores=0@(" + beside + ")";
  for (size_t i = 0; i < config.eal.lcores.size(); ++i) {
    lcores += "," + std::to_string(kFirstWorkerLcore + i) + "@" + std::to_string(config.eal.lcores[i]);
  }
  std::vector<std::string> arguments = {
      "cheshired",
      "--file-prefix=cheshire-" + config.name,
      lcores,
      "--main-lcore=0",
      "-m",
      std::to_string(config.eal.memory_bytes / kMiB),
      std::string("--log-level=") + dpdk_log_level(config.log_level),
  };
  // Nothing on disk, either way: EAL takes --in-memory with hugepages only.
  if (config.eal.hugepages) {
    arguments.push_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  if (is_pci_address(config.nic.device)) {
    arguments.push_back("--allow=" + config.nic.device);
  } else {
    arguments.push_back("--no-pci");
    arguments.push_back("--vdev=" + config.nic.device);
  }
  return arguments;
}

Result<Eal> Eal::start(const Config& config) {
  std::vector<std::string> arguments = eal_arguments(config);
  std::vector<char*> argv;
  argv.reserve(arguments.size());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return Error{
        ErrorCode::kUnavailable,
        std::string("DPDK did not start: ") + rte_strerror(rte_errno) +
            (config.eal.hugepages
                 ? "; are there hugepages (grep Huge /proc/meminfo)? 'eal: {hugepages: false}' does without"
                 : "")};
  }
  return Eal();
}

Eal::~Eal() {
  if (started_) rte_eal_cleanup();
}

Result<void> Eal::launch(size_t workers, std::function<void(size_t)> loop) {
  loop_ = std::make_unique<std::function<void(size_t)>>(std::move(loop));
  const auto run = [](void* argument) -> int {
    const auto* own = static_cast<const Loop*>(argument);
    (*own->run)(own->number);
    return 0;
  };
  for (size_t number = 0; number < workers; ++number) {
    loops_.push_back(std::make_unique<Loop>(Loop{loop_.get(), number}));
    const auto lcore = static_cast<unsigned>(kFirstWorkerLcore + number);
    if (int code = rte_eal_remote_launch(run, loops_.back().get(), lcore); code != 0) {
      return Error{ErrorCode::kInternal,
                   "cannot start worker " + std::to_string(number) + ": " + std::strerror(-code)};
    }
  }
  return {};
}

void Eal::join() {
  for (size_t number = 0; number < loops_.size(); ++number) {
    rte_eal_wait_lcore(static_cast<unsigned>(kFirstWorkerLcore + number));
  }
}

Result<rte_mempool*> make_packet_pool(uint32_t count, bool shares_cpus) {
  constexpr unsigned kCacheSize = 256;
  rte_mempool* pool =
      rte_pktmbuf_pool_create_by_ops("packets", count, kCacheSize, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                     SOCKET_ID_ANY, shares_cpus ? "ring_mt_rts" : "ring_mp_mc");
  if (pool != nullptr) return pool;
  return Error{ErrorCode::kLimit, "no memory for " + std::to_string(count) + " packet buffers (" +
                                      std::to_string(count / 1024 * RTE_MBUF_DEFAULT_BUF_SIZE / 1024 + 1) +
                                      " MiB): " + rte_strerror(rte_errno) + "; raise eal.memory"};
}

uint32_t packet_buffers_wanted(const Config& config) {
  constexpr uint32_t kInFlightInWorker = 2048;
  const uint32_t workers = config.workers();
  const uint32_t each = config.nic.rx_descriptors + config.nic.tx_descriptors + kInFlightInWorker +
                        config.held_syns_max + (workers - 1) * static_cast<uint32_t>(kHandOverPackets / 4);
  return workers * each + config.slots() * (PacketQueue::kCapacity / 4);
}

}  // namespace cheshire
