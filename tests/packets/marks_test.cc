// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Marks of a NIC's flow rules: counted where they are right, and followed nowhere.
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

class Marks : public WorkerTest {
 protected:
  Marks() { is_ready(0); }
  const Flow flow{};
  const uint32_t right = mark_of(ServiceIndex{0});
};

TEST_F(Marks, a_packet_with_its_services_mark_is_counted_as_marked) {
  put(build(flow.syn()), 0, right);
  put(build(flow.ack()), 0, right);
  put(build(flow.data("GET")));
  run();
  EXPECT_EQ(guest(0).got().size(), 3U);
  EXPECT_EQ(marks().by_service[0].seen.get(), 3U);
  EXPECT_EQ(marks().by_service[0].marked.get(), 2U);
  EXPECT_EQ(marks().wrong(), 0U);
}

TEST_F(Marks, a_lying_mark_is_counted_and_the_packet_goes_its_way) {
  put(build(flow.syn()), 0, right + 1);
  put(build(flow.ack()), 0, 0xffff'ffff);
  put(build(ArpFrame{}), 0, right);
  run();
  EXPECT_EQ(guest(0).got().size(), 2U);
  EXPECT_EQ(client.got().size(), 1U) << "the ARP reply";
  EXPECT_EQ(marks().by_service[0].marked.get(), 0U);
  EXPECT_EQ(marks().wrong(), 3U);
}

}  // namespace
}  // namespace cheshire::test
