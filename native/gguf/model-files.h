#pragma once

#include "gguf/reader.h"
#include "gguf/writer.h"

#include <memory>
#include <string>
#include <vector>

namespace llamatune {

// A model's GGUF file, or all files of a model that is split into several.
class model_files {
public:
    struct entry {
        gguf_reader * file;
        const gguf_tensor * tensor;
    };

    // `path` is the file, or the first of several. Throws the errors of gguf_reader.
    explicit model_files(const std::string & path);

    // The file with the metadata.
    gguf_reader & first() const { return *files_[0]; }
    std::vector<std::string> paths() const;
    const std::vector<entry> & tensors() const { return tensors_; } // of all files, in their order

private:
    std::vector<std::unique_ptr<gguf_reader>> files_;
    std::vector<entry> tensors_;
};

// Copies the metadata of a model into one file. Call it before anything is set.
void copy_model_metadata(gguf_writer & writer, const model_files & from);

}
