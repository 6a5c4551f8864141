#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// setLogger(onLines | null): the log of llama.cpp and ggml in batches of { level, line }. A process has one logger, the
// one that was set last, until its environment shuts down.
Napi::Value set_logger_call(const Napi::CallbackInfo & info);

}
