#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// lockFile(path): { state: 'held' | 'busy' | 'unsupported', release() }. The lock ends with release(), which removes
// the file, when the object is garbage-collected, or with the process.
Napi::Value lock_file_call(const Napi::CallbackInfo & info);

}
