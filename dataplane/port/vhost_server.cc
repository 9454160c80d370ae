// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/port/vhost_server.h"

#include <rte_vhost.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

#include "check.h"
#include "handle.h"
#include "units.h"

namespace cheshire {
namespace {

// Features that are not offered. No offloads: a guest gets and sends whole packets with finished checksums,
// so nothing depends on what it says about them. No indirect descriptors: their table is read twice by this
// version of the library, with the guest free to change it in between (CVE-2026-93683); a guest that uses
// them all the same is still followed, docs/architecture.md says what that means. The rest is not used.
constexpr uint64_t bit(unsigned feature) {
  return uint64_t{1} << feature;
}
constexpr std::array kFeatureBitsOff = {
    0U,   // VIRTIO_NET_F_CSUM (virtio 1.1 5.1.3)
    1U,   // VIRTIO_NET_F_GUEST_CSUM
    7U,   // VIRTIO_NET_F_GUEST_TSO4
    8U,   // VIRTIO_NET_F_GUEST_TSO6
    9U,   // VIRTIO_NET_F_GUEST_ECN
    10U,  // VIRTIO_NET_F_GUEST_UFO
    11U,  // VIRTIO_NET_F_HOST_TSO4
    12U,  // VIRTIO_NET_F_HOST_TSO6
    13U,  // VIRTIO_NET_F_HOST_ECN
    14U,  // VIRTIO_NET_F_HOST_UFO
    15U,  // VIRTIO_NET_F_MRG_RXBUF: half the price per packet without (docs/architecture.md)
    17U,  // VIRTIO_NET_F_CTRL_VQ
    18U,  // VIRTIO_NET_F_CTRL_RX
    21U,  // VIRTIO_NET_F_GUEST_ANNOUNCE
    22U,  // VIRTIO_NET_F_MQ
    26U,  // VHOST_F_LOG_ALL
    28U,  // VIRTIO_RING_F_INDIRECT_DESC (virtio 1.1 6)
    33U,  // VIRTIO_F_ACCESS_PLATFORM: an IOMMU
    34U,  // VIRTIO_F_RING_PACKED
};
constexpr uint64_t features_off() {
  uint64_t features = 0;
  for (const unsigned feature : kFeatureBitsOff) features |= bit(feature);
  return features;
}
constexpr uint64_t kProtocolFeatures = bit(VHOST_USER_PROTOCOL_F_MQ) | bit(VHOST_USER_PROTOCOL_F_REPLY_ACK) |
                                       bit(VHOST_USER_PROTOCOL_F_NET_MTU) | bit(VHOST_USER_PROTOCOL_F_STATUS);

// Messages of the vhost-user protocol (QEMU's docs/interop/vhost-user.rst) that no VM of ours needs, and
// whose handlers in this version trust sizes and offsets that the sender chose.
enum VhostUserRequest : uint32_t {
  kSetLogBase = 6,
  kSetLogFd = 7,
  kSetVringNum = 8,
  kSendRarp = 19,
  kSetSlaveRequestFd = 21,
  kIotlbMessage = 22,
  kCreateCryptoSession = 26,
  kCloseCryptoSession = 27,
  kPostcopyAdvise = 28,
  kPostcopyListen = 29,
  kPostcopyEnd = 30,
  kGetInflightFd = 31,
  kSetInflightFd = 32,
};
constexpr std::array kRefused = {kSetLogBase,         kSetLogFd,       kSendRarp,
                                 kSetSlaveRequestFd,  kIotlbMessage,   kCreateCryptoSession,
                                 kCloseCryptoSession, kPostcopyAdvise, kPostcopyListen,
                                 kPostcopyEnd,        kGetInflightFd,  kSetInflightFd};
constexpr uint32_t kNeedReply = 1U << 3U;  // a flag of the message's header
constexpr uint32_t kRingSizeMax = 1024;
constexpr uint16_t kRings = 2;

// How a message begins, as the library hands it to us.
struct MessageHeader {
  uint32_t request;
  uint32_t flags;
  uint32_t size;
};
struct [[gnu::packed]] VringStateMessage {
  MessageHeader header;
  uint32_t index;
  uint32_t number;
};
static_assert(sizeof(VringStateMessage) == 20);

VhostServer* g_server = nullptr;

void nap() {
  const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(5 * kNsPerUs)};
  nanosleep(&time, nullptr);
}

rte_vhost_msg_result before_message(int vid, void* message) {
  return g_server->message_allowed(vid, message) ? RTE_VHOST_MSG_RESULT_NOT_HANDLED
                                                 : RTE_VHOST_MSG_RESULT_ERR;
}
rte_vhost_msg_result after_message(int vid, void*) {
  g_server->message_done(vid);
  return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}
const rte_vhost_user_extern_ops kMessageHooks = {.pre_msg_handle = before_message,
                                                 .post_msg_handle = after_message};

const rte_vhost_device_ops kDeviceOps = {
    .new_device = [](int vid) { return g_server->on_device_up(vid); },
    .destroy_device = [](int vid) { g_server->on_device_down(vid); },
    .vring_state_changed = nullptr,
    .features_changed = nullptr,
    .new_connection = [](int vid) { return g_server->on_connection(vid); },
    .destroy_connection = [](int vid) { g_server->on_connection_closed(vid); },
    .guest_notified = nullptr,
    .reserved = {},
};

}  // namespace

