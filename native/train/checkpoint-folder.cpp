#include "train/checkpoint-folder.h"

#include "core/error.h"
#include "core/number-text.h"

#include <filesystem>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

[[noreturn]] void not_found(const std::string & folder) {
    throw error("CHECKPOINT_NOT_FOUND", "no checkpoint in " + folder,
                "check the path; checkpoint.resume: 'auto' starts from the beginning if there is none");
}

// Says how the schedule continues if it is another one than that of the checkpoint's run.
void warn_about_schedule(const train_state & state, int64_t total_before, const std::vector<float> & rates,
                         const event_sink & on_event) {
    const auto total = int64_t(rates.size());
    const bool extended = state.adaptive && int64_t(state.adaptive->learning_rates.size()) > total;
    if (state.step == 0 || state.batches() >= total || extended) return;
    const double factor = state.adaptive ? state.adaptive->factor : 1;
    const int64_t next = state.batches();
    // A step of several batches has the rate of its first one.
    const bool accumulates = state.adaptive && state.adaptive->accumulation > 1;
    if (accumulates || double(rates[size_t(next - 1)]) * factor == state.history.learning_rates.back()) return;
    const std::string steps = total == total_before
                                  ? std::to_string(total) + " steps"
                                  : std::to_string(total) + " steps instead of " + std::to_string(total_before);
    on_event(warning_event{"SCHEDULE_CHANGED", "the learning rate continues on the schedule of " + steps + ": step " +
                                                   std::to_string(state.step) + " had " +
                                                   number_text(state.history.learning_rates.back()) + ", step " +
                                                   std::to_string(state.step + 1) + " has " +
                                                   number_text(double(rates[size_t(next)]) * factor)});
}

void warn_if_finished(const train_state & state, const std::string & path, int64_t total, const event_sink & on_event) {
    if (state.batches() < total) return;
    on_event(warning_event{"NOTHING_TO_TRAIN",
                           "the checkpoint " + path + " is at step " + std::to_string(state.step) +
                               " and the run has " + std::to_string(total) +
                               " steps: nothing is left to train, and the output gets the checkpoint's weights"});
}

}

checkpoint_folder::checkpoint_folder(const checkpoint_parts & parts)
    : parts_(parts), options_(*parts.options.checkpoint), run_(new_run_id()) {
    start_timer();
}

void checkpoint_folder::start_timer() {
    const std::chrono::duration<double, std::ratio<60>> minutes(options_.every_minutes);
    next_time_ = clock::now() + std::chrono::duration_cast<clock::duration>(minutes);
}

std::optional<train_state> checkpoint_folder::resume(loader & data, const event_sink & on_event) {
    if (!options_.resume) return std::nullopt;
    const std::string & from = options_.resume->from;
    const bool in_directory = from == "latest" || from == "auto";
    std::string path = in_directory ? options_.directory : from;
    std::error_code missing;
    const bool is_folder = in_directory || fs::is_directory(fs::u8path(path), missing);
    if (from == "auto" && list_checkpoints(path).empty()) return std::nullopt;
    restored_checkpoint restored =
        is_folder ? read_newest(path, data, on_event, path) : read_checkpoint(path, parts_, data);

    const train_state & state = restored.state;
    const std::vector<float> & rates = parts_.options.learning_rates;
    // A run that differs is a new one, so that it never replaces checkpoints of the run that it continues.
    if (!restored.differs) run_ = restored.run;
    last_path_ = path;
    last_step_ = state.step;
    on_event(resume_event{state.step, path, state.history});
    warn_about_schedule(state, restored.total_steps, rates, on_event);
    warn_if_finished(state, path, int64_t(rates.size()), on_event);
    if (restored.lacks_best) {
        on_event(warning_event{"BEST_UNKNOWN", "the checkpoint " + path +
                                                   " was written without validation.keepBest: the best weights are "
                                                   "chosen among the evaluations from here on"});
    }
    return restored.state;
}

restored_checkpoint checkpoint_folder::read_newest(const std::string & folder, loader & data,
                                                   const event_sink & on_event, std::string & path) const {
    const std::vector<listed_checkpoint> all = list_checkpoints(folder);
    if (all.empty()) not_found(folder);
    for (const listed_checkpoint & each : all) {
        if (each.run != all.front().run) break; // an older run is not what the caller means
        try {
            restored_checkpoint restored = read_checkpoint(each.path, parts_, data);
            path = each.path;
            return restored;
        } catch (const error & failed) {
            if (failed.code() != "CHECKPOINT_INVALID") throw;
            on_event(warning_event{"CHECKPOINT_SKIPPED", std::string(failed.what()) + "; trying the one before it"});
        }
    }
    throw error("CHECKPOINT_INVALID", "no checkpoint of the last run in " + folder + " can be read",
                "remove its checkpoints, name another one as checkpoint.resume, or start without resume");
}

bool checkpoint_folder::is_due(int64_t step, const finished_step & finished) const {
    return (options_.every_steps > 0 && step % options_.every_steps == 0) ||
           (options_.every_minutes > 0 && clock::now() >= next_time_) ||
           (options_.every_epoch && finished.last_of_epoch) || (options_.keep_best && finished.best_evaluation);
}

void checkpoint_folder::after_step(const train_state & state, const finished_step & finished,
                                   const event_sink & on_event) {
    if (is_due(state.step, finished)) write(state, on_event);
}

std::string checkpoint_folder::save(const train_state & state, const event_sink & on_event) {
    if (state.step > last_step_) write(state, on_event);
    return last_path_;
}

void checkpoint_folder::write(const train_state & state, const event_sink & on_event) {
    start_timer();
    std::error_code ignored;
    fs::create_directories(fs::u8path(options_.directory), ignored); // opening the file reports a failure
    const std::string path = checkpoint_path(options_.directory, state.step, run_);
    try {
        write_checkpoint(path, run_, parts_, state);
    } catch (const error & failed) {
        if (failed.code() != "OUTPUT_NOT_WRITABLE") throw;
        on_event(warning_event{"CHECKPOINT_NOT_WRITTEN",
                               std::string(failed.what()) + "; the run continues without this checkpoint"});
        return;
    }
    last_path_ = path;
    last_step_ = state.step;
    on_event(checkpoint_event{state.step, path});
    remove_old(state, on_event);
}

void checkpoint_folder::remove_old(const train_state & state, const event_sink & on_event) const {
    if (options_.keep_last == 0) return;
    const evaluation_record * best = state.best_evaluation();
    int32_t kept = 0;
    for (const listed_checkpoint & each : list_checkpoints(options_.directory)) {
        // Later steps are of a damaged checkpoint that was passed over, or of a run that was resumed from an older one.
        if (each.run != run_ || each.step > state.step || kept++ < options_.keep_last) continue;
        if (options_.keep_best && best && each.step == best->step) continue;
        std::error_code failed;
        fs::remove(fs::u8path(each.path), failed);
        if (failed) {
            on_event(warning_event{"CHECKPOINT_NOT_REMOVED",
                                   "cannot remove the old checkpoint " + each.path + ": " + failed.message()});
        }
    }
}

}
