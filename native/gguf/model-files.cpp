#include "gguf/model-files.h"

#include "core/error.h"

#include <cstdio>

namespace llamatune {

namespace {

// The end of the name of a file of a split model: "-00001-of-00003.gguf".
std::string shard_suffix(int64_t index, int64_t count) {
    char text[40];
    std::snprintf(text, sizeof(text), "-%05d-of-%05d.gguf", int(index + 1), int(count));
    return text;
}

}

model_files::model_files(const std::string & path) {
    files_.push_back(std::make_unique<gguf_reader>(path));
    const int64_t count = first().integer("split.count", 1);
    if (count > 1) {
        const std::string suffix = shard_suffix(0, count);
        const size_t length = path.size() > suffix.size() ? path.size() - suffix.size() : 0;
        if (first().integer("split.no", 0) != 0 || path.compare(length, std::string::npos, suffix) != 0)
            throw error("MODEL_UNREADABLE",
                        "'" + path + "' is not the first file of a model of " + std::to_string(count) +
                            " files, or was renamed",
                        "name the file that ends with " + suffix);
        for (int64_t i = 1; i < count; i++)
            files_.push_back(std::make_unique<gguf_reader>(path.substr(0, length) + shard_suffix(i, count)));
    }
    for (const auto & file : files_)
        for (const gguf_tensor & tensor : file->tensors()) tensors_.push_back({file.get(), &tensor});
}

void copy_model_metadata(gguf_writer & writer, const model_files & from) {
    writer.copy_metadata(from.first());
    for (const char * key : {"split.no", "split.count", "split.tensors.count"}) writer.remove(key);
}

std::vector<std::string> model_files::paths() const {
    std::vector<std::string> paths;
    for (const auto & file : files_) paths.push_back(file->path());
    return paths;
}

}
