// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The vhost-user front end against a peer that the test plays: nothing here needs KVM or DPDK.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "hypervisor/vmm/vhost_front_end.h"

namespace cheshire {
namespace {

constexpr uint64_t kOffered = kVirtioVersion1 | kVirtioNetMtu | kVhostProtocolFeaturesBit;

struct Heard {
  VhostRequest request;
  uint32_t flags;
  std::vector<std::byte> payload;
  bool with_fd;
};

class KvmVhostTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = "/tmp/cheshire-test-" + std::to_string(getpid()) + "-front-end.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    unlink(path_.c_str());
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener_.get(), 4), 0);
    auto memory = GuestMemory::create(4 << 20, false);
    ASSERT_TRUE(memory) << memory.error().what;
    memory_.emplace(std::move(memory).value());
    for (UniqueFd& event : events_) event.reset(eventfd(0, EFD_CLOEXEC));
    front_end_.emplace(VhostLinks{.socket_path = path_,
                                  .mtu_bytes = 1500,
                                  .memory = &*memory_,
                                  .kicks = {events_[0].get(), events_[1].get()},
                                  .calls = {events_[2].get(), events_[3].get()}});
  }
  void TearDown() override { unlink(path_.c_str()); }

  void accept_peer() {
    ASSERT_TRUE(front_end_->connect()) << front_end_->broken();
    peer_.reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(peer_.valid());
  }
  // The next message, as a back end would read it.
  Heard hear() {
    VhostHeader header{};
    iovec part{.iov_base = &header, .iov_len = sizeof header};
    alignas(cmsghdr) std::array<char, 64> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (recvmsg(peer_.get(), &message, MSG_DONTWAIT) != sizeof header) return {};
    Heard heard{static_cast<VhostRequest>(header.request), header.flags, {}, false};
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&message)) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
      close(fd);
      heard.with_fd = true;
    }
    heard.payload.resize(header.size_bytes);
    if (!heard.payload.empty()) {
      EXPECT_EQ(recv(peer_.get(), heard.payload.data(), heard.payload.size(), MSG_DONTWAIT),
                static_cast<ssize_t>(heard.payload.size()));
    }
    return heard;
  }
  void say(VhostRequest request, uint64_t value, uint32_t flags = 5, uint32_t size = 8) {
    const VhostHeader header{static_cast<uint32_t>(request), flags, size};
    std::array<std::byte, sizeof header + sizeof value> bytes;
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &value, sizeof value);
    ASSERT_EQ(send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Up to the last message of the set-up.
  void set_up() {
    accept_peer();
    EXPECT_EQ(hear().request, VhostRequest::kGetFeatures);
    say(VhostRequest::kGetFeatures, kOffered);
    ASSERT_TRUE(front_end_->advance()) << front_end_->broken();
    EXPECT_EQ(hear().request, VhostRequest::kGetProtocolFeatures);
    say(VhostRequest::kGetProtocolFeatures, kVhostProtocolFeaturesOurs | 1);
    ASSERT_TRUE(front_end_->advance()) << front_end_->broken();
  }
  std::vector<VhostRequest> hear_all() {
    std::vector<VhostRequest> all;
    for (Heard heard = hear(); heard.request != VhostRequest{}; heard = hear()) all.push_back(heard.request);
    return all;
  }

  std::string path_;
  UniqueFd listener_;
  UniqueFd peer_;
  std::array<UniqueFd, 4> events_;
  std::optional<GuestMemory> memory_;
  std::optional<VhostFrontEnd> front_end_;
};

using R = VhostRequest;

TEST_F(KvmVhostTest, SetsUpInOrderAndWaitsForOneAnswer) {
  set_up();
  EXPECT_TRUE(front_end_->prepared());
  EXPECT_EQ(front_end_->features(), kOffered);
  Heard heard = hear();
  EXPECT_EQ(heard.request, R::kSetProtocolFeatures);
  uint64_t features = 0;
  std::memcpy(&features, heard.payload.data(), sizeof features);
  EXPECT_EQ(features, kVhostProtocolFeaturesOurs) << "only what we know";
  EXPECT_EQ(hear().request, R::kSetOwner);
  EXPECT_EQ(hear().request, R::kSetFeatures);
  EXPECT_EQ(hear().request, R::kNetSetMtu);
  heard = hear();
  EXPECT_EQ(heard.request, R::kSetMemTable);
  EXPECT_TRUE(heard.with_fd);
  VhostMemoryTable table;
  ASSERT_EQ(heard.payload.size(), sizeof table);
  std::memcpy(&table, heard.payload.data(), sizeof table);
  EXPECT_EQ(table.regions, 1U);
  EXPECT_EQ(table.size_bytes, memory_->size_bytes());
  heard = hear();
  EXPECT_EQ(heard.request, R::kSetVringCall);
  EXPECT_TRUE(heard.with_fd);
  EXPECT_EQ(heard.flags, 1U);
  heard = hear();
  EXPECT_EQ(heard.request, R::kSetVringCall);
  EXPECT_EQ(heard.flags, 9U) << "the last one wants an answer";
  EXPECT_TRUE(front_end_->answers_pending());
  say(R::kSetVringCall, 0);
  EXPECT_TRUE(front_end_->wait_until_prepared(1000));
  EXPECT_FALSE(front_end_->answers_pending());
}

