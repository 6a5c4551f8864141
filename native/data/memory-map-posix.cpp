#ifndef _WIN32

#include "core/error.h"
#include "data/memory-map.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llamatune {

namespace {

[[noreturn]] void fail(const std::string & path, const std::string & what, int code) {
    throw error("TOKEN_FILE_INVALID",
                "cannot read the token file '" + path + "': " + what + ": " + std::strerror(code));
}

class posix_map final : public memory_map {
public:
    explicit posix_map(const std::string & path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) { fail(path, "opening it failed", errno); }
        struct stat info{};
        if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
            const int code = S_ISDIR(info.st_mode) ? EISDIR : errno ? errno : EINVAL;
            ::close(fd);
            fail(path, "it is not a regular file", code);
        }
        size_ = (size_t)info.st_size;
        if (size_ > 0) {
            void * address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
            if (address == MAP_FAILED) {
                const int code = errno;
                ::close(fd);
                fail(path, "mapping it failed", code);
            }
            data_ = static_cast<const uint8_t *>(address);
        }
        ::close(fd); // the mapping keeps the file alive
    }

    void forget() const override {
        if (data_) ::madvise(const_cast<uint8_t *>(data_), size_, MADV_DONTNEED);
    }

    ~posix_map() override {
        if (data_) { ::munmap(const_cast<uint8_t *>(data_), size_); }
    }
};

}

std::unique_ptr<memory_map> memory_map::open(const std::string & path) { return std::make_unique<posix_map>(path); }

}

#endif
