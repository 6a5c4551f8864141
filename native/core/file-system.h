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

// Renames `from` over `to` so that a crash leaves one of the two, whole; errno on failure.
bool replace(const std::filesystem::path & from, const std::filesystem::path & to);

// An open lock file. The operating system releases the lock when the process ends in any way. Only release() removes
// the file: a file that is left behind shows that its holder did not finish normally.
class held_lock {
public:
    virtual ~held_lock() = default;
    virtual void release() = 0; // removes the file; destroy the object afterwards
};

enum class lock_state {
    held,
    busy,        // held elsewhere, in this process or another one
    unsupported, // the file system has no locks
    failed,      // the lock file cannot be created; errno says why
};

struct lock_attempt {
    lock_state state;
    std::unique_ptr<held_lock> lock; // null unless held
};

// Never waits.
lock_attempt try_lock(const std::filesystem::path & path);

}
