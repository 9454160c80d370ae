-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- Connections as a sender without TCP can have them: a SYN opens a flow, the guest's SYN-ACK makes Cheshire
-- count it, no ACK ever comes. A reset at the right sequence number ends it, at the guest and in Cheshire.
-- In between, segments outside the window are answered one for one.
--
-- A guest does not wait forever for the ACK: grin repeats its SYN-ACK after 1, 3, 7 and 15 s and gives up,
-- with a reset, after 31 s. So a trial begins with fresh connections, a long one is made of parts, and up to
-- four answers per connection and part are not answers to what the trial sent.

local lib = ...
local sender = lib("sender")

local connections = {}

connections.part_s = 20
connections.repeated_syn_acks = 4

local calm_ms = 500  -- for the SYN-ACKs to come in, before the counters are cleared

-- pps is for SYNs and resets: slow enough that none is lost. Returns how many flows are open.
function connections.open(port, slabs, frame_bytes, pps)
  local opened = 0
  for _, slab in ipairs(slabs) do
    port:aim(slab, frame_bytes)
    port:pace(pps)
    port:send_all("syn", sender.sequence.open)
    opened = opened + slab.flows
  end
  return opened
end

function connections.close(port, slabs, frame_bytes, pps)
  for _, slab in ipairs(slabs) do
    port:aim(slab, frame_bytes)
    port:pace(pps)
    port:send_all("rst", sender.sequence.close)
  end
end

local function part(port, slabs, frame_bytes, pps, duration_s, open_pps)
  if open_pps then
    connections.close(port, slabs, 64, open_pps)
    connections.open(port, slabs, 64, open_pps)
    pktgen.delay(calm_ms)
  end
  port:count_from_here()
  for _, slab in ipairs(slabs) do
    port:aim(slab, frame_bytes)
    port:speak("ack", sender.sequence.probe)
    port:pace(pps)
    port:send(math.max(1, port.pps * duration_s // #slabs))
  end
  return port:counted()
end

-- About duration_s at pps, spread over the slabs; the sum over all parts. open_pps nil: nothing to open, the
-- device only forwards.
function connections.trial(port, slabs, frame_bytes, pps, duration_s, open_pps)
  local parts = open_pps and math.ceil(duration_s / connections.part_s) or 1
  local sum = {sent = 0, lost = 0, own_losses = 0}
  for _ = 1, parts do
    local result = part(port, slabs, frame_bytes, pps, duration_s / parts, open_pps)
    for name in pairs(sum) do sum[name] = sum[name] + result[name] end
  end
  return sum
end

return connections
