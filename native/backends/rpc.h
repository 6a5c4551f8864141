#pragma once

#include <ggml-backend.h>

#include <string>
#include <vector>

namespace llamatune {

// The devices of llama.cpp RPC servers ("host:port"), in the order of the servers. They are known to who asks for them
// and to nobody else: ggml's registry, from which llama.cpp takes its defaults, does not list them.
// Throws error: RPC_UNREACHABLE, naming every server that gave no answer and why; RPC_UNSUPPORTED where the build has
// none.
std::vector<ggml_backend_dev_t> connect_rpc_servers(const std::vector<std::string> & servers);

// "host:port" of a device of an RPC server, or "".
std::string rpc_server_of(ggml_backend_dev_t device);

}
