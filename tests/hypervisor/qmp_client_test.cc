// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "hypervisor/qemu/qmp_client.h"

namespace cheshire {
namespace {

class QmpClientTest : public testing::Test {
 protected:
  QmpClientTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    qemu_.reset(ends[1]);
    client_ =
        std::make_unique<QmpClient>(UniqueFd(ends[0]), [this](std::string_view event, const auto& data) {
          events_.push_back(std::string(event) + " " + data.dump());
        });
  }
  void qemu_says(std::string_view text) {
    ASSERT_EQ(send(qemu_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::string qemu_hears() {
    std::array<char, 4096> buffer;
    const ssize_t size = recv(qemu_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    return {buffer.data(), size > 0 ? static_cast<size_t>(size) : 0};
  }

  UniqueFd qemu_;
  std::unique_ptr<QmpClient> client_;
  std::vector<std::string> events_;
};

TEST_F(QmpClientTest, SendsHandshakeAndCommandsBeforeQemuSaysAnything) {
  ASSERT_TRUE(client_->execute("quit"));
  EXPECT_EQ(qemu_hears(),
            "{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
            "{\"execute\":\"quit\",\"id\":2}\n");
}

TEST_F(QmpClientTest, TellsEachReplyToItsCommand) {
  std::string log;
  const auto note = [&](const QmpClient::Json* value, std::string_view error) {
    log += (value != nullptr ? value->dump() : "failed: " + std::string(error)) + "\n";
  };
  ASSERT_TRUE(client_->execute("query-status", note));
  ASSERT_TRUE(client_->execute("cont", note, {{"force", true}}));
  qemu_says("{\"QMP\": {\"version\": {}}}\n{\"return\": {}, \"id\": 1}\n");
  qemu_says("{\"id\": 3, \"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}}\n{\"return\"");
  qemu_says(": {\"status\": \"running\"}, \"id\": 2}\r\n");
  EXPECT_TRUE(client_->read());
  EXPECT_EQ(log, "failed: not now\n{\"status\":\"running\"}\n");
}

TEST_F(QmpClientTest, TellsEvents) {
  qemu_says("{\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-reset\"}}\n{\"event\": \"STOP\"}\n");
  EXPECT_TRUE(client_->read());
  EXPECT_EQ(events_, (std::vector<std::string>{"SHUTDOWN {\"reason\":\"guest-reset\"}", "STOP {}"}));
}

TEST_F(QmpClientTest, IgnoresWhatIsNoMessage) {
  for (const char* nonsense :
       {"\n", "hello\n", "[1,2\n", "[]\n", "7\n", "{\"event\": 7}\n", "{\"id\": {}}\n", "{\"id\": 99}\n",
        "{\"id\": -1, \"return\": {}}\n", "{\"id\": 1, \"error\": 5}\n", "{\"event\": \"\xff\xfe\"}\n"}) {
    qemu_says(nonsense);
  }
  qemu_says("{\"event\": \"RESUME\"}\n");
  EXPECT_TRUE(client_->read());
  EXPECT_EQ(events_, std::vector<std::string>{"RESUME {}"});
}

TEST_F(QmpClientTest, BoundsTheLineAndGoesOnAfterIt) {
  const std::string part(8192, '[');
  for (size_t sent = 0; sent < 3 * QmpClient::kLineBytesMax; sent += part.size()) {
    qemu_says(part);
    EXPECT_TRUE(client_->read());
  }
  qemu_says("\n{\"event\": \"RESUME\"}\n");
  EXPECT_TRUE(client_->read());
  EXPECT_EQ(events_.size(), 1U);
}

TEST_F(QmpClientTest, BoundsTheRepliesAwaited) {
  Result<void> result;
  for (size_t i = 0; i < QmpClient::kPendingMax && result; ++i) result = client_->execute("query-status");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kLimit);
}

TEST_F(QmpClientTest, NoticesThatQemuIsGone) {
  qemu_says("{\"event\": \"SHUTDOWN\"}\n");
  qemu_.reset();
  EXPECT_FALSE(client_->read());
  EXPECT_EQ(events_.size(), 1U);
  EXPECT_FALSE(client_->execute("quit"));
}

}  // namespace
}  // namespace cheshire
