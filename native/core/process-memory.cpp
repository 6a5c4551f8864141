#include "core/process-memory.h"

#include <cstdlib> // defines __GLIBC__ where it is glibc
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#if defined(_WIN32)
#include "core/windows-api.h"
// after windows.h
#include <psapi.h>
#elif defined(__APPLE__)
#include <mach/mach.h>
#include <sys/resource.h>
#elif defined(__linux__)
#include <cstdio>
#include <cstring>
#endif

namespace llamatune {

#if defined(_WIN32)

static bool counters(PROCESS_MEMORY_COUNTERS & out) {
    // The name with K32 is in kernel32, which is always linked.
    return K32GetProcessMemoryInfo(GetCurrentProcess(), &out, sizeof(out)) != 0;
}

std::optional<uint64_t> resident_bytes() {
    PROCESS_MEMORY_COUNTERS c;
    return counters(c) ? std::optional<uint64_t>(c.WorkingSetSize) : std::nullopt;
}

std::optional<uint64_t> peak_resident_bytes() {
    PROCESS_MEMORY_COUNTERS c;
    return counters(c) ? std::optional<uint64_t>(c.PeakWorkingSetSize) : std::nullopt;
}

std::optional<uint64_t> private_bytes() {
    PROCESS_MEMORY_COUNTERS c;
    return counters(c) ? std::optional<uint64_t>(c.PagefileUsage) : std::nullopt;
}

#elif defined(__APPLE__)

std::optional<uint64_t> resident_bytes() {
    mach_task_basic_info info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    const kern_return_t rc =
        task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count);
    return rc == KERN_SUCCESS ? std::optional<uint64_t>(info.resident_size) : std::nullopt;
}

std::optional<uint64_t> peak_resident_bytes() {
    rusage usage;
    // bytes on macOS
    return getrusage(RUSAGE_SELF, &usage) == 0 ? std::optional<uint64_t>(usage.ru_maxrss) : std::nullopt;
}

std::optional<uint64_t> private_bytes() {
    task_vm_info info;
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    const kern_return_t rc = task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count);
    return rc == KERN_SUCCESS ? std::optional<uint64_t>(info.phys_footprint) : std::nullopt;
}

#elif defined(__linux__)

// A line like "VmRSS:      1234 kB" of /proc/self/status.
static std::optional<uint64_t> status_bytes(const char * key) {
    std::FILE * file = std::fopen("/proc/self/status", "re");
    if (!file) return std::nullopt;
    const size_t length = std::strlen(key);
    unsigned long long kib = 0;
    for (char line[256]; std::fgets(line, sizeof(line), file);) {
        if (std::strncmp(line, key, length) == 0 && std::sscanf(line + length, ": %llu", &kib) == 1) break;
    }
    std::fclose(file);
    return kib > 0 ? std::optional<uint64_t>(uint64_t(kib) * 1024) : std::nullopt;
}

std::optional<uint64_t> resident_bytes() { return status_bytes("VmRSS"); }
std::optional<uint64_t> peak_resident_bytes() { return status_bytes("VmHWM"); }
std::optional<uint64_t> private_bytes() { return status_bytes("RssAnon"); }

#else

std::optional<uint64_t> resident_bytes() { return std::nullopt; }
std::optional<uint64_t> peak_resident_bytes() { return std::nullopt; }
std::optional<uint64_t> private_bytes() { return std::nullopt; }

#endif

void release_freed_memory() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

}
