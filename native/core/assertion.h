#pragma once

#include "core/error.h"

#include <optional>
#include <string>

namespace llamatune {

// After this call (idempotent) a failed GGML_ASSERT throws llamatune::error, code NATIVE_ASSERTION or RPC_SERVER_LOST,
// instead of ending the process. The exception unwinds through ggml's C frames; one that is thrown on a compute thread
// arrives on the thread that asked for the graph. Throw away the object that was being worked on. Where nothing catches
// the exception (a thread that llama.cpp starts for itself) the process ends, after the message went to the log.
void install_assertion_handler();

// What a message of ggml's RPC back end tells about a server. Some of these assertions are caught and logged by
// llama.cpp, so that they are found in the log of a failed call.
struct rpc_failure {
    std::string server; // "host:port"
    std::string reason;
};
std::optional<rpc_failure> find_rpc_failure(const std::string & message);
error rpc_server_lost(const rpc_failure & failure); // RPC_SERVER_LOST

// Throws that error if the log of a failed call tells of such a server.
void require_rpc_servers(const std::string & log);

}
