// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The VM's end of its vhost-user connection. Nothing here waits unless it is asked to: requests are written
// as soon as what they depend on is known, the data plane works on them while the VM is being made, and
// answers are read in between.
//
//   connect()      socket; GET_FEATURES
//   advance()      … then GET_PROTOCOL_FEATURES … then SET_PROTOCOL_FEATURES, SET_OWNER, SET_FEATURES,
//                  NET_SET_MTU, SET_MEM_TABLE, SET_VRING_CALL of each ring
//   start_rings()  at DRIVER_OK: SET_FEATURES if the guest chose fewer; per ring NUM, BASE, ADDR, KICK, ENABLE;
//                  STATUS
//   stop_rings()   at a reset: GET_VRING_BASE of each ring, STATUS
//
// Replies come in the order of the requests; any other is an error, as are refusals. After an error the
// connection is closed, broken() says why, and connect() may be called again: rings then go on where the used
// ring stands.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "handle.h"
#include "hypervisor/vmm/guest_memory.h"
#include "hypervisor/vmm/vhost_message.h"
#include "hypervisor/vmm/virtio_mmio.h"
#include "result.h"

namespace cheshire {

struct VhostLinks {
  std::string socket_path;
  uint16_t mtu_bytes = 0;               // 0: none is told
  const GuestMemory* memory = nullptr;  // outlives the front end
  std::array<int, kNetQueues> kicks{};  // eventfds that the guest rings
  std::array<int, kNetQueues> calls{};  // eventfds that the data plane rings
};

class VhostFrontEnd {
 public:
  explicit VhostFrontEnd(VhostLinks links) : links_(std::move(links)) {}

  // False, and broken(), if nobody listens there.
  bool connect();
  // Reads what there is and sends what it allows. False if the connection broke.
  bool advance();
  // Wait, `wait_ms` at most: until features() is known, or until all that was sent is answered. False if the
  // connection broke, or took longer.
  bool wait_for_features(int wait_ms) { return finish(Step::kProtocolFeatures, wait_ms); }
  bool wait_until_prepared(int wait_ms) { return finish(Step::kPrepared, wait_ms); }

  // Everything up to the rings has been sent: start_rings() may be called.
  [[nodiscard]] bool prepared() const { return step_ == Step::kPrepared; }
  [[nodiscard]] bool answers_pending() const { return !expected_.empty(); }
  [[nodiscard]] uint64_t features() const { return features_; }
  // `resume`: the rings were in use before; they go on after what is used.
  bool start_rings(uint64_t guest_features, const std::array<VirtioQueue, kNetQueues>& queues, bool resume);
  bool stop_rings();

  [[nodiscard]] int fd() const { return socket_.get(); }  // -1 while not connected
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  enum class Step : uint8_t { kClosed, kFeatures, kProtocolFeatures, kPrepared };

  bool finish(Step step, int wait_ms);
  bool send(const VhostBatch& batch);
  bool send_acknowledged(VhostBatch& batch);
  bool fail(std::string why);
  bool take(const VhostReply& reply);
  bool send_set_up();
  void add_ring(VhostBatch& batch, uint32_t index, const VirtioQueue& queue, bool resume) const;

  const VhostLinks links_;
  UniqueFd socket_;
  Step step_ = Step::kClosed;
  VhostReplyReader reader_;
  std::deque<VhostRequest> expected_;
  uint64_t features_ = 0;
  uint64_t features_sent_ = 0;
  uint64_t protocol_features_ = 0;
  std::string broken_;
};

}  // namespace cheshire
