#if defined(_WIN32)

#include "core/file-system.h"
#include "core/windows-api.h"

#include <cerrno>
#include <io.h>
#include <process.h>

namespace fs = std::filesystem;

namespace llamatune::file_system {

int process_id() { return _getpid(); }
std::FILE * open_for_writing(const fs::path & path) { return _wfopen(path.c_str(), L"w+b"); }
bool flush_to_disk(std::FILE * file) { return std::fflush(file) == 0 && _commit(_fileno(file)) == 0; }
bool seek_to(std::FILE * file, uint64_t offset) { return _fseeki64(file, int64_t(offset), SEEK_SET) == 0; }

bool replace(const fs::path & from, const fs::path & to) {
    if (MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return true;
    errno = EACCES; // what it nearly always is: the destination is open elsewhere, or read-only
    return false;
}

namespace {

class windows_lock final : public held_lock {
public:
    windows_lock(fs::path path, HANDLE file) : path_(std::move(path)), file_(file) {}
    ~windows_lock() override {
        if (file_ != INVALID_HANDLE_VALUE) CloseHandle(file_);
    }
    void release() override {
        CloseHandle(file_);
        file_ = INVALID_HANDLE_VALUE;
        DeleteFileW(path_.c_str()); // fails if someone else has locked it since, which is right
    }

private:
    fs::path path_;
    HANDLE file_;
};

}

lock_attempt try_lock(const fs::path & path) {
    // Others may read the file but not open it for writing: that is the lock.
    const HANDLE file = CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr, OPEN_ALWAYS,
                                    FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, nullptr);
    if (file == INVALID_HANDLE_VALUE) {
        if (GetLastError() == ERROR_SHARING_VIOLATION) return {lock_state::busy, nullptr};
        errno = EACCES;
        return {lock_state::failed, nullptr};
    }
    const std::string owner = std::to_string(process_id()) + "\n";
    DWORD written = 0;
    SetEndOfFile(file);
    (void)WriteFile(file, owner.data(), DWORD(owner.size()), &written, nullptr); // for messages only
    return {lock_state::held, std::make_unique<windows_lock>(path, file)};
}

}

#endif
