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

// ggml calls this just before abort(). An exception that leaves it unwinds ggml's C frames (compiled with -fexceptions)
// up to our own; returning lets the process end.
void on_abort(const char * message) {
    if (guards > 0) {
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
