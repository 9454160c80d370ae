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

// The argument list for rte_eal_init: nothing on disk, so that a killed daemon leaves nothing
// behind; lcore 0 for this thread, on any CPU; lcore 1 for the worker, on its own CPU.
[[nodiscard]] std::vector<std::string> eal_arguments(const Config& config);

// Ends EAL when it goes. One per process.
class Eal {
 public:
  [[nodiscard]] static Result<Eal> start(const Config& config);
  Eal(Eal&& other) noexcept : started_(std::exchange(other.started_, false)), loop_(std::move(other.loop_)) {}
  Eal& operator=(Eal&&) = delete;
  ~Eal();

  // Runs `loop` on the worker's lcore until it returns; join() waits for that.
  [[nodiscard]] Result<void> launch(std::function<void()> loop);
  void join();

 private:
  Eal() = default;
  bool started_ = true;
  std::unique_ptr<std::function<void()>> loop_;
};

// Packet buffers for `count` packets of up to 2 KiB.
[[nodiscard]] Result<rte_mempool*> make_packet_pool(uint32_t count);

// Buffers that the worker's bounds add up to: both NIC rings, every slot's queue filled to a quarter, held
// SYNs.
[[nodiscard]] uint32_t packet_buffers_wanted(const Config& config);

}  // namespace cheshire
