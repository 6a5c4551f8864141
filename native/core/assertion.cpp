#include "core/assertion.h"

#include "core/log.h"

#include <ggml.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>

namespace llamatune {

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
    return error("RPC_SERVER_LOST", "lost the RPC server " + failure.server + ": " + failure.reason,
                 "The server's own output says whether it crashed. Restart it and load the model again; a training run "
                 "continues from its newest checkpoint with checkpoint.resume.");
}

namespace {

constexpr const char * assertion_text = "an assertion in llama.cpp failed: ";

[[noreturn]] void assertion_failed(const std::string & message) {
    throw error("NATIVE_ASSERTION", assertion_text + message,
                "This is a limit of the model or the device, or a bug. Load the model again before you use it.");
}

bool reports_no_memory(const std::string & log) {
    for (const char * text : {"failed to allocate", "unable to allocate", "out of memory", "bad_alloc"}) {
        if (log.find(text) != std::string::npos) return true;
    }
    return false;
}

}

void throw_logged_error(const std::string & log, const std::string & doing, const char * hint) {
    if (const auto lost = find_rpc_failure(log)) throw rpc_server_lost(*lost);
    const size_t assertion = log.find(assertion_text);
    if (assertion != std::string::npos) {
        const size_t start = assertion + std::string(assertion_text).size();
        assertion_failed(log.substr(start, log.find("; ", start) - start));
    }
    if (reports_no_memory(log)) throw error("OUT_OF_MEMORY", "out of memory " + doing + ": " + log, hint);
}

namespace {

std::terminate_handler previous_terminate_handler = nullptr;

// ggml calls this just before abort(). The exception unwinds ggml's C frames, which are compiled with -fexceptions.
[[noreturn]] void throw_assertion(const char * message) {
    if (const auto lost = find_rpc_failure(message)) throw rpc_server_lost(*lost);
    assertion_failed(message);
}

// Writes the message of an uncaught error to stderr as well, since the log may never be read after this.
[[noreturn]] void log_and_abort() {
    try {
        if (std::current_exception()) throw;
    } catch (const error & e) {
        write_log(log_level::error, std::string("fatal: ") + e.what());
        std::fprintf(stderr, "llamatune: fatal: %s\n", e.what());
        std::abort();
    } catch (...) {}
    if (previous_terminate_handler) previous_terminate_handler();
    std::abort();
}

}

void install_assertion_handler() {
    static std::once_flag once;
    std::call_once(once, [] {
        ggml_set_abort_callback(throw_assertion);
        previous_terminate_handler = std::set_terminate(log_and_abort);
    });
}

}
