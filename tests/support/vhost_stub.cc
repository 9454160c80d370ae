// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/vhost_stub.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "check.h"

namespace cheshire {
namespace {

// docs/interop/vhost-user.rst of QEMU: header, then `size` bytes.
struct Header {
  uint32_t request;
  uint32_t flags;
  uint32_t size;
};
constexpr uint32_t kVersionAndReply = 1 | 4;
constexpr uint32_t kGetFeatures = 1;
constexpr uint32_t kGetVringBase = 11;
constexpr uint64_t kFeatures = uint64_t{1} << 32;  // VIRTIO_F_VERSION_1

template <typename T>
void reply(int fd, uint32_t request, const T& payload) {
  const Header header{request, kVersionAndReply, sizeof payload};
  std::array<char, sizeof header + sizeof payload> message;
  std::memcpy(message.data(), &header, sizeof header);
  std::memcpy(message.data() + sizeof header, &payload, sizeof payload);
  (void)!send(fd, message.data(), message.size(), MSG_NOSIGNAL);
}

// The header of the next request; descriptors that come with it are closed. False at the end.
bool receive_header(int fd, Header& header) {
  iovec part{.iov_base = &header, .iov_len = sizeof header};
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(fd, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof header) return false;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
    const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::vector<int> descriptors(count);
    std::memcpy(descriptors.data(), CMSG_DATA(item), count * sizeof(int));
    for (const int descriptor : descriptors) close(descriptor);
  }
  return true;
}

bool answer(int fd) {
  Header header{};
  if (!receive_header(fd, header)) return false;
  std::array<uint32_t, 256> body{};
  if (header.size > sizeof body) return false;
  if (header.size > 0 && recv(fd, body.data(), header.size, MSG_WAITALL) != ssize_t{header.size})
    return false;
  if (header.request == kGetFeatures) reply(fd, header.request, kFeatures);
  if (header.request == kGetVringBase) reply(fd, header.request, std::array<uint32_t, 2>{body[0], 0});
  return true;
}

}  // namespace

VhostStub::VhostStub(std::string path, Manner manner)
    : path_(std::move(path)), listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(path_.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path_.data(), path_.size());
  unlink(path_.c_str());
  const int bound = bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  CHECK(bound == 0);
  const int listening = listen(listener_.get(), 64);
  CHECK(listening == 0);
  std::array<int, 2> ends{};
  const int piped = pipe2(ends.data(), O_CLOEXEC);
  CHECK(piped == 0);
  quit_read_.reset(ends[0]);
  quit_write_.reset(ends[1]);
  thread_ = std::thread([this, manner] { serve(manner); });
}

VhostStub::~VhostStub() {
  quit_write_.reset();
  thread_.join();
  unlink(path_.c_str());
}

void VhostStub::serve(Manner manner) {
  std::vector<UniqueFd> peers;
  while (true) {
    std::vector<pollfd> watched{{quit_read_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (manner == Manner::kAnswers) {
      for (const UniqueFd& peer : peers) watched.push_back({peer.get(), POLLIN, 0});
    }
    if (poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0) return;
    for (size_t i = 2; i < watched.size(); ++i) {
      if (watched[i].revents != 0 && !answer(watched[i].fd)) peers[i - 2].reset();
    }
    std::erase_if(peers, [](const UniqueFd& peer) { return !peer.valid(); });
    if (watched[1].revents != 0) peers.emplace_back(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
}

}  // namespace cheshire
