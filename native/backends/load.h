#pragma once

#include <string>

namespace llamatune {

// Makes ggml's back ends available; idempotent, thread-safe, called once before any model is touched.
// In the portable build they are libraries in `folder` (the addon's own): the best CPU variant for this machine and
// every GPU back end that loads. Otherwise they are linked in and the folder does not matter.
// Throws error: BACKEND_NOT_FOUND when no CPU back end could be loaded.
void load_backends(const std::string & folder);

}
