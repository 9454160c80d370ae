// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/flow/hold_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/hold_queue_twin.h"

namespace cheshire {
namespace {

using namespace test;

constexpr ServiceIndex kWeb{0};
constexpr ServiceIndex kApi{1};

HeldSyn* park(HoldQueue& queue, ServiceIndex service, uint16_t port, uint64_t arrival_ns) {
  return queue.park({be32(0xc6336407), be16(port), service}, arrival_ns);
}

// Client ports in the order of the list.
std::vector<uint16_t> ports(HoldQueue& queue, HeldSyn* first) {
  std::vector<uint16_t> found;
  for (HeldSyn* syn = first; syn != nullptr; syn = queue.next(syn)) {
    found.push_back(syn->key.client_port.value());
  }
  return found;
}
std::vector<uint16_t> waiting(HoldQueue& queue, ServiceIndex service) {
  return ports(queue, queue.first_waiting(service));
}
std::vector<uint16_t> offered(HoldQueue& queue, ServiceIndex service) {
  return ports(queue, queue.first_offered(service));
}
using Ports = std::vector<uint16_t>;

TEST(HoldQueue, IsEmptyAtFirst) {
  HoldQueue queue(2, 4);
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.syns_max(), 4U);
  EXPECT_EQ(queue.first_waiting(kWeb), nullptr);
  EXPECT_EQ(queue.first_offered(kApi), nullptr);
  EXPECT_EQ(queue.held(kWeb), 0U);
}

TEST(HoldQueue, KeepsTheOrderOfArrivalPerService) {
  HoldQueue queue(2, 8);
  for (const uint16_t port : {uint16_t{1}, uint16_t{2}, uint16_t{3}}) park(queue, kWeb, port, port);
  park(queue, kApi, 9, 2);
  EXPECT_EQ(waiting(queue, kWeb), (Ports{1, 2, 3}));
  EXPECT_EQ(waiting(queue, kApi), (Ports{9}));
  EXPECT_EQ(queue.size(), 4U);
}

TEST(HoldQueue, RefusesTheOneAboveItsBoundAndTakesItLater) {
  HoldQueue queue(2, 2);
  HeldSyn* first = park(queue, kWeb, 1, 1);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(park(queue, kApi, 2, 2), nullptr);
  EXPECT_EQ(park(queue, kWeb, 3, 3), nullptr);
  EXPECT_EQ(queue.size(), 2U);
  queue.take(first);
  EXPECT_NE(park(queue, kWeb, 3, 3), nullptr);
  EXPECT_EQ(park(queue, kWeb, 4, 4), nullptr);
}

TEST(HoldQueue, WithoutPlacesRefusesAll) {
  HoldQueue queue(1, 0);
  EXPECT_EQ(park(queue, kWeb, 1, 1), nullptr);
  EXPECT_EQ(queue.syns_max(), 0U);
}

TEST(HoldQueue, OffersMoveToAListOfTheirOwnInOrderOfArrival) {
  HoldQueue queue(1, 4);
  HeldSyn* one = park(queue, kWeb, 1, 1);
  HeldSyn* two = park(queue, kWeb, 2, 2);
  park(queue, kWeb, 3, 3);
  queue.offer(two, {5});
  queue.offer(one, {6});
  EXPECT_EQ(waiting(queue, kWeb), (Ports{3}));
  EXPECT_EQ(offered(queue, kWeb), (Ports{1, 2}));
  EXPECT_EQ(two->slot.value, 5);
  EXPECT_EQ(queue.held(kWeb), 3U);
}

TEST(HoldQueue, ARecordGoesBackToItsOldPlace) {
  for (const uint16_t back : {uint16_t{1}, uint16_t{2}, uint16_t{3}}) {
    HoldQueue queue(1, 4);
    std::vector<HeldSyn*> syns;
    for (const uint16_t port : {uint16_t{1}, uint16_t{2}, uint16_t{3}}) {
      syns.push_back(park(queue, kWeb, port, port * 100U));
    }
    queue.offer(syns[back - 1U], {0});
    queue.back_to_waiting(syns[back - 1U]);
    EXPECT_EQ(waiting(queue, kWeb), (Ports{1, 2, 3})) << back;
    EXPECT_EQ(offered(queue, kWeb), Ports{}) << back;
  }
}

// One burst is one moment: the worker reads the clock once per turn.
TEST(HoldQueue, ARecordGoesBackToItsOldPlaceAmongThoseOfTheSameMoment) {
  std::vector<size_t> returns = {0, 1, 2};
  do {
    HoldQueue queue(1, 4);
    std::vector<HeldSyn*> syns;
    for (const uint16_t port : {uint16_t{1}, uint16_t{2}, uint16_t{3}, uint16_t{4}}) {
      syns.push_back(park(queue, kWeb, port, 1000));
    }
    for (const size_t index : returns) queue.offer(syns[index], {0});
    EXPECT_EQ(offered(queue, kWeb), (Ports{1, 2, 3}));
    for (const size_t index : returns) queue.back_to_waiting(syns[index]);
    EXPECT_EQ(waiting(queue, kWeb), (Ports{1, 2, 3, 4}));
  } while (std::next_permutation(returns.begin(), returns.end()));
}

TEST(HoldQueue, ForgetsTheOldOfferWhenARecordGoesBack) {
  HoldQueue queue(1, 4);
  HeldSyn* syn = park(queue, kWeb, 1, 1);
  queue.offer(syn, {3});
  syn->first_offered_ns = 50;
  syn->was_delivered = true;
  queue.back_to_waiting(syn);
  EXPECT_FALSE(syn->offered);
  EXPECT_EQ(syn->first_offered_ns, 0U);
  EXPECT_TRUE(syn->was_delivered) << "delivered to somebody stays true";
}

TEST(HoldQueue, TakesFromEitherListAtAnyPlace) {
  for (const size_t taken : {size_t{0}, size_t{1}, size_t{2}}) {
    for (const bool offer_all : {false, true}) {
      HoldQueue queue(1, 3);
      std::vector<HeldSyn*> syns;
      for (const uint16_t port : {uint16_t{1}, uint16_t{2}, uint16_t{3}}) {
        syns.push_back(park(queue, kWeb, port, port));
      }
      if (offer_all) {
        for (HeldSyn* syn : syns) queue.offer(syn, {0});
      }
      Ports expected = {1, 2, 3};
      expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(taken));
      queue.take(syns[taken]);
      EXPECT_EQ(offer_all ? offered(queue, kWeb) : waiting(queue, kWeb), expected);
      EXPECT_EQ(queue.size(), 2U);
    }
  }
}

