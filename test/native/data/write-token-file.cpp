#include "write-token-file.h"

#include "harness.h"

#include <filesystem>
#include <fstream>

namespace harness {

std::string write_bytes(const std::string & name, const std::vector<uint8_t> & bytes) {
    const std::filesystem::path folder = std::filesystem::path(cache_directory()) / "data";
    std::filesystem::create_directories(folder);
    const std::string path = (folder / name).string();
    std::filesystem::remove(path); // another process may have the file mapped
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char *>(bytes.data()), (std::streamsize)bytes.size());
    if (!out) throw failure("cannot write " + path);
    return path;
}

std::string write_token_file(const std::string & name, const std::vector<token_sample> & samples) {
    return write_bytes(name, token_file_bytes(samples));
}

}
