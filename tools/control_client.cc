// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tools/control_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "handle.h"

namespace cheshire {
namespace {

using Json = nlohmann::ordered_json;

constexpr time_t kTimeoutSeconds = 10;           // a reload reads files
constexpr size_t kAnswerBytesMax = 1024 * 1024;  // a config with a hundred problems has some 30 KiB

Error failed(const std::string& path, const std::string& what) {
  return Error{ErrorCode::kInternal, path + " " + what + "; is it the control socket of a cheshire daemon?"};
}

Result<UniqueFd> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kInvalidArgument, path + " is too long for a socket"};
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{.tv_sec = kTimeoutSeconds, .tv_usec = 0};
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0) {
    return Error{ErrorCode::kInternal, std::string("cannot make a socket: ") + std::strerror(errno)};
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const bool forbidden = errno == EACCES || errno == EPERM;
  return Error{forbidden ? ErrorCode::kUnavailable : ErrorCode::kNotFound,
               "no daemon answers at " + path + ": " + std::strerror(errno) +
                   (forbidden ? "; run as the daemon's user, or as root" : "")};
}

Result<void> send_all(const std::string& path, int fd, const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t now = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return failed(path, std::string("takes no command: ") + std::strerror(errno));
    sent += static_cast<size_t>(now);
  }
  return {};
}

Result<std::string> receive_line(const std::string& path, int fd) {
  std::string line;
  std::array<char, 16384> chunk;
  while (line.size() <= kAnswerBytesMax) {
    const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, std::string("does not answer: ") + std::strerror(errno));
    if (got == 0)
      return failed(path, "closed the connection without an answer; this user may not command it");
    line.append(chunk.data(), static_cast<size_t>(got));
    if (const size_t end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
  }
  return failed(path, "sends an answer that is too large");
}

}  // namespace

Result<Json> ask_control(const std::string& socket_path, const Json& command) {
  const Result<UniqueFd> fd = connect_to(socket_path);
  if (!fd.ok()) return fd.error();
  const std::string text = command.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (Result<void> sent = send_all(socket_path, fd.value().get(), text); !sent.ok()) return sent.error();
  const Result<std::string> line = receive_line(socket_path, fd.value().get());
  if (!line.ok()) return line.error();
  Json answer = Json::parse(line.value(), nullptr, false);
  if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) {
    return failed(socket_path, "sends what is no answer");
  }
  return answer;
}

}  // namespace cheshire
