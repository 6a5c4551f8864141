#pragma once

#include <cstdint>
#include <optional>

namespace llamatune {

// The resident memory of this process in bytes, now and at its peak; not set if the platform does not report it.
std::optional<uint64_t> resident_bytes();
std::optional<uint64_t> peak_resident_bytes();
// The part of it that is not backed by files, i.e. without mapped models and program code.
std::optional<uint64_t> private_bytes();

// Returns freed memory to the system after a run; glibc would keep it in the arena of every thread that ever allocated.
void release_freed_memory();

}
