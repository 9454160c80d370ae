// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/telemetry_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace cheshire {
namespace {

constexpr const char* kPrefix = "cheshire-";
constexpr const char* kSocketName = "dpdk_telemetry.v2";
constexpr time_t kTimeoutSeconds = 2;
constexpr size_t kAnswerBytesMax = 256 * 1024;  // DPDK 22.11 sends 16 KiB at the most
// An entry has about 300 bytes: a page stays below 16 KiB.
constexpr size_t kPageEntries = 16;
constexpr size_t kPagesMax = 64;  // the longest list, of services, has 1,000 entries

std::filesystem::path dpdk_directory() {
  const auto variable = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::string base = variable("RUNTIME_DIRECTORY");
  if (base.empty() && ::getuid() == 0) base = "/var/run";
  if (base.empty()) base = variable("XDG_RUNTIME_DIR");
  if (base.empty()) base = "/tmp";
  return std::filesystem::path(base) / "dpdk";
}

Error not_reachable(const std::string& path, int error_number) {
  return Error{ErrorCode::kNotFound, "no daemon answers at " + path + ": " + std::strerror(error_number)};
}

Error odd_answer(const std::string& path, const std::string& what) {
  return Error{ErrorCode::kInternal, path + " " + what + "; is it the socket of a cheshire daemon?"};
}

bool set_timeouts(int socket) {
  const timeval timeout{.tv_sec = kTimeoutSeconds, .tv_usec = 0};
  return ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
         ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
}

}  // namespace

std::string telemetry_socket_path(const std::string& name) {
  return (dpdk_directory() / (kPrefix + name) / kSocketName).string();
}

std::vector<std::string> daemon_names() {
  std::vector<std::string> names;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::directory_iterator(dpdk_directory(), unreadable)) {
    const std::string directory = entry.path().filename().string();
    std::error_code gone;
    if (!directory.starts_with(kPrefix) || !std::filesystem::exists(entry.path() / kSocketName, gone))
      continue;
    names.push_back(directory.substr(std::strlen(kPrefix)));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<TelemetryClient> TelemetryClient::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::kInvalidArgument, socket_path + " is too long for a socket; it may have " +
                                                  std::to_string(sizeof address.sun_path - 1) + " bytes"};
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket.valid() || !set_timeouts(socket.get())) {
    return Error{ErrorCode::kInternal, std::string("cannot make a socket: ") + std::strerror(errno)};
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return not_reachable(socket_path, errno);
  }
  TelemetryClient client(std::move(socket), socket_path);
  const Result<Json> greeting = client.receive();
  if (!greeting.ok()) return greeting.error();
  return client;
}

Result<Json> TelemetryClient::receive() {
  std::string buffer(kAnswerBytesMax, '\0');
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return odd_answer(path_, "does not answer within " + std::to_string(kTimeoutSeconds) + " s");
  }
  if (got <= 0) return not_reachable(path_, got == 0 ? ECONNRESET : errno);
  if (static_cast<size_t>(got) > buffer.size()) return odd_answer(path_, "sends an answer that is too large");
  buffer.resize(static_cast<size_t>(got));
  while (!buffer.empty() && buffer.back() == '\0') buffer.pop_back();
  Json answer = Json::parse(buffer, nullptr, false);
  if (!answer.is_object()) return odd_answer(path_, "sends what is no JSON object");
  return answer;
}

Result<Json> TelemetryClient::ask(const std::string& command, const std::string& parameters) {
  const std::string request = parameters.empty() ? command : command + "," + parameters;
  if (::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return not_reachable(path_, errno);
  }
  Result<Json> message = receive();
  if (!message.ok()) return message;
  const auto answer = message.value().find(command);
  if (answer == message.value().end()) return odd_answer(path_, "does not answer what was asked");
  return Json(*answer);
}

Result<Json> TelemetryClient::ask_all(const std::string& command) {
  Json all = Json::object();
  for (size_t page = 0; page < kPagesMax; ++page) {
    const std::string range = std::to_string(page * kPageEntries) + "," + std::to_string(kPageEntries);
    Result<Json> answer = ask(command, range);
    if (!answer.ok()) return answer;
    if (answer.value().is_null()) return page == 0 ? answer : Result<Json>(std::move(all));
    if (!answer.value().is_object()) return odd_answer(path_, "answers " + command + " with no dictionary");
    // An instance may come or go between two pages; a server without pages sends the same again.
    const size_t before = all.size();
    for (auto& [key, value] : answer.value().items()) all[key] = value;
    if (answer.value().size() < kPageEntries || all.size() == before) break;
  }
  return all;
}

}  // namespace cheshire
