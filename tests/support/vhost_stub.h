// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The least vhost-user back end that QEMU boots a guest with: a thread that answers the few requests that
// want an answer and moves no packet. Or, mute, one that accepts connections and never answers.
#pragma once

#include <string>
#include <thread>

#include "handle.h"

namespace cheshire {

class VhostStub {
 public:
  enum class Manner { kAnswers, kMute };
  VhostStub(std::string path, Manner manner);
  ~VhostStub();
  VhostStub(const VhostStub&) = delete;
  VhostStub& operator=(const VhostStub&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  void serve(Manner manner);

  const std::string path_;
  UniqueFd listener_;
  UniqueFd quit_read_;
  UniqueFd quit_write_;
  std::thread thread_;
};

}  // namespace cheshire
