#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace llamatune {

// Writes a file atomically: to a temporary name in the same folder, which commit() flushes to the disk and renames.
// Without commit() the destructor removes the temporary file and the destination stays unchanged. If the path is a
// symbolic link, the link is kept and its target is replaced. The permissions of a replaced file are kept.
class atomic_file {
public:
    // Throws error OUTPUT_NOT_WRITABLE.
    explicit atomic_file(std::string path);
    ~atomic_file();
    atomic_file(const atomic_file &) = delete;
    atomic_file & operator=(const atomic_file &) = delete;

    void write(const void * data, size_t bytes);
    uint64_t position() const { return position_; }

    void commit(); // closes; nothing can be written afterwards

    const std::string & path() const { return path_; }
    std::string temporary_path() const { return temporary_.u8string(); }

private:
    [[noreturn]] void fail(const char * action) const; // reads errno
    bool replace_target() const;                       // errno on failure

    std::string path_;
    std::filesystem::path target_; // path_ with its symbolic links resolved
    std::filesystem::path temporary_;
    std::FILE * file_ = nullptr;
    uint64_t position_ = 0;
};

// Throws error OUTPUT_NOT_WRITABLE if the disk has no space for a file of this size, which replaces an existing one
// only when it is complete. Does nothing where the free space is not known.
void require_space(const std::string & path, uint64_t bytes);

// Throws error OUTPUT_CONFLICT if `output` is the same file as one of `inputs`, through any path or link. Empty paths
// are skipped.
void require_distinct_output(const std::string & output, const std::vector<std::string> & inputs);

}
