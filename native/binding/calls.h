#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// Adds the addon's exports other than models (binding/model-object.h), the log (binding/logger.h) and file locks
// (binding/file-lock.h). src/contract/addon.ts documents them.
void export_calls(Napi::Env env, Napi::Object exports);

}
