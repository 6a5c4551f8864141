#include "core/abort-guard.h"

#include "core/error.h"
#include "core/log.h"

#include <ggml.h>

#include <cstdio>
#include <mutex>
#include <string>

namespace llamatune {

namespace {

thread_local int guards = 0;

}

std::optional<rpc_failure> find_rpc_failure(const std::string & message) {
    const std::string start = "RPC server ";
    const size_t at = message.find(start);
    const size_t colon = at == std::string::npos ? at : message.find(": ", at);
    if (colon == std::string::npos) return std::nullopt;
    const size_t server = at + start.size(), reason = colon + 2;
    return rpc_failure{message.substr(server, colon - server),
                       message.substr(reason, message.find_first_of(";\n", reason) - reason)};
}

error rpc_server_lost(const rpc_failure & failure) {
    return error(
        "RPC_SERVER_LOST",
        "expected an answer but received none from RPC server " + failure.server + ": " + failure.reason,
        "Its own output says whether it crashed. Start it anew and load the model again; a training run goes on "
        "from its newest checkpoint with checkpoint.resume.");
}

void require_rpc_servers(const std::string & log) {
    if (const auto lost = find_rpc_failure(log)) throw rpc_server_lost(*lost);
}

namespace {

// ggml calls this just before abort(). An exception that leaves it unwinds ggml's C frames (compiled with -fexceptions)
// up to our own; returning lets the process end.
void on_abort(const char * message) {
    if (guards > 0) {
        require_rpc_servers(message);
        throw error("NATIVE_ASSERTION",
                    std::string("expected llama.cpp to accept this input but an assertion failed: ") + message,
                    "this is a limit of the model or the device, or a bug; load the model anew before going on");
    }
    // The process ends here whatever we do: without a log sink, its last words go where anyone looks for them.
    if (!write_log(log_level::error, std::string("fatal: ") + message))
        std::fprintf(stderr, "llamatune: fatal: %s\n", message);
}

}

void install_abort_handler() {
    static std::once_flag once;
    std::call_once(once, [] { ggml_set_abort_callback(on_abort); });
}

abort_guard::abort_guard() {
    install_abort_handler();
    guards++;
}

abort_guard::~abort_guard() { guards--; }

}
