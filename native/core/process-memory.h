#pragma once

#include <cstdint>
#include <optional>

namespace llamatune {

// Resident memory of this process, in bytes: now, and at most so far, where the platform reports it.
std::optional<uint64_t> resident_bytes();
std::optional<uint64_t> peak_resident_bytes();

// Returns freed memory to the system after a run. glibc would keep it, for each thread that ever allocated.
void release_freed_memory();

}
