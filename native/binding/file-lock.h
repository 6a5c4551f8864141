#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// lockFile(path) returns { state: 'held' | 'busy' | 'unsupported', release() }. The lock ends with release(), which
// removes the file, when the object is garbage-collected, or when the process ends.
Napi::Value lock_file_call(const Napi::CallbackInfo & info);

}
