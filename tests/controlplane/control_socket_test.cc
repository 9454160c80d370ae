// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The control socket under clients of every kind, with a control thread that answers each command by its
// instance's name. No daemon, no root.
#include "controlplane/commands/control_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <functional>

#include "log.h"
#include "tests/support/temporary_directory.h"

namespace cheshire {
namespace {

constexpr uint64_t kLongNs = 5 * kNsPerSecond;  // what is waited for comes much sooner

class ControlSocketTest : public ::testing::Test {
 protected:
  void start(uint64_t idle_ns = 60 * kNsPerSecond, uint64_t slow_ns = 60 * kNsPerSecond) {
    log::set_level("off");
    mailbox_ = std::move(CommandMailbox::create()).value();
    auto socket = ControlSocket::start({.path = directory_.path("control.sock"),
                                        .config_path = directory_.path("none.yaml"),
                                        .mailbox = mailbox_.get(),
                                        .idle_ns = idle_ns,
                                        .slow_ns = slow_ns});
    ASSERT_TRUE(socket.ok()) << socket.error().what;
    socket_ = std::move(socket).value();
  }
  void TearDown() override { socket_.reset(); }

  UniqueFd connected() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_->path().copy(address.sun_path, sizeof(address.sun_path) - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval timeout{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static void send(const UniqueFd& fd, const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t now = ::send(fd.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (now < 0) return;  // it was closed, which the test sees when it reads
      sent += static_cast<size_t>(now);
    }
  }
  // One line; "closed" at the end.
  static std::string line(const UniqueFd& fd) {
    std::string text;
    char c = 0;
    while (::recv(fd.get(), &c, 1, 0) == 1) {
      if (c == '\n') return text;
      text += c;
    }
    return text.empty() ? "closed" : text + " (closed)";
  }

  // The control thread's part: answers what comes until `done`.
  bool serve_until(const std::function<bool()>& done) {
    const uint64_t deadline_ns = monotonic_ns() + kLongNs;
    while (!done() && monotonic_ns() < deadline_ns) {
      while (auto posted = mailbox_->take()) {
        mailbox_->answer(posted->ticket, {.error = {}, .done = posted->command.instance, .config = {}});
        ++answered_;
      }
      const timespec nap{.tv_sec = 0, .tv_nsec = 100'000};
      nanosleep(&nap, nullptr);
    }
    return done();
  }
  bool answers(size_t count) {
    return serve_until([&] { return answered_ == count; });
  }
  bool reaches(const Counter& counter, uint64_t count) {
    return serve_until([&] { return counter.get() == count; });
  }
  static std::string drain(const std::string& instance) {
    return R"({"command": "drain", "instance": ")" + instance + "\"}\n";
  }
  static std::string done(const std::string& instance) { return R"({"ok":true,"done":")" + instance + "\"}"; }
  const ControlSocketCounters& counters() { return socket_->counters(); }
  // It still serves.
  void expect_alive() {
    const UniqueFd fd = connected();
    const uint64_t commands = counters().commands.get();
    send(fd, drain("alive"));
    EXPECT_TRUE(reaches(counters().commands, commands + 1));
    EXPECT_TRUE(serve_until([&] { return can_read(fd); }));
    EXPECT_EQ(line(fd), done("alive"));
  }
  static bool can_read(const UniqueFd& fd) {
    char c = 0;
    return ::recv(fd.get(), &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
  }

  const TemporaryDirectory directory_;
  std::unique_ptr<CommandMailbox> mailbox_;
  std::unique_ptr<ControlSocket> socket_;
  size_t answered_ = 0;
};

TEST_F(ControlSocketTest, OnlyItsUserMayOpenIt) {
  start();
  struct stat status {};
  ASSERT_EQ(::stat(socket_->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  socket_.reset();
  EXPECT_FALSE(std::filesystem::exists(directory_.path("control.sock"))) << "it takes its socket away";
}

TEST_F(ControlSocketTest, CommandsOfOneConnectionAreAnsweredInTheirOrder) {
  start();
  const UniqueFd fd = connected();
  send(fd, drain("a") + "\n  \n" + drain("b") + drain("c"));
  EXPECT_TRUE(answers(3));
  EXPECT_EQ(line(fd), done("a"));
  EXPECT_EQ(line(fd), done("b"));
  EXPECT_EQ(line(fd), done("c"));
}

TEST_F(ControlSocketTest, ACommandMayComeInPieces) {
  start();
  const UniqueFd fd = connected();
  for (const char c : drain("a")) send(fd, std::string(1, c));
  EXPECT_TRUE(serve_until([&] { return can_read(fd); }));
  EXPECT_EQ(line(fd), done("a"));
}

TEST_F(ControlSocketTest, GarbageIsAnsweredAndTheConnectionGoesOn) {
  start();
  const UniqueFd fd = connected();
  send(fd, std::string("\x00\xff{{\n", 5) + "[1]\n" + drain("a"));
  EXPECT_TRUE(answers(1));
  EXPECT_TRUE(line(fd).starts_with(R"({"ok":false,"error":"no JSON)"));
  EXPECT_TRUE(line(fd).starts_with(R"({"ok":false,"error":"no JSON object)"));
  EXPECT_EQ(line(fd), done("a"));
  EXPECT_EQ(counters().bad_lines.get(), 2U);
}

TEST_F(ControlSocketTest, HalfALineIsDropped) {
  start();
  send(connected(), "{\"command\": \"rel");
  EXPECT_TRUE(reaches(counters().half_lines, 1));
  expect_alive();
}

TEST_F(ControlSocketTest, AMegabyteWithoutAnEndIsRefused) {
  start();
  const UniqueFd fd = connected();
  send(fd, std::string(1 << 20, 'x'));
  EXPECT_TRUE(reaches(counters().line_too_long, 1));
  // What was not read of it may take the answer along when the connection ends.
  const std::string answer = line(fd);
  EXPECT_TRUE(answer == "closed" || answer.find("longer than 65536 bytes") != std::string::npos) << answer;
  expect_alive();
}

TEST_F(ControlSocketTest, AHundredIdleConnectionsMakeRoomForOneThatSpeaks) {
  start();
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(connected());
  EXPECT_TRUE(reaches(counters().connections, 100));
  EXPECT_EQ(counters().evicted_idle.get(), 100 - ControlSocket::kConnectionsMax);
  expect_alive();
  EXPECT_EQ(line(idle.front()), "closed") << "the idlest went";
  send(idle.back(), drain("last"));
  EXPECT_TRUE(serve_until([&] { return can_read(idle.back()); }));
  EXPECT_EQ(line(idle.back()), done("last"));
}

TEST_F(ControlSocketTest, WhereAllAreBusyTheNewOneIsClosed) {
  start();
  std::vector<UniqueFd> busy;
  for (size_t i = 0; i < ControlSocket::kConnectionsMax; ++i) {
    busy.push_back(connected());
    send(busy.back(), drain("a"));
  }
  // Nobody answers so far.
  const uint64_t deadline_ns = monotonic_ns() + kLongNs;
  while (counters().commands.get() < ControlSocket::kConnectionsMax && monotonic_ns() < deadline_ns) {
  }
  const UniqueFd fd = connected();
  EXPECT_EQ(line(fd), "closed");
  EXPECT_EQ(counters().refused_full.get(), 1U);
  EXPECT_TRUE(serve_until([&] { return can_read(busy.back()); }));
}

TEST_F(ControlSocketTest, AnIdleConnectionIsClosedInTheEnd) {
  start(50 * kNsPerMs);
  const UniqueFd fd = connected();
  send(fd, "{");
  EXPECT_TRUE(reaches(counters().closed_idle, 1));
  EXPECT_EQ(line(fd), "closed");
}

TEST_F(ControlSocketTest, ASlowReaderIsClosedInTheEnd) {
  start(60 * kNsPerSecond, 50 * kNsPerMs);
  const UniqueFd fd = connected();
  // Each line is answered; the answers fill the socket's buffers, as nobody takes them.
  std::string lines;
  for (int i = 0; i < 3000; ++i) lines += "{\"command\": \"" + std::string(20, 'x') + "\"}\n";
  EXPECT_EQ(::fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_TRUE(serve_until([&] {
    send(fd, lines);
    return counters().closed_slow_reader.get() == 1;
  }));
  expect_alive();
}

TEST_F(ControlSocketTest, AClientThatDoesNotWaitForItsAnswerHarmsNobody) {
  start();
  for (int i = 0; i < 20; ++i) send(connected(), drain("gone"));
  EXPECT_TRUE(reaches(counters().commands, 20));
  expect_alive();
}

TEST_F(ControlSocketTest, AReloadOfAFileThatIsNotThereIsRefusedHere) {
  start();
  const UniqueFd fd = connected();
  send(fd, "{\"command\": \"reload\"}\n");
  EXPECT_NE(line(fd).find("none.yaml: error: cannot be read"), std::string::npos);
  socket_->request_reload();
  expect_alive();
}

}  // namespace
}  // namespace cheshire
