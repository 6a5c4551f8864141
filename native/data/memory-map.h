#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace llamatune {

// A whole file mapped read-only: pages are loaded as they are touched and can be dropped by the system at any time.
class memory_map {
public:
    // Throws error TOKEN_FILE_INVALID when the file cannot be opened or mapped. An empty file maps to size 0.
    static std::unique_ptr<memory_map> open(const std::string & path);
    virtual ~memory_map() = default;
    memory_map(const memory_map &) = delete;
    memory_map & operator=(const memory_map &) = delete;

    // Takes what was read out of the process's resident memory; it stays readable.
    virtual void forget() const = 0;

    const uint8_t * data() const { return data_; }
    size_t size() const { return size_; }

protected:
    memory_map() = default;
    const uint8_t * data_ = nullptr;
    size_t size_ = 0;
};

}