TEST(HoldQueue, GivesACleanRecordAgain) {
  HoldQueue queue(1, 1);
  HeldSyn* syn = park(queue, kWeb, 1, 1);
  const uint32_t index = queue.index_of(syn);
  queue.offer(syn, {3});
  syn->was_delivered = true;
  syn->first_offered_ns = 7;
  queue.take(syn);
  syn = park(queue, kWeb, 2, 2);
  EXPECT_EQ(queue.index_of(syn), index);
  EXPECT_EQ(queue.at(index), syn);
  EXPECT_FALSE(syn->offered);
  EXPECT_FALSE(syn->was_delivered);
  EXPECT_EQ(syn->first_offered_ns, 0U);
}

TEST(HoldQueueDeathTest, EndsTheProcessWhenARecordIsOfferedTwiceOrReturnedUnoffered) {
  HoldQueue queue(1, 2);
  HeldSyn* syn = park(queue, kWeb, 1, 1);
  EXPECT_DEATH(queue.back_to_waiting(syn), "CHECK");
  queue.offer(syn, {0});
  EXPECT_DEATH(queue.offer(syn, {0}), "CHECK");
}

TEST(HoldQueue, AgreesWithListsOverRandomOperations) {
  for (const size_t syns_max : {size_t{1}, size_t{2}, size_t{16}, size_t{100}}) {
    std::mt19937_64 random(syns_max);
    constexpr size_t kServices = 3;
    HoldQueueTwin twin(kServices, syns_max);
    uint64_t now_ns = 1;
    for (int operation = 0; operation < 20000; ++operation) {
      const ServiceIndex service{static_cast<uint16_t>(random() % kServices)};
      const size_t n = random() % (syns_max / 2 + 1);
      now_ns += random() % 2;  // half of the arrivals share their moment with the one before
      switch (random() % 6) {
        case 0:
        case 1:
          twin.park(service, now_ns);
          break;
        case 2:
          twin.offer(service, n, {static_cast<uint16_t>(n)});
          break;
        case 3:
          twin.back_to_waiting(service, n);
          break;
        case 4:
          twin.take_waiting(service, n);
          break;
        case 5:
          twin.take_offered(service, n);
          break;
      }
      if (operation % 16 == 0) twin.check_all();
    }
    twin.check_all();
  }
}

}  // namespace
}  // namespace cheshire
