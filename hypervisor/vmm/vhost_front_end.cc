// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/vhost_front_end.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "units.h"

namespace cheshire {
namespace {

constexpr uint64_t kStatusAll = 0xf;  // ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK
constexpr size_t kReadBytes = 512;
// A back end of rings as ours are, without which there is no network.
constexpr uint64_t kNeededFeatures = kVirtioVersion1 | kVhostProtocolFeaturesBit;

// virtio 1.2 2.7.8: the used ring's index, two bytes behind its flags.
uint16_t used_index(const GuestMemory& memory, GuestAddress used_ring) {
  const std::span<const std::byte> bytes = memory.at({used_ring.value + 2}, sizeof(uint16_t));
  uint16_t index = 0;
  if (bytes.size() == sizeof index) std::memcpy(&index, bytes.data(), sizeof index);
  return index;
}

}  // namespace

bool VhostFrontEnd::fail(std::string why) {
  broken_ = std::move(why);
  socket_.reset();
  step_ = Step::kClosed;
  expected_.clear();
  return false;
}

bool VhostFrontEnd::send(const VhostBatch& batch) {
  if (Result<void> sent = batch.send(socket_.get()); !sent) return fail(sent.error().what);
  expected_.insert(expected_.end(), batch.expected().begin(), batch.expected().end());
  return true;
}

bool VhostFrontEnd::send_acknowledged(VhostBatch& batch) {
  if ((protocol_features_ & kVhostProtocolReplyAck) != 0) batch.want_ack();
  return send(batch);
}

bool VhostFrontEnd::connect() {
  const auto failed = [this] {
    return fail("vhost-user: cannot connect to " + links_.socket_path + ": " + std::strerror(errno));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (links_.socket_path.size() >= sizeof address.sun_path) {
    return fail("vhost-user: socket path " + links_.socket_path + " is too long");
  }
  std::memcpy(address.sun_path, links_.socket_path.data(), links_.socket_path.size());
  reader_ = {};
  expected_.clear();
  protocol_features_ = 0;
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_.valid()) return failed();
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return failed();
  }
  step_ = Step::kFeatures;
  VhostBatch batch;
  batch.add(VhostRequest::kGetFeatures);
  return send(batch);
}

bool VhostFrontEnd::advance() {
  if (!socket_.valid()) return false;
  while (true) {
    std::array<std::byte, kReadBytes> buffer;
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return true;
    // ECONNRESET: it went without having read all that we said.
    if (size == 0 || (size < 0 && errno == ECONNRESET)) {
      return fail("vhost-user: the data plane closed the connection");
    }
    if (size < 0) return fail(std::string("vhost-user: ") + std::strerror(errno));
    reader_.feed(std::span(buffer).first(static_cast<size_t>(size)));
    while (true) {
      const auto reply = reader_.next();
      if (!reply) return fail(reply.error().what);
      if (!reply.value()) break;
      if (!take(*reply.value())) return false;
    }
  }
}

bool VhostFrontEnd::finish(Step step, int wait_ms) {
  const uint64_t deadline_ns = monotonic_ns() + static_cast<uint64_t>(wait_ms) * kNsPerMs;
  while (advance()) {
    if (step_ == Step::kPrepared && (step != Step::kPrepared || expected_.empty())) return true;
    const uint64_t now_ns = monotonic_ns();
    if (now_ns >= deadline_ns) {
      return fail(std::string("vhost-user: no answer to ") + to_string(expected_.front()));
    }
    pollfd answer{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&answer, 1, static_cast<int>((deadline_ns - now_ns) / kNsPerMs + 1));
  }
  return false;
}

bool VhostFrontEnd::take(const VhostReply& reply) {
  if (expected_.empty() || expected_.front() != reply.request) {
    return fail("vhost-user: the data plane answered what was not asked");
  }
  expected_.pop_front();
  switch (reply.request) {
    case VhostRequest::kGetFeatures: {
      features_ = reply.value;
      if ((features_ & kNeededFeatures) != kNeededFeatures) {
        return fail("vhost-user: the data plane offers no virtio 1, or no protocol features");
      }
      step_ = Step::kProtocolFeatures;
      VhostBatch batch;
      batch.add(VhostRequest::kGetProtocolFeatures);
      return send(batch);
    }
    case VhostRequest::kGetProtocolFeatures:
      protocol_features_ = reply.value & kVhostProtocolFeaturesOurs;
      step_ = Step::kPrepared;
      return send_set_up();
    case VhostRequest::kGetVringBase:
      return true;
    default:
      if (reply.value == 0) return true;
      return fail(std::string("vhost-user: the data plane refused ") + to_string(reply.request));
  }
}

