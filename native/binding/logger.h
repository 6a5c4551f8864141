#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// setLogger(onLines | null) sets the receiver of the log of llama.cpp and ggml, in batches of { level, line }. A
// process has one logger, the last one that was set, until its environment shuts down.
Napi::Value set_logger_call(const Napi::CallbackInfo & info);

}
