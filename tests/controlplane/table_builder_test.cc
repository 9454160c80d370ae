// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/table_builder.h"

#include <gtest/gtest.h>

#include "tests/support/sentence.h"

namespace cheshire::test {
namespace {

std::shared_ptr<const Config> two_services() {
  Config config;
  config.services.push_back({.name = "web",
                             .vip = be32(0xc000020a),
                             .port = be16(80),
                             .guest_ip = be32(0x0a000002),
                             .guest_port = be16(8080),
                             .instances_max = 3,
                             .in_flight_soft = 7,
                             .hold_syns_max = 11,
                             .hold_time_max_ns = 13});
  config.services.push_back({.name = "api", .vip = be32(0xc000020b), .port = be16(443), .instances_max = 2});
  return std::make_shared<const Config>(std::move(config));
}

TEST(TableBuilder, a_service_that_cannot_boot_refuses) {
  TableBuilder builder(5);
  const SteeringTable table = builder.build(two_services(), {false, true});
  EXPECT_FALSE(table.service({0}).refuse);
  EXPECT_TRUE(table.service({1}).refuse);
}

TEST(TableBuilder, a_service_is_copied_whole) {
  TableBuilder builder(5);
  const SteeringTable table = builder.build(two_services(), {false, false});
  const SteeringService& web = table.service({0});
  EXPECT_EQ(web.vip, be32(0xc000020a));
  EXPECT_EQ(web.port, be16(80));
  EXPECT_EQ(web.guest_ip, be32(0x0a000002));
  EXPECT_EQ(web.guest_port, be16(8080));
  EXPECT_EQ(web.in_flight_soft, 7U);
  EXPECT_EQ(web.hold_syns_max, 11U);
  EXPECT_EQ(web.hold_time_max_ns, 13U);
  EXPECT_EQ(table.find(be32(0xc000020b), be16(443)), ServiceIndex{1});
}

TEST(TableBuilder, tables_that_differ_in_slots_only_share_their_services) {
  TableBuilder builder(5);
  const auto config = two_services();
  const SteeringTable before = builder.build(config, {false, false});
  builder.set({.id = {{3}, {42}}, .service = {1}, .state = InstanceState::kBooting});
  EXPECT_TRUE(builder.build(config, {false, false}).has_services_of(before));
  EXPECT_FALSE(builder.build(config, {true, false}).has_services_of(before)) << "one refuses";
  EXPECT_FALSE(builder.build(two_services(), {true, false}).has_services_of(before)) << "read anew";
}

TEST(TableBuilder, a_maglev_table_is_another_one_with_every_member) {
  Config made = *two_services();
  made.services[1].balance = Balance::kMaglev;
  const auto config = std::make_shared<const Config>(std::move(made));
  TableBuilder builder(5);
  const auto maglev = [&] { return builder.build(config, {false, false}).service({1}).maglev; };
  const auto none = maglev();
  ASSERT_NE(none, nullptr);
  EXPECT_TRUE(none->slots.empty());
  builder.set({.id = {{3}, {42}}, .service = {1}, .state = InstanceState::kActive});
  const auto one = maglev();
  EXPECT_EQ(one->slots.front(), SlotIndex{3});
  EXPECT_EQ(maglev(), one) << "as long as its members are the same";
}

struct Row {
  const char* sentence;
  InstanceState state;
  SlotRole role;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.sentence;
}
class TableSlot : public ::testing::TestWithParam<Row> {};

TEST_P(TableSlot, has_its_role) {
  TableBuilder builder(5);
  builder.set({.id = {{3}, {42}}, .service = {1}, .state = GetParam().state});
  const SteeringTable table = builder.build(two_services(), {false, false});
  const SteeringSlot& slot = table.slot({3});
  EXPECT_EQ(slot.role, GetParam().role);
  const bool listed = GetParam().role != SlotRole::kEmpty;
  EXPECT_EQ(slot.generation.value, listed ? 42U : 0U);
  EXPECT_EQ(slot.service, ServiceIndex{static_cast<uint16_t>(listed ? 1 : 0)});
  EXPECT_EQ(table.slot({0}).role, SlotRole::kEmpty);
}

const Row kRows[] = {{"absent: not listed", InstanceState::kAbsent, SlotRole::kEmpty},
                     {"booting: accepting, so that it can show that it is ready", InstanceState::kBooting,
                      SlotRole::kAccepting},
                     {"active: accepting", InstanceState::kActive, SlotRole::kAccepting},
                     {"draining", InstanceState::kDraining, SlotRole::kDraining},
                     {"leaving: not listed", InstanceState::kLeaving, SlotRole::kEmpty},
                     {"stopping: not listed", InstanceState::kStopping, SlotRole::kEmpty}};
INSTANTIATE_TEST_SUITE_P(A, TableSlot, ::testing::ValuesIn(kRows), kSentenceAsName);

}  // namespace
}  // namespace cheshire::test
