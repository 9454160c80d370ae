// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The client against a scripted server: whatever it is told, the answer is a value or an error, in time.
#include "tools/telemetry_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <functional>
#include <thread>

#include "check.h"
#include "tests/support/temporary_directory.h"

namespace cheshire {
namespace {

// Greets one client, then answers each request with what the script returns, until the client goes.
class ScriptedServer {
 public:
  using Script = std::function<std::string(const std::string& request)>;

  explicit ScriptedServer(Script script, std::string greeting = R"({"version":"DPDK 22.11","pid":1})")
      : path_(directory_.path("socket")), script_(std::move(script)), greeting_(std::move(greeting)) {
    listener_.reset(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path_.data(), path_.size());
    CHECK(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(::listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void serve() {
    const UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
    std::string message = greeting_;
    while (client.valid() && !message.empty() &&
           ::send(client.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) {
      char request[128];
      const ssize_t got = ::recv(client.get(), request, sizeof request, 0);
      if (got <= 0) return;
      message = script_(std::string(request, static_cast<size_t>(got)));
    }
  }

  TemporaryDirectory directory_;
  std::string path_;
  Script script_;
  std::string greeting_;
  UniqueFd listener_;
  std::thread thread_;
};

ScriptedServer::Script always(std::string answer) {
  return [answer = std::move(answer)](const std::string&) { return answer; };
}

TEST(TelemetryClient, PutsPagesTogetherInTheirOrder) {
  std::vector<std::string> requests;
  const ScriptedServer server([&](const std::string& request) {
    requests.push_back(request);
    const size_t start = std::stoul(request.substr(request.find(',') + 1));
    Json page = Json::object();
    for (size_t i = start; i < std::min<size_t>(start + 16, 40); ++i) page[std::to_string(100 - i)] = i;
    return Json{{"/cheshire/services", page}}.dump();
  });
  Result<TelemetryClient> client = TelemetryClient::connect(server.path());
  ASSERT_TRUE(client.ok()) << client.error().what;
  const Result<Json> all = client.value().ask_all("/cheshire/services");
  ASSERT_TRUE(all.ok()) << all.error().what;
  EXPECT_EQ(all.value().size(), 40u);
  EXPECT_EQ(all.value().begin().key(), "100");
  EXPECT_EQ(requests, (std::vector<std::string>{"/cheshire/services,0,16", "/cheshire/services,16,16",
                                                "/cheshire/services,32,16"}));
}

TEST(TelemetryClient, AServerWithoutPagesIsReadOnce) {
  Json page = Json::object();
  for (int i = 0; i < 40; ++i) page[std::to_string(i)] = i;
  const ScriptedServer server(always(Json{{"/c", page}}.dump()));
  Result<TelemetryClient> client = TelemetryClient::connect(server.path());
  ASSERT_TRUE(client.ok());
  EXPECT_EQ(client.value().ask_all("/c").value().size(), 40u);
}

TEST(TelemetryClient, AnUnknownCommandIsNull) {
  const ScriptedServer server(always(R"({"/c": null})"));
  Result<TelemetryClient> client = TelemetryClient::connect(server.path());
  ASSERT_TRUE(client.ok());
  EXPECT_TRUE(client.value().ask_all("/c").value().is_null());
}

TEST(TelemetryClient, OddAnswersAreErrors) {
  for (const std::string& answer :
       {std::string("{"), std::string("[]"), std::string("5"), std::string("\0\0\0", 3),
        std::string(R"({"/other": {}})"), std::string(R"({"/c": [1]})"), std::string("\xff\xfe"),
        std::string(100'000, '['), std::string()}) {
    const ScriptedServer server(always(answer));
    Result<TelemetryClient> client = TelemetryClient::connect(server.path());
    ASSERT_TRUE(client.ok());
    const Result<Json> all = client.value().ask_all("/c");
    ASSERT_FALSE(all.ok()) << answer.substr(0, 20);
    EXPECT_NE(all.error().what.find(server.path()), std::string::npos) << all.error().what;
  }
}

TEST(TelemetryClient, NoGreetingIsAnError) {
  const ScriptedServer server(always("{}"), "");
  EXPECT_FALSE(TelemetryClient::connect(server.path()).ok());
}

TEST(TelemetryClient, NobodyThereNamesTheSocket) {
  const TemporaryDirectory directory;
  const Result<TelemetryClient> client = TelemetryClient::connect(directory.path("none"));
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.error().code, ErrorCode::kNotFound);
  EXPECT_NE(client.error().what.find(directory.path("none")), std::string::npos);
  EXPECT_EQ(TelemetryClient::connect(std::string(200, 'x')).error().code, ErrorCode::kInvalidArgument);
}

TEST(TelemetryClient, FindsTheDaemonsOfThisMachine) {
  const TemporaryDirectory directory;
  directory.write("dpdk/cheshire-b/dpdk_telemetry.v2", "");
  directory.write("dpdk/cheshire-a/dpdk_telemetry.v2", "");
  directory.write("dpdk/cheshire-c/other", "");
  directory.write("dpdk/rte/dpdk_telemetry.v2", "");
  ASSERT_EQ(::setenv("RUNTIME_DIRECTORY", directory.path().c_str(), 1), 0);
  EXPECT_EQ(daemon_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(telemetry_socket_path("a"), directory.path("dpdk/cheshire-a/dpdk_telemetry.v2"));
  ASSERT_EQ(::setenv("RUNTIME_DIRECTORY", directory.path("none").c_str(), 1), 0);
  EXPECT_TRUE(daemon_names().empty());
  ::unsetenv("RUNTIME_DIRECTORY");
}

}  // namespace
}  // namespace cheshire
