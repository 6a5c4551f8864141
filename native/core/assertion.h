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

// A server failure that a message of ggml's RPC back end reports. llama.cpp catches and logs some of these assertions,
// so the log of a failed call is searched for them.
struct rpc_failure {
    std::string server; // "host:port"
    std::string reason;
};
std::optional<rpc_failure> find_rpc_failure(const std::string & message);
error rpc_server_lost(const rpc_failure & failure); // RPC_SERVER_LOST

// llama.cpp catches exceptions in some calls, logs them and returns null. Throws the error that the log of such a call
// reports: RPC_SERVER_LOST, NATIVE_ASSERTION, or OUT_OF_MEMORY with the message "out of memory <doing>" and the hint.
// Returns if the log reports none of them.
void throw_logged_error(const std::string & log, const std::string & doing, const char * hint);

}
