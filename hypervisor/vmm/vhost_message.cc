// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/vhost_message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "check.h"

namespace cheshire {
namespace {

constexpr uint32_t kVersion = 1;
constexpr uint32_t kVersionMask = 3;
constexpr uint32_t kReplyFlag = 4;
constexpr uint32_t kNeedReplyFlag = 8;
constexpr size_t kReplyBytes = sizeof(VhostHeader) + sizeof(uint64_t);

bool answers_by_itself(VhostRequest request) {
  return request == VhostRequest::kGetFeatures || request == VhostRequest::kGetProtocolFeatures ||
         request == VhostRequest::kGetVringBase;
}

Result<void> send_piece(int socket, std::span<const std::byte> bytes, int fd) {
  iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(bytes.size())) return {};
  return Error{ErrorCode::kUnavailable,
               std::string("vhost-user: sending: ") +
                   (sent < 0 ? std::strerror(errno) : "the data plane does not read")};
}

}  // namespace

const char* to_string(VhostRequest request) {
  switch (request) {
    case VhostRequest::kGetFeatures:
      return "GET_FEATURES";
    case VhostRequest::kSetFeatures:
      return "SET_FEATURES";
    case VhostRequest::kSetOwner:
      return "SET_OWNER";
    case VhostRequest::kSetMemTable:
      return "SET_MEM_TABLE";
    case VhostRequest::kSetVringNum:
      return "SET_VRING_NUM";
    case VhostRequest::kSetVringAddr:
      return "SET_VRING_ADDR";
    case VhostRequest::kSetVringBase:
      return "SET_VRING_BASE";
    case VhostRequest::kGetVringBase:
      return "GET_VRING_BASE";
    case VhostRequest::kSetVringKick:
      return "SET_VRING_KICK";
    case VhostRequest::kSetVringCall:
      return "SET_VRING_CALL";
    case VhostRequest::kGetProtocolFeatures:
      return "GET_PROTOCOL_FEATURES";
    case VhostRequest::kSetProtocolFeatures:
      return "SET_PROTOCOL_FEATURES";
    case VhostRequest::kSetVringEnable:
      return "SET_VRING_ENABLE";
    case VhostRequest::kNetSetMtu:
      return "NET_SET_MTU";
    case VhostRequest::kSetStatus:
      return "SET_STATUS";
  }
  return "unknown";
}

void VhostBatch::append(VhostRequest request, std::span<const std::byte> payload, int fd) {
  // A descriptor travels with the first byte of a call, so its message begins one.
  if (pieces_.empty() || fd >= 0) pieces_.push_back({bytes_.size(), fd});
  const VhostHeader header{.request = static_cast<uint32_t>(request),
                           .flags = kVersion,
                           .size_bytes = static_cast<uint32_t>(payload.size())};
  const auto raw = std::as_bytes(std::span(&header, 1));
  last_ = bytes_.size();
  bytes_.insert(bytes_.end(), raw.begin(), raw.end());
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  if (answers_by_itself(request)) expected_.push_back(request);
}

void VhostBatch::want_ack() {
  CHECK(!bytes_.empty());
  VhostHeader header;
  std::memcpy(&header, bytes_.data() + last_, sizeof header);
  const auto request = static_cast<VhostRequest>(header.request);
  if (answers_by_itself(request) || (header.flags & kNeedReplyFlag) != 0) return;
  header.flags |= kNeedReplyFlag;
  std::memcpy(bytes_.data() + last_, &header, sizeof header);
  expected_.push_back(request);
}

Result<void> VhostBatch::send(int socket) const {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const size_t end = i + 1 < pieces_.size() ? pieces_[i + 1].begin : bytes_.size();
    const auto bytes = std::span(bytes_).subspan(pieces_[i].begin, end - pieces_[i].begin);
    if (Result<void> sent = send_piece(socket, bytes, pieces_[i].fd); !sent) return sent;
  }
  return {};
}

Result<std::optional<VhostReply>> VhostReplyReader::next() {
  const auto broken = [](const char* what) {
    return Error{ErrorCode::kInvalidArgument, std::string("vhost-user: the data plane sent ") + what};
  };
  if (bytes_.size() < sizeof(VhostHeader)) return std::optional<VhostReply>();
  VhostHeader header;
  std::memcpy(&header, bytes_.data(), sizeof header);
  if ((header.flags & kVersionMask) != kVersion) return broken("a message of an unknown version");
  if ((header.flags & kReplyFlag) == 0) return broken("a message that is no reply");
  if (header.size_bytes != sizeof(uint64_t)) return broken("a reply of an odd size");
  if (bytes_.size() < kReplyBytes) return std::optional<VhostReply>();
  VhostReply reply{static_cast<VhostRequest>(header.request), 0};
  std::memcpy(&reply.value, bytes_.data() + sizeof header, sizeof reply.value);
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(kReplyBytes));
  return std::optional(reply);
}

}  // namespace cheshire
