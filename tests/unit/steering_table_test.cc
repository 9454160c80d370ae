// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "steering_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace cheshire {
namespace {

struct Listener {
  uint32_t vip;
  uint16_t port;
  friend auto operator<=>(const Listener&, const Listener&) = default;
};

SteeringTable table_of(const std::vector<Listener>& listeners) {
  std::vector<SteeringService> services;
  for (const Listener& listener : listeners) {
    services.push_back({.vip = be32(listener.vip), .port = be16(listener.port)});
  }
  return {std::move(services), {}};
}

void expect_finds_each(const std::vector<Listener>& listeners) {
  const SteeringTable table = table_of(listeners);
  for (size_t index = 0; index < listeners.size(); ++index) {
    const auto found = table.find(be32(listeners[index].vip), be16(listeners[index].port));
    ASSERT_TRUE(found.has_value()) << index;
    ASSERT_EQ(found->value, index);
    ASSERT_TRUE(table.is_vip(be32(listeners[index].vip)));
  }
}

TEST(SteeringTable, WithoutServicesFindsNothing) {
  for (const SteeringTable& table : {SteeringTable(), SteeringTable(std::vector<SteeringService>(), {})}) {
    EXPECT_FALSE(table.find(be32(0xc000020a), be16(80)));
    EXPECT_FALSE(table.find(be32(0), be16(0)));
    EXPECT_FALSE(table.is_vip(be32(0)));
  }
}

TEST(SteeringTable, TellsAddressesAndPortsApart) {
  const SteeringTable table = table_of({{0xc000020a, 80}, {0xc000020a, 443}, {0xc000020b, 80}});
  EXPECT_EQ(table.find(be32(0xc000020a), be16(80))->value, 0);
  EXPECT_EQ(table.find(be32(0xc000020a), be16(443))->value, 1);
  EXPECT_EQ(table.find(be32(0xc000020b), be16(80))->value, 2);
  EXPECT_FALSE(table.find(be32(0xc000020b), be16(443)));
  EXPECT_FALSE(table.find(be32(0xc000020c), be16(80)));
  EXPECT_TRUE(table.is_vip(be32(0xc000020b)));
  EXPECT_FALSE(table.is_vip(be32(0xc000020c)));
}

TEST(SteeringTable, FindsEachOfAsManyServicesAsThereMayBe) {
  std::vector<Listener> neighbours;
  std::vector<Listener> ports_of_one;
  std::vector<Listener> networks;
  for (uint32_t n = 0; n < kServicesMax; ++n) {
    neighbours.push_back({0xc0000200 + n, 80});
    ports_of_one.push_back({0xc000020a, static_cast<uint16_t>(8000 + n)});
    networks.push_back({0x0a000001 + (n << 14U), 443});
  }
  expect_finds_each(neighbours);
  expect_finds_each(ports_of_one);
  expect_finds_each(networks);
}

// Dense enough that addresses and ports repeat.
Listener any_listener(std::mt19937& random) {
  return {static_cast<uint32_t>(0xc0000200 + random() % 2048), static_cast<uint16_t>(1 + random() % 8)};
}

TEST(SteeringTable, AgreesWithASearchOverRandomServices) {
  std::mt19937 random(1);
  for (const size_t count : {size_t{1}, size_t{2}, size_t{3}, size_t{64}, size_t{1000}}) {
    std::set<Listener> distinct;
    while (distinct.size() < count) {
      distinct.insert(any_listener(random));
    }
    const std::vector<Listener> listeners(distinct.begin(), distinct.end());
    expect_finds_each(listeners);
    const SteeringTable table = table_of(listeners);
    for (int round = 0; round < 20000; ++round) {
      const Listener any = any_listener(random);
      ASSERT_EQ(table.find(be32(any.vip), be16(any.port)).has_value(), distinct.contains(any));
    }
  }
}

TEST(SteeringTable, GivesServicesAndSlotsByTheirIndex) {
  const SteeringTable table({{.vip = be32(1), .port = be16(80)}, {.vip = be32(2), .port = be16(80)}},
                            {{.generation = {7}, .service = {0}, .role = SlotRole::kDraining},
                             {.service = {1}},
                             {.generation = {1}, .service = {1}, .role = SlotRole::kAccepting}});
  EXPECT_EQ(table.services().size(), 2U);
  EXPECT_EQ(table.slots().size(), 3U);
  EXPECT_EQ(table.slot({0}).generation.value, 7U);
  EXPECT_EQ(table.slot({0}).role, SlotRole::kDraining);
  EXPECT_EQ(table.slot({1}).role, SlotRole::kEmpty);
  EXPECT_EQ(table.slot({2}).service.value, 1);
}

TEST(SteeringTable, ListsTheMembersOfEachServiceWhereverTheyStand) {
  const auto at = [](uint16_t service, SlotRole role) {
    return SteeringSlot{.generation = {1}, .service = {service}, .role = role};
  };
  const SteeringTable table({{.vip = be32(1), .port = be16(80)},
                             {.vip = be32(2), .port = be16(80)},
                             {.vip = be32(3), .port = be16(80)}},
                            {at(2, SlotRole::kAccepting), at(0, SlotRole::kDraining), at(0, SlotRole::kEmpty),
                             at(2, SlotRole::kStandby), at(0, SlotRole::kAccepting)});
  const auto members = [&](uint16_t service) {
    std::string words;
    for (const SlotIndex slot : table.members({service})) words += std::to_string(slot.value);
    return words;
  };
  EXPECT_EQ(members(0), "14");
  EXPECT_EQ(members(1), "");
  EXPECT_EQ(members(2), "03");
}

TEST(SteeringTable, AServiceWithoutAPortIsNobodys) {
  const SteeringTable table({{}, {.vip = be32(1), .port = be16(80)}}, {});
  EXPECT_FALSE(table.find(be32(0), be16(0)));
  EXPECT_FALSE(table.is_vip(be32(0)));
  EXPECT_TRUE(table.find(be32(1), be16(80)));
}

TEST(SteeringTableDeathTest, EndsTheProcessWithMoreServicesThanThereMayBe) {
  EXPECT_DEATH(SteeringTable(std::vector<SteeringService>(kServicesMax + 1U), {}), "CHECK");
}

}  // namespace
}  // namespace cheshire