std::string VhostServer::socket_path(const std::string& directory, SlotIndex slot) {
  return directory + "/slot-" + std::to_string(slot.value) + ".sock";
}

VhostServer::VhostServer(VhostServerOptions options) : options_(std::move(options)), slots_(options_.slots) {
  CHECK(g_server == nullptr);
  g_server = this;
}

Result<std::unique_ptr<VhostServer>> VhostServer::start(VhostServerOptions options) {
  std::unique_ptr<VhostServer> server(new VhostServer(std::move(options)));
  for (uint16_t slot = 0; slot < server->slots_.size(); ++slot) {
    if (Result<void> result = server->register_socket(SlotIndex{slot}); !result) return result.error();
    server->registered_ = slot + 1U;
  }
  if (Result<void> result = server->wait_until_listening(); !result) return result.error();
  return server;
}

// The library's thread looks for new sockets when its poll ends: at the next event, or after a second. A
// connection of our own is that event; without it the first VM would wait for the second to pass.
Result<void> VhostServer::wait_until_listening() {
  if (slots_.empty()) return {};
  const SlotIndex last{static_cast<uint16_t>(slots_.size() - 1)};
  const std::string path = socket_path(last);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK(path.size() < sizeof(address.sun_path));  // the configuration check bounds it
  path.copy(address.sun_path, path.size());
  const auto seen = [&](bool wanted) {
    const uint64_t deadline_ns = monotonic_ns() + 3 * kNsPerSecond;
    while (connected(last) != wanted && monotonic_ns() < deadline_ns) nap();
    return connected(last) == wanted;
  };

  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool connects =
      probe.valid() && ::connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  const bool accepted = connects && seen(true);
  probe.reset();
  if (accepted && seen(false)) return {};
  return Error{ErrorCode::kInternal, "vhost-user: nobody answers at " + path};
}

Result<void> VhostServer::register_socket(SlotIndex slot) {
  const std::string path = socket_path(slot);
  const auto failed = [&](const char* what) {
    return Error{ErrorCode::kInternal, std::string("vhost-user: ") + what + " failed for " + path};
  };
  ::unlink(path.c_str());  // left by a killed daemon of this name: we hold its lock
  if (rte_vhost_driver_register(path.c_str(), RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) != 0) {
    return failed("making the socket");
  }
  if (rte_vhost_driver_disable_features(path.c_str(), features_off()) != 0)
    return failed("narrowing features");
  if (rte_vhost_driver_set_protocol_features(path.c_str(), kProtocolFeatures) != 0) {
    return failed("narrowing protocol features");
  }
  if (rte_vhost_driver_callback_register(path.c_str(), &kDeviceOps) != 0) return failed("setting callbacks");
  if (rte_vhost_driver_start(path.c_str()) != 0) return failed("listening");
  return {};
}

