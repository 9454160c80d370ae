// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A client of DPDK's telemetry socket (version 2), bounded in time and bytes, trusting nothing it is told.
//
// The socket is SOCK_SEQPACKET: on connecting the server sends one message about itself, then each request
// "/command,parameters" gets one message {"/command": answer}. An answer has at most 16 KiB and what does not
// fit is left out in silence, so lists are read in pages with the parameters "start,count".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "handle.h"
#include "result.h"

namespace cheshire {

// Keeps the order of the keys: the daemon sorts, oldest first.
using Json = nlohmann::ordered_json;

// Where a daemon of this name has its socket, as DPDK chooses it: below RUNTIME_DIRECTORY if that is set,
// else /var/run for root, else XDG_RUNTIME_DIR or /tmp.
[[nodiscard]] std::string telemetry_socket_path(const std::string& name);
// The names of daemons that have a socket there, sorted; some may be dead.
[[nodiscard]] std::vector<std::string> daemon_names();

class TelemetryClient {
 public:
  // kNotFound: nobody listens there. kInternal: somebody does, but speaks otherwise.
  [[nodiscard]] static Result<TelemetryClient> connect(const std::string& socket_path);

  // The answer to one request; null if the server does not know the command.
  [[nodiscard]] Result<Json> ask(const std::string& command, const std::string& parameters = "");
  // A dictionary, all its pages put together; null if the server does not know the command.
  [[nodiscard]] Result<Json> ask_all(const std::string& command);

 private:
  TelemetryClient(UniqueFd socket, std::string path) : socket_(std::move(socket)), path_(std::move(path)) {}
  [[nodiscard]] Result<Json> receive();

  UniqueFd socket_;
  std::string path_;  // for messages
};

}  // namespace cheshire
