// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet/rewrite.h"

namespace cheshire {

ServiceRewrite::ServiceRewrite(const SteeringService& service)
    : vip_(service.vip),
      vip_port_(service.port),
      guest_ip_(service.guest_ip),
      guest_port_(service.guest_port),
      mapped_(!(vip_ == guest_ip_ && vip_port_ == guest_port_)) {
  ip_to_guest_.replace(vip_, guest_ip_);
  tcp_to_guest_.replace(vip_, guest_ip_).replace(vip_port_, guest_port_);
  ip_from_guest_.replace(guest_ip_, vip_);
  tcp_from_guest_.replace(guest_ip_, vip_).replace(guest_port_, vip_port_);
}

}  // namespace cheshire
