#pragma once

#include "core/error.h"

#include <optional>
#include <string>

namespace llamatune {

// After this call (idempotent) a failed GGML_ASSERT throws llamatune::error, code NATIVE_ASSERTION or RPC_SERVER_LOST,
// instead of ending the process. The exception unwinds through ggml's C frames. An exception on a compute thread is
// rethrown on the thread that started the graph. Discard the object that was in use. If nothing catches the exception
// (on a thread that llama.cpp starts internally), its message goes to the log and the process ends.
void install_assertion_handler();

// A server failure that a message of ggml's RPC backend reports. llama.cpp catches and logs some of these assertions,
// so the log of a failed call is searched for them.
struct rpc_failure {
    std::string server; // "host:port"
    std::string reason;
};
std::optional<rpc_failure> find_rpc_failure(const std::string & message);
error rpc_server_lost(const rpc_failure & failure); // RPC_SERVER_LOST

// Throws RPC_SERVER_LOST if the log of a failed call reports such a failure.
void require_rpc_servers(const std::string & log);

}
