#include "binding/field-names.h"

#include "adapter/adapter-info.h"
#include "adapter/adapter-values.h"
#include "bench/measure.h"
#include "bench/peak.h"
#include "binding/write.h"
#include "check/test-device.h"
#include "core/log.h"
#include "data/computed-tokens.h"
#include "embed/embed.h"
#include "generate/generate.h"
#include "model-tools/create.h"
#include "model-tools/merge.h"
#include "model-tools/quantize.h"
#include "model/info.h"
#include "model/load-request.h"
#include "score/score.h"
#include "train/list-devices.h"
#include "train/run.h"

namespace llamatune::binding {

namespace {

template <class T>
std::vector<std::string> names_in(const std::string & prefix = "");

// The visitor that lists field names. It descends into structs, optional structs and arrays of structs.
class field_lister {
public:
    explicit field_lister(std::string prefix) : prefix_(std::move(prefix)) {}

    void type(const char *) { names.push_back("type"); }
    void numbers(std::map<std::string, double> &) {} // these names are not a fixed set

    template <class T>
    void operator()(const char * name, T & member) {
        names.push_back(prefix_ + name);
        enter(names.back() + ".", member, 0);
    }

    std::vector<std::string> names;

private:
    template <class T>
    auto enter(const std::string & prefix, T & member, int) -> decltype(fields(*this, member), void()) {
        const std::vector<std::string> inner = names_in<T>(prefix);
        names.insert(names.end(), inner.begin(), inner.end());
    }
    template <class T>
    void enter(const std::string & prefix, std::optional<T> &, int) {
        T member{};
        enter(prefix, member, 0);
    }
    template <class T>
    void enter(const std::string & prefix, std::vector<T> &, int) {
        T member{};
        enter(prefix, member, 0);
    }
    template <class T>
    void enter(const std::string &, T &, long) {} // a number, a string …

    const std::string prefix_;
};

template <class T>
std::vector<std::string> names_in(const std::string & prefix) {
    T members{};
    field_lister lister(prefix);
    fields(lister, members);
    return lister.names;
}

}

Napi::Value field_names_call(const Napi::CallbackInfo & info) {
    return write(info.Env(), std::map<std::string, std::vector<std::string>>{
                                 {"LogLine", names_in<log_line>()},
                                 {"LoadOptions", names_in<load_request>()},
                                 {"ModelInfo", names_in<model_info>()},
                                 {"AdapterInfo", names_in<adapter_info>()},
                                 {"SystemInfo", names_in<system_info>()},
                                 {"ListedDevice", names_in<listed_device>()},
                                 {"DeviceTestOptions", names_in<device_test_options>()},
                                 {"DeviceTest", names_in<device_test>()},
                                 {"CreateModelOptions", names_in<create_options>()},
                                 {"QuantizeOptions", names_in<quantize_options>()},
                                 {"AdapterValues", names_in<adapter_values>()},
                                 {"MergeOptions", names_in<merge_options>()},
                                 {"MergeProgress", names_in<merge_progress>()},
                                 {"MergeResult", names_in<merge_result>()},
                                 {"TrainOptions", names_in<train_options>()},
                                 {"LayoutRequest", names_in<layout_request>()},
                                 {"TrainPlan", names_in<train_plan>()},
                                 {"MemoryNeeds", names_in<memory_estimate>()},
                                 {"StepEvent", names_in<step_event>()},
                                 {"EvaluationEvent", names_in<evaluation_event>()},
                                 {"CheckpointEvent", names_in<checkpoint_event>()},
                                 {"ResumeEvent", names_in<resume_event>()},
                                 {"PauseEvent", names_in<pause_event>()},
                                 {"EpochEvent", names_in<epoch_event>()},
                                 {"WarningEvent", names_in<warning_event>()},
                                 {"EnginePhaseEvent", names_in<phase_event>()},
                                 {"InterventionEvent", names_in<intervention_event>()},
                                 {"DecisionRequest", names_in<decision_request>()},
                                 {"NativeDecision", names_in<step_decision>()},
                                 {"TrainResult", names_in<train_result>()},
                                 {"GenerateOptions", names_in<generate_options>()},
                                 {"TokenEvent", names_in<token_event>()},
                                 {"SequenceOutcome", names_in<sequence_result>()},
                                 {"GenerationTotals", names_in<generation_totals>()},
                                 {"Prompt", names_in<prompt>()},
                                 {"ScoreOptions", names_in<score_options>()},
                                 {"SequenceScore", names_in<sequence_score>()},
                                 {"ScoreProgress", names_in<score_progress>()},
                                 {"ScoreTotals", names_in<score_totals>()},
                                 {"EmbedOptions", names_in<embed_options>()},
                                 {"EmbeddingEvent", names_in<text_embedding>()},
                                 {"EmbedTotals", names_in<embed_totals>()},
                                 {"BenchOptions", names_in<bench_options>()},
                                 {"SampleEvent", names_in<bench_sample>()},
                                 {"PeakOptions", names_in<peak_options>()},
                                 {"Peak", names_in<peak_speed>()},
                             });
}

}
