#pragma once

#include <cstdint>

namespace llamatune {

// Returns how many physical cores this process may use, at least 1. It respects the affinity mask and, on Linux, the
// cgroup's CPU quota. This is the default number of compute threads: a second hardware thread per core slows matrix
// products down.
int32_t usable_physical_cores();

}
