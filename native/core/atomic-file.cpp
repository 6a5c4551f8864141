#include "core/atomic-file.h"

#include "core/error.h"
#include "core/file-system.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

constexpr int most_links = 40; // as in Linux: more are a circle

[[noreturn]] void not_writable(const std::string & path, const std::string & reason, const char * hint) {
    throw error("OUTPUT_NOT_WRITABLE", "cannot write '" + path + "': " + reason, hint);
}

// Where a chain of symbolic links ends, whether or not there is a file.
fs::path end_of_links(const std::string & path) {
    fs::path target = fs::u8path(path);
    std::error_code failed;
    for (int links = 0; fs::is_symlink(fs::symlink_status(target, failed)); links++) {
        if (links == most_links) not_writable(path, "its symbolic links form a circle", "remove the link");
        target = target.parent_path() / fs::read_symlink(target, failed); // an absolute target replaces the folder
        if (failed) not_writable(path, failed.message(), "check the symbolic link");
    }
    return target;
}

// Distinct within the process and, by its id, among processes. src/files/names.ts knows the form.
fs::path temporary_name(const fs::path & target) {
    static std::atomic<unsigned> counter{0};
    fs::path name = target;
    name += ".llamatune-tmp-" + std::to_string(file_system::process_id()) + "-" + std::to_string(counter++);
    return name;
}

}

atomic_file::atomic_file(std::string path) : path_(std::move(path)) {
    if (path_.empty()) not_writable(path_, "the name is empty", "name a file");
    target_ = end_of_links(path_);
    std::error_code ignored;
    const fs::file_status status = fs::status(target_, ignored);
    if (fs::is_directory(status)) not_writable(path_, "it is a folder", "name a file inside it");
    if (fs::exists(status) && !fs::is_regular_file(status)) // replacing a device like /dev/null would remove it
        not_writable(path_, "it is not a regular file", "name a file");
    temporary_ = temporary_name(target_);
    file_ = file_system::open_for_writing(temporary_);
    if (!file_) fail("open");
}

atomic_file::~atomic_file() {
    if (!file_) return;
    std::fclose(file_);
    std::error_code ignored;
    fs::remove(temporary_, ignored);
}

void atomic_file::fail(const char * doing) const {
    const std::string reason = std::string("could not ") + doing + " it: " + std::strerror(errno);
    not_writable(path_, reason, "check that the folder exists, that you may write to it and that the disk has room");
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
    if (!file_system::seek_to(file_, offset)) fail("seek in");
    position_ = offset;
}

void atomic_file::commit() {
    if (!file_system::flush_to_disk(file_)) fail("flush");
    const bool closed = std::fclose(file_) == 0;
    file_ = nullptr;
    if (closed && replace_target()) return;
    const int reason = errno;
    std::error_code ignored;
    fs::remove(temporary_, ignored);
    errno = reason;
    fail("rename");
}

bool atomic_file::replace_target() const {
    std::error_code ignored;
    const fs::file_status replaced = fs::status(target_, ignored);
    if (fs::exists(replaced)) fs::permissions(temporary_, replaced.permissions(), ignored);
    return file_system::replace(temporary_, target_);
}

void require_output_apart_from(const std::string & output, const std::vector<std::string> & inputs) {
    for (const std::string & input : inputs) {
        std::error_code absent; // a file that is not there is not the same as any other
        if (input.empty() || !fs::equivalent(fs::u8path(output), fs::u8path(input), absent)) continue;
        throw error("OUTPUT_CONFLICT", "the output '" + output + "' is the input '" + input + "', which would be lost",
                    "choose another output");
    }
}

}