TEST_F(KvmVhostTest, StartsTheRingsAndResumesThemWhereTheyStand) {
  set_up();
  (void)hear_all();
  say(R::kSetVringCall, 0);
  std::array<VirtioQueue, kNetQueues> queues{};
  queues[0] = {.size = 32, .descriptors = {0x1000}, .driver = {0x2000}, .device = {0x3000}, .ready = true};
  queues[1] = {.size = 64, .descriptors = {0x4000}, .driver = {0x5000}, .device = {0x6000}, .ready = true};
  ASSERT_TRUE(front_end_->start_rings(kVirtioVersion1, queues, false));
  const std::vector<R> ring = {R::kSetVringNum, R::kSetVringBase, R::kSetVringAddr, R::kSetVringKick,
                               R::kSetVringEnable};
  std::vector<R> expected = {R::kSetFeatures};
  for (int i = 0; i < 2; ++i) expected.insert(expected.end(), ring.begin(), ring.end());
  expected.push_back(R::kSetStatus);
  EXPECT_EQ(hear_all(), expected);
  // The used ring's index says how far the data plane came.
  const uint16_t used = 7;
  std::memcpy(memory_->at({0x3002}, 2).data(), &used, sizeof used);
  ASSERT_TRUE(front_end_->start_rings(kVirtioVersion1, queues, true));
  (void)hear();  // NUM
  const Heard base = hear();
  EXPECT_EQ(base.request, R::kSetVringBase);
  VhostVringState state;
  std::memcpy(&state, base.payload.data(), sizeof state);
  EXPECT_EQ(state.number, 7U);
}

TEST_F(KvmVhostTest, TellsADataPlaneThatIsNotThere) {
  listener_.reset();
  EXPECT_FALSE(front_end_->connect());
  EXPECT_EQ(front_end_->broken(), "vhost-user: cannot connect to " + path_ + ": Connection refused");
  unlink(path_.c_str());
  EXPECT_FALSE(front_end_->connect());
  EXPECT_EQ(front_end_->broken(), "vhost-user: cannot connect to " + path_ + ": No such file or directory");
}

TEST_F(KvmVhostTest, GivesUpOnAPeerThatDoesNotAnswer) {
  accept_peer();
  EXPECT_FALSE(front_end_->wait_for_features(20));
  EXPECT_EQ(front_end_->broken(), "vhost-user: no answer to GET_FEATURES");
  EXPECT_EQ(front_end_->fd(), -1);
}

TEST_F(KvmVhostTest, ChecksEveryReply) {
  const auto expect_broken = [&](const char* words) {
    EXPECT_FALSE(front_end_->advance());
    EXPECT_NE(front_end_->broken().find(words), std::string::npos) << front_end_->broken();
    EXPECT_FALSE(front_end_->advance());
  };
  accept_peer();
  say(R::kGetFeatures, kOffered, 6);
  expect_broken("unknown version");
  accept_peer();
  say(R::kGetFeatures, kOffered, 1);
  expect_broken("no reply");
  accept_peer();
  say(R::kGetFeatures, kOffered, 5, 0xffffffff);
  expect_broken("odd size");
  accept_peer();
  say(R::kGetProtocolFeatures, 1);
  expect_broken("what was not asked");
  accept_peer();
  say(R::kGetFeatures, kVirtioVersion1);
  expect_broken("offers no virtio 1");
  accept_peer();
  peer_.reset();
  expect_broken("closed the connection");
  set_up();
  say(R::kSetVringCall, 1);
  expect_broken("refused SET_VRING_CALL");
}

TEST_F(KvmVhostTest, TakesAnswersInPieces) {
  accept_peer();
  const VhostHeader header{1, 5, 8};
  std::array<std::byte, 20> bytes{};
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, &kOffered, sizeof kOffered);
  for (const std::byte byte : bytes) {
    EXPECT_FALSE(front_end_->prepared());
    ASSERT_EQ(send(peer_.get(), &byte, 1, 0), 1);
    ASSERT_TRUE(front_end_->advance());
  }
  EXPECT_EQ(front_end_->features(), kOffered);
}

}  // namespace
}  // namespace cheshire
