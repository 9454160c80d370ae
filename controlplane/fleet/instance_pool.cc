// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/instance_pool.h"

#include <algorithm>

namespace cheshire {

InstancePool::InstancePool(const Config& config, const LoadBoard& board)
    : board_(board), instances_(config.slots()), services_(config.services.size()) {
  for (uint16_t slot = 0; slot < instances_.size(); ++slot) {
    instances_[slot].id.slot = SlotIndex{slot};
    spare_.push_back(&instances_[slot]);
  }
  share(config);
}

bool InstancePool::all_absent() const {
  return std::all_of(instances_.begin(), instances_.end(),
                     [](const Instance& instance) { return instance.state == InstanceState::kAbsent; });
}

void InstancePool::take_config(const Config& config) {
  services_.resize(config.services.size());
  shared_ = false;
}

void InstancePool::share(const Config& config) {
  if (shared_) return;
  shared_ = true;
  for (uint16_t index = 0; index < services_.size(); ++index) give_back(ServiceIndex{index}, config);
  for (uint16_t index = 0; index < services_.size(); ++index) {
    const size_t wanted = config.services[index].instances_max;
    take(ServiceIndex{index}, wanted);
    if (services_[index].instances.size() != wanted) shared_ = false;
  }
}

void InstancePool::give_back(ServiceIndex index, const Config& config) {
  OfService& service = services_[index.value];
  const size_t wanted = config.services[index.value].instances_max;
  for (size_t i = service.instances.size(); i-- > 0 && service.instances.size() > wanted;) {
    Instance& instance = *service.instances[i];
    if (instance.state != InstanceState::kAbsent || !is_settled(instance, config)) continue;
    service.flows_elsewhere += board_.slot(instance.id.slot).flows_opened.get();
    service.instances.erase(service.instances.begin() + static_cast<ptrdiff_t>(i));
    instance.service = kNobodys;
    instance.sweeps_due = 0;  // counted by the worker that had it
    spare_.insert(std::upper_bound(spare_.begin(), spare_.end(), &instance), &instance);
  }
}

// Whether its worker has written to the slot's row for the last time: the next service's owner may be another
// one. It took the table without the instance before, which the departure waited for; what it still does then
// is to take the instance's flows from its flow table. They count for this service, too.
bool InstancePool::is_settled(const Instance& instance, const Config& config) const {
  const WorkerLoad& owner = board_.worker(config.worker_of(instance.service));
  const SlotLoad& load = board_.slot(instance.id.slot);
  return owner.sweeps_done.observe() >= instance.sweeps_due &&
         load.flows_opened.get() == load.flows_closed.get();
}

// The first ones that nobody has, until the service has so many or there is none.
void InstancePool::take(ServiceIndex index, size_t wanted) {
  OfService& service = services_[index.value];
  std::vector<Instance*>& owned = service.instances;
  for (uint16_t number = 0; owned.size() < wanted && !spare_.empty(); ++number) {
    const auto place = std::find_if(owned.begin(), owned.end(),
                                    [&](const Instance* instance) { return instance->number >= number; });
    if (place != owned.end() && (*place)->number == number) continue;
    Instance* const instance = spare_.front();
    spare_.erase(spare_.begin());
    instance->service = index;
    instance->number = number;
    for (const Instance& other : instances_) {
      instance->id.generation = std::max(instance->id.generation, other.id.generation);
    }
    service.flows_elsewhere -= board_.slot(instance->id.slot).flows_opened.get();
    owned.insert(place, instance);
  }
}

Instance* InstancePool::first_absent(ServiceIndex index) {
  for (Instance& instance : of(index)) {
    if (instance.state == InstanceState::kAbsent) return &instance;
  }
  return nullptr;
}

Instance* InstancePool::find_free(ServiceIndex index) {
  if (Instance* own = first_absent(index)) return own;
  if (spare_.empty()) return nullptr;
  take(index, size_of(index) + 1);
  shared_ = false;
  return first_absent(index);
}

}  // namespace cheshire
