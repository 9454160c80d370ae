// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/cmdline.h"

#include <gtest/gtest.h>

#include <string>

namespace cheshire::grin {
namespace {

TEST(Cmdline, an_empty_line_keeps_the_defaults) {
  Config config;
  EXPECT_TRUE(parse_cmdline("", config).what.empty());
  EXPECT_EQ(config.ip, 0x0a000002U);
  EXPECT_EQ(config.port, 8080);
  EXPECT_EQ(config.worker_count, 8U);
  EXPECT_EQ(config.service_us, 0U);
  EXPECT_EQ(config.device_count, 0U);
  EXPECT_EQ(config.idle, IdleMethod::kHalt);
}

TEST(Cmdline, every_option_is_read) {
  Config config;
  const CmdlineError error = parse_cmdline(
      "grin.ip=192.0.2.255 grin.port=80 grin.service_us=1500 grin.workers=3 grin.body=100000 "
      "grin.listen_delay_ms=20 grin.silent=1 grin.panic_after_ms=7 grin.idle=port grin.tsc_khz=2600000 "
      "grin.quiet=1",
      config);
  EXPECT_TRUE(error.what.empty()) << error.what << " " << error.option;
  EXPECT_EQ(config.ip, 0xc00002ffU);
  EXPECT_EQ(config.port, 80);
  EXPECT_EQ(config.service_us, 1500U);
  EXPECT_EQ(config.worker_count, 3U);
  EXPECT_EQ(config.body_size_bytes, 100000U);
  EXPECT_EQ(config.listen_delay_ms, 20U);
  EXPECT_TRUE(config.silent);
  EXPECT_EQ(config.panic_after_ms, 7U);
  EXPECT_EQ(config.idle, IdleMethod::kPort);
  EXPECT_EQ(config.tsc_khz, 2'600'000U);
  EXPECT_TRUE(config.quiet);
}

TEST(Cmdline, devices_are_collected_among_options_of_others) {
  Config config;
  const CmdlineError error = parse_cmdline(
      "  console=ttyS0  virtio_mmio.device=512@0xfeb00e00:12 quiet virtio_mmio.device=4K@0xfeb00c00:11:3 "
      "netdev.ip=1.2.3.4 grinning=1",
      config);
  EXPECT_TRUE(error.what.empty()) << error.what << " " << error.option;
  ASSERT_EQ(config.device_count, 2U);
  EXPECT_EQ(config.devices[0].base, 0xfeb00e00U);
  EXPECT_EQ(config.devices[0].irq, 12U);
  EXPECT_EQ(config.devices[1].base, 0xfeb00c00U);
  EXPECT_EQ(config.devices[1].irq, 11U);
}

struct BadLine {
  const char* line;
  const char* what;
  const char* option;
};

class CmdlineErrors : public testing::TestWithParam<BadLine> {};

TEST_P(CmdlineErrors, are_named_with_the_option_as_given) {
  Config config;
  const CmdlineError error = parse_cmdline(GetParam().line, config);
  EXPECT_EQ(error.what, GetParam().what);
  EXPECT_EQ(error.option, GetParam().option);
}

INSTANTIATE_TEST_SUITE_P(
    Table, CmdlineErrors,
    testing::Values(
        BadLine{"grin.prot=80", "unknown option", "grin.prot=80"},
        BadLine{"grin.", "unknown option", "grin."},
        BadLine{"grin.mac=02:00:00:00:00:01", "unknown option", "grin.mac=02:00:00:00:00:01"},
        BadLine{"a grin.port=0 b", "bad value", "grin.port=0"},
        BadLine{"grin.port=65536", "bad value", "grin.port=65536"},
        BadLine{"grin.port=80x", "bad value", "grin.port=80x"},
        BadLine{"grin.port=", "bad value", "grin.port="}, BadLine{"grin.port", "bad value", "grin.port"},
        BadLine{"grin.port=-1", "bad value", "grin.port=-1"},
        BadLine{"grin.port=18446744073709551617", "bad value", "grin.port=18446744073709551617"},
        BadLine{"grin.ip=10.0.0", "bad value", "grin.ip=10.0.0"},
        BadLine{"grin.ip=10.0.0.256", "bad value", "grin.ip=10.0.0.256"},
        BadLine{"grin.ip=10.0.0.1.2", "bad value", "grin.ip=10.0.0.1.2"},
        BadLine{"grin.ip=0.0.0.0", "bad value", "grin.ip=0.0.0.0"},
        BadLine{"grin.workers=0", "bad value", "grin.workers=0"},
        BadLine{"grin.workers=1025", "bad value", "grin.workers=1025"},
        BadLine{"grin.body=0", "bad value", "grin.body=0"},
        BadLine{"grin.silent=2", "bad value", "grin.silent=2"},
        BadLine{"grin.idle=mwait", "bad value", "grin.idle=mwait"},
        BadLine{"grin.tsc_khz=1000", "bad value", "grin.tsc_khz=1000"},
        BadLine{"virtio_mmio.device=512@feb00e00:12", "bad device", "virtio_mmio.device=512@feb00e00:12"},
        BadLine{"virtio_mmio.device=512@0xfeb00e00", "bad device", "virtio_mmio.device=512@0xfeb00e00"},
        BadLine{"virtio_mmio.device=512@0x1feb00e00:5", "bad device", "virtio_mmio.device=512@0x1feb00e00:5"},
        BadLine{"virtio_mmio.device=512@0xfeb00e01:5", "bad device", "virtio_mmio.device=512@0xfeb00e01:5"}));

TEST(Cmdline, more_devices_than_the_table_holds_is_an_error) {
  std::string line;
  for (size_t i = 0; i < kDevicesMax; ++i) line += "virtio_mmio.device=512@0xfeb00e00:12 ";
  Config config;
  EXPECT_TRUE(parse_cmdline(line, config).what.empty());
  EXPECT_EQ(config.device_count, kDevicesMax);
  Config full;
  line += "virtio_mmio.device=512@0xfeb00e00:12";
  EXPECT_EQ(parse_cmdline(line, full).what, "bad device");
}

}  // namespace
}  // namespace cheshire::grin
