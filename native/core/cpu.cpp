#include "core/cpu.h"

#include <algorithm>
#include <thread>

#if defined(_WIN32)
#include "core/windows-api.h"

#include <vector>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(__linux__)
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#endif

namespace llamatune {

namespace {

#if defined(_WIN32)

int count_cores() {
    DWORD_PTR allowed = 0, system = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &allowed, &system) || allowed == 0) return 0;
    DWORD bytes = 0;
    GetLogicalProcessorInformation(nullptr, &bytes);
    std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> entries(bytes / sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
    if (entries.empty() || !GetLogicalProcessorInformation(entries.data(), &bytes)) return 0;
    int cores = 0;
    for (const auto & entry : entries) {
        if (entry.Relationship == RelationProcessorCore && (entry.ProcessorMask & allowed)) cores++;
    }
    return cores;
}

#elif defined(__APPLE__)

int count_cores() {
    // Count only the performance cores if there are two kinds: the other threads would wait for the slow ones.
    for (const char * key : {"hw.perflevel0.physicalcpu", "hw.physicalcpu"}) {
        int32_t cores = 0;
        size_t bytes = sizeof(cores);
        if (sysctlbyname(key, &cores, &bytes, nullptr, 0) == 0 && cores > 0) return cores;
    }
    return 0;
}

#elif defined(__linux__)

bool read_number(const std::string & path, long & value) {
    std::FILE * file = std::fopen(path.c_str(), "re");
    if (!file) return false;
    const bool ok = std::fscanf(file, "%ld", &value) == 1;
    std::fclose(file);
    return ok;
}

// Returns the cgroup's CPU quota in CPUs, rounded up; 0 means no limit.
int cgroup_quota() {
    std::FILE * file = std::fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file) return 0;
    long quota = 0, period = 0;
    const bool limited = std::fscanf(file, "%ld %ld", &quota, &period) == 2; // "max 100000" does not match
    std::fclose(file);
    return limited && quota > 0 && period > 0 ? int((quota + period - 1) / period) : 0;
}

int count_cores() {
    constexpr int max_cpus = 8192; // more than a static cpu_set_t holds
    cpu_set_t * allowed = CPU_ALLOC(max_cpus);
    if (!allowed) return 0;
    const size_t bytes = CPU_ALLOC_SIZE(max_cpus);
    CPU_ZERO_S(bytes, allowed);
    std::set<std::pair<long, long>> cores; // (package, core)
    int unknown = 0;
    if (sched_getaffinity(0, bytes, allowed) == 0) {
        for (int cpu = 0; cpu < max_cpus; cpu++) {
            if (!CPU_ISSET_S(cpu, bytes, allowed)) continue;
            const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
            long package = 0, core = 0;
            if (read_number(topology + "physical_package_id", package) && read_number(topology + "core_id", core)) {
                cores.emplace(package, core);
            } else {
                unknown++;
            }
        }
    }
    CPU_FREE(allowed);
    int n = int(cores.size()) + unknown;
    if (const int quota = cgroup_quota()) n = std::min(n, quota);
    return n;
}

#else

int count_cores() { return 0; }

#endif

}

int32_t usable_physical_cores() {
    const int cores = count_cores();
    return cores > 0 ? cores : std::max(1, int(std::thread::hardware_concurrency()));
}

}
