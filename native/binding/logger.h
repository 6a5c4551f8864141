#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// setLogger(onLines | null): the log of llama.cpp and ggml as batches of { level, line }. There is one logger in a
// process; the last one that was set gets everything, until its environment goes away.
Napi::Value set_logger_call(const Napi::CallbackInfo & info);

}
