#include "core/atomic-file.h"

#include "core/error.h"
#include "core/file-system.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

constexpr int max_links = 40; // Linux's limit; a longer chain is a circle

[[noreturn]] void not_writable(const std::string & path, const std::string & reason, const char * hint) {
    throw error("OUTPUT_NOT_WRITABLE", "cannot write '" + path + "': " + reason, hint);
}

// The end of a chain of symbolic links, whether or not that file exists.
fs::path resolve_links(const std::string & path) {
    fs::path target = fs::u8path(path);
    std::error_code failed;
    for (int links = 0; fs::is_symlink(fs::symlink_status(target, failed)); links++) {
        if (links == max_links) not_writable(path, "its symbolic links form a circle", "remove the link");
        target = target.parent_path() / fs::read_symlink(target, failed); // an absolute target replaces the folder
        if (failed) not_writable(path, failed.message(), "check the symbolic link");
    }
    return target;
}

std::string megabytes(uint64_t bytes) {
    const uint64_t tenths = (bytes + 99999) / 100000;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MB";
}

// A counter makes the name unique within the process and the process id among processes. src/files/names.ts knows this
// form.
fs::path temporary_name(const fs::path & target) {
    static std::atomic<unsigned> counter{0};
    fs::path name = target;
    name += ".llamatune-tmp-" + std::to_string(file_system::process_id()) + "-" + std::to_string(counter++);
    return name;
}

}

atomic_file::atomic_file(std::string path) : path_(std::move(path)) {
    if (path_.empty()) not_writable(path_, "the name is empty", "name a file");
    target_ = resolve_links(path_);
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

void atomic_file::fail(const char * action) const {
    const std::string reason = std::string("could not ") + action + " it: " + std::strerror(errno);
    not_writable(path_, reason, "check that the folder exists, that you may write to it and that the disk is not full");
}

void atomic_file::write(const void * data, size_t bytes) {
    if (bytes > 0 && std::fwrite(data, 1, bytes, file_) != bytes) fail("write");
    position_ += bytes;
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

void require_space(const std::string & path, uint64_t bytes) {
    const fs::path folder = resolve_links(path).parent_path();
    std::error_code failed;
    const fs::space_info disk = fs::space(folder.empty() ? fs::path(".") : folder, failed);
    if (failed || disk.available >= bytes) return;
    not_writable(path,
                 "it needs at least " + megabytes(bytes) + ", but only " + megabytes(disk.available) + " are free",
                 "free some space, or choose a path on another disk");
}

void require_distinct_output(const std::string & output, const std::vector<std::string> & inputs) {
    for (const std::string & input : inputs) {
        std::error_code missing; // a missing file equals no other
        if (input.empty() || !fs::equivalent(fs::u8path(output), fs::u8path(input), missing)) continue;
        throw error("OUTPUT_CONFLICT", "the output '" + output + "' is the input '" + input + "', which would be lost",
                    "choose another output");
    }
}

}
