// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the control thread and a driver's thread share; all of it behind one mutex that nobody holds for
// more than a few moves. Bounded by the contract: the control plane has a few orders under way per slot at
// the most, and an instance makes a few events.
//
// An order to run or to pause need not wait for the driver's thread: where the instance has a link (a
// descriptor that takes orders), it is sent from the control thread at once. Only if nothing for that
// instance waits in the queue, so that orders keep their sequence.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "handle.h"
#include "hypervisor/driver.h"
#include "result.h"

namespace cheshire {

struct StartOrder {
  BootOrder boot;
  bool run = true;  // false: a shell
};
enum class InstanceAct : uint8_t { kRun, kPause, kStop };
struct InstanceOrder {
  InstanceId id;
  InstanceAct act = InstanceAct::kStop;
};
struct ShutdownOrder {};
using DriverOrder = std::variant<StartOrder, InstanceOrder, ShutdownOrder>;

class DriverMailbox {
 public:
  [[nodiscard]] static Result<std::unique_ptr<DriverMailbox>> create();

  // control thread
  void post(DriverOrder order);
  // True if `send` was called with the instance's link; it must not block.
  bool send_directly(InstanceId id, const std::function<void(int link)>& send);
  [[nodiscard]] std::optional<DriverEvent> next_event();
  [[nodiscard]] std::optional<VmUsage> usage(InstanceId id, uint64_t now_ns);
  // any thread
  [[nodiscard]] std::string description() const;

  // driver's thread
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  [[nodiscard]] std::deque<DriverOrder> take_orders();
  // Called for each order once it was carried out, whatever came of it.
  void finish_order(InstanceId id);
  void post_event(DriverEvent event);
  // The instance has a VM until remove_instance(). `link` takes orders from the control thread; -1: there
  // is none.
  void add_instance(InstanceId id, int link);
  void set_usage(InstanceId id, const VmUsage& usage);
  // When the control thread last asked for any usage; 0: never.
  [[nodiscard]] uint64_t usage_asked_ns() const;
  void remove_instance(InstanceId id);
  void set_description(std::string text);

 private:
  struct Entry {
    bool has_vm = false;
    int link = -1;
    unsigned queued = 0;  // orders posted and not yet done
    std::optional<VmUsage> usage;
  };
  explicit DriverMailbox(UniqueFd wake) : wake_(std::move(wake)) {}

  const UniqueFd wake_;       // eventfd: there are orders
  mutable std::mutex mutex_;  // guards what follows
  std::deque<DriverOrder> orders_;
  std::deque<DriverEvent> events_;
  std::map<InstanceId, Entry> entries_;
  uint64_t usage_asked_ns_ = 0;
  std::string description_;
};

}  // namespace cheshire
