// A training is not lost if its output or a checkpoint cannot be written.
#include "train/output.h"

#include "core/error.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "train/recorded-run.h"

#include <filesystem>
#include <fstream>

using namespace llamatune;
namespace fs = std::filesystem;

namespace {

fs::path new_folder(const char * name) {
    const fs::path folder = fs::u8path(harness::cache_directory()) / name;
    fs::remove_all(folder);
    fs::create_directories(folder);
    return folder;
}

std::string contents(const fs::path & path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// Trains, removes the folder of the output after the first step, and returns the error.
error error_without_folder(const train_options & options) {
    const std::atomic<bool> stop{false};
    const auto remove_folder = [&](const train_event & event) {
        if (std::holds_alternative<step_event>(event)) fs::remove_all(fs::u8path(options.output).parent_path());
    };
    try {
        run_training(tiny::arch_llama(), options, remove_folder, stop);
    } catch (const error & e) { return e; }
    return error("NONE", "the output was written");
}

// The path that the message names.
fs::path saved_path(const error & e) {
    const std::string message = e.what(), before = "; the trained adapter was saved to '";
    const size_t at = message.find(before);
    if (at == std::string::npos) harness::fail(__FILE__, __LINE__, message);
    const size_t start = at + before.size();
    return fs::u8path(message.substr(start, message.find('\'', start) - start));
}

train_options two_steps(const char * name, const fs::path & folder) {
    train_options o =
        tiny::options_for(std::string(name) + ".tok", tiny::random_samples(*tiny::arch_llama(), 16, 5, 32));
    o.learning_rates.assign(2, 1e-3f);
    o.output = (folder / "adapter.gguf").u8string();
    return o;
}

}

TEST("train: an adapter that cannot be written is saved in the checkpoint folder, or else with temporary files") {
    const fs::path folder = new_folder("output-lost"), checkpoints = new_folder("output-lost-checkpoints");
    train_options o = two_steps("output-lost", folder);
    tiny::run(tiny::arch_llama(), o);
    const std::string expected = contents(folder / "adapter.gguf");

    const error temporary = error_without_folder(o);
    CHECK_EQ(temporary.code(), std::string("OUTPUT_NOT_WRITABLE"));
    const fs::path saved = saved_path(temporary);
    CHECK(fs::equivalent(saved.parent_path().parent_path(), fs::temp_directory_path()));
    CHECK(contents(saved) == expected);
    fs::remove_all(saved.parent_path());

    o.checkpoint = checkpoint_options{checkpoints.u8string(), 100};
    for (int i = 0; i < 2; i++) { // the second one does not replace the first one
        fs::create_directories(folder);
        const fs::path path = saved_path(error_without_folder(o));
        CHECK(fs::equivalent(path.parent_path().parent_path(), checkpoints));
        CHECK(contents(path) == expected);
    }
    CHECK_EQ(std::distance(fs::directory_iterator(checkpoints), fs::directory_iterator()), 2);
}

TEST("train: a checkpoint that cannot be written is a warning, and the run continues") {
    const fs::path folder = new_folder("checkpoint-lost");
    train_options o = two_steps("checkpoint-lost", folder);
    o.checkpoint = checkpoint_options{(folder / "checkpoints").u8string(), 1};
    std::ofstream(folder / "checkpoints") << "a file, so no folder can be made";
    const tiny::recorded_run log = tiny::run(tiny::arch_llama(), o);
    CHECK_EQ(log.warnings.size(), size_t(2));
    CHECK_EQ(log.warnings[0].code, std::string("CHECKPOINT_NOT_WRITTEN"));
    CHECK_EQ(log.checkpoints.size(), size_t(0));
    CHECK(fs::exists(folder / "adapter.gguf"));
}
