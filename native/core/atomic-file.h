#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace llamatune {

// A file that appears whole or not at all: written next to its destination under a temporary name, flushed to the disk
// and renamed by commit(). Without commit() the destructor removes it and the destination stays as it was. If the path
// is a symbolic link, the link stays and the file it leads to is replaced; permissions of a replaced file are kept.
class atomic_file {
public:
    // Throws error OUTPUT_NOT_WRITABLE.
    explicit atomic_file(std::string path);
    ~atomic_file();
    atomic_file(const atomic_file &) = delete;
    atomic_file & operator=(const atomic_file &) = delete;

    void write(const void * data, size_t bytes);
    void write_zeros(size_t bytes);
    void seek(uint64_t offset);
    uint64_t position() const { return position_; }

    void commit(); // closes; nothing can be written afterwards

    const std::string & path() const { return path_; }
    std::string temporary_path() const { return temporary_.u8string(); }
    std::FILE * handle() const { return file_; } // for writers that take a FILE *; position() does not follow them

private:
    [[noreturn]] void fail(const char * doing) const;
    bool replace_target() const; // errno on failure

    std::string path_;
    std::filesystem::path target_; // path_ without symbolic links at its end
    std::filesystem::path temporary_;
    std::FILE * file_ = nullptr;
    uint64_t position_ = 0;
};

// Throws error OUTPUT_CONFLICT if `output` leads to the same file as one of `inputs`, by whatever path or link. Empty
// paths are skipped.
void require_output_apart_from(const std::string & output, const std::vector<std::string> & inputs);

}