VhostServer::~VhostServer() {
  for (uint16_t slot = 0; slot < registered_; ++slot) {
    const std::string path = socket_path(SlotIndex{slot});
    rte_vhost_driver_unregister(path.c_str());
    ::unlink(path.c_str());
  }
  g_server = nullptr;
}

VhostServer::Slot* VhostServer::slot_of(int vid) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [vid](const Slot& slot) { return slot.vid == vid; });
  return found == slots_.end() ? nullptr : &*found;
}

int VhostServer::on_connection(int vid) {
  char path[108] = {};
  if (rte_vhost_get_ifname(vid, path, sizeof(path)) != 0) return -1;
  const std::string_view name(path);
  const size_t number = name.rfind("/slot-");
  CHECK(number != std::string_view::npos);  // only our own sockets are registered
  Slot& slot = slots_[std::strtoul(path + number + 6, nullptr, 10)];
  if (slot.vid >= 0) {
    connections_refused_.increment();
    return -1;
  }
  if (rte_vhost_extern_callback_register(vid, &kMessageHooks, nullptr) != 0) return -1;
  slot.vid = vid;
  slot.up = false;
  slot.connected_ns = monotonic_ns();
  slot.messages_ns = 0;
  slot.connected.publish(1);
  return 0;
}

void VhostServer::on_connection_closed(int vid) {
  Slot* slot = slot_of(vid);
  if (slot == nullptr) return;  // one that on_connection() refused
  slot->vid = -1;
  slot->connected.publish(0);
}

int VhostServer::on_device_up(int vid) {
  Slot* slot = slot_of(vid);
  if (slot == nullptr) return -1;
  // We poll: the guest need not ring.
  for (uint16_t ring = 0; ring < kRings; ++ring) {
    if (rte_vhost_enable_guest_notification(vid, ring, 0) != 0) return -1;
  }
  slot->port.set_device(vid);
  slot->up = true;
  const uint64_t now_ns = monotonic_ns();
  send({.kind = PortMessage::Kind::kUp,
        .slot = static_cast<uint16_t>(slot - slots_.data()),
        .port = &slot->port,
        .connected_ns = slot->connected_ns,
        .ring_up_ns = now_ns,
        .messages_ns = slot->messages_ns + (now_ns - slot->message_began_ns)});
  return 0;
}

void VhostServer::on_device_down(int vid) {
  Slot* slot = slot_of(vid);
  if (slot == nullptr || !slot->up) return;
  slot->up = false;
  slot->messages_ns = 0;  // what follows belongs to the next time that it comes up
  send({.kind = PortMessage::Kind::kDown, .slot = static_cast<uint16_t>(slot - slots_.data())});
  ++downs_sent_;
  // A worker answers within a turn; the library frees the device when we return.
  while (options_.downs_acknowledged() < downs_sent_) nap();
}

bool VhostServer::message_allowed(int vid, void* message) {
  VringStateMessage begin;
  std::memcpy(&begin, message, sizeof(begin));
  const uint32_t request = begin.header.request;
  if (Slot* slot = slot_of(vid)) slot->message_began_ns = monotonic_ns();
  bool allowed = std::find(kRefused.begin(), kRefused.end(), request) == kRefused.end();
  if (request == kSetVringNum) {
    allowed = std::has_single_bit(begin.number) && begin.number <= kRingSizeMax && begin.index < kRings;
  }
  if (allowed) return true;
  messages_refused_.increment();
  // A sender that asks for a reply would get the refusal as one and keep its connection, and with it the
  // descriptors of each refused message. Without the wish the library ends the connection.
  begin.header.flags &= ~kNeedReply;
  std::memcpy(message, &begin, sizeof(begin));
  return false;
}

void VhostServer::message_done(int vid) {
  if (Slot* slot = slot_of(vid)) slot->messages_ns += monotonic_ns() - slot->message_began_ns;
}

void VhostServer::send(const PortMessage& message) {
  // Each is sized for an up and a down of every slot, and its worker empties it each turn.
  for (SpscRing<PortMessage>* ring : options_.port_messages) {
    while (!ring->push(message)) nap();
  }
}

}  // namespace cheshire
