#pragma once

#include "core/enum-names.h"

#include <functional>
#include <string>

namespace llamatune {

enum class log_level { debug, info, warn, error };

inline constexpr enum_name<log_level> log_level_names[] = {
    {log_level::debug, "debug"}, {log_level::info, "info"}, {log_level::warn, "warn"}, {log_level::error, "error"}};
constexpr auto & names_of(log_level) { return log_level_names; }

struct log_line {
    log_level level;
    std::string line;
};

template <class V>
void fields(V & v, log_line & l) {
    v("level", l.level);
    v("line", l.line);
}

// All messages of llama.cpp and ggml go to one sink; without a sink they are dropped, so native code never prints.
// Each thread's last warnings and errors are kept, since they explain why a llama.cpp call returned null.
using log_sink = std::function<void(log_level level, const std::string & line)>;

// Routes llama.cpp's and ggml's logs here (idempotent). Call it before any other llama.cpp call.
void install_log();
void set_log_sink(log_sink to);

// Logs a line of llamatune. Returns whether there is a sink.
bool write_log(log_level level, const std::string & line);

// The warnings and errors logged on this thread since the last call, joined by "; ".
std::string take_recent_errors();

}
