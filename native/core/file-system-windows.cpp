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

bool replace(const fs::path & from, const fs::path & to) {
    if (MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return true;
    errno = EACCES; // the usual reason: the destination is read-only or open elsewhere
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
        DeleteFileW(path_.c_str()); // fails, as it should, if another process has locked the file since
    }

private:
    fs::path path_;
    HANDLE file_;
};

}

lock_attempt try_lock(const fs::path & path) {
    // The lock is the share mode: others may read the file but not open it for writing.
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
