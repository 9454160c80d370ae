-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- Throughput of established flows by their number: 1, 4 k, 64 k, 1 M.
--
-- Topology
--   +--------+ port 0                    NIC +----------+ vhost-user +-----+
--   | Pktgen |==============================>| Cheshire |===========>| VMs |
--   +--------+<==============================|          |<===========|     |
--              answers, to the same port     +----------+            +-----+
--
-- Answers: whether the number of flows costs throughput, and how much. A flow table that falls out of the
-- cache shows here.
--
-- How to read it. Per number of flows, the highest rate at which no more than tolerance_percent of the
-- segments stays without an answer, and that rate as a part of the one with the fewest flows. The number of
-- flows is the nearest that Pktgen can send exactly (lib/flows.lua). What is answered passes Cheshire twice:
-- packets per second of the worker are double. The guest answers every segment, so a slow guest is the limit
-- that is measured: nic_rx_packets = packets_to_guest + drops in `cheshire status` tells who lost,
-- guest_ring_full is the guest. More flows than one pool holds are sent slab by slab, a short pause between
-- two; all of them stay open, and each slab's rate is the full one. Each trial opens its flows anew
-- (lib/connections.lua): a resets_no_flow that rises by more than a few means that SYNs were lost; lower
-- CHESHIRE_OPEN_PPS then, but with a million flows opening may take 10 s at most, for grin drops them after
-- 31 s. grin answers each segment outside its window; Linux holds back such answers (tcp_invalid_ratelimit)
-- and does not suit. Compare only runs with the same guest.
--
-- Start:  CHESHIRE_DUT_MAC=52:54:00:00:00:01 pktgen -l 0-2 -n 4 -a 0000:03:00.0 -- -P -m "[1:2].0" \
--           -f pktgen-scripts/established_throughput.lua
-- Cheshire: examples/cheshire.yaml with
--   worker: {flows_max: 2097152, idle_timeout: 10m}
--   services.hello: {instances: {min: 8, max: 8}, in_flight: {soft: 1048576}}
-- and a guest whose connection table has room for its share of the flows.

local here = os.getenv("CHESHIRE_SCRIPTS") or debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local function lib(name) return assert(loadfile(here .. "/lib/" .. name .. ".lua"))(lib) end

local settings, flows, sender = lib("settings"), lib("flows"), lib("sender")
local report, search, connections = lib("report"), lib("search"), lib("connections")

local values = settings.read(settings.with_common({
  {name = "flow_counts", kind = "integers", least = 1, most = 4194304, default = "1,4096,65536,1048576",
   meaning = "numbers of flows"},
  {name = "frame_bytes", kind = "integer", default = 64, least = 64, most = 1518, meaning = "with the FCS"},
  {name = "open_pps", kind = "integer", default = 500000, least = 100, most = 10000000,
   meaning = "rate of the SYNs that open the flows, and of the resets that close them"},
  {name = "trial_s", kind = "number", default = 10, least = 1, most = 600, meaning = "a short trial"},
  {name = "confirm_s", kind = "number", default = 30, least = 1, most = 600, meaning = "the last trial"},
  {name = "tolerance_percent", kind = "number", default = 0.5, least = 0, most = 10,
   meaning = "loss allowed"},
  {name = "precision_percent", kind = "number", default = 1, least = 0.01, most = 50,
   meaning = "of the rate"},
  {name = "trials_max", kind = "integer", default = 16, least = 1, most = 40,
   meaning = "per number of flows"},
}))
local out = report.open(values.result_file)

sender.with(values, out, function(port)
  local frame_bytes = values.frame_bytes
  out:line("established_throughput: %d bytes, loss up to %g %%", frame_bytes, values.tolerance_percent)
  out:line("%10s %8s %14s %14s %10s %7s", "flows", "slabs", "segments/s", "of the first", "confirmed",
           "trials")
  local first_pps
  for _, wanted in ipairs(values.flow_counts) do
    local slabs, total = flows.slabs(wanted, port.room, values.first_client)
    local function passes(pps, duration_s)
      local result = connections.trial(port, slabs, frame_bytes, pps, duration_s, values.open_pps)
      return result.own_losses == 0 and result.lost <= values.tolerance_percent / 100 * result.sent
    end
    local pps, confirmed, trials = search.highest({
      high = port:line_pps(frame_bytes),
      precision = values.precision_percent / 100,
      trials = values.trials_max,
      try = function(rate) return passes(rate, values.trial_s) end,
      confirm = function(rate) return passes(rate, values.confirm_s) end,
    })
    connections.close(port, slabs, 64, values.open_pps)
    first_pps = first_pps or pps
    out:line("%10d %8d %14.0f %13.1f%% %10s %7d", total, #slabs, pps,
             first_pps > 0 and 100 * pps / first_pps or 0, confirmed and "yes" or "no", trials)
  end
end)
