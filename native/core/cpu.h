#pragma once

#include <cstdint>

namespace llamatune {

// Physical cores that this process may use by its affinity mask and, on Linux, its cgroup's CPU quota; at least 1.
// The default number of compute threads: a second hardware thread per core slows matrix products down.
int32_t usable_physical_cores();

}
