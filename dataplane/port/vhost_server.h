// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The vhost-user sockets, one per slot, and the thread of rte_vhost that serves them.
//
// The sockets are made at start, long before a VM connects: a connection to a socket that was registered just
// now can wait a second for the library's poll loop (docs/architecture.md). A slot takes one connection at a
// time; a second one is refused while the first lives.
//
//   VM connects → features and messages are narrowed → rings up   → PortMessage kUp   → worker polls
//   VM goes     → PortMessage kDown → wait for the workers' word  → the library may free the device
//
// The library's callbacks run on its one thread ("vhost-events"). They only send messages; the one wait is
// that for every worker to leave a port, and workers never wait for them.
//
// What a VM's process could do to this version of the library by odd messages is kept from it: see kRefused
// in the source. A refused message ends the connection.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "counter.h"
#include "dataplane/port/guest_port.h"
#include "dataplane/port/vhost_port.h"
#include "ids.h"
#include "result.h"
#include "spsc_ring.h"

namespace cheshire {

struct VhostServerOptions {
  std::string directory;  // exists, is ours, mode 0700
  size_t slots = 0;
  // One per worker, and each message goes to all of them; producer: the library's thread.
  std::vector<SpscRing<PortMessage>*> port_messages;
  // How many PortMessage::kDown every worker has obeyed: the least Worker::downs_acknowledged().
  std::function<uint64_t()> downs_acknowledged;
};

class VhostServer {
 public:
  // One per process: the library's callbacks carry no context.
  [[nodiscard]] static Result<std::unique_ptr<VhostServer>> start(VhostServerOptions options);
  VhostServer(const VhostServer&) = delete;
  VhostServer& operator=(const VhostServer&) = delete;
  // Closes every socket and removes its file. No worker may poll a port any more.
  ~VhostServer();

  [[nodiscard]] static std::string socket_path(const std::string& directory, SlotIndex slot);
  [[nodiscard]] std::string socket_path(SlotIndex slot) const {
    return socket_path(options_.directory, slot);
  }

  // Any thread.
  [[nodiscard]] bool connected(SlotIndex slot) const { return slots_[slot.value].connected.observe() != 0; }
  [[nodiscard]] uint64_t messages_refused() const { return messages_refused_.get(); }
  [[nodiscard]] uint64_t connections_refused() const { return connections_refused_.get(); }

  // On the library's thread, called by the callbacks in the source.
  int on_connection(int vid);
  void on_connection_closed(int vid);
  int on_device_up(int vid);
  void on_device_down(int vid);
  [[nodiscard]] bool message_allowed(int vid, void* message);
  void message_done(int vid);

 private:
  struct Slot {
    VhostPort port;
    int vid = -1;
    bool up = false;
    uint64_t connected_ns = 0;
    uint64_t message_began_ns = 0;
    uint64_t messages_ns = 0;
    Counter connected;  // writer: the library's thread; readers: control
  };

  explicit VhostServer(VhostServerOptions options);
  Result<void> register_socket(SlotIndex slot);
  Result<void> wait_until_listening();
  Slot* slot_of(int vid);
  void send(const PortMessage& message);

  VhostServerOptions options_;
  std::vector<Slot> slots_;
  size_t registered_ = 0;
  uint64_t downs_sent_ = 0;
  Counter messages_refused_;     // writer: the library's thread
  Counter connections_refused_;  // writer: the library's thread
};

}  // namespace cheshire
