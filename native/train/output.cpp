#include "train/output.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "core/file-system.h"
#include "core/join.h"
#include "optim/optimizer.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

// Makes a new folder that only this user can open. Its name is new, so nobody else can have prepared it.
std::optional<fs::path> make_rescue_folder(const fs::path & parent) {
    constexpr int most = 1000;
    std::error_code failed;
    for (int i = 0; i < most && !failed; i++) {
        fs::path folder =
            parent / ("llamatune-rescued-" + std::to_string(file_system::process_id()) + "-" + std::to_string(i));
        if (!fs::create_directory(folder, failed)) continue;
        fs::permissions(folder, fs::perms::owner_all, failed);
        return folder;
    }
    return std::nullopt;
}

std::vector<fs::path> rescue_parents(const train_options & options) {
    std::vector<fs::path> parents;
    if (options.checkpoint) parents.push_back(fs::u8path(options.checkpoint->directory));
    std::error_code failed;
    const fs::path temporary = fs::temp_directory_path(failed);
    if (!failed) parents.push_back(temporary);
    return parents;
}

// Returns the path of the file; not set if the folder does not take it.
std::optional<std::string> save_below(const fs::path & parent, const trainable_weights & weights,
                                      const std::string & output) {
    const std::optional<fs::path> folder = make_rescue_folder(parent);
    if (!folder) return std::nullopt;
    std::string path = (*folder / fs::u8path(output).filename()).u8string();
    try {
        require_space(path, weights.bytes()); // do not fill a small disk, or memory, for nothing
        weights.save(path);
        return path;
    } catch (const error &) {
        std::error_code ignored;
        fs::remove(*folder, ignored);
        return std::nullopt;
    }
}

}

void require_disk_space(const trainable_weights & weights, const train_options & options) {
    if (!options.output.empty()) require_space(options.output, weights.bytes());
    if (!options.checkpoint) return;
    const checkpoint_options & when = *options.checkpoint;
    const bool certain =
        when.every_epoch || (when.every_steps > 0 && int64_t(options.learning_rates.size()) >= when.every_steps);
    if (!certain) return;
    const int64_t n_elements = weights.parameters().n_elements();
    const fs::path checkpoint = fs::u8path(when.directory) / "checkpoint";
    require_space(checkpoint.u8string(),
                  uint64_t(n_elements) * sizeof(float) + optimizer_state_bytes(options.optimizer, n_elements));
}

void save_output(const trainable_weights & weights, const train_options & options) {
    try {
        weights.save(options.output);
    } catch (const error & failed) {
        const std::string what = options.mode == train_mode::lora ? "the trained adapter" : "the trained model";
        std::string tried;
        for (const fs::path & parent : rescue_parents(options)) {
            if (const auto path = save_below(parent, weights, options.output)) {
                throw error(failed.code(), std::string(failed.what()) + "; " + what + " was saved to '" + *path + "'",
                            "nothing is lost: move that file to where you want it");
            }
            append_to(tried, "'" + parent.u8string() + "'", " or in ");
        }
        throw error(failed.code(),
                    std::string(failed.what()) + "; " + what + " could not be saved in " + tried + " either",
                    failed.hint());
    }
}

}
