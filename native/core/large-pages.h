#pragma once

#include <cstddef>

namespace llamatune {

// Asks the system to back this memory with large pages (Linux: transparent huge pages), for buffers of many megabytes
// that are read again and again: fewer page faults and fewer TLB misses. Call it before the memory is first written.
// Does nothing on systems without such a call.
void use_large_pages(void * memory, size_t size);

}
