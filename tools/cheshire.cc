// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// cheshire: the command line client.
//
//   cheshire status [--json] [--name NAME | --socket PATH] [--watch]   what a running daemon does
//   cheshire check FILE                                                is this config fine?
//   cheshire scale get|init|add|remove|reset SERVICE …                 how a service scales
//   cheshire drain INSTANCE                                            let its connections end, then stop it
//   cheshire reload                                                    take the changed config file in
//
// Exit codes: 0 fine, 1 no daemon reachable, 2 bad usage or config, or a command that the daemon refused.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <exception>
#include <iostream>
#include <string>
#include <thread>

#include "controlplane/config/config_yaml.h"
#include "tools/command_options.h"
#include "tools/control_client.h"
#include "tools/status_view.h"
#include "tools/telemetry_client.h"
#include "tools/trace_view.h"

namespace {

using cheshire::CommandOptions;
using cheshire::Error;
using cheshire::ErrorCode;
using cheshire::Json;
using cheshire::Result;
using cheshire::TelemetryClient;

constexpr int kNoDaemon = 1;
constexpr int kBadUsage = 2;
constexpr std::chrono::seconds kWatchPeriod{1};

struct StatusOptions {
  bool json = false;
  bool watch = false;
  std::string name;
  std::string socket;
};

// Without a name: the only daemon that answers.
Result<TelemetryClient> connect_to_the_only_one() {
  const std::vector<std::string> names = cheshire::daemon_names();
  std::vector<TelemetryClient> clients;
  std::string alive;
  std::string tried;
  for (const std::string& name : names) {
    const std::string path = cheshire::telemetry_socket_path(name);
    tried += " " + path;
    Result<TelemetryClient> client = TelemetryClient::connect(path);
    if (!client.ok()) continue;
    clients.push_back(std::move(client).value());
    alive += " " + name;
  }
  if (clients.size() == 1) return std::move(clients.front());
  if (clients.empty()) {
    if (tried.empty()) tried = " " + cheshire::telemetry_socket_path("NAME");
    return Error{ErrorCode::kNotFound, "no daemon answers; tried" + tried};
  }
  return Error{ErrorCode::kInvalidArgument, "several daemons run; choose one with --name:" + alive};
}

Result<TelemetryClient> connect(const std::string& socket, const std::string& name) {
  if (!socket.empty()) return TelemetryClient::connect(socket);
  if (!name.empty()) return TelemetryClient::connect(cheshire::telemetry_socket_path(name));
  return connect_to_the_only_one();
}

Result<Json> fetch_status(TelemetryClient& client) {
  Json status = Json::object();
  for (const char* topic : {"services", "admission", "instances", "workers", "drops", "cold_starts"}) {
    Result<Json> answer = client.ask_all(std::string("/cheshire/") + topic);
    if (!answer.ok()) return answer;
    status[topic] = std::move(answer).value();
  }
  // Any DPDK process has such a socket; an older daemon may lack the other commands.
  if (status["services"].is_null()) {
    return Error{ErrorCode::kNotFound, "a DPDK process answers that is no cheshire daemon"};
  }
  return status;
}

int fail(const Error& error) {
  std::cerr << "cheshire: " << error.what << "\n";
  if (error.code == ErrorCode::kInvalidArgument) return kBadUsage;
  std::cerr << "Start one with `cheshired --config FILE`, as root if need be, or name another: --name NAME "
               "(the name in "
               "its config) or --socket PATH.\n";
  return kNoDaemon;
}

void print_status(const Json& status, const StatusOptions& options) {
  if (options.json) {
    // One line each when they follow one another.
    std::cout << status.dump(options.watch ? -1 : 2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    // Home and clear, so that a terminal shows the newest only.
    if (options.watch && ::isatty(STDOUT_FILENO) != 0) std::cout << "\033[H\033[2J";
    std::cout << cheshire::render_status(status);
  }
  std::cout << std::flush;
}

int run_status(const StatusOptions& options) {
  Result<TelemetryClient> client = connect(options.socket, options.name);
  if (!client.ok()) return fail(client.error());
  while (true) {
    const Result<Json> status = fetch_status(client.value());
    if (!status.ok()) return fail(status.error());
    print_status(status.value(), options);
    if (!options.watch || !std::cout) return 0;
    std::this_thread::sleep_for(kWatchPeriod);
  }
}

// The daemon says where its control socket is.
Result<std::string> control_socket_of(const CommandOptions& options) {
  if (!options.socket.empty()) return options.socket;
  Result<TelemetryClient> client = connect("", options.daemon);
  if (!client.ok()) return client.error();
  const Result<Json> answer = client.value().ask("/cheshire/control");
  if (!answer.ok()) return answer.error();
  const bool known =
      answer.value().is_object() && answer.value().contains("socket") && answer.value()["socket"].is_string();
  if (!known) return Error{ErrorCode::kNotFound, "the daemon that answers has no control socket"};
  return answer.value()["socket"].get<std::string>();
}

int run_command(const CommandOptions& options) {
  const Result<std::string> socket = control_socket_of(options);
  if (!socket.ok()) return fail(socket.error());
  const Result<Json> answer = cheshire::ask_control(socket.value(), options.command);
  if (!answer.ok()) return fail(answer.error());
  const bool done = answer.value()["ok"].get<bool>();
  if (options.json) {
    std::cout << answer.value().dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else if (done) {
    std::cout << cheshire::render_answer(options.command, answer.value());
    std::cerr << cheshire::render_warning(answer.value());
  } else {
    std::cerr << "cheshire: " << cheshire::render_refusal(answer.value());
  }
  return done ? 0 : kBadUsage;
}

struct TraceOptions {
  StatusOptions daemon;
  std::string file;  // empty: the newest decisions of a running daemon
  bool json = false;
};

int run_trace(const TraceOptions& options) {
  if (!options.file.empty()) {
    return cheshire::show_trace_file(options.file, options.json, std::cout, std::cerr);
  }
  Result<TelemetryClient> client = connect(options.daemon.socket, options.daemon.name);
  if (!client.ok()) return fail(client.error());
  const Result<Json> decisions = client.value().ask_all("/cheshire/decisions");
  if (!decisions.ok()) return fail(decisions.error());
  cheshire::show_live_decisions(decisions.value(), options.json, std::cout);
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Talks to cheshired, the daemon that makes servers appear when a client looks for them.",
               "cheshire");
  app.require_subcommand(1);
  StatusOptions options;
  CLI::App* const status = app.add_subcommand("status", "Show what a running daemon does");
  status->add_flag("--json", options.json, "Print the daemon's own answers");
  status->add_flag("--watch", options.watch, "Again every second, until interrupted");
  CLI::Option* const name =
      status->add_option("--name,--daemon", options.name, "The daemon's name, from its config");
  status->add_option("--socket", options.socket, "The daemon's DPDK telemetry socket")->excludes(name);
  CommandOptions command;
  cheshire::add_commands(app, command);
  std::string config_file;
  CLI::App* const check = app.add_subcommand("check", "Check a config, as `cheshired --check` does");
  check->add_option("FILE", config_file, "The config, a YAML file")->required();
  TraceOptions trace_options;
  CLI::App* const trace = app.add_subcommand("trace", "Show decisions of the autoscaler and their inputs");
  trace->add_option("FILE", trace_options.file, "A file that control.trace names; else of a running daemon");
  trace->add_flag("--json", trace_options.json, "One JSON object per line");
  trace->add_option("--name", trace_options.daemon.name, "The daemon's name, from its config");
  trace->add_option("--socket", trace_options.daemon.socket, "The daemon's DPDK telemetry socket");
  cheshire::ReplayOptions replay_options;
  CLI::App* const replay = app.add_subcommand("replay", "Run a trace's inputs through the policies again");
  replay->add_option("TRACE", replay_options.trace, "A file that control.trace names")->required();
  replay->add_option("--config", replay_options.config, "With this config's policies: what would have been");
  replay->add_flag("--json", replay_options.json, "One JSON object per line, of every decision");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;  // 0 is --help
  }
  if (trace->parsed()) return run_trace(trace_options);
  if (replay->parsed()) return cheshire::replay_trace_file(replay_options, std::cout, std::cerr);
  if (!command.command.empty()) return run_command(command);
  return check->parsed() ? cheshire::check_config_file(config_file, std::cout) : run_status(options);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& exception) {
    std::cerr << "cheshire: " << exception.what() << "\n";
    return kBadUsage;
  }
}
