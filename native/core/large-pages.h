#pragma once

#include <cstddef>

namespace llamatune {

// Asks the system to back this memory with large pages where it can (Linux: transparent huge pages). For buffers of
// many megabytes that are walked through again and again: fewer page faults at first use and fewer look-ups ever after.
// Does nothing where there is no such call; before the memory is touched is best.
void use_large_pages(void * memory, size_t size);

}
