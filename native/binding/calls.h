#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// The addon's exports but for models (binding/model-object.h) and the log (binding/logger.h); src/contract/addon.ts
// documents them.
void export_calls(Napi::Env env, Napi::Object exports);

}
