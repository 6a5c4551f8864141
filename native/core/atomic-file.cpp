#include "core/atomic-file.h"

#include "core/error.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <io.h>
#include <process.h>
#include <windows.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace fs = std::filesystem;

namespace llamatune {

namespace {

#if defined(_WIN32)

int process_id() { return _getpid(); }
std::FILE * open_for_writing(const fs::path & path) { return _wfopen(path.c_str(), L"w+b"); }
bool flush_to_disk(std::FILE * file) { return std::fflush(file) == 0 && _commit(_fileno(file)) == 0; }
bool seek_to(std::FILE * file, uint64_t offset) { return _fseeki64(file, int64_t(offset), SEEK_SET) == 0; }
bool replace(const fs::path & from, const fs::path & to) {
    return MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) != 0;
}

#else

int process_id() { return int(getpid()); }
std::FILE * open_for_writing(const fs::path & path) { return std::fopen(path.c_str(), "w+b"); }
bool flush_to_disk(std::FILE * file) { return std::fflush(file) == 0 && fsync(fileno(file)) == 0; }
bool seek_to(std::FILE * file, uint64_t offset) { return fseeko(file, off_t(offset), SEEK_SET) == 0; }
bool replace(const fs::path & from, const fs::path & to) {
    if (std::rename(from.c_str(), to.c_str()) != 0) return false;
    // The new name itself is only safe once the folder is on the disk; a file system that cannot do this is let off.
    const fs::path folder = to.has_parent_path() ? to.parent_path() : fs::path(".");
    const int fd = open(folder.c_str(), O_RDONLY);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    return true;
}

#endif

// Distinct within the process and, by its id, among processes.
std::string temporary_name(const std::string & path) {
    static std::atomic<unsigned> counter{0};
    return path + ".tmp-" + std::to_string(process_id()) + "-" + std::to_string(counter++);
}

}

atomic_file::atomic_file(std::string path) : path_(std::move(path)), temporary_(temporary_name(path_)) {
    std::error_code ec;
    if (path_.empty() || fs::is_directory(fs::u8path(path_), ec)) {
        throw error("OUTPUT_NOT_WRITABLE", "expected the name of a file to write but received '" + path_ + "'");
    }
    file_ = open_for_writing(fs::u8path(temporary_));
    if (!file_) fail("open");
}

atomic_file::~atomic_file() {
    if (!file_) return;
    std::fclose(file_);
    std::error_code ec;
    fs::remove(fs::u8path(temporary_), ec);
}

void atomic_file::fail(const char * doing) const {
    const std::string reason = std::strerror(errno);
    throw error("OUTPUT_NOT_WRITABLE", "expected to write '" + path_ + "' but could not " + doing + " it: " + reason,
                "check that the folder exists, that it may be written to and that the disk has room");
}

void atomic_file::write(const void * data, size_t bytes) {
    if (bytes > 0 && std::fwrite(data, 1, bytes, file_) != bytes) fail("write");
    position_ += bytes;
}

void atomic_file::write_zeros(size_t bytes) {
    static const char zeros[4096] = {};
    for (size_t n; bytes > 0; bytes -= n) {
        n = std::min(bytes, sizeof(zeros));
        write(zeros, n);
    }
}

void atomic_file::seek(uint64_t offset) {
    if (!seek_to(file_, offset)) fail("seek in");
    position_ = offset;
}

void atomic_file::commit() {
    if (!flush_to_disk(file_)) fail("flush");
    const int closed = std::fclose(file_);
    file_ = nullptr;
    if (closed == 0 && replace(fs::u8path(temporary_), fs::u8path(path_))) return;
    const int reason = errno;
    std::error_code ec;
    fs::remove(fs::u8path(temporary_), ec);
    errno = reason;
    fail("rename");
}

}
