// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A vhost-user back end in a process of its own, which a test may kill: it moves packets between a guest and the
// little that it plays.
//
//   vhost_peer SOCKET syn        opens a connection to grin; prints "isn NUMBER" at its SYN-ACK
//   vhost_peer SOCKET get ISN    goes on with that connection: asks for a page, prints "answer STATUS-LINE"
//   vhost_peer SOCKET echo       sends back what comes, with an interrupt each
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "handle.h"
#include "hypervisor/vmm/vhost_message.h"
#include "hypervisor/vmm/virtio_mmio.h"
#include "tests/support/frame_builder.h"

namespace cheshire {
namespace {

using test::Bytes;

constexpr uint64_t kFeatures = kVirtioVersion1 | kVhostProtocolFeaturesBit;
constexpr uint32_t kWantsAck = 8;
constexpr uint32_t kReply = 5;
constexpr size_t kNetHeaderBytes = 12;
constexpr uint32_t kFirstSequence = 1000;

struct Descriptor {
  uint64_t address;
  uint32_t size_bytes;
  uint16_t flags;
  uint16_t next;
};
struct Ring {
  uint16_t size = 0;
  uint16_t next = 0;  // of the available ring
  VhostVringAddress address{};
  bool enabled = false;
  UniqueFd call;
};

class Peer {
 public:
  Peer(std::string mode, uint32_t isn) : mode_(std::move(mode)), isn_(isn) {}
  void serve(int listener);

 private:
  bool take_message(int socket);
  void obey(VhostRequest request, std::span<const std::byte> payload, UniqueFd fd);
  void map_memory(const VhostMemoryTable& table, int fd);
  [[nodiscard]] bool live() const { return memory_ != nullptr && rings_[0].enabled && rings_[1].enabled; }
  template <typename T>
  T* at(uint64_t guest_address) {
    return reinterpret_cast<T*>(memory_ + guest_address);
  }
  // A ring's part, which the messages name in the VMM's address space.
  template <typename T>
  T* part(uint64_t user_address, uint64_t offset) {
    return reinterpret_cast<T*>(memory_ + (user_address - table_.user_address) + offset);
  }
  void use(Ring& ring, uint16_t id, uint32_t size_bytes);
  void to_guest(const Bytes& frame);
  void from_guest();
  void on_frame(const Bytes& frame);
  void begin();
  static Bytes segment(uint32_t sequence, uint32_t acknowledgment, uint8_t flags, std::string_view payload);

  const std::string mode_;
  uint32_t isn_;
  bool begun_ = false;
  VhostMemoryTable table_{};
  std::byte* memory_ = nullptr;
  std::array<Ring, 2> rings_;
};

void Peer::map_memory(const VhostMemoryTable& table, int fd) {
  void* base = mmap(nullptr, table.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                    static_cast<off_t>(table.mmap_offset));
  if (base == MAP_FAILED) std::_Exit(3);
  memory_ = static_cast<std::byte*>(base);
  table_ = table;
}

void Peer::obey(VhostRequest request, std::span<const std::byte> payload, UniqueFd fd) {
  const auto read = [payload]<typename T>(T value) {
    std::memcpy(&value, payload.data(), std::min(payload.size(), sizeof value));
    return value;
  };
  const auto state = read(VhostVringState{});
  Ring& ring = rings_[state.index & 1U];
  switch (request) {
    case VhostRequest::kSetMemTable:
      return map_memory(read(VhostMemoryTable{}), fd.get());
    case VhostRequest::kSetVringNum:
      ring.size = static_cast<uint16_t>(state.number);
      return;
    case VhostRequest::kSetVringBase:
      ring.next = static_cast<uint16_t>(state.number);
      return;
    case VhostRequest::kSetVringAddr:
      ring.address = read(VhostVringAddress{});
      return;
    case VhostRequest::kSetVringCall:
      ring.call = std::move(fd);
      return;
    case VhostRequest::kSetVringEnable:
      ring.enabled = state.number == 1;
      return;
    default:
      return;
  }
}

bool Peer::take_message(int socket) {
  VhostHeader header{};
  iovec bytes{.iov_base = &header, .iov_len = sizeof header};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(socket, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC) != sizeof header) return false;
  UniqueFd fd;
  if (const cmsghdr* rights = CMSG_FIRSTHDR(&message)) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(rights), sizeof number);
    fd.reset(number);
  }
  std::array<std::byte, 256> payload{};
  if (header.size_bytes > payload.size()) return false;
  if (header.size_bytes != 0 &&
      recv(socket, payload.data(), header.size_bytes, MSG_WAITALL) != ssize_t{header.size_bytes}) {
    return false;
  }
  const auto request = static_cast<VhostRequest>(header.request);
  obey(request, std::span(payload).first(header.size_bytes), std::move(fd));
  uint64_t value = 0;  // of an acknowledgement: fine
  if (request == VhostRequest::kGetFeatures) value = kFeatures;
  if (request == VhostRequest::kGetProtocolFeatures) value = kVhostProtocolReplyAck;
  const bool asks = request == VhostRequest::kGetFeatures || request == VhostRequest::kGetProtocolFeatures ||
                    request == VhostRequest::kGetVringBase || (header.flags & kWantsAck) != 0;
  if (!asks) return true;
  const VhostHeader answer{header.request, kReply, sizeof value};
  std::array<std::byte, sizeof answer + sizeof value> out;
  std::memcpy(out.data(), &answer, sizeof answer);
  std::memcpy(out.data() + sizeof answer, &value, sizeof value);
  return send(socket, out.data(), out.size(), MSG_NOSIGNAL) == ssize_t{out.size()};
}

