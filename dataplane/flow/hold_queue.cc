// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/hold_queue.h"

#include <utility>

#include "check.h"

namespace cheshire {

HoldQueue::HoldQueue(size_t services, size_t syns_max) : records_(syns_max + 1), lists_(services) {
  for (uint32_t index = 1; index <= syns_max; ++index) {
    records_[index].next_ = index == syns_max ? kNone : index + 1;
  }
  free_ = syns_max == 0 ? kNone : 1;
}

HeldSyn* HoldQueue::park(const FlowKey& key, uint64_t arrival_ns) {
  if (free_ == kNone) return nullptr;
  HeldSyn* syn = &records_[free_];
  free_ = syn->next_;
  *syn = HeldSyn{};
  syn->key = key;
  syn->arrival_ns = arrival_ns;
  syn->order_ = ++parked_;
  insert_by_arrival(lists_[key.service.value].waiting, syn);
  ++size_;
  return syn;
}

void HoldQueue::offer(HeldSyn* syn, SlotIndex slot) {
  CHECK(!syn->offered);
  ServiceLists& lists = lists_[syn->key.service.value];
  remove(lists.waiting, syn);
  syn->offered = true;
  syn->slot = slot;
  insert_by_arrival(lists.offered, syn);
}

void HoldQueue::back_to_waiting(HeldSyn* syn) {
  CHECK(syn->offered);
  ServiceLists& lists = lists_[syn->key.service.value];
  remove(lists.offered, syn);
  syn->offered = false;
  syn->first_offered_ns = 0;
  insert_by_arrival(lists.waiting, syn);
}

void HoldQueue::take(HeldSyn* syn) {
  ServiceLists& lists = lists_[syn->key.service.value];
  remove(syn->offered ? lists.offered : lists.waiting, syn);
  *syn = HeldSyn{};
  syn->next_ = free_;
  free_ = index_of(syn);
  --size_;
}

HeldSyn* HoldQueue::first_waiting(ServiceIndex service) {
  return get(lists_[service.value].waiting.first);
}
HeldSyn* HoldQueue::first_offered(ServiceIndex service) {
  return get(lists_[service.value].offered.first);
}
HeldSyn* HoldQueue::next(const HeldSyn* syn) {
  return get(syn->next_);
}

// From the back: a new SYN is the youngest. One that returns is among the oldest, and the list is bounded.
void HoldQueue::insert_by_arrival(List& list, HeldSyn* syn) {
  uint32_t before = list.last;
  const auto age = [](const HeldSyn& held) { return std::pair(held.arrival_ns, held.order_); };
  while (before != kNone && age(records_[before]) > age(*syn)) before = records_[before].previous_;
  const uint32_t index = index_of(syn);
  const uint32_t after = before == kNone ? list.first : records_[before].next_;
  syn->previous_ = before;
  syn->next_ = after;
  (before == kNone ? list.first : records_[before].next_) = index;
  (after == kNone ? list.last : records_[after].previous_) = index;
  ++list.length;
}

void HoldQueue::remove(List& list, HeldSyn* syn) {
  (syn->previous_ == kNone ? list.first : records_[syn->previous_].next_) = syn->next_;
  (syn->next_ == kNone ? list.last : records_[syn->next_].previous_) = syn->previous_;
  --list.length;
}

}  // namespace cheshire
