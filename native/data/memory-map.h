#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace llamatune {

// A whole file mapped read-only. Pages are loaded on first use and the system may drop them at any time.
class memory_map {
public:
    // Throws error TOKEN_FILE_INVALID when the file cannot be opened or mapped. An empty file maps to size 0.
    static std::unique_ptr<memory_map> open(const std::string & path);
    virtual ~memory_map() = default;
    memory_map(const memory_map &) = delete;
    memory_map & operator=(const memory_map &) = delete;

    // Removes the pages that were read from the process's resident memory; they stay readable.
    virtual void forget() const = 0;

    const uint8_t * data() const { return data_; }
    size_t size() const { return size_; }

protected:
    memory_map() = default;
    const uint8_t * data_ = nullptr;
    size_t size_ = 0;
};

}
