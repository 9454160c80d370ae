// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/driver_mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cheshire {
namespace {

const InstanceId* instance_of(const DriverOrder& order) {
  if (const auto* start = std::get_if<StartOrder>(&order)) return &start->boot.id;
  if (const auto* act = std::get_if<InstanceOrder>(&order)) return &act->id;
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<DriverMailbox>> DriverMailbox::create() {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return Error{ErrorCode::kUnavailable, std::string("eventfd: ") + std::strerror(errno)};
  return std::unique_ptr<DriverMailbox>(new DriverMailbox(std::move(wake)));
}

void DriverMailbox::post(DriverOrder order) {
  {
    const std::lock_guard lock(mutex_);
    if (const InstanceId* id = instance_of(order)) ++entries_[*id].queued;
    orders_.push_back(std::move(order));
  }
  const uint64_t one = 1;
  // Fails only when the count is full: then it is readable anyway.
  (void)!::write(wake_.get(), &one, sizeof one);
}

bool DriverMailbox::send_directly(InstanceId id, const std::function<void(int link)>& send) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || entry->second.link < 0 || entry->second.queued != 0) return false;
  send(entry->second.link);
  return true;
}

std::optional<DriverEvent> DriverMailbox::next_event() {
  const std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  DriverEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::optional<VmUsage> DriverMailbox::usage(InstanceId id, uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  usage_asked_ns_ = now_ns;
  const auto entry = entries_.find(id);
  return entry != entries_.end() ? entry->second.usage : std::nullopt;
}

std::string DriverMailbox::description() const {
  const std::lock_guard lock(mutex_);
  return description_;
}

std::deque<DriverOrder> DriverMailbox::take_orders() {
  uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);  // before the queue: a later post wakes us again
  const std::lock_guard lock(mutex_);
  return std::exchange(orders_, {});
}

void DriverMailbox::finish_order(InstanceId id) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end() || --entry->second.queued != 0) return;
  if (!entry->second.has_vm) entries_.erase(entry);  // nothing came of it, or it is over
}

void DriverMailbox::post_event(DriverEvent event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
}

void DriverMailbox::add_instance(InstanceId id, int link) {
  const std::lock_guard lock(mutex_);
  entries_[id].has_vm = true;
  entries_[id].link = link;
}

void DriverMailbox::set_usage(InstanceId id, const VmUsage& usage) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  entry->second.usage = usage;
  entry->second.usage->time_ns = monotonic_ns();
}

uint64_t DriverMailbox::usage_asked_ns() const {
  const std::lock_guard lock(mutex_);
  return usage_asked_ns_;
}

void DriverMailbox::remove_instance(InstanceId id) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) return;
  entry->second.has_vm = false;
  entry->second.link = -1;
  entry->second.usage.reset();
  if (entry->second.queued == 0) entries_.erase(entry);
}

void DriverMailbox::set_description(std::string text) {
  const std::lock_guard lock(mutex_);
  description_ = std::move(text);
}

}  // namespace cheshire
