// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The pure parts of the machine: CPU tables, boot parameters, state machine, small devices, arguments.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "hypervisor/vmm/boot_parameters.h"
#include "hypervisor/vmm/cmos_clock.h"
#include "hypervisor/vmm/cpu_setup.h"
#include "hypervisor/vmm/ioapic.h"
#include "hypervisor/vmm/machine.h"
#include "hypervisor/vmm/serial_port.h"
#include "hypervisor/vmm/vcpu_state.h"
#include "hypervisor/vmm_messages/kvm_findings.h"
#include "hypervisor/vmm_messages/vmm_options.h"
#include "unikernel/abi.h"

namespace cheshire {
namespace {

TEST(KvmCpuSetup, EntersLongModeWithPagingAndPvhWithout) {
  kvm_sregs reset{};
  reset.apic_base = 0xfee00900;
  const kvm_sregs long_mode = system_registers(EntryKind::kLongModeNote, reset);
  EXPECT_EQ(long_mode.cr0, 0x80010031U);
  EXPECT_EQ(long_mode.cr4, 0x20U);
  EXPECT_EQ(long_mode.efer, 0x500U);
  EXPECT_EQ(long_mode.cr3, kPageMapAddress.value);
  EXPECT_EQ(long_mode.cs.selector, 0x08);
  EXPECT_TRUE(long_mode.cs.l == 1 && long_mode.cs.db == 0);
  EXPECT_EQ(long_mode.apic_base, reset.apic_base);
  const kvm_sregs pvh = system_registers(EntryKind::kPvh, reset);
  EXPECT_EQ(pvh.cr0, 0x11U);
  EXPECT_EQ(pvh.efer, 0U);
  EXPECT_TRUE(pvh.cs.l == 0 && pvh.cs.db == 1 && pvh.ds.db == 1);
  EXPECT_EQ(pvh.cs.limit, 0xffffffffU);
}

TEST(KvmCpuSetup, PutsTheParametersWhereEachProtocolWantsThem) {
  const kvm_regs ours = entry_registers(EntryKind::kLongModeNote, {0x100035}, 63);
  EXPECT_EQ(ours.rip, 0x100035U);
  EXPECT_EQ(ours.rflags, 2U);
  EXPECT_EQ(ours.rbx, kStartInfoAddress.value);
  EXPECT_EQ(ours.rdi, kStartInfoAddress.value);
  EXPECT_EQ(ours.rsi, 63U);  // the command line's length
  EXPECT_EQ(entry_registers(EntryKind::kPvh, {0x100000}, 63).rbx, kStartInfoAddress.value);
  EXPECT_EQ(entry_registers(EntryKind::kLinux64, {0x100000}, 63).rsi, kZeroPageAddress.value);
}

TEST(KvmCpuSetup, MapsAsMuchAsThereIs) {
  const IdentityMap small = identity_map(16 << 20);
  EXPECT_EQ(small.large_pages, 8U);
  EXPECT_EQ(small.directories, 1U);
  EXPECT_EQ(small.directory_entry(3), 0x600083U);
  EXPECT_EQ(small.page_map_entry, kPageMapAddress.value + 0x1003);
  EXPECT_EQ(small.directory_pointer(0), kPageMapAddress.value + 0x2003);
  EXPECT_EQ(identity_map(kGuestMemoryMax).directories, 3U);
  EXPECT_EQ(identity_map((1 << 30) + 1).directories, 2U);
}

TEST(KvmCpuSetup, TellsTheTimeBaseInCpuid) {
  const std::array<kvm_cpuid_entry2, 3> supported = {
      kvm_cpuid_entry2{.function = 1, .ebx = 0x0302'0800},
      kvm_cpuid_entry2{.function = 0x4000'0000, .eax = 0x4000'0001},
      kvm_cpuid_entry2{.function = 0xb, .edx = 7}};
  const auto entries = guest_cpuid(supported, 2'600'000);
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].ebx, 0x0001'0800U);
  EXPECT_NE(entries[0].ecx & 1U << 31, 0U);
  EXPECT_EQ(entries[1].eax, 0x4000'0010U);
  EXPECT_EQ(entries[2].edx, 0U);
  EXPECT_EQ(entries[3].function, abi::kTimingCpuidLeaf);
  EXPECT_EQ(entries[3].eax, 2'600'000U);
  EXPECT_EQ(guest_cpuid(supported, 0).size(), 3U);
}

struct LineCase {
  const char* users;
  EntryKind kind;
  const char* expected;
};

TEST(KvmBootParameters, CompletesTheCommandLine) {
  const LineCase cases[] = {
      {"", EntryKind::kPvh, "virtio_mmio.device=512@0xfeb00000:5"},
      {"grin.ip=10.0.0.2", EntryKind::kLongModeNote,
       "grin.ip=10.0.0.2 virtio_mmio.device=512@0xfeb00000:5 grin.idle=port"},
      {"grin.idle=hlt", EntryKind::kLongModeNote, "grin.idle=hlt virtio_mmio.device=512@0xfeb00000:5"},
      {"netdev.ip=10.0.0.2/24 -- --port 80", EntryKind::kLinux64,
       "netdev.ip=10.0.0.2/24 virtio_mmio.device=512@0xfeb00000:5 -- --port 80"},
  };
  for (const LineCase& c : cases) {
    EXPECT_EQ(full_command_line(c.users, c.kind, IdleMethod::kPort), c.expected);
  }
}

TEST(KvmBootParameters, WritesWhatPvhReads) {
  auto memory = GuestMemory::create(8 << 20, false);
  ASSERT_TRUE(memory) << memory.error().what;
  ASSERT_TRUE(write_boot_parameters(memory.value(), EntryKind::kPvh, "hello"));
  abi::HvmStartInfo info;
  std::memcpy(&info, memory.value().at(kStartInfoAddress, sizeof info).data(), sizeof info);
  EXPECT_EQ(info.magic, abi::kHvmStartMagic);
  EXPECT_EQ(info.memmap_count, 2U);
  std::array<abi::HvmMemmapEntry, 2> map;
  std::memcpy(map.data(), memory.value().at({info.memmap_address}, sizeof map).data(), sizeof map);
  EXPECT_EQ(map[1].address + map[1].size_bytes, memory.value().size_bytes());
  EXPECT_STREQ(reinterpret_cast<const char*>(memory.value().at({info.cmdline_address}, 6).data()), "hello");
  EXPECT_FALSE(write_boot_parameters(memory.value(), EntryKind::kPvh, std::string(4096, 'x')));
  EXPECT_TRUE(write_boot_parameters(memory.value(), EntryKind::kLinux64, std::string(4095, 'x')));
}

TEST(KvmGuestMemory, HasOneGateAndIsSealed) {
  EXPECT_FALSE(GuestMemory::create(4096, false));
  EXPECT_FALSE(GuestMemory::create(kGuestMemoryMax + 4096, false));
  EXPECT_FALSE(GuestMemory::create((8 << 20) + 1, false));
  auto memory = GuestMemory::create(8 << 20, false);
  ASSERT_TRUE(memory) << memory.error().what;
  EXPECT_EQ(memory.value().at({0}, 8 << 20).size(), size_t{8 << 20});
  EXPECT_TRUE(memory.value().at({1}, 8 << 20).empty());
  EXPECT_TRUE(memory.value().at({~uint64_t{0}}, 2).empty());
  EXPECT_TRUE(memory.value().at({4096}, ~uint64_t{0}).empty());
  EXPECT_EQ(ftruncate(memory.value().fd(), 4096), -1);
}

struct StateCase {
  VcpuState from;
  VcpuOrder order;
  VcpuState to;
};

TEST(KvmVcpuState, FollowsItsTable) {
  using S = VcpuState;
  using O = VcpuOrder;
  const StateCase cases[] = {
      {S::kPrepared, O::kRun, S::kRunning},    {S::kPrepared, O::kPause, S::kPrepared},
      {S::kPrepared, O::kStop, S::kFinished},  {S::kRunning, O::kRun, S::kRunning},
      {S::kRunning, O::kPause, S::kPaused},    {S::kRunning, O::kStop, S::kFinished},
      {S::kPaused, O::kRun, S::kRunning},      {S::kPaused, O::kPause, S::kPaused},
      {S::kPaused, O::kStop, S::kFinished},    {S::kFinished, O::kRun, S::kFinished},
      {S::kFinished, O::kPause, S::kFinished}, {S::kFinished, O::kStop, S::kFinished},
  };
  for (const StateCase& c : cases) EXPECT_EQ(next_state(c.from, c.order), c.to);
}

TEST(KvmIoapic, TurnsARedirectionIntoAMessage) {
  Ioapic ioapic;
  EXPECT_FALSE(ioapic.message(5));
  (void)ioapic.write(0x00, 0x10 + 2 * 5 + 1);
  EXPECT_EQ(ioapic.write(0x10, 0x0300'0000), 5U);
  EXPECT_FALSE(ioapic.message(5)) << "masked";
  (void)ioapic.write(0x00, 0x10 + 2 * 5);
  EXPECT_EQ(ioapic.write(0x10, 32), 5U);
  const auto message = ioapic.message(5);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->address, 0xfee0'3000U);
  EXPECT_EQ(message->data, 32U);
  EXPECT_EQ(ioapic.read(0x10), 32U);
}

TEST(KvmIoapic, IgnoresNonsense) {
  Ioapic ioapic;
  for (uint32_t reg = 0; reg < 256; ++reg) {
    (void)ioapic.write(0x00, reg);
    const auto line = ioapic.write(0x10, 0xffff'ffff);
    EXPECT_TRUE(!line || *line < kIoapicLines);
    (void)ioapic.read(0x10);
    (void)ioapic.write(reg, 0xffff'ffff);
    (void)ioapic.read(reg);
  }
}

TEST(KvmSerialPort, WritesLinesAndKeepsTheDivisorOut) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  SerialPort port(ends[1]);
  const auto write_text = [&](std::string_view text) {
    for (const char c : text) port.write(0, static_cast<uint8_t>(c));
  };
  port.write(3, 0x83);  // the divisor follows
  write_text("no");
  port.write(3, 0x03);
  write_text("hello\nwor");
  EXPECT_EQ(port.read(5) & 0x20, 0x20);
  std::array<char, 64> buffer{};
  EXPECT_EQ(read(ends[0], buffer.data(), buffer.size()), 6);
  EXPECT_STREQ(buffer.data(), "hello\n");
  port.flush();
  EXPECT_EQ(read(ends[0], buffer.data(), buffer.size()), 3);
  // A pipe that nobody reads fills up, and nothing waits for it.
  for (int i = 0; i < 100'000; ++i) port.write(0, i % 64 == 63 ? '\n' : 'x');
  EXPECT_GT(port.lines_dropped(), 0U);
  close(ends[0]);
  close(ends[1]);
}

TEST(KvmCmosClock, CountsInBcd) {
  constexpr time_t kMoment = 1'795'318'757;  // 2026-11-22 04:45:57 UTC
  tm parts{};
  gmtime_r(&kMoment, &parts);
  ASSERT_EQ(parts.tm_year, 126);
  EXPECT_EQ(cmos_clock_register(0x09, kMoment), 0x26);
  EXPECT_EQ(cmos_clock_register(0x32, kMoment), 0x20);
  EXPECT_EQ(cmos_clock_register(0x08, kMoment), 0x11);
}

TEST(KvmVmmOptions, GoThereAndBack) {
  const VmmOptions options{.name = "hello/3#17",
                           .kernel = "/a b=c.elf",
                           .memory_bytes = 16 << 20,
                           .huge_pages = true,
                           .command_line = "x=1 -- y=2",
                           .mac = {{0x02, 0x43, 0xff, 0x45, 0x53, 0x01}},
                           .mtu_bytes = 9000,
                           .vhost_socket = "/run/s",
                           .idle = IdleMethod::kPort,
                           .control_fd = 3,
                           .kvm_fd = 4,
                           .cpuid_fd = 5};
  const auto arguments = to_arguments(options);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  const auto back = parse_arguments(pointers);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(to_arguments(back.value()), arguments);
  for (const char* bad :
       {"--memory=12x", "--mac=02:43", "--idle=spin", "--nonsense=1", "--kernel", "--mtu=70000"}) {
    const std::array<const char*, 2> line = {"--kernel=/k", bad};
    const auto parsed = parse_arguments(line);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_NE(parsed.error().what.find(bad), std::string::npos);
  }
}

TEST(KvmFindings, GoThereAndBackAndChooseTheIdleMethod) {
  EXPECT_TRUE((KvmFindings{760'000, true}).idle_by_port());
  EXPECT_FALSE((KvmFindings{400, true}).idle_by_port());
  EXPECT_TRUE((KvmFindings{400, false}).idle_by_port());
  const auto back = parse_findings(to_line({760'000, true}));
  ASSERT_TRUE(back);
  EXPECT_EQ(describe(back.value()), "kvm, emulating at 0.76 us an instruction, guests idle by port");
  EXPECT_FALSE(parse_findings("hello"));
}

}  // namespace
}  // namespace cheshire
