#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

// What <filesystem> lacks; file-system-posix.cpp and file-system-windows.cpp implement it.
namespace llamatune::file_system {

int process_id();

std::FILE * open_for_writing(const std::filesystem::path & path); // truncates; null and errno on failure
bool flush_to_disk(std::FILE * file);
bool seek_to(std::FILE * file, uint64_t offset);

// Renames `from` over `to` so that a crash leaves one of the two, whole; errno on failure.
bool replace(const std::filesystem::path & from, const std::filesystem::path & to);

// An open lock file. The system ends the lock when the process ends, however it ends; the file stays then, and also
// after the destructor: it tells that its holder did not end in order.
class held_lock {
public:
    virtual ~held_lock() = default;
    virtual void release() = 0; // removes the file; then destroy the object
};

enum class lock_state {
    held,
    busy,        // someone else holds it, in this process or in another one
    unsupported, // this file system has no locks
    failed,      // the lock file cannot be created; errno says why
};

struct lock_attempt {
    lock_state state;
    std::unique_ptr<held_lock> lock; // null unless held
};

// Never waits.
lock_attempt try_lock(const std::filesystem::path & path);

}
