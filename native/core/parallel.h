#pragma once

#include <cstdint>
#include <functional>

namespace llamatune {

// Calls run(i) for every i in [0, n), on this thread and up to n_threads - 1 more. The first exception stops the rest
// and is thrown here; failed assertions of ggml inside run are errors as well.
void parallel_for(int64_t n, int32_t n_threads, const std::function<void(int64_t)> & run);

}
