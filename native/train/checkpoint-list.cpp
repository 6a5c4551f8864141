#include "train/checkpoint-list.h"

#include "core/hash.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <random>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

const std::string prefix = "checkpoint-", suffix = ".gguf";

bool consists_of(const std::string & text, const char * characters) {
    return !text.empty() && text.find_first_not_of(characters) == std::string::npos;
}

// Not set for other files, such as the temporary file of a killed run.
std::optional<listed_checkpoint> parse(const fs::path & path) {
    const std::string name = path.filename().u8string();
    if (name.size() <= prefix.size() + suffix.size() || name.compare(0, prefix.size(), prefix) != 0 ||
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) {
        return std::nullopt;
    }
    const std::string middle = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    const size_t dash = middle.find('-');
    const std::string step = middle.substr(0, dash);
    const std::string run = dash == std::string::npos ? "" : middle.substr(dash + 1);
    if (step.size() > 18 || !consists_of(step, "0123456789")) return std::nullopt;
    if (dash != std::string::npos && (run.size() != 8 || !consists_of(run, "0123456789abcdef"))) return std::nullopt;
    return listed_checkpoint{path.u8string(), std::stoll(step), run};
}

}

std::string checkpoint_path(const std::string & directory, int64_t step, const std::string & run) {
    return (fs::u8path(directory) / (prefix + std::to_string(step) + "-" + run + suffix)).u8string();
}

std::vector<listed_checkpoint> list_checkpoints(const std::string & directory) {
    std::vector<listed_checkpoint> found;
    std::map<std::string, fs::file_time_type> last_written; // by run
    std::error_code ended, removed;
    for (fs::directory_iterator entry(fs::u8path(directory), ended), end; !ended && entry != end;
         entry.increment(ended)) {
        const std::optional<listed_checkpoint> checkpoint = parse(entry->path());
        if (!checkpoint) continue;
        const fs::file_time_type time = fs::last_write_time(entry->path(), removed);
        if (removed) continue;
        fs::file_time_type & last = last_written.try_emplace(checkpoint->run, time).first->second;
        last = std::max(last, time);
        found.push_back(*checkpoint);
    }
    std::sort(found.begin(), found.end(), [&](const listed_checkpoint & a, const listed_checkpoint & b) {
        if (a.run == b.run) return a.step > b.step;
        const fs::file_time_type time_a = last_written[a.run], time_b = last_written[b.run];
        return time_a != time_b ? time_a > time_b : a.run > b.run;
    });
    return found;
}

std::string new_run_id() {
    std::random_device random;
    return hexadecimal(random()).substr(8);
}

}
