#pragma once

#include <cstdint>
#include <optional>

namespace llamatune {

// Bytes of physical memory this process holds now, and the most it has held, where the platform tells.
std::optional<uint64_t> resident_bytes();
std::optional<uint64_t> peak_resident_bytes();

// Gives memory that was freed back to the system where the allocator would keep it for later (glibc does, for each
// thread that ever allocated): after a run an application wants it back.
void release_freed_memory();

}
