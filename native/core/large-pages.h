#pragma once

#include <cstddef>

namespace llamatune {

// Asks the system to back this memory with large pages (Linux: transparent huge pages). Use it for buffers of many
// megabytes that are read often: it saves page faults and TLB misses. Call it before the memory is first written. It
// does nothing on other systems.
void use_large_pages(void * memory, size_t size);

}