bool VhostFrontEnd::send_set_up() {
  const GuestMemory& memory = *links_.memory;
  VhostBatch batch;
  batch.add(VhostRequest::kSetProtocolFeatures, protocol_features_);
  batch.add(VhostRequest::kSetOwner);
  features_sent_ = (features_ & kVirtioBackEndFeatures) | kVhostProtocolFeaturesBit;
  batch.add(VhostRequest::kSetFeatures, features_sent_);
  const bool tell_mtu = links_.mtu_bytes != 0 && (features_ & kVirtioNetMtu) != 0;
  if (tell_mtu && (protocol_features_ & kVhostProtocolMtu) != 0) {
    batch.add(VhostRequest::kNetSetMtu, uint64_t{links_.mtu_bytes});
  }
  batch.add(VhostRequest::kSetMemTable,
            VhostMemoryTable{.regions = 1,
                             .padding = 0,
                             .guest_address = 0,
                             .size_bytes = memory.size_bytes(),
                             .user_address = reinterpret_cast<uint64_t>(memory.base()),
                             .mmap_offset = 0},
            memory.fd());
  for (uint32_t index = 0; index < kNetQueues; ++index) {
    batch.add(VhostRequest::kSetVringCall, uint64_t{index}, links_.calls[index]);
  }
  return send_acknowledged(batch);
}

void VhostFrontEnd::add_ring(VhostBatch& batch, uint32_t index, const VirtioQueue& queue, bool resume) const {
  const auto ours = [this](GuestAddress address) {
    return reinterpret_cast<uint64_t>(links_.memory->base()) + address.value;
  };
  const uint32_t base = resume ? used_index(*links_.memory, queue.device) : 0;
  batch.add(VhostRequest::kSetVringNum, VhostVringState{index, queue.size});
  batch.add(VhostRequest::kSetVringBase, VhostVringState{index, base});
  batch.add(VhostRequest::kSetVringAddr, VhostVringAddress{.index = index,
                                                           .flags = 0,
                                                           .descriptors = ours(queue.descriptors),
                                                           .used = ours(queue.device),
                                                           .available = ours(queue.driver),
                                                           .log = 0});
  batch.add(VhostRequest::kSetVringKick, uint64_t{index}, links_.kicks[index]);
  batch.add(VhostRequest::kSetVringEnable, VhostVringState{index, 1});
}

bool VhostFrontEnd::start_rings(uint64_t guest_features, const std::array<VirtioQueue, kNetQueues>& queues,
                                bool resume) {
  if (step_ != Step::kPrepared) return false;
  VhostBatch batch;
  const uint64_t features = (guest_features & kVirtioBackEndFeatures) | kVhostProtocolFeaturesBit;
  if (features != features_sent_) batch.add(VhostRequest::kSetFeatures, features);
  features_sent_ = features;
  for (uint32_t index = 0; index < kNetQueues; ++index) {
    if (queues[index].ready) add_ring(batch, index, queues[index], resume);
  }
  if ((protocol_features_ & kVhostProtocolStatus) != 0) {
    batch.add(VhostRequest::kSetStatus, kStatusAll);
  }
  return send_acknowledged(batch);
}

bool VhostFrontEnd::stop_rings() {
  if (step_ != Step::kPrepared) return false;
  VhostBatch batch;
  for (uint32_t index = 0; index < kNetQueues; ++index) {
    batch.add(VhostRequest::kGetVringBase, VhostVringState{index, 0});
  }
  if ((protocol_features_ & kVhostProtocolStatus) != 0) {
    batch.add(VhostRequest::kSetStatus, uint64_t{0});
  }
  return send(batch);
}

}  // namespace cheshire
