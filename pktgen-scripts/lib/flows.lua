-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- Sets of client flows as Pktgen's range mode can send them.
--
-- Range mode counts source address and source port up together, packet by packet; each wraps on its own. So
-- A addresses and P ports make lcm(A, P) flows, not A x P: 256 addresses and 4,096 ports are 4,096 flows. All
-- A x P come, each once per round, if A and P have no common factor. Example: 15 = 3 x 5:
--   packet   0  1  2  3  4  5  6 ...  14
--   address  0  1  2  0  1  2  0       2
--   port     0  1  2  3  4  0  1       4
--
-- A slab is such a set: {first_address, addresses, first_port, ports, flows}. Addresses are numbers.

local flows = {}

flows.first_port = 1024
flows.ports_max = 65536 - 1024

local function common_factor(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

local function slab(first_address, addresses, ports)
  return {
    first_address = first_address, addresses = addresses,
    first_port = flows.first_port, ports = ports,
    flows = addresses * ports,
  }
end

-- A slab of exactly count flows, with as few addresses as possible; nil if there is none.
function flows.exactly(count, first_address)
  for addresses = 1, 4096 do
    local ports = count // addresses
    if count % addresses == 0 and ports <= flows.ports_max and common_factor(addresses, ports) == 1 then
      return slab(first_address, addresses, ports)
    end
  end
  return nil
end

-- About count flows in slabs that each fit a pool of room buffers: 2^k - 1 flows a slab, next to each other
-- in address. Powers of two would have no coprime halves. The second value is how many flows it became.
function flows.slabs(count, room, first_address)
  if count <= room then
    local one = flows.exactly(count, first_address) or flows.exactly(count - 1, first_address)
    if one then return {one}, one.flows end
  end
  local each = 1
  while 2 * each + 1 <= math.min(room, count) do each = 2 * each + 1 end
  local list, total = {}, 0
  while total + each <= count or #list == 0 do
    local next_slab = flows.exactly(each, first_address)
    list[#list + 1] = next_slab
    total = total + next_slab.flows
    first_address = first_address + next_slab.addresses
  end
  return list, total
end

-- More flows than any run sends: 4,095 addresses times 32,768 ports are 134 million. For SYNs that shall all
-- be new ones.
function flows.endless(first_address)
  return slab(first_address, 4095, 32768)
end

return flows
