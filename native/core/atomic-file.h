#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace llamatune {

// A file that appears whole or not at all: written beside its destination under a temporary name, flushed to the disk
// and renamed over it by commit(). Without commit() the destructor removes it and the destination stays as it was.
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
    const std::string & temporary_path() const { return temporary_; }
    std::FILE * handle() const { return file_; } // for writers that take a FILE *; position() does not follow them

private:
    [[noreturn]] void fail(const char * doing) const;

    std::string path_;
    std::string temporary_;
    std::FILE * file_ = nullptr;
    uint64_t position_ = 0;
};

}
