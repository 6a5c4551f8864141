#pragma once

#include "core/error.h"

#include <optional>
#include <string>

namespace llamatune {

// From here on a failed assertion goes through us (idempotent; every guard does it too).
void install_abort_handler();

// While one lives on this thread, a failed GGML_ASSERT on this same thread throws llamatune::error
// (code "NATIVE_ASSERTION", or "RPC_SERVER_LOST") instead of ending the process; the object that was being worked on
// must be thrown away. An assertion on a thread without a guard still aborts, after its message went to the log.
class abort_guard {
public:
    abort_guard();
    ~abort_guard();
    abort_guard(const abort_guard &) = delete;
    abort_guard & operator=(const abort_guard &) = delete;
};

// What a message of ggml's RPC back end tells: such an assertion is no fault of the input but a server that is gone.
// llama.cpp catches some of them and logs the message.
struct rpc_failure {
    std::string server; // "host:port"
    std::string reason;
};
std::optional<rpc_failure> find_rpc_failure(const std::string & message);
error rpc_server_lost(const rpc_failure & failure); // RPC_SERVER_LOST

// Throws that error where the log of a failed call tells of such a server.
void require_rpc_servers(const std::string & log);

}
