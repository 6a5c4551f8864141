#ifdef _WIN32

#include "core/error.h"
#include "core/windows-api.h"
#include "data/memory-map.h"

#include <filesystem>

namespace llamatune {

namespace {

[[noreturn]] void fail(const std::string & path, const std::string & what) {
    throw error("TOKEN_FILE_INVALID", "cannot read the token file '" + path + "': " + what + ": Windows error " +
                                          std::to_string(GetLastError()));
}

struct handle_closer {
    void operator()(HANDLE handle) const { CloseHandle(handle); }
};
using handle_ptr = std::unique_ptr<void, handle_closer>;

class windows_map final : public memory_map {
public:
    explicit windows_map(const std::string & path) {
        const HANDLE opened =
            CreateFileW(std::filesystem::u8path(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE,
                        nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
        if (opened == INVALID_HANDLE_VALUE) { fail(path, "opening it failed"); }
        const handle_ptr file(opened);
        LARGE_INTEGER size{};
        if (!GetFileSizeEx(file.get(), &size)) { fail(path, "its size cannot be read"); }
        size_ = (size_t)size.QuadPart;
        if (size_ == 0) {
            return; // an empty file cannot be mapped
        }
        const handle_ptr mapping(CreateFileMappingW(file.get(), nullptr, PAGE_READONLY, 0, 0, nullptr));
        if (!mapping) { fail(path, "mapping it failed"); }
        data_ = static_cast<const uint8_t *>(MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0));
        if (!data_) { fail(path, "mapping it failed"); }
    }

    void forget() const override {} // Windows trims unmodified mapped pages when memory is short

    ~windows_map() override {
        if (data_) { UnmapViewOfFile(data_); }
    }
};

}

std::unique_ptr<memory_map> memory_map::open(const std::string & path) { return std::make_unique<windows_map>(path); }

}

#endif
