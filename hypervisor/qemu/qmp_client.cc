// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/qemu/qmp_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace cheshire {
namespace {

constexpr size_t kReadBytes = 4096;
constexpr int kReadsPerTurnMax = 16;  // a QEMU that never stops talking must not starve the others

std::string_view string_member(const nlohmann::json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || !member->is_string()) return {};
  return member->get_ref<const std::string&>();
}

}  // namespace

QmpClient::QmpClient(UniqueFd socket, OnEvent on_event)
    : socket_(std::move(socket)), on_event_(std::move(on_event)) {
  (void)execute("qmp_capabilities");
}

Result<void> QmpClient::execute(std::string_view command, OnReply on_reply, const Json& arguments) {
  if (!socket_.valid()) return Error{ErrorCode::kUnavailable, "QMP: not connected"};
  if (pending_.size() >= kPendingMax) return Error{ErrorCode::kLimit, "QMP: too many replies are awaited"};
  Json message{{"execute", command}, {"id", ++id_}};
  if (!arguments.is_null()) message["arguments"] = arguments;
  const std::string line = message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const ssize_t sent = send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(line.size())) {
    const std::string why = sent < 0 ? std::strerror(errno) : "QEMU does not read";
    if (sent > 0) socket_.reset();  // half a command is in it: nothing after that would be understood
    return Error{ErrorCode::kUnavailable, "QMP: " + why};
  }
  pending_.push_back({id_, std::move(on_reply)});
  return {};
}

bool QmpClient::read() {
  std::array<char, kReadBytes> buffer;
  for (int i = 0; i < kReadsPerTurnMax && socket_.valid(); ++i) {
    const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    lines_.feed({buffer.data(), static_cast<size_t>(size)}, [this](std::string_view line, bool cut) {
      if (!cut) on_line(line);
    });
  }
  return socket_.valid();
}

void QmpClient::on_line(std::string_view line) {
  const Json message = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!message.is_object()) return;
  if (const std::string_view event = string_member(message, "event"); !event.empty()) {
    const auto data = message.find("data");
    on_event_(event, data != message.end() ? *data : Json::object());
  } else if (message.contains("id")) {
    on_reply(message);
  }
}

void QmpClient::on_reply(const Json& message) {
  const Json& id = *message.find("id");
  const auto pending = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& candidate) {
    return id.is_number_unsigned() && id.get<uint64_t>() == candidate.id;
  });
  if (pending == pending_.end()) return;
  const OnReply on_reply = std::move(pending->on_reply);
  pending_.erase(pending);
  if (!on_reply) return;
  if (const auto value = message.find("return"); value != message.end()) {
    on_reply(&*value, {});
    return;
  }
  const auto error = message.find("error");
  const bool described = error != message.end() && error->is_object();
  on_reply(nullptr, described ? string_member(*error, "desc") : std::string_view("refused"));
}

}  // namespace cheshire
