#include "generate/generate.h"

#include "generate/scheduler.h"

namespace llamatune {

generation_totals generate(const std::shared_ptr<model> & base, const generate_options & options,
                           prompt_queue & prompts, const generation_sink & sink, const std::atomic<bool> & stop) {
    return scheduler(base, options, prompts, sink, stop).run();
}

}
