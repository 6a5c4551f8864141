#pragma once

#include "train/checkpoint-list.h"
#include "train/checkpoint.h"
#include "train/event.h"

#include <chrono>
#include <optional>
#include <string>

namespace llamatune {

// The facts about a finished step that make a checkpoint due.
struct finished_step {
    bool last_of_epoch = false;
    bool best_evaluation = false; // an evaluation with a new lowest loss
};

// The checkpoints of a run: when they are written, which of them stay, and from which one the run resumes.
class checkpoint_folder {
public:
    // parts.options.checkpoint must be set.
    explicit checkpoint_folder(const checkpoint_parts & parts);

    // Restores what checkpoint.resume names, and moves `data` there. Damaged checkpoints of a folder are passed over
    // with a warning. Not set if the run starts from the beginning. Throws error CHECKPOINT_NOT_FOUND and the errors of
    // read_checkpoint.
    std::optional<train_state> resume(loader & data, const event_sink & on_event);

    // The run in the names of its checkpoints. resume() may change it.
    const std::string & run() const { return run_; }

    // Writes a checkpoint if one is due, and removes the ones that are no longer kept. A checkpoint that cannot be
    // written, e.g. on a full disk, is a warning: ending the run would lose more.
    void after_step(const train_state & state, const finished_step & finished, const event_sink & on_event);

    // Writes a checkpoint unless the last one has this state. Returns the path of the run's last checkpoint; empty if
    // there is none.
    std::string save(const train_state & state, const event_sink & on_event);

private:
    using clock = std::chrono::steady_clock;

    bool is_due(int64_t step, const finished_step & finished) const;
    void write(const train_state & state, const event_sink & on_event);
    void remove_old(const train_state & state, const event_sink & on_event) const;
    restored_checkpoint read_newest(const std::string & folder, loader & data, const event_sink & on_event,
                                    std::string & path) const;
    void start_timer();

    checkpoint_parts parts_;
    const checkpoint_options & options_;
    std::string run_;
    std::string last_path_;
    int64_t last_step_ = 0; // of last_path_; 0: none
    clock::time_point next_time_;
};

}
