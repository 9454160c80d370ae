// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/status_view.h"

#include <gtest/gtest.h>

#include "tools/text_table.h"
#include "units.h"

namespace cheshire {
namespace {

Json parsed(const char* text) {
  return Json::parse(text);
}

TEST(StatusView, ShowsEverythingInAlignedTables) {
  const std::string text = render_status(parsed(R"({
    "services": {
      "hello": {"listen":"192.0.2.10:80","image":"web","min":0,"max":4,"active":1,"booting":0,"draining":0,
                "shells":2,"standby":1,"wanted":1,"in_flight":3,"held_syns":0,"flows_opened":12000,"flows_closed":9,"cold_starts":1,
                "boots_failed":0,"refusing":0,"last_decision":"0 -> 1: on_demand, 1 SYN waits"},
      "b": {"listen":"192.0.2.11:443","image":"web","min":1,"max":400}},
    "admission": {"hello": {"syns":12100,"admitted":12000,"rejected_full":90,"rejected_hold_full":10,
                            "with_http503":100,"challenges_sent":4,"challenges_passed":3}},
    "instances": {"hello/0#17": {"service":"hello","state":"active","tier":"shell","pid":1234,"in_flight":3,
                                 "age_ms":61500,"flows_limit":16,"memory_bytes":58368,"cpu_ns":1250000000}},
    "workers": {"0": {"turns": 1234567, "flows": 3}},
    "drops": {"no_service": 3, "bad_ipv4_checksum": 40, "never": 0},
    "cold_starts": {"1": {"service":"hello","tier":"cold","syn_ack_ns": 40000000, "own_ns": 300000},
                    "2": {"service":"hello","tier":"standby","syn_ack_ns": 160000, "own_ns": 20000},
                    "3": {"service":"hello","tier":"cold","syn_ack_ns": 50000000, "own_ns": 200000}}})"));
  const char* const expected =
      R"(SERVICES
service  listen          image  min  max  wanted  active  booting  draining  shells  standby  in flight  held  opened  closed  cold starts  boots failed  refusing  last decision
hello    192.0.2.10:80   web      0    4       1       1        0         0       2        1          3     0  12 000       9            1             0         0  0 -> 1: on_demand, 1 SYN waits
b        192.0.2.11:443  web      1  400       -       -        -         -       -        -          -     -       -       -            -             -         -  -

ADMISSION
service   asked  admitted  full  hold full  expired  refused  by reset  by 503  by drop  silent  challenged  passed
hello    12 100    12 000    90         10        -        -         -     100        -       -           4       3

INSTANCES
instance    state   tier    pid     age    memory     cpu  in flight  limit  opened  pkts to guest  pkts from guest  bytes to guest  bytes from guest  drops
hello/0#17  active  shell  1234  61.5 s  57.0 KiB  1.25 s          3     16       -              -                -               -                 -      -

WORKERS
worker      turns  nic rx  nic tx  to guest  from guest  handed over  taken over  generated  drops  held  flows
0       1 234 567       -       -         -           -            -           -          -      -     -      3

DROPS
reason             packets
bad_ipv4_checksum       40
no_service               3

COLD STARTS (from cold, the newest 2)
since the SYN arrived      p50      p99      max
SYN-ACK seen           40.0 ms  50.0 ms  50.0 ms
Cheshire's own share    200 us   300 us   300 us

COLD STARTS (from standby, the newest 1)
since the SYN arrived      p50      p99      max
SYN-ACK seen            160 us   160 us   160 us
Cheshire's own share   20.0 us  20.0 us  20.0 us
)";
  EXPECT_EQ(text, expected);
}

TEST(StatusView, StartsWithoutATierAreShownToo) {
  const std::string text = render_status(parsed(R"({"cold_starts": {"1": {"own_ns": 1000}}})"));
  EXPECT_NE(text.find("COLD STARTS (the newest 1)\n"), std::string::npos) << text;
}

TEST(StatusView, AnIdleDaemonHasNone) {
  EXPECT_EQ(
      render_status(Json::object()),
      "SERVICES\n  none\n\nINSTANCES\n  none\n\nWORKERS\n  none\n\nDROPS\n  none\n\nCOLD STARTS\n  none\n");
}

TEST(StatusView, OddAnswersAreMissingOnes) {
  for (
      const char* text :
      {"null", "5", "[]", R"({"services": 5, "drops": [1], "cold_starts": "x"})",
       R"({"services": {"a": 5, "b": null, "c": []}, "drops": {"x": -1, "y": "z", "w": 1.5}})",
       R"({"services": {"a": {"min": {}, "max": -3, "active": 1e300, "listen": [1]}}})",
       R"({"instances": {"a": {"age_ms": 18446744073709551615}}, "cold_starts": {"1": 5, "2": {"own_ns": "x"}}})"}) {
    EXPECT_NE(render_status(parsed(text)).find("COLD STARTS\n  none"), std::string::npos) << text;
  }
}

TEST(StatusView, TextCannotMoveTheCursor) {
  const std::string text = render_status(parsed(R"({"services": {"a\u001b[2J\n": {"listen": "\u00e9\r"}}})"));
  EXPECT_NE(text.find("a?[2J?"), std::string::npos) << text;
  EXPECT_EQ(text.find_first_of("\033\r"), std::string::npos);
}

TEST(TextTable, ShortDurations) {
  EXPECT_EQ(short_duration(0), "0 ns");
  EXPECT_EQ(short_duration(999), "999 ns");
  EXPECT_EQ(short_duration(15'240), "15.2 us");
  EXPECT_EQ(short_duration(3'040'000), "3.04 ms");
  EXPECT_EQ(short_duration(125'000'000'000), "125 s");
  EXPECT_NE(short_duration(UINT64_MAX), "");
}

TEST(TextTable, ShortSizes) {
  EXPECT_EQ(short_size(0), "0 B");
  EXPECT_EQ(short_size(1023), "1023 B");
  EXPECT_EQ(short_size(58'368), "57.0 KiB");
  EXPECT_EQ(short_size(33 * kMiB), "33.0 MiB");
  EXPECT_EQ(short_size(3 * kGiB), "3.00 GiB");
  EXPECT_NE(short_size(UINT64_MAX), "");
}

TEST(TextTable, GroupedNumbers) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1 000");
  EXPECT_EQ(grouped(1234567), "1 234 567");
}

}  // namespace
}  // namespace cheshire
