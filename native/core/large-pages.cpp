#include "core/large-pages.h"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace llamatune {

#ifdef __linux__

void use_large_pages(void * memory, size_t size) {
    constexpr uintptr_t page = 2u << 20;
    const uintptr_t first = (reinterpret_cast<uintptr_t>(memory) + page - 1) / page * page;
    const uintptr_t last = (reinterpret_cast<uintptr_t>(memory) + size) / page * page;
    if (first < last) {
        madvise(reinterpret_cast<void *>(first), last - first, MADV_HUGEPAGE); // an error is harmless
    }
}

#else

void use_large_pages(void *, size_t) {}

#endif

}
