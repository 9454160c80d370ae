// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A hold queue and plain lists that go through the same operations. Each answer of the queue is CHECKed
// against the lists. For the unit tests (seeded operations) and the fuzz target (any operations).
#pragma once

#include <cstdint>
#include <iterator>
#include <list>
#include <vector>

#include "check.h"
#include "dataplane/flow/hold_queue.h"

namespace cheshire::test {

class HoldQueueTwin {
 public:
  HoldQueueTwin(size_t services, size_t syns_max)
      : queue_(services, syns_max), waiting_(services), offered_(services) {}

  bool park(ServiceIndex service, uint64_t arrival_ns) {
    const uint64_t number = ++arrivals_;
    const FlowKey key{be32(static_cast<uint32_t>(number)), be16(7), service};
    HeldSyn* syn = queue_.park(key, arrival_ns);
    CHECK((syn == nullptr) == (size() == queue_.syns_max()));
    if (syn == nullptr) return false;
    CHECK(syn->key == key && syn->arrival_ns == arrival_ns && !syn->offered && !syn->was_delivered);
    CHECK(syn->packet == nullptr && syn->first_offered_ns == 0);
    CHECK(queue_.at(queue_.index_of(syn)) == syn && queue_.index_of(syn) != 0);
    // The next user of the record must not see these.
    syn->offer_again_ns = arrival_ns + 1;
    syn->l4_offset = 34;
    put(waiting_[service.value], {syn, arrival_ns, number});
    return true;
  }

  // Each takes the n-th of the waiting or offered of a service, if there are so many.
  void offer(ServiceIndex service, size_t n, SlotIndex slot) {
    auto& from = waiting_[service.value];
    if (n >= from.size()) return;
    const auto at = std::next(from.begin(), static_cast<std::ptrdiff_t>(n));
    queue_.offer(at->syn, slot);
    CHECK(at->syn->offered && at->syn->slot == slot);
    at->syn->was_delivered = true;
    at->syn->first_offered_ns = 1;
    put(offered_[service.value], *at);
    from.erase(at);
  }
  void back_to_waiting(ServiceIndex service, size_t n) {
    auto& from = offered_[service.value];
    if (n >= from.size()) return;
    const auto at = std::next(from.begin(), static_cast<std::ptrdiff_t>(n));
    queue_.back_to_waiting(at->syn);
    CHECK(!at->syn->offered && at->syn->was_delivered && at->syn->first_offered_ns == 0);
    put(waiting_[service.value], *at);
    from.erase(at);
  }
  void take_waiting(ServiceIndex service, size_t n) { take(waiting_[service.value], n); }
  void take_offered(ServiceIndex service, size_t n) { take(offered_[service.value], n); }

  void check_all() {
    CHECK(queue_.size() == size());
    for (uint16_t service = 0; service < waiting_.size(); ++service) {
      check_list(queue_.first_waiting({service}), waiting_[service], false);
      check_list(queue_.first_offered({service}), offered_[service], true);
      CHECK(queue_.waiting({service}) == waiting_[service].size());
      CHECK(queue_.offered({service}) == offered_[service].size());
      CHECK(queue_.held({service}) == waiting_[service].size() + offered_[service].size());
    }
  }

  [[nodiscard]] size_t size() const {
    size_t sum = 0;
    for (const auto& list : waiting_) sum += list.size();
    for (const auto& list : offered_) sum += list.size();
    return sum;
  }

 private:
  struct Record {
    HeldSyn* syn;
    uint64_t arrival_ns;
    uint64_t number;  // order of park(): decides between arrivals of the same moment
  };

  static void put(std::list<Record>& list, const Record& record) {
    auto at = list.begin();
    while (at != list.end() && (at->arrival_ns < record.arrival_ns ||
                                (at->arrival_ns == record.arrival_ns && at->number < record.number))) {
      ++at;
    }
    list.insert(at, record);
  }

  void take(std::list<Record>& from, size_t n) {
    if (n >= from.size()) return;
    const auto at = std::next(from.begin(), static_cast<std::ptrdiff_t>(n));
    queue_.take(at->syn);
    from.erase(at);
  }

  void check_list(HeldSyn* syn, const std::list<Record>& expected, bool offered) {
    for (const Record& record : expected) {
      CHECK(syn == record.syn);
      CHECK(syn->offered == offered && syn->arrival_ns == record.arrival_ns);
      CHECK(syn->key.client_ip == be32(static_cast<uint32_t>(record.number)));
      syn = queue_.next(syn);
    }
    CHECK(syn == nullptr);
  }

  HoldQueue queue_;
  std::vector<std::list<Record>> waiting_;  // by service
  std::vector<std::list<Record>> offered_;
  uint64_t arrivals_ = 0;
};

}  // namespace cheshire::test
