-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- RFC 2544 throughput by frame size: the highest rate without loss (NDR), and with at most 0.5 % (PDR).
--
-- Topology
--   +--------+ port 0                    NIC +----------+ vhost-user +-----+
--   | Pktgen |==============================>| Cheshire |===========>| VMs |
--   +--------+<==============================|          |<===========|     |
--              answers, to the same port     +----------+            +-----+
-- With CHESHIRE_FLOWS=0 and CHESHIRE_RX_PORT=1, a forwarder between two ports, for comparison:
--   +--------+ port 0   +----------------------+   port 1 +--------+
--   | Pktgen |=========>| dpdk-testpmd, io     |=========>| Pktgen |
--   +--------+          +----------------------+          +--------+
--
-- Answers: the throughput of the whole way to a guest and back, with strict bounds.
--
-- How to read it. Per frame size, NDR and PDR in frames per second and as a part of the line rate. "yes"
-- means that a trial of confirm_s seconds passed too, as RFC 2544 (24, 26.1) asks; "no" means that the trials
-- were used up before one did, and the figure is no result. NDR is 0 lost frames, not "hardly any". A guest
-- behind vhost loses in bursts, so that its NDR moves from run to run: quote PDR with it. The guest answers
-- each frame with an ACK of 64 bytes: the frame's size is that of the way to the guest. SYN-ACKs that the
-- guest repeats count as answers, and up to four lost frames per flow and part can hide behind them (the
-- second line says how many); so the flows are few. Exact is: drops in `cheshire status` did not rise. Trials
-- in which Pktgen itself lost something count as failed; the first rate tried is the line rate. RFC 2544 asks
-- for 2 s of waiting after a trial (settle_ms) and 5 s before the next (rest_s). Trials of more than 20 s are
-- made of parts (lib/connections.lua).
-- It takes long: about 7 sizes x 2 bounds x (12 x 18 s + 75 s), 70 minutes.
--
-- Start:  CHESHIRE_DUT_MAC=52:54:00:00:00:01 pktgen -l 0-2 -n 4 -a 0000:03:00.0 -- -P -m "[1:2].0" \
--           -f pktgen-scripts/rfc2544.lua
-- Cheshire: examples/cheshire.yaml with worker.idle_timeout: 10m, services.hello.instances: {min: 4, max: 4}
-- and in_flight.soft: 4096. For testpmd: -m "[1:2].0,[3:4].1".

local here = os.getenv("CHESHIRE_SCRIPTS") or debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local function lib(name) return assert(loadfile(here .. "/lib/" .. name .. ".lua"))(lib) end

local settings, flows, sender = lib("settings"), lib("flows"), lib("sender")
local report, search, connections = lib("report"), lib("search"), lib("connections")

local values = settings.read(settings.with_common({
  {name = "frame_sizes", kind = "integers", least = 64, most = 1518,
   default = "64,128,256,512,1024,1280,1518", meaning = "bytes with the FCS"},
  {name = "flows", kind = "integer", default = 63, least = 0, most = 1048576,
   meaning = "connections to open; 0 for a device that only forwards"},
  {name = "open_pps", kind = "integer", default = 100000, least = 100, most = 10000000,
   meaning = "rate of SYNs and resets"},
  {name = "trial_s", kind = "number", default = 10, least = 1, most = 600, meaning = "a trial of the search"},
  {name = "confirm_s", kind = "number", default = 60, least = 1, most = 3600, meaning = "the last trial"},
  {name = "rest_s", kind = "number", default = 5, least = 0, most = 60, meaning = "pause between trials"},
  {name = "pdr_percent", kind = "number", default = 0.5, least = 0, most = 10,
   meaning = "loss allowed for PDR"},
  {name = "precision_percent", kind = "number", default = 0.1, least = 0.001, most = 50,
   meaning = "of the rate"},
  {name = "trials_max", kind = "integer", default = 20, least = 1, most = 60, meaning = "per size and bound"},
}))
local out = report.open(values.result_file)

sender.with(values, out, function(port)
  local slabs, total = flows.slabs(math.max(1, values.flows), port.room, values.first_client)
  out:line("rfc2544: trials of %g s, confirmed by %g s, PDR %g %%, %d flow(s)", values.trial_s,
           values.confirm_s, values.pdr_percent, total)
  local open_pps = values.flows > 0 and values.open_pps or nil
  if open_pps then
    out:line("repeated SYN-ACKs can hide up to %d lost frames of a part of %d s",
             connections.repeated_syn_acks * total, connections.part_s)
  end
  out:line("%6s %5s %14s %10s %10s %7s", "bytes", "bound", "frames/s", "of line", "confirmed", "trials")
  for _, frame_bytes in ipairs(values.frame_sizes) do
    local line_pps = port:line_pps(frame_bytes)
    local high_pps = line_pps
    -- PDR cannot be below NDR, so it goes first and bounds the other.
    for _, bound in ipairs({{"PDR", values.pdr_percent / 100}, {"NDR", 0}}) do
      local function passes(pps, duration_s)
        local result = connections.trial(port, slabs, frame_bytes, pps, duration_s, open_pps)
        pktgen.delay(math.floor(values.rest_s * 1000))
        return result.own_losses == 0 and result.sent > 0 and result.lost <= bound[2] * result.sent
      end
      local pps, confirmed, trials = search.highest({
        high = high_pps,
        precision = values.precision_percent / 100,
        trials = values.trials_max,
        try = function(rate) return passes(rate, values.trial_s) end,
        confirm = function(rate) return passes(rate, values.confirm_s) end,
      })
      out:line("%6d %5s %14.0f %9.2f%% %10s %7d", frame_bytes, bound[1], pps, 100 * pps / line_pps,
               confirmed and "yes" or "no", trials)
      if pps > 0 then high_pps = pps end
    end
  end
  if open_pps then connections.close(port, slabs, 64, open_pps) end
end)
