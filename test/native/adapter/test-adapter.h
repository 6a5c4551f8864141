#pragma once

// Shared by the tests of adapters: a generated model, options for it and files.

#include "adapter/adapter.h"
#include "gguf/edited.h"
#include "harness.h"

#include <filesystem>

namespace test_adapter {

using namespace llamatune;

inline std::shared_ptr<model> load(const std::string & architecture) {
    load_options options;
    options.path = harness::arch_model(architecture);
    return model::load(options);
}

inline adapter_options options_of(std::vector<std::string> targets = {"attn_q", "attn_v", "ffn_down", "output"}) {
    adapter_options o;
    o.rank = 4;
    o.alpha = 8.0f;
    o.targets = std::move(targets);
    return o;
}

inline std::string output(const std::string & name) {
    const std::filesystem::path folder = std::filesystem::path(harness::cache_directory()) / "adapter";
    std::filesystem::create_directories(folder);
    return (folder / name).string();
}

// Makes a copy of an adapter file with a changed header.
inline std::string edited(const std::string & path, const std::string & name,
                          const std::function<void(gguf_context *)> & edit) {
    return harness::edited_gguf(path, output(name), edit);
}

}
