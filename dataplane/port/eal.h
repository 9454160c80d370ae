// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// DPDK's environment layer: started once, from the configuration, by the main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config.h"
#include "result.h"

struct rte_mempool;

namespace cheshire {

// Where other threads and VMs may run: not on the CPU of a worker that polls without a pause, as long as there is
// another one.
[[nodiscard]] std::vector<uint32_t> cpus_beside_workers(const Config& config);

// The argument list for rte_eal_init: nothing on disk, so that a killed daemon leaves nothing
// behind; lcore 0 for this thread, beside the workers; lcores 1, 2 … for the workers, each on its CPU.
[[nodiscard]] std::vector<std::string> eal_arguments(const Config& config);

// Ends EAL when it goes. One per process.
class Eal {
 public:
  [[nodiscard]] static Result<Eal> start(const Config& config);
  Eal(Eal&& other) noexcept
      : started_(std::exchange(other.started_, false)),
        loop_(std::move(other.loop_)),
        loops_(std::move(other.loops_)) {}
  Eal& operator=(Eal&&) = delete;
  ~Eal();

  // Runs `loop` with the number of each worker on that worker's lcore, until it returns; join() waits for all.
  [[nodiscard]] Result<void> launch(size_t workers, std::function<void(size_t)> loop);
  void join();

 private:
  Eal() = default;
  bool started_ = true;
  // One per worker; what EAL was given a pointer to.
  struct Loop {
    const std::function<void(size_t)>* run;
    size_t number;
  };
  std::unique_ptr<std::function<void(size_t)>> loop_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

// Packet buffers for `count` packets of up to 2 KiB. `shares_cpus`: of threads that do, so that one which is not
// running keeps nobody waiting who takes or gives back buffers.
[[nodiscard]] Result<rte_mempool*> make_packet_pool(uint32_t count, bool shares_cpus = false);

// Buffers that the workers' bounds add up to: of each both NIC rings, held SYNs and the rings between them filled to a
// quarter; every slot's queue filled to a quarter.
[[nodiscard]] uint32_t packet_buffers_wanted(const Config& config);

}  // namespace cheshire
