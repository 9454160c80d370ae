// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What pipeline_bench reads from Open vSwitch's tools: the figures of the right thread, and an error for any text
// that does not have them. A figure that is not there must never pass for zero.
#include "bench/support/openvswitch_statistics.h"

#include <gtest/gtest.h>

#include "tests/support/sentence.h"

namespace cheshire {
namespace {

// As Open vSwitch 3.1.0 prints it.
const std::string kTwoThreads = R"(pmd thread numa_id 0 core_id 0:
  packets received: 1
  miss with success upcall: 2
  miss with failed upcall: 3
  idle cycles: 4 (44.44%)
  processing cycles: 5 (55.56%)
pmd thread numa_id 0 core_id 1:
  packets received: 7897536
  packet recirculations: 0
  avg. datapath passes per packet: 1.00
  phwol hits: 0
  mfex opt hits: 0
  simple match hits: 0
  emc hits: 7647577
  smc hits: 0
  megaflow hits: 249927
  avg. subtable lookups per megaflow hit: 1.00
  miss with success upcall: 4096
  miss with failed upcall: 11
  avg. packets per output batch: 4.04
  idle cycles: 0 (0.00%)
  processing cycles: 2686362458 (100.00%)
  avg cycles per packet: 340.15 (2686362458/7897536)
  avg processing cycles per packet: 340.15 (2686362458/7897536)
main thread:
  packets received: 9
  miss with success upcall: 9
  miss with failed upcall: 9
)";

std::string without(const std::string& line) {
  std::string text = kTwoThreads;
  const size_t at = text.rfind("  " + line, text.find("main thread"));
  return text.erase(at, text.find('\n', at) + 1 - at);
}

std::string with(const std::string& old, const std::string& other) {
  std::string text = kTwoThreads;
  return text.replace(text.find(old), old.size(), other);
}

TEST(OpenvswitchStatistics, AreThoseOfTheThreadOnTheCore) {
  const auto first = parse_pmd_statistics(kTwoThreads, 0);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first.value().packets, 1U);
  EXPECT_EQ(first.value().misses, 5U);
  EXPECT_EQ(first.value().busy_cycles, 5U);
  const auto second = parse_pmd_statistics(kTwoThreads, 1);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second.value().packets, 7897536U);
  EXPECT_EQ(second.value().misses, 4107U);
  EXPECT_EQ(second.value().busy_cycles, 2686362458U);
}

struct BadStatistics {
  const char* sentence;
  std::string text;
  const char* said;
};
void PrintTo(const BadStatistics& row, std::ostream* out) {
  *out << row.sentence;
}

class BadPmdStatistics : public testing::TestWithParam<BadStatistics> {};

TEST_P(BadPmdStatistics, AreAnErrorThatSaysWhatIsMissing) {
  const auto read = parse_pmd_statistics(GetParam().text, 1);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().what.find(GetParam().said), std::string::npos) << read.error().what;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadPmdStatistics,
    testing::Values(
        BadStatistics{"nothing", "", "nothing of a polling thread on core 1"},
        BadStatistics{"an error of the tool", "\"dpif-netdev/pmd-stats-show\" is not a valid command\n",
                      "nothing of a polling thread on core 1"},
        BadStatistics{"another core", with("core_id 1:", "core_id 11:"), "polling thread on core 1"},
        BadStatistics{"no packets", without("packets received"), "no number of packets received"},
        BadStatistics{"packets that are no number", with("7897536\n", "many\n"), "packets received"},
        BadStatistics{"packets below zero", with("7897536\n", "-1\n"), "packets received"},
        BadStatistics{"packets beyond 64 bits", with("7897536\n", "99999999999999999999\n"),
                      "packets received"},
        BadStatistics{"no misses", without("miss with success upcall"), "no number of misses"},
        BadStatistics{"no failed misses", without("miss with failed upcall"), "no number of misses"},
        BadStatistics{"a thread that has not run", without("processing cycles"), "processing cycles"},
        BadStatistics{"a text cut short", kTwoThreads.substr(0, kTwoThreads.find("2686362458")),
                      "no number of processing cycles"}),
    test::kSentenceAsName);

const std::string kTwoPorts = R"(OFPST_PORT reply (OF1.5) (xid=0x2): 3 ports
  port 11: rx pkts=0, bytes=0, drop=0, errs=0, frame=?, over=?, crc=?
           tx pkts=131191717, bytes=0, drop=0, errs=0, coll=?
           duration=26.935s
           CUSTOM Statistics
                      tx_q0_packets=0, tx_q0_bytes=0, tx_q1_packets=131191720,
  port LOCAL: rx pkts=0, bytes=0, drop=0, errs=0, frame=0, over=0, crc=0
           tx pkts=5, bytes=0, drop=0, errs=0, coll=0
           duration=26.935s
  port 1: rx pkts=7, bytes=0, drop=0, errs=0, frame=?, over=?, crc=?
           tx pkts=0, bytes=0, drop=0, errs=0, coll=?
)";

TEST(OpenvswitchPorts, SentWhatTheTextSays) {
  const auto sent = parse_sent_packets(kTwoPorts);
  ASSERT_TRUE(sent.ok());
  EXPECT_EQ(sent.value(), (std::map<uint32_t, uint64_t>{{1, 0}, {11, 131191717}}));
}

TEST(OpenvswitchPorts, WithoutNumbersAreAnError) {
  EXPECT_FALSE(parse_sent_packets("").ok());
  EXPECT_FALSE(parse_sent_packets("ovs-ofctl: bench is not a bridge or a socket\n").ok());
  // A port whose driver does not count, one cut off, and one that the next follows at once.
  EXPECT_FALSE(parse_sent_packets("  port 11: rx pkts=0\n           tx pkts=?, bytes=0\n").ok());
  EXPECT_FALSE(parse_sent_packets("  port 11: rx pkts=0\n").ok());
  EXPECT_FALSE(parse_sent_packets("  port 11: rx pkts=0\n  port 12: rx pkts=0\n           tx pkts=1\n").ok());
}

}  // namespace
}  // namespace cheshire
