#include "train/checkpoint-runs.h"

#include "harness.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;

namespace tiny {

checkpoint_options fresh_checkpoints(const std::string & name, int32_t every_steps) {
    checkpoint_options options;
    options.directory = harness::cache_directory() + "/" + name;
    options.every_steps = every_steps;
    fs::remove_all(fs::u8path(options.directory));
    return options;
}

std::vector<std::string> checkpoints_in(const std::string & folder) {
    std::vector<std::string> names;
    for (const fs::directory_entry & entry : fs::directory_iterator(fs::u8path(folder))) {
        const std::string name = entry.path().filename().u8string();
        names.push_back(name.substr(0, name.rfind('-')));
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string contents(const std::string & path) {
    std::ifstream in(fs::u8path(path), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

error aborted_run(const train_options & options, const std::function<bool(const train_event &)> & when) {
    std::atomic<bool> stop{false};
    try {
        run_training(arch_llama(), options, [&](const train_event & event) { stop = stop || when(event); }, stop);
    } catch (const error & e) {
        CHECK_EQ(e.code(), std::string("ABORTED"));
        return e;
    }
    harness::fail(__FILE__, __LINE__, "the run was not aborted");
}

std::string differences(const std::shared_ptr<model> & base, const train_options & options) {
    try {
        run(base, options);
    } catch (const error & e) {
        CHECK_EQ(e.code(), std::string("CHECKPOINT_MISMATCH"));
        std::string lines;
        for (const problem & p : e.problems()) lines += p.path + " " + p.message + "\n";
        return lines;
    }
    return "none";
}

}
