// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/guest_steps_net.h"

#include <algorithm>
#include <cstring>

#include "bench/support/syn_frame.h"

namespace cheshire {
namespace {

constexpr uint64_t kNetHeaderBytes = 12;  // virtio 1.2 5.1.6, with num_buffers
constexpr uint64_t kRingIndexOffset = 2;
constexpr uint64_t kRingEntriesOffset = 4;

struct Descriptor {  // 2.7.5
  uint64_t address;
  uint32_t size_bytes;
  uint16_t flags;
  uint16_t next;
};
struct UsedElement {  // 2.7.8
  uint32_t id;
  uint32_t size_bytes;
};

template <typename T>
T read_at(const GuestMemory& memory, uint64_t address) {
  T value{};
  const auto bytes = memory.at({address}, sizeof value);
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}
template <typename T>
void write_at(const GuestMemory& memory, uint64_t address, const T& value) {
  const auto bytes = memory.at({address}, sizeof value);
  if (!bytes.empty()) std::memcpy(bytes.data(), &value, sizeof value);
}

uint64_t slot_of(const VirtioQueue& queue, uint64_t index) {
  return index % queue.size;
}

uint16_t available_index(const GuestMemory& memory, const VirtioQueue& queue) {
  return read_at<uint16_t>(memory, queue.driver.value + kRingIndexOffset);
}
// The buffer of the available ring's entry number `index`.
uint16_t available_id(const GuestMemory& memory, const VirtioQueue& queue, uint16_t index) {
  return read_at<uint16_t>(
      memory, queue.driver.value + kRingEntriesOffset + slot_of(queue, index) * sizeof(uint16_t));
}
Descriptor descriptor(const GuestMemory& memory, const VirtioQueue& queue, uint16_t id) {
  return read_at<Descriptor>(memory, queue.descriptors.value + uint64_t{id} * sizeof(Descriptor));
}
void use(const GuestMemory& memory, const VirtioQueue& queue, uint16_t index, UsedElement element) {
  write_at(memory, queue.device.value + kRingEntriesOffset + slot_of(queue, index) * sizeof element, element);
  write_at(memory, queue.device.value + kRingIndexOffset, static_cast<uint16_t>(index + 1));
}

}  // namespace

bool GuestNetwork::put_syn(uint32_t number) {
  const VirtioQueue& queue = queues_[0];
  if (queue.size == 0 || available_index(memory_, queue) == received_) return false;
  const uint16_t id = available_id(memory_, queue, received_);
  const SynFrame frame = frame_to_guest(number, kTcpSyn);
  const uint64_t to = descriptor(memory_, queue, id).address;
  write_at(memory_, to, std::array<std::byte, kNetHeaderBytes>{});
  write_at(memory_, to + kNetHeaderBytes, frame);
  use(memory_, queue, received_++, {id, kNetHeaderBytes + sizeof frame});
  return true;
}

bool GuestNetwork::has_frame() const {
  const VirtioQueue& queue = queues_[1];
  return queue.size != 0 && available_index(memory_, queue) != sent_;
}

bool GuestNetwork::take_syn_ack(uint32_t number) {
  const VirtioQueue& queue = queues_[1];
  bool answered = false;
  while (queue.size != 0 && available_index(memory_, queue) != sent_) {
    const uint16_t id = available_id(memory_, queue, sent_);
    const Descriptor buffer = descriptor(memory_, queue, id);
    const auto bytes = memory_.at({buffer.address}, buffer.size_bytes);
    if (bytes.size() > kNetHeaderBytes) {
      const auto* frame = reinterpret_cast<const uint8_t*>(bytes.data()) + kNetHeaderBytes;
      answered |= is_syn_ack({frame, bytes.size() - kNetHeaderBytes}, number);
    }
    use(memory_, queue, sent_++, {id, 0});
  }
  return answered;
}

}  // namespace cheshire
