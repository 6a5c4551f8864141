#pragma once

#include <cstdint>

namespace llamatune {

// Bytes of physical memory this process holds now, and the most it has held; 0 where the platform does not tell.
uint64_t resident_bytes();
uint64_t peak_resident_bytes();

}