void Peer::use(Ring& ring, uint16_t id, uint32_t size_bytes) {
  auto* index = part<uint16_t>(ring.address.used, 2);
  auto* entry = part<std::array<uint32_t, 2>>(ring.address.used, 4 + 8 * uint64_t{*index} % (8U * ring.size));
  *entry = {id, size_bytes};
  __atomic_store_n(index, static_cast<uint16_t>(*index + 1), __ATOMIC_RELEASE);
  ++ring.next;
  const uint64_t one = 1;
  if (ring.call.valid()) (void)!write(ring.call.get(), &one, sizeof one);
}

void Peer::to_guest(const Bytes& frame) {
  Ring& ring = rings_[0];
  const uint16_t available = __atomic_load_n(part<uint16_t>(ring.address.available, 2), __ATOMIC_ACQUIRE);
  if (available == ring.next) return;
  const uint16_t id = *part<uint16_t>(ring.address.available, 4 + 2U * (ring.next % ring.size));
  const auto* descriptor = part<Descriptor>(ring.address.descriptors, 16U * id);
  std::memset(at<std::byte>(descriptor->address), 0, kNetHeaderBytes);
  std::memcpy(at<std::byte>(descriptor->address + kNetHeaderBytes), frame.data(), frame.size());
  use(ring, id, static_cast<uint32_t>(kNetHeaderBytes + frame.size()));
}

void Peer::from_guest() {
  Ring& ring = rings_[1];
  while (__atomic_load_n(part<uint16_t>(ring.address.available, 2), __ATOMIC_ACQUIRE) != ring.next) {
    const uint16_t id = *part<uint16_t>(ring.address.available, 4 + 2U * (ring.next % ring.size));
    const auto* descriptor = part<Descriptor>(ring.address.descriptors, 16U * id);
    const auto* begin = at<uint8_t>(descriptor->address);
    const Bytes frame(begin + kNetHeaderBytes, begin + descriptor->size_bytes);
    use(ring, id, 0);
    on_frame(frame);
  }
}

Bytes Peer::segment(uint32_t sequence, uint32_t acknowledgment, uint8_t flags, std::string_view payload) {
  return test::build(test::TcpFrame{.ethernet = {.destination = kGuestMac},
                                    .ip = {.destination = test::kGuestIp},
                                    .tcp = {.destination_port = test::kGuestPort,
                                            .sequence = sequence,
                                            .acknowledgment = acknowledgment,
                                            .flags = flags},
                                    .payload = test::text(payload)});
}

void Peer::begin() {
  begun_ = true;
  if (mode_ == "syn") to_guest(segment(kFirstSequence, 0, kTcpSyn, ""));
  if (mode_ == "get") {
    to_guest(segment(kFirstSequence + 1, isn_ + 1, kTcpAck | kTcpPsh, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  }
}

void Peer::on_frame(const Bytes& frame) {
  constexpr size_t kTcp = 14 + 20;
  if (mode_ == "echo") return to_guest(frame);
  if (frame.size() < kTcp + 20 || frame[23] != kIpProtocolTcp) return;
  const uint8_t flags = frame[kTcp + 13];
  const size_t data = kTcp + (size_t{frame[kTcp + 12]} >> 4U) * 4;
  if (mode_ == "syn" && flags == (kTcpSyn | kTcpAck)) {
    std::printf("isn %u\n", test::read32(frame, kTcp + 4));
  } else if (mode_ == "get" && frame.size() > data) {
    const std::string_view text(reinterpret_cast<const char*>(frame.data()) + data, frame.size() - data);
    std::printf("answer %s\n", std::string(text.substr(0, text.find('\r'))).c_str());
  }
  std::fflush(stdout);
}

void Peer::serve(int listener) {
  const UniqueFd socket(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  while (true) {
    pollfd readable{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, 1) == 1 && !take_message(socket.get())) return;
    if (!live()) continue;
    if (!begun_) begin();
    from_guest();
  }
}

int run(const char* path, const char* mode, const char* isn) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  unlink(path);
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 2;
  if (listen(listener.get(), 4) != 0) return 2;
  std::printf("listens\n");
  std::fflush(stdout);
  Peer(mode, static_cast<uint32_t>(std::strtoul(isn, nullptr, 10))).serve(listener.get());
  return 0;
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  return cheshire::run(argv[1], argv[2], argc > 3 ? argv[3] : "0");
}
