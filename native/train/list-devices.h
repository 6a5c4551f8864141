#pragma once

#include "model/system.h"
#include "train/capabilities.h"

#include <optional>
#include <string>
#include <vector>

namespace llamatune {

struct devices_request {
    std::vector<std::string> rpc; // "host:port" of servers
};

template <class V>
void fields(V & v, devices_request & r) {
    v("rpc", r.rpc);
}

struct listed_device {
    device_info about;
    std::optional<std::string> server; // "host:port" of an RPC server's device
    bool automatic;                    // device 'auto' uses it
    std::optional<train_capabilities> training;
};

template <class V>
void fields(V & v, listed_device & d) {
    fields(v, d.about);
    v("server", d.server);
    v("automatic", d.automatic);
    v("training", d.training);
}

// Lists the devices of this machine and of these RPC servers. Throws error RPC_UNREACHABLE.
std::vector<listed_device> list_devices(const std::vector<std::string> & rpc_servers);

}
